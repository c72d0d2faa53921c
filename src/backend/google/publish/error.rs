//! The errors of publishing, for the caller.

use crate::backend::google::error::{Call, Earlier, Operation};
use crate::backend::google::publish::attempts::{Failed, Failure};
use crate::backend::google::publish::topics::MAX_TOPICS;
use crate::base::Error;

/// The error for a message that was given up.
pub(super) fn error(topic: &str, failed: Failed) -> Error {
    let Failed {
        failure,
        may_have_taken_effect,
    } = failed;
    let earlier = if may_have_taken_effect {
        Earlier::Unclear
    } else {
        Earlier::WithoutEffect
    };
    let call =
        Call::new(Operation::Publish, topic, "published").subject(format!("the message to topic {topic}"));
    let reason = match failure {
        Failure::Call(cause) => return call.failed_after(earlier, cause, None),
        Failure::NotBuilt(Some(cause)) => {
            let error = call.unavailable(earlier, "the Pub/Sub client could not be built");
            return error.with_source(cause);
        }
        Failure::NotBuilt(None) => "the Pub/Sub client could not be built in time".to_owned(),
        Failure::Busy(waited) => format!(
            "it waited {waited:?}, since messages of {MAX_TOPICS} other topics are in flight; publish to fewer topics at once"
        ),
        Failure::Silent(timeout) => format!("nothing was heard from Pub/Sub for {timeout:?}"),
        Failure::Paused => {
            "an earlier one with the same ordering key failed; publish both again, in order".to_owned()
        }
        Failure::Stopped => "its tokio runtime has ended".to_owned(),
        Failure::NoRuntime => "there is no tokio runtime, or it has ended".to_owned(),
    };
    call.unavailable(earlier, &reason)
}
