//! What all parts of a simulation share: its time, its choices, its history and the state of the cloud.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use super::checks::Seen;
use super::choices::{Choice, Choices, Weights, hash, mix};
use super::history::{Event, History, Step};
use super::keys::KeyRing;
use super::plans::Plans;
use super::pubsub::Messages;
use super::service::ServiceState;
use super::tasks::Tasks;
use crate::testing::simulation::Fault;

/// When every simulation begins: a Monday at noon, UTC.
const START: Duration = Duration::from_secs(1_893_672_000);

/// A simulated cloud, with the services that run in it.
pub(super) struct World {
    pub seed: u64,
    start: SystemTime,
    origin: Instant,
    random: Mutex<fastrand::Rng>,
    choices: Mutex<Choices>,
    history: Mutex<History>,
    /// What must not happen, and did.
    problems: Mutex<Vec<String>>,
    /// How many subjects of each name there are.
    numbers: Mutex<BTreeMap<String, u32>>,
    /// How much has not ended: tasks, messages, runs of schedules.
    open: watch::Sender<usize>,
    pub services: Mutex<Vec<Arc<ServiceState>>>,
    pub tasks: Mutex<Tasks>,
    pub messages: Mutex<Messages>,
    pub plans: Plans,
    pub seen: Mutex<Seen>,
    pub keys: KeyRing,
}

impl World {
    /// Needs a tokio runtime whose clock is paused.
    pub fn new(seed: u64, weights: Weights, left_out: Vec<Choice>) -> Arc<Self> {
        Arc::new(Self {
            seed,
            start: SystemTime::UNIX_EPOCH + START,
            origin: Instant::now(),
            random: Mutex::new(fastrand::Rng::with_seed(mix(&[seed, 1]))),
            choices: Mutex::new(Choices::new(seed, weights, left_out)),
            history: Mutex::default(),
            problems: Mutex::default(),
            numbers: Mutex::default(),
            open: watch::Sender::new(0),
            services: Mutex::default(),
            tasks: Mutex::default(),
            messages: Mutex::default(),
            plans: Plans::default(),
            seen: Mutex::default(),
            keys: KeyRing::default(),
        })
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    pub fn now(&self) -> SystemTime {
        self.start + self.elapsed()
    }

    /// The instant of a time; now, if it has passed.
    pub fn instant(&self, time: SystemTime) -> Instant {
        self.origin + time.duration_since(self.start).unwrap_or_default()
    }

    /// The next random number.
    pub fn random(&self) -> u64 {
        lock(&self.random).u64(..)
    }

    /// A number from this range, which depends on the seed and the place alone.
    pub fn number_at(&self, place: &str, range: std::ops::Range<u64>) -> u64 {
        fastrand::Rng::with_seed(mix(&[self.seed, hash(place)])).u64(range)
    }

    /// Whether a fault happens at a place; then with the source of its details. It is noted in the history.
    pub fn fault(&self, fault: Fault, place: &str, subject: &str) -> Option<fastrand::Rng> {
        let details = lock(&self.choices).take(fault, place)?;
        self.step("seed", subject, Event::Fault, &fault.to_string());
        Some(details)
    }

    /// The faults that have happened.
    pub fn faults(&self) -> Vec<Choice> {
        lock(&self.choices).taken().to_vec()
    }

    pub fn step(&self, place: &str, subject: &str, event: Event, detail: &str) {
        let step = Step {
            at: self.elapsed(),
            place: place.to_owned(),
            subject: subject.to_owned(),
            event,
            detail: detail.to_owned(),
        };
        lock(&self.history).steps.push(step);
    }

    pub fn history(&self) -> History {
        lock(&self.history).clone()
    }

    /// Notes what must not happen.
    pub fn problem(&self, text: String) {
        let mut problems = lock(&self.problems);
        if !problems.contains(&text) {
            problems.push(text);
        }
    }

    pub fn problems(&self) -> Vec<String> {
        lock(&self.problems).clone()
    }

    /// The next number of a name, from 1 on.
    pub fn next_number(&self, name: &str) -> u32 {
        let mut numbers = lock(&self.numbers);
        let number = numbers.entry(name.to_owned()).or_default();
        *number += 1;
        *number
    }

    /// Counts something that has not ended, until the returned value is dropped.
    pub fn begin(self: &Arc<Self>) -> Open {
        self.open.send_modify(|open| *open += 1);
        Open(Arc::clone(self))
    }

    /// Waits until everything has ended, also what services have spawned: it may enqueue more.
    pub async fn all_ended(&self) {
        loop {
            // The sender lives as long as this.
            let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
            let services = lock(&self.services).clone();
            for service in services {
                for runtime in service.runtimes() {
                    runtime.all_spawned_ended().await;
                }
            }
            if *self.open.borrow() == 0 {
                return;
            }
        }
    }

    /// Drops the services, which know this world.
    pub fn end(&self) {
        let services = std::mem::take(&mut *lock(&self.services));
        for service in services {
            service.end();
        }
    }
}

/// Something that has not ended.
pub(super) struct Open(Arc<World>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
