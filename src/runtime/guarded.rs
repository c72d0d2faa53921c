//! An attempt that needs a claim: of an idempotent task, or the last one of any task.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::base::text::{error_chain, safe};
use crate::base::{TaskError, TaskMetadata};
use crate::registry::{AttemptError, TaskInput};
use crate::runtime::attempt::{Run, report, start_time};
use crate::runtime::idempotency::{Begun, Guard, Held, IdempotencyKey, IdempotencyStore, Lost};
use crate::runtime::last_attempt::Exhausted;

/// The result of an effect that does not run again.
const NOTHING: &[u8] = b"null";
/// How often the last delivery of a queue looks whether another one has ended.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The part of its time for which the last delivery of a queue waits for another one.
const TO_WAIT: f64 = 0.8;

/// Whether an attempt may run.
enum Admission {
    /// It may, under this claim. The number of runs is known if the task is idempotent.
    Run(Option<Held>, Option<u32>),
    /// It need not, or must not.
    Ended(Result<Vec<u8>, AttemptError>),
}

impl Run {
    /// Claims the task, runs it, and settles the claim. If it is the last attempt and fails, the task is recorded and its
    /// hook runs.
    pub async fn guarded(&self, input: TaskInput, metadata: TaskMetadata) -> Result<Vec<u8>, AttemptError> {
        let started = start_time();
        let (held, run) = match self.admit(&input, &metadata).await {
            Admission::Run(held, run) => (held, run),
            Admission::Ended(outcome) => {
                report(&outcome, started);
                // Nothing ran, so the limit of an idempotent task, which counts runs, is not reached by this delivery.
                let run = self.entry.registration.idempotent.then_some(0);
                return match (outcome, self.is_last(&input, &metadata, run)) {
                    (Err(failure), Some(last)) => Err(last.after(failure, None).await),
                    (outcome, _) => outcome,
                };
            }
        };
        let last = self.is_last(&input, &metadata, run);
        let metadata = metadata.with_count(run, last.is_some());
        let last = last.map(|mut last| {
            last.metadata = metadata.clone();
            last
        });
        let limit = match &last {
            Some(last) => last.time.running_time(),
            None => self.time.timeout,
        };
        let started = start_time();
        let mut under_way = UnderWay { held, last };
        let outcome = tokio::select! {
            // The outcome counts, even if the claim is lost at the same moment.
            biased;
            outcome = self.start(input, metadata, limit) => outcome,
            claim = under_way.lost() => Err(match claim {
                Lost::Taken => AttemptError::InProgress,
                Lost::Expired(error) => AttemptError::Unrenewed(error),
            }),
        };
        report(&outcome, started);
        self.settle(under_way, outcome).await
    }

    async fn settle(
        &self,
        mut under_way: UnderWay,
        outcome: Result<Vec<u8>, AttemptError>,
    ) -> Result<Vec<u8>, AttemptError> {
        let (held, last) = (under_way.held.take(), under_way.last.take());
        let unwritable = matches!(outcome, Err(AttemptError::Output(_)));
        let idempotent = self.entry.registration.idempotent;
        let held = if happened(&outcome) && (idempotent || !unwritable) {
            match held {
                Some(held) if idempotent => held.complete().await,
                Some(held) => held.release().await,
                None => {}
            }
            if !unwritable {
                return outcome;
            }
            None
        } else {
            held
        };
        match (outcome, last) {
            (Err(failure), Some(last)) => Err(last.after(failure, held).await),
            (outcome, _) => {
                if let Some(held) = held {
                    held.release().await;
                }
                outcome
            }
        }
    }

