//! Each operation with each error: whether it had an effect, whether it is retried, and what its error says.

use std::io;
use std::time::Duration;

use google_cloud_gax::error::rpc::{Code, Status};
use google_cloud_gax::error::{CredentialsError, Error as GoogleError};
use google_cloud_gax::retry_policy::RetryPolicy;
use google_cloud_gax::retry_state::RetryState;
use http::HeaderMap;

use crate::backend::google::call_limit::Busy;
use crate::backend::google::error::{Call, CallOutcome, Operation, is_queue_absent};
use crate::backend::google::retry::RetryTransient;
use crate::backend::queue_admin::View;
use crate::base::Error;
use crate::base::text::error_chain;

const QUEUE: &str = "projects/acme/locations/europe-west1/queues/emails";
const JOB: &str = "projects/acme/locations/europe-west1/jobs/digest";
const TOPIC: &str = "projects/acme/topics/orders";
const SUBSCRIPTION: &str = "projects/acme/subscriptions/dead-orders";
const ACCOUNT: &str = "tasks@acme.iam.gserviceaccount.com";

/// Each operation with a resource, and whether it is a read, and whether Google's client retries it.
const OPERATIONS: [(Operation<'_>, &str, Kind); 15] = [
    (Operation::CreateTask { account: ACCOUNT }, QUEUE, Kind::Write),
    (Operation::ReadTasks(View::Basic), QUEUE, Kind::Read),
    (Operation::ReadTasks(View::Full), QUEUE, Kind::Read),
    (Operation::DeleteTask, QUEUE, Kind::Write),
    (Operation::RunTask, QUEUE, Kind::Write),
    (Operation::ReadQueue, QUEUE, Kind::Read),
    (Operation::ChangeQueue, QUEUE, Kind::Write),
    (Operation::Publish, TOPIC, Kind::Write),
    (Operation::Pull, SUBSCRIPTION, Kind::Read),
    (Operation::ReadResource, TOPIC, Kind::Read),
    (Operation::ChangeResource, QUEUE, Kind::RetriedWrite),
    (Operation::ChangeResource, JOB, Kind::RetriedWrite),
    (Operation::ChangeResource, TOPIC, Kind::RetriedWrite),
    (Operation::ReadPolicy, TOPIC, Kind::Read),
    (Operation::ChangePolicy, TOPIC, Kind::RetriedWrite),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Read,
    Write,
    RetriedWrite,
}

/// What an error is expected to mean.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    /// Nothing happened, and a retry would not help.
    Refused,
    /// Nothing happened; a retry may help.
    NotYet,
    /// Nothing is known; a retry may help.
    Unknown,
}

fn service(http: u16, code: Code, message: &str) -> GoogleError {
    let status = Status::default().set_code(code).set_message(message);
    GoogleError::service_with_http_metadata(status, Some(http), None)
}

/// The same error as over gRPC, which has no HTTP status.
fn grpc(code: Code, message: &str) -> GoogleError {
    GoogleError::service(Status::default().set_code(code).set_message(message))
}

fn page(status: u16) -> GoogleError {
    GoogleError::http(status, HeaderMap::new(), "<html>Sign in</html>".into())
}

fn refused_connection() -> GoogleError {
    GoogleError::io(io::Error::from(io::ErrorKind::ConnectionRefused))
}

