//! The attempts to publish a message: what is known after a failure, and whether to try again.

use std::sync::Arc;
use std::time::Duration;

use google_cloud_gax::client_builder::Error as BuilderError;
use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_pubsub::error::PublishError;
use tokio::time::Instant;

use crate::backend::google::error::CallOutcome;
use crate::backend::google::publish::connection::Batch;
use crate::base::RetrySettings;
use crate::base::process;
use crate::base::text::error_chain;

/// Why an attempt failed.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The call failed, for all messages of its request.
    Call(Arc<GoogleError>),
    /// Nothing was heard for so long.
    Silent(Duration),
    /// There is no client: it could not be built, or not in time.
    NotBuilt(Option<Arc<BuilderError>>),
    /// All publishers had messages of other topics in flight for so long.
    Busy(Duration),
    /// An earlier message with the same ordering key failed.
    Paused,
    /// The tokio runtime ended before there was a response.
    Stopped,
    /// There is no tokio runtime.
    NoRuntime,
}

impl Failure {
    /// Whether the message may have been published, although there is no clear response.
    pub fn may_have_taken_effect(&self) -> bool {
        match self {
            Self::Call(cause) => CallOutcome::of(cause).may_have_taken_effect,
            Self::Silent(_) | Self::Stopped => true,
            Self::NotBuilt(_) | Self::Busy(_) | Self::Paused | Self::NoRuntime => false,
        }
    }

    /// Why, for the log.
    fn text(&self) -> String {
        match self {
            Self::Call(cause) => error_chain(&**cause),
            Self::NotBuilt(Some(cause)) => error_chain(&**cause),
            other => format!("{other:?}"),
        }
    }

    /// Whether another attempt may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Call(cause) => CallOutcome::of(cause).retryable,
            Self::Silent(_) | Self::NotBuilt(None) | Self::Busy(_) | Self::Stopped => true,
            Self::NotBuilt(Some(_)) | Self::Paused | Self::NoRuntime => false,
        }
    }

    /// Whether another message of the request may be the reason, and this one be accepted alone.
    ///
    /// A schema, a transform and the limits reject a request because of one message. The topic, the caller and the method are
    /// the same for all.
    fn may_be_anothers(&self) -> bool {
        let Self::Call(cause) = self else { return false };
        let outcome = CallOutcome::of(cause);
        let is_of_all = matches!(
            cause.status().map(|status| status.code),
            None | Some(
                Code::NotFound | Code::PermissionDenied | Code::Unauthenticated | Code::Unimplemented
            )
        );
        !outcome.retryable && !outcome.may_have_taken_effect && !is_of_all
    }

    /// A number that is the same for all messages of a request.
    fn seed(&self) -> u64 {
        match self {
            Self::Call(cause) => Arc::as_ptr(cause).addr() as u64,
            _ => 0,
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Rpc(cause) => Self::Call(cause),
            PublishError::OrderingKeyPaused => Self::Paused,
            _ => Self::Stopped,
        }
    }
}

/// What to do after a failure.
#[derive(Debug)]
pub(super) enum Next {
    /// Send it again, alone.
    Alone,
    /// Send it again after a pause.
    After(Duration),
    /// Give up.
    GiveUp(Failed),
}

/// A message that was given up.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    /// The last failure.
    pub failure: Failure,
    /// Whether one of the attempts may have published the message.
    pub may_have_taken_effect: bool,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self {
            may_have_taken_effect: failure.may_have_taken_effect(),
            failure,
        }
    }
}

/// The attempts so far.
#[derive(Debug)]
pub(super) struct Attempts {
    retry: RetrySettings,
    /// Differs between processes, whose retries must not come at the same time.
    seed: u64,
    started: Instant,
    pause: Duration,
    may_have_taken_effect: bool,
}

impl Attempts {
    pub fn new(retry: RetrySettings, seed: u64) -> Self {
        Self {
            pause: retry.pauses().0,
            retry,
            seed,
            started: Instant::now(),
            may_have_taken_effect: false,
        }
    }

    /// What to do after an attempt that failed.
    pub fn failed(&mut self, failure: Failure, batch: Batch) -> Next {
        self.may_have_taken_effect |= failure.may_have_taken_effect();
        if batch == Batch::Shared && failure.may_be_anothers() {
            return Next::Alone;
        }
        // The messages of a request pause equally long, so that they share the next request as well.
        let seed = self.seed ^ failure.seed() ^ self.pause.as_secs() ^ u64::from(self.pause.subsec_nanos());
        let random = process::fraction_of(seed);
        let pause = self.pause.mul_f64(0.5 + random / 2.0);
        if !failure.is_transient() || self.started.elapsed().saturating_add(pause) >= self.retry.deadline {
            return Next::GiveUp(Failed {
                failure,
                may_have_taken_effect: self.may_have_taken_effect,
            });
        }
        self.pause = self.retry.longer(self.pause);
        tracing::debug!(reason = %failure.text(), ?pause, "not published; trying again");
        Next::After(pause)
    }
}
