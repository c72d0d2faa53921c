//! A call to a Google API, and its error.

use std::borrow::Borrow;
use std::error::Error as StdError;

use google_cloud_gax::error::Error as GoogleError;

use crate::backend::google::error::help::help;
use crate::backend::google::error::outcome::CallOutcome;
use crate::backend::queue_admin::View;
use crate::base::Error;

/// What a call was to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Operation<'a> {
    /// Creates a task that is signed as this account.
    CreateTask { account: &'a str },
    /// Reads tasks.
    ReadTasks(View),
    /// Deletes a task.
    DeleteTask,
    /// Dispatches a task now.
    RunTask,
    /// Reads the settings of a queue.
    ReadQueue,
    /// Pauses, resumes or purges a queue.
    ChangeQueue,
    /// Publishes a message.
    Publish,
    /// Pulls messages, or settles them.
    Pull,
    /// Reads a resource for a set-up.
    ReadResource,
    /// Creates, changes or deletes a resource for a set-up.
    ChangeResource,
    /// Reads an IAM policy.
    ReadPolicy,
    /// Writes an IAM policy.
    ChangePolicy,
}

impl Operation<'_> {
    /// Whether the call changes nothing. A lease that a pull took ends by itself.
    fn is_read(self) -> bool {
        matches!(
            self,
            Self::ReadTasks(_) | Self::ReadQueue | Self::Pull | Self::ReadResource | Self::ReadPolicy
        )
    }

    /// Whether Google's client retries the call. Then the last error does not say what the attempts before it did.
    fn is_retried_by_the_client(self) -> bool {
        matches!(self, Self::ChangeResource | Self::ChangePolicy)
    }

    /// What is known after the call has failed.
    pub fn outcome(self, error: &GoogleError) -> CallOutcome {
        let outcome = CallOutcome::of(error);
        let may_have_taken_effect = match self {
            _ if self.is_read() => false,
            _ if self.is_retried_by_the_client() && outcome.retryable => true,
            // A resource that exists is not the task of this call, unless the call had chosen its name.
            Self::CreateTask { .. } => outcome.may_have_taken_effect,
            _ => outcome.may_have_taken_effect && !outcome.exists,
        };
        CallOutcome {
            may_have_taken_effect,
            ..outcome
        }
    }
}

/// What the attempts before the last one did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Earlier {
    /// There were none, or they had no effect.
    WithoutEffect,
    /// One of them may have taken effect.
    Unclear,
}

impl Earlier {
    /// Adds an attempt with this outcome.
    pub fn and(self, outcome: CallOutcome) -> Self {
        if outcome.may_have_taken_effect {
            Self::Unclear
        } else {
            self
        }
    }
}

/// An error of Google's clients, owned or shared.
pub(crate) trait Cause: Borrow<GoogleError> + StdError + Send + Sync + 'static {}

impl<C: Borrow<GoogleError> + StdError + Send + Sync + 'static> Cause for C {}

/// A call, for an error that says what was not done, why, and what to do.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub operation: Operation<'a>,
    /// The full path of the resource that the call names; for a task, that of its queue.
    pub resource: &'a str,
    /// What an error message begins with: `task Welcome`.
    pub subject: String,
    /// What was to be done with it: `created in queue emails`.
    pub done: String,
}

impl<'a> Call<'a> {
    /// A call about a resource that an error message names by its path.
    pub fn new(operation: Operation<'a>, resource: &'a str, done: &str) -> Self {
        Self {
            operation,
            resource,
            subject: resource.to_owned(),
            done: done.to_owned(),
        }
    }

    /// Names the resource differently in an error message.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// The error of the last attempt.
    pub fn failed<C: Cause>(&self, cause: C) -> Error {
        self.failed_after(Earlier::WithoutEffect, cause, None)
    }

    /// The error of the last attempt, after other attempts. `fallback` is what was tried instead, and how that failed.
    pub fn failed_after<C: Cause>(
        &self,
        earlier: Earlier,
        cause: C,
        fallback: Option<(&str, CallOutcome)>,
    ) -> Error {
        let outcome = self.operation.outcome(cause.borrow());
        let may_have_taken_effect = outcome.may_have_taken_effect || earlier == Earlier::Unclear;
        let (reason, fallback) = fallback.map_or((None, CallOutcome::REFUSED), |(reason, outcome)| {
            (Some(reason), outcome)
        });
        let help = [self.help(cause.borrow()), reason.map(str::to_owned)];
        let help: Vec<_> = help.into_iter().flatten().collect();
        let message = self.message(may_have_taken_effect);
        let may_have_taken_effect = may_have_taken_effect || fallback.may_have_taken_effect;
        let error = if may_have_taken_effect {
            Error::unavailable(message)
        } else if outcome.retryable || fallback.retryable {
            Error::unreachable(message)
        } else {
            Error::rejected(message)
        };
        let error = error.with_source(cause);
        if help.is_empty() {
            error
        } else {
            error.with_help(&help.join("; "))
        }
    }

    /// The error of a call that ended for this reason of our own, after attempts.
    pub fn unavailable(&self, earlier: Earlier, reason: &str) -> Error {
        let unclear = earlier == Earlier::Unclear;
        let message = format!("{}: {reason}", self.message(unclear));
        if unclear {
            Error::unavailable(message)
        } else {
            Error::unreachable(message)
        }
    }

    fn message(&self, may_have_taken_effect: bool) -> String {
        let Self { subject, done, .. } = self;
        if may_have_taken_effect {
            format!("{subject} may have been {done}, but there was no clear response")
        } else {
            format!("{subject} was not {done}")
        }
    }

    /// What fixes the error, if a retry alone does not.
    pub fn help(&self, error: &GoogleError) -> Option<String> {
        help(self.operation, self.resource, error)
    }
}
