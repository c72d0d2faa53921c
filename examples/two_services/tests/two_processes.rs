//! Two services in two processes, started by one command.
#![allow(missing_docs, clippy::unwrap_used)]

use std::process::{Command, Output};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn two_services() -> Command {
    // The programs stand beside each other.
    let _ = (env!("CARGO_BIN_EXE_billing"), env!("CARGO_BIN_EXE_shop"));
    without_settings(env!("CARGO_BIN_EXE_two-services"))
}

fn without_settings(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CLOUD_TASKS_") || name.starts_with("PUBSUB_") || name.starts_with("GOOGLE_") {
            command.env_remove(name);
        }
    }
    command
}

#[test]
fn one_service_runs_the_task_of_another_and_hears_its_event() {
    let Output {
        status,
        stdout,
        stderr,
    } = two_services().output().unwrap();

    let (stdout, stderr) = (text(&stdout), text(&stderr));
    assert!(status.success(), "{stdout}\n{stderr}");
    for line in [
        "without a token: HTTP/1.1 401 Unauthorized",
        "shop: published order 7",
        "shop: enqueued the charge of invoice 7",
        "billing: charged invoice 7",
        "billing: heard of order 7",
    ] {
        assert!(
            stdout.lines().any(|printed| printed == line),
            "{line}: {stdout}\n{stderr}"
        );
    }
}

#[test]
fn a_service_whose_endpoint_is_unknown_is_named_when_the_runtime_is_built() {
    let output = without_settings(env!("CARGO_BIN_EXE_shop"))
        .env("CLOUD_TASKS_EMULATOR_HOST", "127.0.0.1:9")
        .output()
        .unwrap();

    let stderr = text(&output.stderr);
    assert!(!output.status.success());
    assert!(
        stderr.contains(
            "the endpoint of the service billing is unknown, which runs Charge: set CLOUD_TASKS_SERVICE_BILLING to its URL"
        ),
        "{stderr}"
    );
}
