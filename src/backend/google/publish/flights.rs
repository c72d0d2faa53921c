//! The messages that are not yet published, so that a flush can wait for them.

use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::backend::google::publish::session::lock;

/// Counts messages in generations: a flush begins a new one, and waits for the earlier ones.
pub(super) struct Flights(Mutex<Generations>);

struct Generations {
    current: Flight,
    earlier: Vec<watch::Receiver<()>>,
}

/// A message that is not yet published.
#[derive(Clone)]
pub(super) struct Flight(Arc<watch::Sender<()>>);

impl Default for Flights {
    fn default() -> Self {
        Self(Mutex::new(Generations {
            current: Flight::first(),
            earlier: Vec::new(),
        }))
    }
}

impl Flight {
    fn first() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }
}

impl Flights {
    pub fn enter(&self) -> Flight {
        lock(&self.0).current.clone()
    }

    /// Waits for the messages that entered before.
    pub async fn flush(&self) {
        let earlier = {
            let mut generations = lock(&self.0);
            let Flight(ended) = std::mem::replace(&mut generations.current, Flight::first());
            generations.earlier.push(ended.subscribe());
            generations.earlier.retain(|ended| ended.has_changed().is_ok());
            generations.earlier.clone()
        };
        for mut ended in earlier {
            // An error once all its messages are gone.
            while ended.changed().await.is_ok() {}
        }
    }
}
