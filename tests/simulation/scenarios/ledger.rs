//! What happened outside of all processes, such as at a bank: it stays when they die.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloud_tasks::Error;
use tokio::time::{Instant, sleep};

/// Counts effects, and what should have had one.
#[derive(Clone)]
pub struct Ledger {
    began: Instant,
    entries: Arc<Mutex<Entries>>,
}

#[derive(Default)]
struct Entries {
    counts: BTreeMap<String, u32>,
    running: BTreeMap<String, u32>,
    expected: BTreeSet<String>,
    excluded: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            entries: Arc::default(),
        }
    }
}

impl Ledger {
    /// Counts an effect, and returns how often it has happened.
    pub fn add(&self, what: &str) -> u32 {
        let mut entries = self.entries.lock().unwrap();
        let count = entries.counts.entry(what.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// Counts an effect unless it has happened, as a bank does that is given a key with each request.
    pub fn add_once(&self, what: &str) {
        self.entries
            .lock()
            .unwrap()
            .counts
            .entry(what.to_owned())
            .or_insert(1);
    }

    /// How often an effect has happened.
    pub fn count(&self, what: &str) -> u32 {
        let entries = self.entries.lock().unwrap();
        entries.counts.get(what).copied().unwrap_or_default()
    }

    /// The effects that begin like this, and how often each has happened.
    pub fn counts(&self, beginning: &str) -> Vec<u32> {
        let entries = self.entries.lock().unwrap();
        let counts = entries.counts.iter();
        let counts = counts.filter(|(what, _)| what.starts_with(beginning));
        counts.map(|(_, count)| *count).collect()
    }

    /// The virtual time since the start.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Notes something that must not happen.
    pub fn wrong(&self, text: String) {
        self.entries.lock().unwrap().wrong.push(text);
    }

    /// Notes that a run has begun; it is wrong if another one has not ended.
    pub fn alone(&self, what: &str) -> Alone {
        let mut entries = self.entries.lock().unwrap();
        let running = entries.running.entry(what.to_owned()).or_default();
        *running += 1;
        if *running > 1 {
            entries.wrong.push(format!("two runs of {what} at once"));
        }
        Alone {
            ledger: self.clone(),
            what: what.to_owned(),
        }
    }

    /// Expects an effect of what was sent, or none if it was certainly not sent.
    pub fn expect<T>(&self, what: &str, sent: &Result<T, Error>) {
        let mut entries = self.entries.lock().unwrap();
        match sent {
            Ok(_) => entries.expected.insert(what.to_owned()),
            Err(error) if !error.may_have_taken_effect() => entries.excluded.insert(what.to_owned()),
            Err(_) => false,
        };
    }

    /// Fails if something is wrong, was expected and has not happened, or was excluded and has.
    #[track_caller]
    pub fn check(&self) {
        let entries = self.entries.lock().unwrap();
        assert!(entries.wrong.is_empty(), "{}", entries.wrong.join("\n"));
        let happened = |what: &String| entries.counts.contains_key(what);
        let missing: Vec<_> = entries.expected.iter().filter(|what| !happened(what)).collect();
        assert!(missing.is_empty(), "was sent, and has not happened: {missing:?}");
        let surplus: Vec<_> = entries
            .excluded
            .difference(&entries.expected)
            .filter(|what| happened(what))
            .collect();
        assert!(
            surplus.is_empty(),
            "could not be sent, and has happened: {surplus:?}"
        );
    }

    /// Fails if an effect that begins like this has happened more than once.
    #[track_caller]
    pub fn check_once(&self, beginning: &str) {
        let counts = self.counts(beginning);
        assert!(
            counts.iter().all(|count| *count == 1),
            "effects of {beginning:?}: {counts:?}"
        );
    }
}

/// A run that has not ended; it ends when this is dropped.
pub struct Alone {
    ledger: Ledger,
    what: String,
}

impl Drop for Alone {
    fn drop(&mut self) {
        if let Some(running) = self.ledger.entries.lock().unwrap().running.get_mut(&self.what) {
            *running -= 1;
        }
    }
}

/// A call to another service, which takes its time.
pub async fn call() {
    sleep(Duration::from_millis(20)).await;
}