fn errors() -> Vec<(&'static str, GoogleError, Expected)> {
    use Expected::{NotYet, Refused, Unknown};
    let absent = "Queue does not exist. If you just created the queue, wait at least a minute.";
    let disabled = "The API has not been used in project 7 before or it is disabled.";
    vec![
        ("not found", service(404, Code::NotFound, "no"), Refused),
        ("not found over gRPC", grpc(Code::NotFound, "no"), Refused),
        ("denied", service(403, Code::PermissionDenied, "no"), Refused),
        ("denied over gRPC", grpc(Code::PermissionDenied, "no"), Refused),
        (
            "queue absent",
            service(400, Code::FailedPrecondition, absent),
            Refused,
        ),
        (
            "queue blocked",
            service(
                400,
                Code::FailedPrecondition,
                "a queue with this name existed too recently",
            ),
            Refused,
        ),
        (
            "disabled",
            service(403, Code::PermissionDenied, disabled),
            Refused,
        ),
        ("redirect", page(302), Refused),
        ("page with 403", page(403), Refused),
        ("page with 200", GoogleError::deser("expected value"), Unknown),
        ("page with 502", page(502), Unknown),
        (
            "unauthenticated",
            service(401, Code::Unauthenticated, "no"),
            Refused,
        ),
        (
            "credentials",
            GoogleError::authentication(CredentialsError::from_msg(false, "no")),
            Refused,
        ),
        (
            "token server away",
            GoogleError::authentication(CredentialsError::from_msg(true, "no")),
            NotYet,
        ),
        (
            "no free connection",
            Busy::error(64, Duration::from_secs(60)),
            NotYet,
        ),
        ("quota", service(429, Code::ResourceExhausted, "slower"), NotYet),
        ("quota over gRPC", grpc(Code::ResourceExhausted, "slower"), NotYet),
        ("unavailable", service(503, Code::Unavailable, "later"), Unknown),
        ("unavailable over gRPC", grpc(Code::Unavailable, "later"), Unknown),
        ("deadline", service(504, Code::DeadlineExceeded, "late"), Unknown),
        ("broken connection", GoogleError::io("broken"), Unknown),
        ("timeout", GoogleError::timeout("late"), Unknown),
        (
            "refused connection",
            GoogleError::connect(io::Error::from(io::ErrorKind::ConnectionRefused)),
            NotYet,
        ),
        ("invalid", service(400, Code::InvalidArgument, "no"), Refused),
    ]
}

#[test]
fn each_error_has_one_outcome_for_each_operation() {
    use Expected::{NotYet, Refused, Unknown};
    for (operation, resource, kind) in OPERATIONS {
        for (name, error, expected) in errors() {
            let outcome = operation.outcome(&error);
            let retryable = matches!(expected, NotYet | Unknown);
            let may_have_taken_effect = match kind {
                Kind::Read => false,
                Kind::Write => expected == Unknown,
                // An attempt before the last one may have had an effect.
                Kind::RetriedWrite => expected != Refused,
            };
            let case = format!("{operation:?} on {resource}, {name}");
            assert_eq!(outcome.retryable, retryable, "{case}");
            assert_eq!(outcome.may_have_taken_effect, may_have_taken_effect, "{case}");

            let text = error.to_string();
            let failed = Call::new(operation, resource, "done").failed(error);
            assert_eq!(failed.may_have_taken_effect(), may_have_taken_effect, "{case}");
            assert_eq!(
                failed.is_unavailable(),
                retryable || may_have_taken_effect,
                "{case}"
            );
            assert_eq!(failed.is_rejected(), !failed.is_unavailable(), "{case}");
            let start = if may_have_taken_effect {
                format!("{resource} may have been done, but there was no clear response")
            } else {
                format!("{resource} was not done")
            };
            assert!(failed.to_string().starts_with(&start), "{case}: {failed}");
            assert!(format!("{failed:#}").contains(&text), "{case}: {failed:#}");
            assert!(!failed.to_string().contains(&text), "{case}: {failed}");
        }
    }
}

