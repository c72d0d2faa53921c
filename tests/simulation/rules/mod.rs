//! The rules of the simulated services, without faults: what was recorded of Cloud Tasks, and what the documentation says.

mod messages;
mod schedules;
mod tasks;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloud_tasks::task::TaskMetadata;
use cloud_tasks::testing::simulation::{Cloud, Event, History, Simulation};
use cloud_tasks::{BoxError, Runtime};

/// What handlers were told, in order.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<TaskMetadata>>>);

impl Told {
    fn note(&self, metadata: &TaskMetadata) {
        self.0.lock().unwrap().push(metadata.clone());
    }

    fn all(&self) -> Vec<TaskMetadata> {
        self.0.lock().unwrap().clone()
    }
}

/// Runs a test once, without faults, and returns its history.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a closure is written where it is passed"
)]
fn calm<F>(test: F) -> History
where
    F: AsyncFn(&Cloud) -> Result<(), BoxError>,
{
    let history = Mutex::new(History::default());
    Simulation::new()
        .from_seed(1)
        .seeds(1)
        .without_faults()
        .run(async |cloud| {
            test(&cloud).await?;
            cloud.settle().await;
            *history.lock().unwrap() = cloud.history();
            Ok(())
        });
    history.into_inner().unwrap()
}

fn runtime(told: &Told) -> cloud_tasks::runtime::RuntimeBuilder<cloud_tasks::testing::simulation::Simulated> {
    Runtime::simulated().state(told.clone())
}

/// When something happened to a subject.
fn times(history: &History, subject: &str, event: Event) -> Vec<Duration> {
    let steps = history.steps().iter();
    steps
        .filter(|step| step.subject == subject && step.event == event)
        .map(|step| step.at)
        .collect()
}

/// The pauses between the answer to an attempt and the next attempt, without the milliseconds of their ways.
fn pauses(history: &History, subject: &str) -> Vec<u64> {
    let attempts = times(history, subject, Event::Attempt);
    let ends: Vec<_> = history
        .steps()
        .iter()
        .filter(|step| step.subject == subject)
        .filter(|step| matches!(step.event, Event::Answered | Event::NotAnswered))
        .map(|step| step.at)
        .collect();
    let pairs = ends.iter().zip(attempts.iter().skip(1));
    pairs
        .map(|(end, next)| u64::try_from(next.saturating_sub(*end).as_millis()).unwrap() / 50 * 50)
        .collect()
}

/// The seconds after the creation at which attempts began, without the milliseconds of their ways.
fn seconds(times: &[Duration]) -> Vec<u64> {
    let first = times.first().copied().unwrap_or_default();
    times
        .iter()
        .map(|time| (time.saturating_sub(first) + Duration::from_millis(500)).as_secs())
        .collect()
}
