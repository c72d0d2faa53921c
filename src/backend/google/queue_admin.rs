//! Operations on queues and their tasks.

use std::sync::Arc;
use std::time::Duration;

use google_cloud_gax::backoff_policy::BackoffPolicy;
use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_gax::retry_policy::RetryPolicy;
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;
use google_cloud_wkt::Empty;

use crate::backend::BackendFuture;
use crate::backend::google::call_limit::Wait;
use crate::backend::google::convert_queued;
use crate::backend::google::create_task::GoogleBackend;
use crate::backend::google::error::{Call, CallOutcome, Earlier, Operation, is};
use crate::backend::google::retry::{RetryTransient, backoff};
use crate::backend::google::transport::Token;
use crate::backend::queue_admin::{Page, QueueOperations, View};
use crate::base::text::error_chain;
use crate::base::{Error, QueueInfo, QueuedTask};

/// The outcome of a call.
struct Answer<T> {
    sent: Result<T, GoogleError>,
    /// What the attempts before the last one did.
    earlier: Earlier,
}

impl GoogleBackend {
    /// Calls with retries. A call that is not repeatable is retried only if it had no effect.
    async fn with_retries<T, F>(&self, repeatable: bool, call: impl Fn() -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, GoogleError>>,
    {
        let call = |token: Arc<Token>, _| {
            let call = call();
            async move { token.for_client(call).await }
        };
        self.attempts(repeatable, call).await
    }

    /// Makes attempts of a call, of Google's client or of our transport.
    async fn attempts<T, F>(&self, repeatable: bool, call: impl Fn(Arc<Token>, Duration) -> F) -> Answer<T>
    where
        F: Future<Output = Result<T, GoogleError>>,
    {
        let (pauses, mut state) = (backoff(), RetryState::new(repeatable));
        let mut earlier = Earlier::WithoutEffect;
        let mut wait = Wait::default();
        loop {
            let error = match self.attempt(&mut wait, &call).await {
                Ok(value) => {
                    return Answer {
                        sent: Ok(value),
                        earlier,
                    };
                }
                Err(error) => error,
            };
            let outcome = CallOutcome::of(&error);
            state.attempt_count += 1;
            let repeated = if outcome.may_have_taken_effect && !repeatable {
                RetryResult::Permanent(error)
            } else {
                RetryTransient.on_error(&state, error)
            };
            match repeated {
                RetryResult::Continue(error) => {
                    earlier = earlier.and(outcome);
                    let pause = pauses.on_failure(&state);
                    tracing::debug!(error = %error_chain(&error), ?pause, "no clear response; retrying the call");
                    tokio::time::sleep(pause).await;
                }
                RetryResult::Permanent(error) | RetryResult::Exhausted(error) => {
                    return Answer {
                        sent: Err(error),
                        earlier,
                    };
                }
            }
        }
    }

    async fn delete_task(&self, task: &str) -> Answer<()> {
        let path = self
            .transport
            .as_ref()
            .and_then(|transport| Some((transport, transport.task_path(task)?)));
        match path {
            Some((transport, path)) => {
                let path = &path;
                let call = |token: Arc<Token>, limit| async move {
                    let json = transport.delete(path, &token, limit).await?;
                    // The page of a proxy is not the response.
                    serde_json::from_slice::<Empty>(&json).map_err(GoogleError::deser)?;
                    Ok(())
                };
                self.attempts(true, call).await
            }
            None => {
                let call = || async { self.client.get().await?.delete_task().set_name(task).send().await };
                self.with_retries(true, call).await
            }
        }
    }

    async fn change_queue<T, F>(&self, queue: &str, done: &str, call: impl Fn() -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<T, GoogleError>>,
    {
        let ended = self.with_retries(true, call).await;
        ended.sent.map(drop).map_err(|cause| {
            let path = self.target.queue(queue);
            Call::new(Operation::ChangeQueue, &path, done)
                .subject(format!("queue {queue}"))
                .failed_after(ended.earlier, cause, None)
        })
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
                    let path = self.target.queue(queue);
                    Err(Call::new(Operation::ReadTasks(view), &path, "read")
                        .subject(task(queue, id))
                        .failed(cause))
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
                let path = self.target.queue(queue);
                Call::new(Operation::ReadTasks(view), &path, "read")
                    .subject(format!("the list of queue {queue}"))
                    .failed(cause)
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
            let ended = self.delete_task(&self.task_path(queue, id)).await;
            match ended.sent {
                Ok(()) => Ok(true),
                // If an earlier attempt got no response, that attempt deleted the task.
                Err(cause) if gone(&cause) => Ok(ended.earlier == Earlier::Unclear),
                Err(cause) => {
                    let path = self.target.queue(queue);
                    Err(Call::new(Operation::DeleteTask, &path, "deleted")
                        .subject(task(queue, id))
                        .failed_after(ended.earlier, cause, None))
                }
            }
        })
    }

    fn run<'a>(&'a self, queue: &'a str, id: &'a str) -> BackendFuture<'a, bool> {
        Box::pin(async move {
            // A retry would dispatch the task a second time.
            let call = || async {
                let client = self.client.get().await?;
                client.run_task().set_name(self.task_path(queue, id)).send().await
            };
            match self.with_retries(false, call).await.sent {
                Ok(_) => Ok(true),
                Err(cause) if gone(&cause) => Ok(false),
                Err(cause) => {
                    let path = self.target.queue(queue);
                    Err(Call::new(Operation::RunTask, &path, "sent")
                        .subject(task(queue, id))
                        .failed(cause))
                }
            }
        })
    }

    fn pause<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        let call = move || async move {
            let client = self.client.get().await?;
            client
                .pause_queue()
                .set_name(self.target.queue(queue))
                .send()
                .await
        };
        Box::pin(self.change_queue(queue, "paused", call))
    }

    fn resume<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        let call = move || async move {
            let client = self.client.get().await?;
            client
                .resume_queue()
                .set_name(self.target.queue(queue))
                .send()
                .await
        };
        Box::pin(self.change_queue(queue, "resumed", call))
    }

    fn purge<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        let call = move || async move {
            let client = self.client.get().await?;
            client
                .purge_queue()
                .set_name(self.target.queue(queue))
                .send()
                .await
        };
        Box::pin(self.change_queue(queue, "purged", call))
    }

    fn info<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, QueueInfo> {
        Box::pin(async move {
            let call = || async {
                let client = self.client.get().await?;
                client.get_queue().set_name(self.target.queue(queue)).send().await
            };
            let info = self.with_retries(true, call).await.sent.map_err(|cause| {
                let path = self.target.queue(queue);
                Call::new(Operation::ReadQueue, &path, "read")
                    .subject(format!("queue {queue}"))
                    .failed(cause)
            })?;
            Ok(convert_queued::info(info, queue))
        })
    }
}

fn task(queue: &str, id: &str) -> String {
    format!("task {id} of queue {queue}")
}

/// Whether the task is missing, and not its queue. A call for one task may not say which; then it is the task.
fn gone(cause: &GoogleError) -> bool {
    is(cause, Code::NotFound) && !cause.to_string().contains("Queue does not exist")
}
