//! What is known after a failed call.

use std::error::Error as _;

use google_cloud_gax::error::{CredentialsError, Error as GoogleError, rpc::Code};

use crate::backend::google::call_limit::Busy;

/// What is known after a failed call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CallOutcome {
    /// The resource exists already, whoever created it.
    pub exists: bool,
    /// The call may have taken effect.
    pub may_have_taken_effect: bool,
    /// Whether a retry may succeed.
    pub retryable: bool,
}

impl CallOutcome {
    const EXISTS: Self = Self {
        exists: true,
        may_have_taken_effect: true,
        retryable: false,
    };
    /// Rejected, and a retry will be rejected as well.
    pub const REFUSED: Self = Self {
        exists: false,
        may_have_taken_effect: false,
        retryable: false,
    };
    /// Without effect, but a retry may succeed.
    pub const NOT_YET: Self = Self {
        exists: false,
        may_have_taken_effect: false,
        retryable: true,
    };
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        exists: false,
        may_have_taken_effect: true,
        retryable: true,
    };

    /// The outcome of one attempt of a call that changes something.
    pub fn of(error: &GoogleError) -> Self {
        if error.is_authentication() {
            let transient = error
                .source()
                .and_then(|source| source.downcast_ref::<CredentialsError>())
                .is_some_and(CredentialsError::is_transient);
            return if transient { Self::NOT_YET } else { Self::REFUSED };
        }
        if error.is_connect() || error.is_transient_and_before_rpc() || Busy::of(error).is_some() {
            return Self::NOT_YET;
        }
        if error.is_binding() || error.is_serialization() {
            return Self::REFUSED;
        }
        // The status said yes. A retry tells more: that of a create finds the task, since it has an id of ours.
        if error.is_deserialization() {
            return Self::UNKNOWN;
        }
        if is_redirect(error) {
            return Self::REFUSED;
        }
        match (error.status().map(|status| status.code), error.http_status_code()) {
            (Some(Code::AlreadyExists), _) => Self::EXISTS,
            (Some(Code::ResourceExhausted | Code::Aborted), _) | (None, Some(429)) => Self::NOT_YET,
            (
                Some(
                    Code::Unavailable
                    | Code::Internal
                    | Code::DeadlineExceeded
                    | Code::Unknown
                    | Code::Cancelled,
                ),
                _,
            )
            | (None, Some(408 | 500..=599) | None) => Self::UNKNOWN,
            (Some(_), _) | (None, Some(_)) => Self::REFUSED,
        }
    }
}

/// Whether the service answered with this code.
pub(crate) fn is(error: &GoogleError, code: Code) -> bool {
    error.status().is_some_and(|status| status.code == code)
}

/// Whether a queue was rejected because its name is that of a recently deleted queue.
///
/// The service says `a queue with this name existed recently`, or `too recently`.
pub(crate) fn is_blocked(error: &GoogleError) -> bool {
    is(error, Code::FailedPrecondition)
        && ["queue", "existed", "recently"]
            .iter()
            .all(|word| says(error, word))
}

/// Whether a queue was rejected because it does not exist, which the service also reports with this code.
///
/// It says `Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.`
pub(crate) fn is_queue_absent(error: &GoogleError) -> bool {
    is(error, Code::FailedPrecondition) && says(error, "queue does not exist")
}

/// Whether an API is disabled in its project.
pub(super) fn is_disabled(error: &GoogleError) -> bool {
    let text = error.to_string();
    is(error, Code::PermissionDenied)
        && ["has not been used", "is disabled", "SERVICE_DISABLED"]
            .iter()
            .any(|sign| text.contains(sign))
}

/// Whether Pub/Sub's own account does not exist: Google creates it when a project first needs it.
pub(super) fn is_missing_agent(error: &GoogleError) -> bool {
    let text = error.to_string();
    text.contains("@gcp-sa-pubsub.iam.gserviceaccount.com") && text.contains("does not exist")
}

/// Whether the response is a redirect. Google's client follows redirects, up to the one that it gives up at; our transport
/// follows none, since it would send the token elsewhere.
pub(super) fn is_redirect(error: &GoogleError) -> bool {
    error
        .http_status_code()
        .is_some_and(|status| (300..400).contains(&status))
}

/// Whether the response is not in the format of Google's APIs, and not that of a load balancer without a server.
pub(super) fn is_page(error: &GoogleError) -> bool {
    let is_other = |status| status < 500 && status != 429;
    error.is_deserialization() || (error.status().is_none() && error.http_status_code().is_some_and(is_other))
}

/// Whether nothing listens at the address.
pub(super) fn is_unreachable(error: &GoogleError) -> bool {
    error.is_connect() || is_refused(error)
}

/// Whether the connection was refused, according to the error's causes.
fn is_refused(error: &GoogleError) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether the service's message contains these words, which are in lower case.
pub(super) fn says(error: &GoogleError, words: &str) -> bool {
    error
        .status()
        .is_some_and(|status| status.message.to_lowercase().contains(words))
}
