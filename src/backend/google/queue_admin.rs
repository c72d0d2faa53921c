//! Operations on queues and their tasks.

use google_cloud_gax::backoff_policy::BackoffPolicy;
use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_gax::retry_policy::RetryPolicy;
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;

use crate::backend::BackendFuture;
use crate::backend::google::convert_queued;
use crate::backend::google::create_error::{CreateOutcome, is_absent};
use crate::backend::google::create_task::GoogleBackend;
use crate::backend::google::retry::{CLOUD_TASKS, RetryUnavailable, backoff, caller_help, is};
use crate::backend::queue_admin::{Page, QueueOperations, View};
use crate::base::text::error_chain;
use crate::base::{Error, QueueInfo, QueuedTask};

/// The operation, for an error message that says what was not done.
struct Request<'a> {
    what: String,
    done: &'static str,
    queue: &'a str,
    role: &'static str,
    /// A permission that a custom role may lack.
    permission: Option<&'static str>,
}

/// The outcome of a call.
struct Answer<T> {
    sent: Result<T, GoogleError>,
    /// Whether an earlier attempt may have had an effect.
    unclear: bool,
}

impl GoogleBackend {
    /// Calls with retries. A call that is not repeatable is retried only if it had no effect.
    async fn with_retries<T, F>(&self, repeatable: bool, call: impl Fn() -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, GoogleError>>,
    {
        let (pauses, mut state) = (backoff(), RetryState::new(repeatable));
        let mut unclear = false;
        loop {
            // Held for one attempt, so that a backoff does not block other calls.
            let permit = self.calls.acquire().await.ok();
            let sent = call().await;
            drop(permit);
            let error = match sent {
                Ok(value) => {
                    return Answer {
                        sent: Ok(value),
                        unclear,
                    };
                }
                Err(error) => error,
            };
            let maybe_done = CreateOutcome::of(&error).may_have_taken_effect;
            state.attempt_count += 1;
            let repeated = if maybe_done && !repeatable {
                RetryResult::Permanent(error)
            } else {
                RetryUnavailable.on_error(&state, error)
            };
            match repeated {
                RetryResult::Continue(error) => {
                    unclear |= maybe_done;
                    let pause = pauses.on_failure(&state);
                    tracing::debug!(error = %error_chain(&error), ?pause, "no clear response; retrying the call");
                    tokio::time::sleep(pause).await;
                }
                RetryResult::Permanent(error) | RetryResult::Exhausted(error) => {
                    return Answer {
                        sent: Err(error),
                        unclear,
                    };
                }
            }
        }
    }

    /// The error for the caller: what was not done, why, and what to do.
    fn failed(&self, request: &Request<'_>, cause: GoogleError, unclear: bool) -> Error {
        let outcome = CreateOutcome::of(&cause);
        let Request { what, done, .. } = request;
        let told = if *done != "read" && (unclear || outcome.may_have_taken_effect) {
            format!("{what} may have been {done}, but there was no clear response: {cause}")
        } else {
            format!("{what} was not {done}: {cause}")
        };
        let help = self.help(request, &cause).map(|help| format!("; {help}"));
        let message = told + &help.unwrap_or_default();
        let error = if outcome.may_have_taken_effect || outcome.repeat {
            Error::unavailable(message, false)
        } else {
            Error::rejected(message)
        };
        error.with_source(cause)
    }

    fn help(&self, request: &Request<'_>, cause: &GoogleError) -> Option<String> {
        let path = self.target.queue(request.queue);
        if is(cause, Code::NotFound) || is_absent(cause) {
            return Some(format!(
                "check that the queue {path} exists; create it with `Runtime::setup` or `gcloud tasks queues create {path}`"
            ));
        }
        let project = path.split('/').nth(1).unwrap_or("PROJECT");
        let help = caller_help(cause, project, CLOUD_TASKS, request.role)?;
        let permission = request.permission.filter(|_| is(cause, Code::PermissionDenied));
        Some(match permission {
            Some(permission) => format!("{help}; a custom role also needs {permission}"),
            None => help,
        })
    }

    async fn change_queue<T, F>(
        &self,
        queue: &str,
        done: &'static str,
        call: impl Fn() -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<T, GoogleError>>,
    {
        let answer = self.with_retries(true, call).await;
        let request = Request {
            what: format!("queue {queue}"),
            done,
            queue,
            role: "roles/cloudtasks.queueAdmin",
            permission: None,
        };
        answer
            .sent
            .map(drop)
            .map_err(|cause| self.failed(&request, cause, answer.unclear))
    }
}

impl QueueOperations for GoogleBackend {
    fn get<'a>(&'a self, queue: &'a str, id: &'a str, view: View) -> BackendFuture<'a, Option<QueuedTask>> {
        Box::pin(async move {
            let call = || self.get_task(queue, id, view);
            match self.with_retries(true, call).await.sent {
                Ok(task) => Ok(Some(convert_queued::task(task, queue, view))),
                Err(cause) if gone(&cause) => Ok(None),
                Err(cause) => {
                    let request = reading(format!("task {id} of queue {queue}"), queue, view);
                    Err(self.failed(&request, cause, false))
                }
            }
        })
    }