    async fn admit(&self, input: &TaskInput, metadata: &TaskMetadata) -> Admission {
        let (inner, registration) = (&self.runtime.inner, &self.entry.registration);
        let key = IdempotencyKey::of_delivery(&inner.config, &self.entry, input, metadata);
        if !registration.idempotent {
            let Some(key) = key else {
                return Admission::Run(None, None);
            };
            // Without a store this process remembers its dead tasks itself.
            let store: Arc<dyn IdempotencyStore> = match &inner.idempotency {
                Some(store) => Arc::clone(store),
                None => Arc::new(inner.dead_tasks.clone()),
            };
            return self
                .admit_last(Guard::in_store(inner, store, key), metadata)
                .await;
        }
        if inner.idempotency.is_some() && key.is_none() {
            tracing::warn!(
                task = registration.name,
                "an idempotent task has no id, so it runs even if it has run before"
            );
        }
        match key.and_then(|key| Guard::of(inner, key)) {
            Some(guard) => self.admit_idempotent(guard, metadata).await,
            None => Admission::Run(None, None),
        }
    }

    /// Claims an idempotent task.
    async fn admit_idempotent(&self, guard: Guard, metadata: &TaskMetadata) -> Admission {
        match self.begin(&guard, metadata).await {
            Ok(Begun::Run(held, runs)) => Admission::Run(Some(held), Some(runs)),
            Ok(Begun::Done) => {
                tracing::info!(key = %safe(guard.key.as_str()), "already done; this delivery does nothing");
                Admission::Ended(Ok(NOTHING.to_vec()))
            }
            Ok(Begun::Dead) => Admission::Ended(Err(AttemptError::AlreadyDead)),
            Ok(Begun::InProgress) => Admission::Ended(Err(AttemptError::InProgress)),
            Err(error) => Admission::Ended(Err(AttemptError::Store(error))),
        }
    }

    /// Claims the last attempt of another task, only so that a dead task is remembered. In the last attempt that its limit
    /// allows it runs in any case; a delivery after that one is due to a response that was late or lost.
    async fn admit_last(&self, guard: Guard, metadata: &TaskMetadata) -> Admission {
        let limit = self.limits.lower();
        let is_further = limit.is_some_and(|limit| metadata.attempt() > limit);
        let begun = if is_further {
            self.begin(&guard, metadata).await
        } else {
            guard.begin(self.time.end()).await
        };
        match begun {
            Ok(Begun::Run(held, _)) => Admission::Run(Some(held), None),
            Ok(Begun::Dead) if is_further => Admission::Ended(Err(AttemptError::AlreadyDead)),
            Ok(Begun::InProgress) if is_further => Admission::Ended(Err(AttemptError::InProgress)),
            Ok(Begun::Dead | Begun::Done | Begun::InProgress) => Admission::Run(None, None),
            Err(error) => {
                tracing::warn!(
                    error = %error_chain(&*error),
                    "the idempotency store failed; the task runs, but if it dies that is not remembered"
                );
                Admission::Run(None, None)
            }
        }
    }

    /// Claims the task. If another delivery is running it and the queue makes no further one, waits for its end: it may fail,
    /// and its process may have died, so that its lease ends.
    async fn begin(&self, guard: &Guard, metadata: &TaskMetadata) -> Result<Begun, crate::base::BoxError> {
        let give_up = self.time.since + self.time.timeout.mul_f64(TO_WAIT);
        let waits = self.limits.is_queues_last(metadata.attempt());
        loop {
            let begun = guard.begin(self.time.end()).await?;
            let left = give_up.saturating_duration_since(Instant::now());
            if !waits || left.is_zero() || !matches!(begun, Begun::InProgress) {
                return Ok(begun);
            }
            sleep(LOOK_AGAIN.min(left)).await;
        }
    }
}

/// Whether the effect happened: the task succeeded, even if its output does not serialize, or it discarded itself.
fn happened(outcome: &Result<Vec<u8>, AttemptError>) -> bool {
    matches!(
        outcome,
        Ok(_) | Err(AttemptError::Output(_) | AttemptError::Task(TaskError::Discard(_)))
    )
}

/// An attempt that runs. If it is dropped, its caller has hung up or the service stops: the claim is released, and a task that
/// its queue does not deliver again is recorded.
struct UnderWay {
    held: Option<Held>,
    last: Option<Box<Exhausted>>,
}

impl UnderWay {
    async fn lost(&mut self) -> Lost {
        match &mut self.held {
            Some(held) => held.lost().await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(last) = self.last.take() {
            last.interrupted(self.held.take());
        }
    }
}
