//! Permissions: who may read and write them, and who gets them.

use cloud_tasks::event::{Topic, TopicPublisher};
use cloud_tasks::setup::Plan;
use cloud_tasks::{Config, Runtime};
use serde_json::json;

use crate::cloud::{Cloud, NUMBER, SUBSCRIPTIONS, TOPICS};
use crate::support::api::{config, google, refused};

const LETTERS: &str = "projects/acme/topics/shop--orders-failed";

async fn plan(runtime: &Runtime) -> Plan {
    let setup = runtime.setup().only_subscribers().project_number(NUMBER);
    setup.plan().await.unwrap()
}

fn iam_lines(plan: &Plan) -> Vec<String> {
    let changes = plan.changes().map(ToString::to_string);
    changes.filter(|change| change.contains("IAM")).collect()
}

#[tokio::test]
async fn without_permission_to_read_policies_the_rest_is_planned_and_a_note_names_the_role_that_helps() {
    let cloud = Cloud::new().await;
    cloud.put(LETTERS, json!({}));
    cloud.fail(
        usize::MAX,
        "GET",
        ":getIamPolicy",
        refused(
            403,
            "PERMISSION_DENIED",
            "User not authorized to perform this action.",
        ),
    );
    let runtime = cloud.runtime().await;

    let plan = plan(&runtime).await;

    assert_eq!(iam_lines(&plan), [""; 0]);
    assert!(plan.to_string().contains("[+] subscription Auditor"), "{plan}");
    let [note] = plan.notes() else {
        panic!("one note: {plan}");
    };
    for part in [
        "skipped the IAM bindings of dead letters (roles/pubsub.publisher on shop--orders-failed, roles/pubsub.subscriber on \
         shop--Auditor)",
        "roles/pubsub.admin",
        "gcloud projects add-iam-policy-binding acme",
        "`skip_iam`",
    ] {
        assert!(note.contains(part), "{part} in {note}");
    }
    assert!(!note.contains("pubsub.editor"), "{note}");
    plan.apply().await.unwrap();
}

#[tokio::test]
async fn iam_can_be_left_to_somebody_else_who_is_told_what_to_grant() {
    let cloud = Cloud::new().await;
    let runtime = cloud.runtime().await;

    let setup = runtime.setup().only_subscribers().project_number(NUMBER);
    let plan = setup.skip_iam().plan().await.unwrap();
    let notes = plan.notes().to_vec();
    plan.apply().await.unwrap();

    let member = format!("serviceAccount:service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com");
    assert_eq!(
        notes,
        [
            format!("left to others: {member} needs roles/pubsub.publisher on {LETTERS}"),
            format!(
                "left to others: {member} needs roles/pubsub.subscriber on {SUBSCRIPTIONS}/shop--Auditor"
            ),
        ]
    );
    assert!(!cloud.calls().await.iter().any(|call| call.contains("IamPolicy")));
}

#[tokio::test]
async fn an_account_of_pub_sub_that_does_not_exist_yet_is_explained_with_the_command_that_creates_it() {
    let cloud = Cloud::new().await;
    let message =
        format!("Service account service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com does not exist.");
    cloud.fail(
        usize::MAX,
        "POST",
        ":setIamPolicy",
        refused(400, "INVALID_ARGUMENT", &message),
    );
    let runtime = cloud.runtime().await;

    let error = plan(&runtime).await.apply().await.unwrap_err();

    let text = error.failed()[0].error.to_string();
    assert!(
        text.contains(
            "`gcloud beta services identity create --service=pubsub.googleapis.com --project=acme` creates it"
        ),
        "{text}"
    );
}

async fn runtime_with(cloud: &Cloud, config: Config) -> Runtime {
    cloud
        .builder(config)
        .allow_publisher(Topic::new("mail"), TopicPublisher::gmail())
        .allow_publisher(Topic::new("uploads"), TopicPublisher::cloud_storage())
        .allow_publisher(
            Topic::new("uploads"),
            TopicPublisher::cloud_storage().of_project(777),
        )
        .allow_publisher(Topic::new("audit"), TopicPublisher::log_sinks())
        .allow_publisher(
            Topic::new("audit"),
            TopicPublisher::account("p123-456@gcp-sa-logging.iam.gserviceaccount.com"),
        )
        .allow_publisher(
            Topic::new("audit"),
            TopicPublisher::account("serviceAccount:cloud-logs@system.gserviceaccount.com"),
        )
        .allow_publisher(Topic::new("projects/other/topics/bus"), TopicPublisher::gmail())
        .build()
        .await
        .unwrap()
}

#[tokio::test]
async fn publishers_of_google_may_publish_to_the_topics_that_the_code_names() {
    let cloud = Cloud::new().await;
    let runtime = runtime_with(&cloud, config().with_app_name("shop")).await;

    let first = plan(&runtime).await;
    let text = first.to_string();
    first.apply().await.unwrap();

    let publishers = |topic: &str| cloud.policy(&format!("{TOPICS}/{topic}"))["bindings"].clone();
    let binding = |members: &[&str]| json!([{"role": "roles/pubsub.publisher", "members": members}]);
    assert_eq!(
        publishers("shop--mail"),
        binding(&["serviceAccount:gmail-api-push@system.gserviceaccount.com"])
    );
    assert_eq!(
        publishers("shop--uploads"),
        binding(&[
            "serviceAccount:service-123456@gs-project-accounts.iam.gserviceaccount.com",
            "serviceAccount:service-777@gs-project-accounts.iam.gserviceaccount.com",
        ])
    );
    assert_eq!(
        publishers("shop--audit"),
        binding(&[
            "serviceAccount:service-123456@gcp-sa-logging.iam.gserviceaccount.com",
            "serviceAccount:p123-456@gcp-sa-logging.iam.gserviceaccount.com",
            "serviceAccount:cloud-logs@system.gserviceaccount.com",
        ])
    );
    assert!(text.contains("[+] topic shop--mail\n"), "{text}");
    assert!(
        text.contains(
            "note: skipped projects/other/topics/bus: it belongs to another project, whose owner must grant \
             serviceAccount:gmail-api-push@system.gserviceaccount.com roles/pubsub.publisher"
        ),
        "{text}"
    );
    assert!(plan(&runtime).await.is_empty());
}

#[tokio::test]
async fn a_publisher_that_is_no_account_fails_the_build() {
    for account in [
        "",
        "allUsers",
        "allAuthenticatedUsers",
        "user:",
        "a b@example.com",
        "ada",
    ] {
        let error = Runtime::builder()
            .config(config())
            .google(google("https://tasks.example"))
            .allow_unsigned_pushes()
            .allow_publisher(Topic::new("mail"), TopicPublisher::account(account))
            .build()
            .await
            .unwrap_err()
            .to_string();

        assert!(
            error.contains(&format!(
                "the publisher {account:?} of the topic \"mail\" is not an account"
            )),
            "{account}: {error}"
        );
    }
}
