//! A process with an environment of its own, since that of this one is shared by all tests: the test binary once more,
//! told to run one test that is the child's part.

use std::io::Write;
use std::process::Stdio;

use cloud_tasks::Error;
use serde_json::{Value, json};
use tokio::process::Command;

/// What the child's part starts with; without it nobody started the child.
const API: &str = "TEST_CHILD_API";
const ANONYMOUS: &str = "TEST_CHILD_ANONYMOUS";
const MARK: &str = "the child says ";

/// Runs the test `part` in a process whose environment says what is in `vars` of this library and of Google.
///
/// Gives back what it [told](tell): the ids, or the error.
pub(crate) async fn run(
    part: &str,
    api: &str,
    anonymous: bool,
    vars: &[(&str, &str)],
) -> Result<Value, String> {
    let mut command = command(part, api);
    command.envs(vars.iter().copied());
    if anonymous {
        command.env(ANONYMOUS, "yes");
    }

    let output = command.output().await.unwrap();

    let text = String::from_utf8_lossy(&output.stdout);
    let told = text
        .split_once(MARK)
        .and_then(|(_, told)| told.lines().next())
        .unwrap_or_else(|| panic!("the child told nothing: {output:?}"));
    assert!(output.status.success(), "{output:?}");
    let told: Value = serde_json::from_str(told).unwrap();
    match told["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(told["ids"].clone()),
    }
}

/// The process of a child's part, whose environment says nothing of this library and of Google, except the API to call.
pub(crate) fn command(part: &str, api: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if ["CLOUD_TASKS_", "GOOGLE_", "GCE_", "PUBSUB_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    command
        .args([part, "--exact", "--include-ignored", "--nocapture"])
        .env(API, api)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// The API that the child is to call, in the child.
pub(crate) fn api() -> Option<String> {
    std::env::var(API).ok()
}

/// Whether the child is given credentials, in the child.
pub(crate) fn is_anonymous() -> bool {
    std::env::var_os(ANONYMOUS).is_some()
}

/// Tells the parent how it went, in the child.
pub(crate) fn tell(outcome: &Result<Vec<String>, Error>) {
    let told = match outcome {
        Ok(ids) => json!({"ids": ids}),
        Err(error) => json!({"error": format!("{error:#}")}),
    };
    // Not by `println!`, which the test harness may keep to itself.
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{MARK}{told}").unwrap();
}
