//! Dead tasks in the local engine, in memory instead of a Pub/Sub subscription.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

use crate::backend::dead_letter_store::{
    Claim, Closed, DeadLetter, DeadLetterReader, DeadLetterStore, NextLetter,
};
use crate::backend::local::push_queue::full_topic;
use crate::base::{BoxFuture, Error, names::pubsub_path};
use crate::registry::dead_letter::DeadLetters;

/// The lease of a pull, until it is changed.
const ACK_DEADLINE: Duration = Duration::from_secs(10);

/// Messages by the full names of their topics. Only topics of dead tasks are kept.
#[derive(Clone)]
pub(crate) struct LocalDeadLetters {
    project: String,
    topics: Arc<Mutex<HashMap<String, VecDeque<Message>>>>,
    /// The topics by their subscriptions, both by their full names.
    subscriptions: Arc<Mutex<HashMap<String, String>>>,
    /// What other processes have leased, by ack ids.
    leases: Arc<Mutex<HashMap<String, Lease>>>,
}

/// A message that another process has leased.
struct Lease {
    topic: String,
    message: Message,
    ends: Instant,
}

struct Message {
    id: String,
    data: Bytes,
}

impl LocalDeadLetters {
    pub fn new(project: &str) -> Self {
        Self {
            project: project.to_owned(),
            topics: Arc::default(),
            subscriptions: Arc::default(),
            leases: Arc::default(),
        }
    }

    /// Keeps messages of these topics from now on.
    pub fn capture(&self, letters: &[DeadLetters]) {
        let mut topics = self.topics();
        for letters in letters {
            let topic = self.full(&letters.topic);
            let subscription =
                pubsub_path(&self.project, "subscriptions", &letters.subscription).into_owned();
            lock(&self.subscriptions).insert(subscription, topic.clone());
            topics.entry(topic).or_default();
        }
    }

    /// Keeps a message if its topic is one of dead tasks. Returns whether it was kept.
    pub fn add(&self, topic: &str, id: &str, data: &Bytes) -> bool {
        let mut topics = self.topics();
        let Some(messages) = topics.get_mut(topic) else {
            return false;
        };
        messages.push_back(Message {
            id: id.to_owned(),
            data: data.clone(),
        });
        true
    }

    /// The topic of a subscription.
    pub fn topic_of(&self, subscription: &str) -> Option<String> {
        lock(&self.subscriptions).get(subscription).cloned()
    }

    /// Leases messages to another process: their ack ids, ids and data.
    pub fn pull(&self, topic: &str, most: usize) -> Vec<(String, String, Bytes)> {
        self.end_leases();
        let (mut topics, mut leases) = (self.topics(), lock(&self.leases));
        let Some(messages) = topics.get_mut(topic) else {
            return Vec::new();
        };
        let taken = most.min(messages.len());
        let pulled = messages.drain(..taken).map(|message| {
            let ack_id = Uuid::new_v4().simple().to_string();
            let pulled = (ack_id.clone(), message.id.clone(), message.data.clone());
            let lease = Lease {
                topic: topic.to_owned(),
                message,
                ends: Instant::now() + ACK_DEADLINE,
            };
            leases.insert(ack_id, lease);
            pulled
        });
        pulled.collect()
    }

    /// Drops messages that another process has acknowledged.
    pub fn settle(&self, ack_ids: &[String]) {
        let mut leases = lock(&self.leases);
        for id in ack_ids {
            leases.remove(id);
        }
    }

    /// Leases messages for this long from now on.
    pub fn lease(&self, ack_ids: &[String], time: Duration) {
        let mut leases = lock(&self.leases);
        for id in ack_ids {
            if let Some(lease) = leases.get_mut(id) {
                lease.ends = Instant::now() + time;
            }
        }
        drop(leases);
        self.end_leases();
    }

    /// Puts back the messages whose lease has ended.
    fn end_leases(&self) {
        let (mut topics, mut leases) = (self.topics(), lock(&self.leases));
        let now = Instant::now();
        let ended: Vec<_> = leases
            .extract_if(|_, lease| lease.ends <= now)
            .map(|(_, lease)| lease)
            .collect();
        for lease in ended {
            topics.entry(lease.topic).or_default().push_back(lease.message);
        }
    }

    fn full(&self, topic: &str) -> String {
        full_topic(topic, &self.project).into_owned()
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Message>>> {
        lock(&self.topics)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DeadLetterStore for LocalDeadLetters {
    fn open<'a>(
        &'a self,
        letters: &'a DeadLetters,
    ) -> BoxFuture<'a, Result<Box<dyn DeadLetterReader>, Error>> {
        let topic = self.full(&letters.topic);
        Box::pin(async move {
            let topics = self.topics();
            if !topics.contains_key(&topic) {
                let mut known: Vec<_> = topics.keys().map(String::as_str).collect();
                known.sort_unstable();
                return Err(Error::rejected(format!(
                    "the local engine keeps no dead tasks of {topic}, since no task names that topic; it keeps those of: {}",
                    known.join(", ")
                )));
            }
            drop(topics);
            let letters: Box<dyn DeadLetterReader> = Box::new(Taking {
                store: self.clone(),
                topic,
            });
            Ok(letters)
        })
    }
}

struct Taking {
    store: LocalDeadLetters,
    topic: String,
}

impl DeadLetterReader for Taking {
    fn next(&mut self, _most: usize) -> BoxFuture<'_, Result<NextLetter, Error>> {
        self.store.end_leases();
        let message = self
            .store
            .topics()
            .get_mut(&self.topic)
            .and_then(VecDeque::pop_front);
        let letter = message.map_or(NextLetter::End, |message| {
            NextLetter::Letter(DeadLetter {
                id: message.id.clone(),
                data: message.data.clone(),
                claim: Box::new(Hold {
                    store: self.store.clone(),
                    topic: self.topic.clone(),
                    message: Some(message),
                }),
            })
        });
        Box::pin(async move { Ok(letter) })
    }

    fn close(self: Box<Self>, held: Vec<Box<dyn Claim>>) -> BoxFuture<'static, Closed> {
        Box::pin(async {
            drop(held);
            Closed::default()
        })
    }
}

struct Hold {
    store: LocalDeadLetters,
    topic: String,
    message: Option<Message>,
}

impl Claim for Hold {
    fn acknowledge(mut self: Box<Self>) {
        self.message = None;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(message) = self.message.take()
            && let Some(messages) = self.store.topics().get_mut(&self.topic)
        {
            messages.push_back(message);
        }
    }
}
