//! The project and the account of the metadata server, and who is not believed to be one.

use std::path::PathBuf;

use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::credentials::{ACCOUNT, Credentials, LOCATION, assert_sent_from, in_a_child};
use crate::stage::{http_request, requests, willing_api};

/// A metadata server that knows a project and an account, and answers with these headers.
async fn metadata_server(flavor: Option<&str>) -> MockServer {
    let metadata = MockServer::start().await;
    for (key, value) in [
        ("project/project-id", "of-the-machine"),
        (
            "instance/service-accounts/default/email",
            "machine@of-the-machine.iam.gserviceaccount.com\n",
        ),
    ] {
        let mut answer = ResponseTemplate::new(200).set_body_string(value);
        if let Some(flavor) = flavor {
            answer = answer.insert_header("metadata-flavor", flavor);
        }
        Mock::given(method("GET"))
            .and(path(format!("/computeMetadata/v1/{key}")))
            .and(header("metadata-flavor", "Google"))
            .respond_with(answer)
            .mount(&metadata)
            .await;
    }
    metadata
}

#[tokio::test]
async fn the_project_comes_from_the_metadata_server() {
    let (api, metadata) = (willing_api().await, metadata_server(Some("Google")).await);

    in_a_child(
        Some(&api),
        Credentials::Passed,
        &[
            ("GCE_METADATA_HOST", &metadata.address().to_string()),
            LOCATION,
            ACCOUNT,
        ],
    )
    .await
    .unwrap();

    assert_sent_from("of-the-machine", ACCOUNT.1, &requests(&api).await[0]);
}

#[tokio::test]
async fn the_account_of_credentials_from_code_is_never_asked_of_the_metadata_server() {
    let (api, metadata) = (willing_api().await, metadata_server(Some("Google")).await);

    let error = in_a_child(
        Some(&api),
        Credentials::Passed,
        &[("GCE_METADATA_HOST", &metadata.address().to_string()), LOCATION],
    )
    .await
    .unwrap_err();

    assert!(error.contains("CLOUD_TASKS_SERVICE_ACCOUNT"), "{error}");
    let asked = requests(&metadata).await;
    assert!(asked.iter().all(|request| !request.url.path().contains("email")));
}

#[tokio::test]
async fn an_answer_without_the_header_of_the_metadata_server_is_not_believed() {
    for flavor in [None, Some("Someone else"), Some("google")] {
        let (api, metadata) = (willing_api().await, metadata_server(flavor).await);

        let error = in_a_child(
            Some(&api),
            Credentials::Passed,
            &[
                ("GCE_METADATA_HOST", &metadata.address().to_string()),
                LOCATION,
                (
                    "CLOUD_TASKS_SERVICE_ACCOUNT",
                    "tasks@acme.iam.gserviceaccount.com",
                ),
            ],
        )
        .await
        .unwrap_err();

        assert!(error.contains("the Google Cloud project is unknown"), "{error}");
        assert_eq!(requests(&metadata).await.len(), 1);
    }
}

/// A `gcloud` that is logged in, alone on a path, in a home without other credentials.
struct FoundGcloud {
    home: PathBuf,
}

impl FoundGcloud {
    fn install(name: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;

        let home = std::env::temp_dir().join(format!("cloud-tasks-{}-gcloud-{name}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let script = home.join("gcloud");
        std::fs::write(
            &script,
            "#!/bin/sh\ncase \"$1\" in auth) echo a-token;; *) echo of-gcloud;; esac\n",
        )
        .unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { home }
    }

    fn path(&self) -> &str {
        self.home.to_str().unwrap()
    }
}

impl Drop for FoundGcloud {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

#[tokio::test]
async fn the_account_of_found_credentials_is_only_believed_of_a_metadata_server() {
    const MACHINE: &str = "machine@of-the-machine.iam.gserviceaccount.com";
    for (name, flavor, account) in [
        ("google", Some("Google"), Some(MACHINE)),
        ("none", None, None),
        ("lower", Some("google"), None),
        ("other", Some("Google, Google"), None),
        ("empty", Some(""), None),
    ] {
        let (api, metadata) = (willing_api().await, metadata_server(flavor).await);
        let gcloud = FoundGcloud::install(name);

        let outcome = in_a_child(
            Some(&api),
            Credentials::Found,
            &[
                ("GCE_METADATA_HOST", &metadata.address().to_string()),
                ("CLOUD_TASKS_LOCATION", "europe-west1"),
                ("HOME", gcloud.path()),
                ("PATH", gcloud.path()),
            ],
        )
        .await;

        match (outcome, account) {
            (Ok(_), Some(account)) => {
                let request = requests(&api).await.swap_remove(0);
                assert_eq!(
                    http_request(&request)["oidcToken"]["serviceAccountEmail"],
                    account
                );
                assert_eq!(request.headers["authorization"], "Bearer a-token");
            }
            (Err(error), None) => {
                assert!(
                    error.contains("CLOUD_TASKS_SERVICE_ACCOUNT"),
                    "{flavor:?}: {error}"
                );
                assert_eq!(requests(&api).await.len(), 0);
            }
            (outcome, _) => panic!("{flavor:?}: {outcome:?}"),
        }
        let asked = requests(&metadata).await;
        assert!(
            asked.iter().any(|request| request.url.path().ends_with("/email")),
            "{flavor:?}"
        );
    }
}