/// The variable or the command that fixes this error of this operation, if there is one.
fn fix(name: &str, operation: Operation<'_>, resource: &str) -> Option<String> {
    let (api, emulator, setter) = match resource {
        QUEUE => ("cloudtasks", "CLOUD_TASKS_EMULATOR_HOST", "Google::api_endpoint"),
        JOB => ("cloudscheduler", "", "Google::scheduler_endpoint"),
        _ => ("pubsub", "PUBSUB_EMULATOR_HOST", "Google::pubsub_endpoint"),
    };
    let is_queue = resource == QUEUE;
    let is_setup = matches!(
        operation,
        Operation::ReadResource | Operation::ChangeResource | Operation::ReadPolicy | Operation::ChangePolicy
    );
    Some(match name {
        "disabled" => format!("`gcloud services enable {api}.googleapis.com --project acme`"),
        "refused connection" | "redirect" | "page with 403" | "page with 200" => {
            format!("{emulator}|{setter}|HTTPS_PROXY")
        }
        "token server away" => {
            "no access token could be fetched|the metadata server or the token server".to_owned()
        }
        "no free connection" => "Google::calls_in_flight|Google::max_wait".to_owned(),
        "unauthenticated" | "credentials" => {
            "GOOGLE_APPLICATION_CREDENTIALS|`gcloud auth application-default login`".to_owned()
        }
        "quota" | "quota over gRPC" => {
            format!("https://console.cloud.google.com/apis/api/{api}.googleapis.com/quotas?project=acme")
        }
        "queue absent" if !is_queue && !is_setup => return fix("not found", operation, resource),
        "not found" | "not found over gRPC" | "queue absent" if is_setup => {
            "`gcloud projects describe acme`|the parent resource exists".to_owned()
        }
        "not found" | "not found over gRPC" | "queue absent" => match operation {
            Operation::Publish => format!("`Runtime::setup` or `gcloud pubsub topics create {TOPIC}`"),
            Operation::Pull => "`Runtime::setup` creates it".to_owned(),
            _ => format!("`Runtime::setup` or `gcloud tasks queues create {QUEUE}`"),
        },
        "queue blocked" if is_queue => {
            format!("{QUEUE} was deleted recently|7 days: use another name, or wait")
        }
        "denied" | "denied over gRPC" => role(operation, resource),
        _ => return None,
    })
}

fn role(operation: Operation<'_>, resource: &str) -> String {
    let granted = |group, on, role| {
        format!(
            "`gcloud {group} add-iam-policy-binding {on} --member=serviceAccount:CALLER --role=roles/{role}`"
        )
    };
    let of_project = |role| granted("projects", "acme", role);
    match operation {
        Operation::CreateTask { account } => format!(
            "{}|{}",
            granted("tasks queues", QUEUE, "cloudtasks.enqueuer"),
            granted("iam service-accounts", account, "iam.serviceAccountUser")
        ),
        Operation::ReadTasks(View::Full) => {
            of_project("cloudtasks.viewer") + "|a custom role also needs cloudtasks.tasks.fullView"
        }
        Operation::ReadTasks(View::Basic) | Operation::ReadQueue => of_project("cloudtasks.viewer"),
        Operation::DeleteTask => of_project("cloudtasks.taskDeleter"),
        Operation::RunTask => of_project("cloudtasks.taskRunner"),
        Operation::ChangeQueue => of_project("cloudtasks.queueAdmin"),
        Operation::Publish => granted("pubsub topics", TOPIC, "pubsub.publisher"),
        Operation::Pull => granted("pubsub subscriptions", SUBSCRIPTION, "pubsub.subscriber"),
        Operation::ReadPolicy | Operation::ChangePolicy => of_project("pubsub.admin"),
        Operation::ReadResource | Operation::ChangeResource => of_project(match resource {
            QUEUE => "cloudtasks.queueAdmin",
            JOB => "cloudscheduler.admin",
            _ => "pubsub.editor",
        }),
    }
}

#[test]
fn the_help_names_the_variable_or_the_command_that_fixes_the_error() {
    for (operation, resource, _) in OPERATIONS {
        for (name, error, _) in errors() {
            let call = Call::new(operation, resource, "done");
            let case = format!("{operation:?} on {resource}, {name}");

            let help = call.help(&error);

            let Some(expected) = fix(name, operation, resource) else {
                assert_eq!(help, None, "{case}");
                continue;
            };
            let help = help.unwrap_or_else(|| panic!("{case}: no help"));
            for part in expected.split('|') {
                assert!(help.contains(part), "{case}: {part} is not in {help}");
            }
            assert!(call.failed(error).to_string().ends_with(&help), "{case}");
        }
    }
}

