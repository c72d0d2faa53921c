//! Dead tasks in the local engine, in memory instead of a Pub/Sub subscription.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::backend::dead_letter_store::{
    Claim, Closed, DeadLetter, DeadLetterReader, DeadLetterStore, NextLetter,
};
use crate::backend::local::push_queue::full_topic;
use crate::base::{BoxFuture, Error};
use crate::registry::dead_letter::DeadLetters;

/// Messages by the full names of their topics. Only topics of dead tasks are kept.
#[derive(Clone)]
pub(crate) struct LocalDeadLetters {
    project: String,
    topics: Arc<Mutex<HashMap<String, VecDeque<Message>>>>,
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
        }
    }

    /// Keeps messages of these topics from now on.
    pub fn keep(&self, letters: &[DeadLetters]) {
        let mut topics = self.topics();
        for letters in letters {
            topics.entry(self.full(&letters.topic)).or_default();
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

    fn full(&self, topic: &str) -> String {
        full_topic(topic, &self.project).into_owned()
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Message>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
