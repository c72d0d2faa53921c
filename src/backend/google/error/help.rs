//! What fixes an error: the variable, the setter or the command.

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};

use crate::backend::google::call_limit::Busy;
use crate::backend::google::error::call::Operation;
use crate::backend::google::error::outcome::{
    CallOutcome, is, is_blocked, is_disabled, is_missing_agent, is_page, is_queue_absent, is_redirect,
    is_unreachable, says,
};
use crate::backend::queue_admin::View;

/// A Google API, and the emulator that can replace it.
struct Api {
    /// Its name for `gcloud services enable`.
    name: &'static str,
    /// The variable that names the emulator.
    emulator: Option<&'static str>,
    /// The setter that overrides the URL.
    setter: &'static str,
    /// The role that may change everything in a set-up.
    admin: &'static str,
}

const CLOUD_TASKS: Api = Api {
    name: "cloudtasks.googleapis.com",
    emulator: Some("CLOUD_TASKS_EMULATOR_HOST"),
    setter: "Google::api_endpoint",
    admin: "roles/cloudtasks.queueAdmin",
};
const PUBSUB: Api = Api {
    name: "pubsub.googleapis.com",
    emulator: Some("PUBSUB_EMULATOR_HOST"),
    setter: "Google::pubsub_endpoint",
    admin: "roles/pubsub.editor",
};
const SCHEDULER: Api = Api {
    name: "cloudscheduler.googleapis.com",
    emulator: None,
    setter: "Google::scheduler_endpoint",
    admin: "roles/cloudscheduler.admin",
};

impl Api {
    /// The API that a resource belongs to.
    fn of(resource: &str) -> Self {
        let has = |collection| resource.split('/').any(|segment| segment == collection);
        if has("queues") {
            CLOUD_TASKS
        } else if has("jobs") {
            SCHEDULER
        } else {
            PUBSUB
        }
    }

    /// Where another server may be named.
    fn addresses(&self) -> String {
        let emulator = self.emulator.map(|variable| format!("{variable}, "));
        format!("{}{} and HTTPS_PROXY", emulator.unwrap_or_default(), self.setter)
    }
}

/// What fixes an error of this operation on a resource, if a retry alone does not.
pub(super) fn help(operation: Operation<'_>, resource: &str, error: &GoogleError) -> Option<String> {
    let api = Api::of(resource);
    let project = resource.split('/').nth(1).unwrap_or("PROJECT");
    if matches!(operation, Operation::ReadPolicy | Operation::ChangePolicy) && is_missing_agent(error) {
        return Some(format!(
            "`gcloud beta services identity create --service={} --project={project}` creates it",
            api.name
        ));
    }
    if is_disabled(error) {
        return Some(format!(
            "the API is disabled: enable it with `gcloud services enable {} --project {project}`",
            api.name
        ));
    }
    if is_unreachable(error) {
        return Some(unreachable(&api));
    }
    if is_redirect(error) || is_page(error) {
        return Some(format!(
            "this is not the API itself, but a redirect or a proxy: look at {}, which may name another server",
            api.addresses()
        ));
    }
    if Busy::of(error).is_some() {
        return Some(
            "make fewer calls at once, or raise Google::calls_in_flight or Google::max_wait".to_owned(),
        );
    }
    if error.is_authentication() && CallOutcome::of(error).retryable {
        return Some(
            "no access token could be fetched: look at the network, and at the metadata server or the token server of the \
             credentials"
                .to_owned(),
        );
    }
    if is(error, Code::Unauthenticated) || error.is_authentication() {
        return Some(
            "the credentials were not accepted: set GOOGLE_APPLICATION_CREDENTIALS, or run \
             `gcloud auth application-default login`"
                .to_owned(),
        );
    }
    if is(error, Code::ResourceExhausted) || error.http_status_code() == Some(429) {
        return Some(format!(
            "a quota is used up: see https://console.cloud.google.com/apis/api/{}/quotas?project={project}",
            api.name
        ));
    }
    if is(error, Code::PermissionDenied) {
        return Some(role(operation, resource, project, error));
    }
    if is(error, Code::NotFound) || is_queue_absent(error) {
        return Some(missing(operation, resource, project));
    }
    queue_name(&api, resource, error)
}