#[test]
fn what_fixes_an_error_comes_after_its_causes_however_deep_it_is() {
    let failed = || Call::new(Operation::Publish, TOPIC, "published").failed(grpc(Code::NotFound, "gone"));
    let help = Call::new(Operation::Publish, TOPIC, "published")
        .help(&grpc(Code::NotFound, "gone"))
        .unwrap();
    let outer = || Error::invalid("the order was not confirmed").with_source(failed());
    let causes = grpc(Code::NotFound, "gone").to_string();

    let alone = format!("{TOPIC} was not published: {causes}; {help}");
    assert_eq!(format!("{:#}", failed()), alone);
    assert_eq!(format!("{:?}", failed()), alone);
    assert_eq!(error_chain(&failed()), alone);
    assert_eq!(failed().to_string(), format!("{TOPIC} was not published; {help}"));
    let within = format!("the order was not confirmed: {alone}");
    assert_eq!(format!("{:#}", outer()), within);
    assert_eq!(error_chain(&outer()), within);
}

#[test]
fn a_refused_connection_is_found_among_the_causes() {
    let help = Call::new(Operation::Publish, TOPIC, "published").help(&refused_connection());

    assert!(
        help.unwrap()
            .contains("if PUBSUB_EMULATOR_HOST is set, start its emulator")
    );
}

#[test]
fn an_account_that_the_caller_may_not_act_as_is_not_a_missing_role_of_the_resource() {
    let message = "The principal lacks iam.serviceAccounts.actAs permission for tasks@acme";
    let error = service(403, Code::PermissionDenied, message);

    let help = Call::new(Operation::ChangeResource, JOB, "made")
        .help(&error)
        .unwrap();

    assert!(help.contains("roles/iam.serviceAccountUser"), "{help}");
}

#[test]
fn an_account_of_google_that_does_not_exist_yet_is_named_with_the_command_that_creates_it() {
    let message = "Service account service-7@gcp-sa-pubsub.iam.gserviceaccount.com does not exist.";
    let error = service(400, Code::InvalidArgument, message);

    let help = Call::new(Operation::ChangePolicy, TOPIC, "changed")
        .help(&error)
        .unwrap();

    assert_eq!(
        help,
        "`gcloud beta services identity create --service=pubsub.googleapis.com --project=acme` creates it"
    );
}

#[test]
fn a_queue_that_is_absent_is_told_from_other_preconditions() {
    for (message, is_absent) in [
        ("Queue does not exist.", true),
        ("QUEUE DOES NOT EXIST", true),
        ("The queue is paused.", false),
    ] {
        let error = service(400, Code::FailedPrecondition, message);
        assert_eq!(is_queue_absent(&error), is_absent, "{message}");
    }
}

#[test]
fn interactive_calls_retry_what_a_retry_may_fix() {
    for (name, error, expected) in errors() {
        let may_help = matches!(expected, Expected::NotYet | Expected::Unknown);
        // It has waited as long as it may.
        let retries = may_help && name != "no free connection";
        let state = |attempts: u32| RetryState::new(true).set_attempt_count(attempts);

        assert_eq!(CallOutcome::of(&error).retryable, may_help, "{name}");
        let (_, first, _) = errors().into_iter().find(|(other, ..)| *other == name).unwrap();
        assert_eq!(
            RetryTransient.on_error(&state(1), first).is_continue(),
            retries,
            "{name}"
        );
        assert!(!RetryTransient.on_error(&state(5), error).is_continue(), "{name}");
    }
    let outdated = service(409, Code::Aborted, "the etag does not match");
    assert!(
        RetryTransient
            .on_error(&RetryState::new(true).set_attempt_count(1_u32), outdated)
            .is_permanent()
    );
}
