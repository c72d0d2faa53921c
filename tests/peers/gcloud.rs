//! `gcloud tasks` as a producer.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::python::{is_selected, skip};
use crate::stage::{ACCOUNT, LOCATION, Stage};
use crate::tasks::{Add, Input, Profile};

const QUEUE: &str = "by-hand";

/// `gcloud` with settings of its own: it calls the engine as nobody, and nobody else.
struct Gcloud {
    project: String,
    engine: String,
    settings: PathBuf,
}

/// A service of ours, and a `gcloud` that makes tasks for it; `None` where there is no `gcloud`, which it says loudly.
async fn producer(test: &str) -> Option<(Stage, Gcloud)> {
    if !is_selected(test) {
        return None;
    }
    if let Err(error) = Command::new("gcloud").arg("--version").output().await {
        skip(
            test,
            &format!("there is no gcloud: {error}; install the Cloud SDK"),
        );
        return None;
    }
    let stage = Stage::open().await;
    let gcloud = Gcloud {
        project: stage.project.clone(),
        engine: format!("{}/", stage.engine.url()),
        settings: Path::new(env!("CARGO_TARGET_TMPDIR")).join(&stage.project),
    };
    gcloud.tasks(&["queues", "create", QUEUE]).await;
    Some((stage, gcloud))
}

impl Gcloud {
    async fn tasks(&self, arguments: &[&str]) {
        let output = Command::new("gcloud")
            .arg("tasks")
            .args(arguments)
            .args(["--location", LOCATION, "--project", &self.project, "--quiet"])
            .env("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDTASKS", &self.engine)
            .env("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "true")
            .env("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "true")
            .env("CLOUDSDK_CONFIG", &self.settings)
            .env("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "true")
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "gcloud tasks {arguments:?}: {output:?}");
    }

    /// Creates a task for this URL.
    async fn create(&self, url: &str, arguments: &[&str]) {
        let mut all = vec!["create-http-task", "--queue", QUEUE, "--url", url];
        all.extend(arguments);
        self.tasks(&all).await;
    }
}

impl Drop for Gcloud {
    fn drop(&mut self) {
        // Nothing is there where nothing was started.
        let _ = std::fs::remove_dir_all(&self.settings);
    }
}

#[tokio::test]
async fn a_task_from_gcloud_is_let_in_and_runs() {
    let Some((mut stage, gcloud)) = producer("a_task_from_gcloud_is_let_in_and_runs").await else {
        return;
    };
    let profile = Profile {
        name: "Zoë — 日本 🎉".to_owned(),
        ratio: 117.633_311_394_000_17,
        big: 9_007_199_254_740_993,
        referrer: None,
    };
    let body = format!("--body-content={}", serde_json::to_string(&profile).unwrap());

    let url = format!("{}/tasks/Profile", stage.endpoint);
    let account = format!("--oidc-service-account-email={ACCOUNT}");
    gcloud
        .create(&url, &[&body, &account, "--header=X-Request-Id: req-42"])
        .await;

    assert_eq!(stage.answer().await, ("/tasks/Profile".to_owned(), 200));
    let run = stage.run().await;
    assert_eq!(run.input, Input::Profile(profile));
    assert_eq!((run.metadata.queue(), run.metadata.attempt()), (Some(QUEUE), 1));
    assert_eq!(run.header("x-request-id"), Some("req-42"));
    stage.engine.wait_idle(QUEUE).await.unwrap();
    stage.close().await;
}

/// Without a body there is nothing that could be JSON: that is how `gcloud` says that there are no arguments.
#[tokio::test]
async fn a_task_without_a_body_from_gcloud_runs() {
    let Some((mut stage, gcloud)) = producer("a_task_without_a_body_from_gcloud_runs").await else {
        return;
    };

    let url = format!("{}/tasks/Nothing", stage.endpoint);
    let account = format!("--oidc-service-account-email={ACCOUNT}");
    gcloud.create(&url, &[&account]).await;

    assert_eq!(stage.answer().await, ("/tasks/Nothing".to_owned(), 200));
    assert_eq!(stage.run().await.input, Input::Nothing);
    stage.close().await;
}

#[tokio::test]
async fn tasks_from_gcloud_for_another_audience_or_without_a_token_are_refused() {
    let test = "tasks_from_gcloud_for_another_audience_or_without_a_token_are_refused";
    let Some((mut stage, gcloud)) = producer(test).await else {
        return;
    };
    let body = format!(
        "--body-content={}",
        serde_json::to_string(&Add { a: 1, b: 2 }).unwrap()
    );
    let url = format!("{}/tasks/Add", stage.endpoint);
    let account = format!("--oidc-service-account-email={ACCOUNT}");
    let other = format!("--oidc-token-audience={}/tasks/Profile", stage.endpoint);

    gcloud.create(&url, &[&body]).await;
    assert_eq!(stage.answer().await, ("/tasks/Add".to_owned(), 401));
    gcloud.tasks(&["queues", "purge", QUEUE]).await;

    gcloud.create(&url, &[&body, &account, &other]).await;
    loop {
        match stage.answer().await.1 {
            // An attempt of the first task that was under way.
            401 => {}
            status => break assert_eq!(status, 403),
        }
    }
    assert!(stage.nothing_ran());
    stage.close().await;
}
