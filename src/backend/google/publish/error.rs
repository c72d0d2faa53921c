//! The errors of publishing, for the caller.

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};

use crate::backend::google::publish::attempts::{Failed, Failure};
use crate::backend::google::retry::PUBSUB;
use crate::base::{Error, ErrorKind};

/// The error for a message that was given up.
pub(super) fn error(topic: &str, failed: Failed) -> Error {
    let Failed {
        failure,
        may_have_taken_effect,
    } = failed;
    let kind = if may_have_taken_effect || failure.is_transient() || !matches!(failure, Failure::Call(_)) {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Rejected
    };
    let what = if may_have_taken_effect {
        "may have been published, but there was no clear response"
    } else {
        "was not published"
    };
    let reason = reason(topic, &failure);
    let error = Error::new(kind, format!("the message to topic {topic} {what}: {reason}"))
        .with_may_have_taken_effect(may_have_taken_effect);
    match failure {
        Failure::Call(cause) => error.with_source(cause),
        Failure::NotBuilt(Some(cause)) => error.with_source(cause),
        _ => error,
    }
}

fn reason(topic: &str, failure: &Failure) -> String {
    match failure {
        Failure::Call(cause) => {
            let help = help(cause, topic).map(|help| format!("; {help}"));
            format!("{cause}{}", help.unwrap_or_default())
        }
        Failure::Silent(timeout) => format!("nothing was heard from Pub/Sub for {timeout:?}"),
        Failure::NotBuilt(Some(cause)) => format!("the Pub/Sub client could not be built: {cause}"),
        Failure::NotBuilt(None) => "the Pub/Sub client could not be built in time".to_owned(),
        Failure::Paused => {
            "an earlier one with the same ordering key failed; publish both again, in order".to_owned()
        }
        Failure::Stopped => "its tokio runtime has ended".to_owned(),
        Failure::NoRuntime => "there is no tokio runtime, or it has ended".to_owned(),
    }
}

/// The remedy for an error that no retry can fix.
fn help(cause: &GoogleError, topic: &str) -> Option<String> {
    let project = topic.split('/').nth(1).unwrap_or("PROJECT");
    if let Some(help) = PUBSUB.help(cause, project) {
        return Some(help);
    }
    match cause.status()?.code {
        Code::NotFound => Some(format!(
            "check that the topic exists; create it with `Runtime::setup` or `gcloud pubsub topics create {topic}`"
        )),
        Code::PermissionDenied => Some(format!("the caller needs roles/pubsub.publisher on {topic}")),
        Code::Unauthenticated => Some("the credentials were not accepted".to_owned()),
        _ => None,
    }
}