fn unreachable(api: &Api) -> String {
    let setter = api.setter;
    match api.emulator {
        Some(variable) => format!(
            "nothing answers there: if {variable} is set, start its emulator or unset the variable; otherwise look at {setter}, \
             HTTPS_PROXY and the network"
        ),
        None => format!("nothing answers there: look at {setter}, HTTPS_PROXY and the network"),
    }
}

/// Why a queue of this name is rejected, if it was deleted.
fn queue_name(api: &Api, resource: &str, error: &GoogleError) -> Option<String> {
    if !is(error, Code::FailedPrecondition) || api.name != CLOUD_TASKS.name {
        return None;
    }
    Some(if is_blocked(error) {
        format!(
            "{resource} was deleted recently, and Cloud Tasks blocks the name for up to 7 days: use another name, or wait"
        )
    } else {
        format!(
            "Cloud Tasks blocks the name of a deleted queue for up to 7 days: check whether {resource} was deleted"
        )
    })
}

/// What to do if the resource does not exist.
fn missing(operation: Operation<'_>, resource: &str, project: &str) -> String {
    match operation {
        Operation::CreateTask { .. }
        | Operation::ReadTasks(_)
        | Operation::DeleteTask
        | Operation::RunTask
        | Operation::ReadQueue
        | Operation::ChangeQueue => format!(
            "check that the queue {resource} exists; create it with `Runtime::setup` or `gcloud tasks queues create {resource}`"
        ),
        Operation::Publish => format!(
            "check that the topic exists; create it with `Runtime::setup` or `gcloud pubsub topics create {resource}`"
        ),
        Operation::Pull => {
            "check that the subscription exists; `Runtime::setup` creates it and the topic, and earlier records are lost"
                .to_owned()
        }
        Operation::ReadResource
        | Operation::ChangeResource
        | Operation::ReadPolicy
        | Operation::ChangePolicy => format!(
            "check the project with `gcloud projects describe {project}`, the region, and that the parent resource exists"
        ),
    }
}

/// The role that the caller lacks, and the command that grants it.
fn role(operation: Operation<'_>, resource: &str, project: &str, error: &GoogleError) -> String {
    let of_project = |role| grant(role, "", "projects", project);
    match operation {
        // A resource that is signed as an account needs a permission on that account as well.
        Operation::ChangeResource if says(error, "iam.serviceaccounts.actas") => grant(
            "roles/iam.serviceAccountUser",
            "",
            "iam service-accounts",
            "ACCOUNT",
        ),
        Operation::CreateTask { account } => format!(
            "{}; and {}",
            grant("roles/cloudtasks.enqueuer", resource, "tasks queues", resource),
            grant(
                "roles/iam.serviceAccountUser",
                account,
                "iam service-accounts",
                account
            )
        ),
        Operation::ReadTasks(View::Full) => format!(
            "{}; a custom role also needs cloudtasks.tasks.fullView for the arguments",
            of_project("roles/cloudtasks.viewer")
        ),
        Operation::ReadTasks(View::Basic) | Operation::ReadQueue => of_project("roles/cloudtasks.viewer"),
        Operation::DeleteTask => of_project("roles/cloudtasks.taskDeleter"),
        Operation::RunTask => of_project("roles/cloudtasks.taskRunner"),
        Operation::ChangeQueue => of_project("roles/cloudtasks.queueAdmin"),
        Operation::Publish => grant("roles/pubsub.publisher", resource, "pubsub topics", resource),
        Operation::Pull => grant(
            "roles/pubsub.subscriber",
            resource,
            "pubsub subscriptions",
            resource,
        ),
        Operation::ReadResource | Operation::ChangeResource => of_project(Api::of(resource).admin),
        Operation::ReadPolicy | Operation::ChangePolicy => of_project("roles/pubsub.admin"),
    }
}

/// The sentence about a missing role. `on` is named if the role is not granted on the whole project.
fn grant(role: &str, on: &str, group: &str, resource: &str) -> String {
    let on = if on.is_empty() {
        String::new()
    } else {
        format!(" on {on}")
    };
    format!(
        "the caller needs {role}{on}: `gcloud {group} add-iam-policy-binding {resource} \
         --member=serviceAccount:CALLER --role={role}`"
    )
}