    fn page<'a>(
        &'a self,
        queue: &'a str,
        view: View,
        size: u16,
        from: Option<&'a str>,
    ) -> BackendFuture<'a, Page> {
        Box::pin(async move {
            let call = || self.list_tasks(queue, view, size, from.unwrap_or_default());
            let page = self.with_retries(true, call).await.sent.map_err(|cause| {
                let request = reading(format!("the list of queue {queue}"), queue, view);
                self.failed(&request, cause, false)
            })?;
            let tasks = page.tasks.into_iter();
            Ok(Page {
                tasks: tasks
                    .map(|task| convert_queued::task(task, queue, view))
                    .collect(),
                next: Some(page.next_page_token).filter(|token| !token.is_empty()),
            })
        })
    }

    fn delete<'a>(&'a self, queue: &'a str, id: &'a str) -> BackendFuture<'a, bool> {
        Box::pin(async move {
            let call = || {
                self.client
                    .delete_task()
                    .set_name(self.task_path(queue, id))
                    .send()
            };
            let answer = self.with_retries(true, call).await;
            match answer.sent {
                Ok(()) => Ok(true),
                // If an earlier attempt got no response, that attempt deleted the task.
                Err(cause) if gone(&cause) => Ok(answer.unclear),
                Err(cause) => {
                    let request = Request {
                        what: format!("task {id} of queue {queue}"),
                        done: "deleted",
                        queue,
                        role: "roles/cloudtasks.taskDeleter",
                        permission: None,
                    };
                    Err(self.failed(&request, cause, answer.unclear))
                }
            }
        })
    }

    fn run<'a>(&'a self, queue: &'a str, id: &'a str) -> BackendFuture<'a, bool> {
        Box::pin(async move {
            // A retry would dispatch the task a second time.
            let call = || self.client.run_task().set_name(self.task_path(queue, id)).send();
            match self.with_retries(false, call).await.sent {
                Ok(_) => Ok(true),
                Err(cause) if gone(&cause) => Ok(false),
                Err(cause) => {
                    let request = Request {
                        what: format!("task {id} of queue {queue}"),
                        done: "sent",
                        queue,
                        role: "roles/cloudtasks.taskRunner",
                        permission: None,
                    };
                    Err(self.failed(&request, cause, false))
                }
            }
        })
    }

    fn pause<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        let call = || {
            self.client
                .pause_queue()
                .set_name(self.target.queue(queue))
                .send()
        };
        Box::pin(self.change_queue(queue, "paused", call))
    }

    fn resume<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        let call = || {
            self.client
                .resume_queue()
                .set_name(self.target.queue(queue))
                .send()
        };
        Box::pin(self.change_queue(queue, "resumed", call))
    }

    fn purge<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        let call = || {
            self.client
                .purge_queue()
                .set_name(self.target.queue(queue))
                .send()
        };
        Box::pin(self.change_queue(queue, "purged", call))
    }

    fn info<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, QueueInfo> {
        Box::pin(async move {
            let call = || self.client.get_queue().set_name(self.target.queue(queue)).send();
            let answer = self.with_retries(true, call).await;
            let request = reading(format!("queue {queue}"), queue, View::Basic);
            let shown = answer.sent.map_err(|cause| self.failed(&request, cause, false))?;
            Ok(convert_queued::info(shown, queue))
        })
    }
}

fn reading(what: String, queue: &str, view: View) -> Request<'_> {
    Request {
        what,
        done: "read",
        queue,
        role: "roles/cloudtasks.viewer",
        permission: (view == View::Full).then_some("cloudtasks.tasks.fullView for the arguments"),
    }
}

/// Whether the task is missing, and not its queue. A call for one task may not say which; then it is the task.
fn gone(cause: &GoogleError) -> bool {
    is(cause, Code::NotFound) && !cause.to_string().contains("Queue does not exist")
}
