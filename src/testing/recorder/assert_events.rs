//! Assertions on published events.

use std::any::{TypeId, type_name};

use serde::de::DeserializeOwned;

use super::Recorder;
use super::display;
use super::state::{Record, Tasks};
use crate::base::{Attributes, json, propagation};
use crate::event::Event;
use crate::event::publisher_body::PublisherBody;
use crate::registry::Kind;
use crate::runtime::Runtime;

impl Recorder {
    /// Asserts that a matching event was published, by `sync()` or by a task, whether or not it was delivered since.
    ///
    /// An event whose task was enqueued by `asap()` and has not run counts as well; a failed assertion lists the two
    /// separately. An event of another topic than its type's own, as a model can choose, is among the
    /// [`publications`](Self::publications).
    ///
    /// ```
    /// use cloud_tasks::{PublisherTask, Runtime, task};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct FileUploaded { user_id: u64 }
    ///
    /// #[task(topic = "file-uploads")]
    /// impl PublisherTask for FileUploaded {}
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// FileUploaded { user_id: 7 }.asap().attribute("priority", "high").on(&runtime).await?;
    /// FileUploaded { user_id: 8 }.sync().on(&runtime).await?;
    /// recorder.assert_published::<FileUploaded>(|event, attributes| event.user_id == 7 && attributes["priority"] == "high");
    /// recorder.assert_published::<FileUploaded>(|event, _| event.user_id == 8);
    /// recorder.refute_published::<FileUploaded>(|event, _| event.user_id == 9);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If there is none; the message lists what was published.
    #[track_caller]
    pub fn assert_published<E: Event + DeserializeOwned + 'static>(
        &self,
        fits: impl Fn(&E, &Attributes) -> bool,
    ) {
        assert!(
            self.was_published(fits),
            "no matching {} was published; {}",
            short_name::<E>(),
            self.list_messages::<E>()
        );
    }

    /// Asserts that no matching event was published, nor will be by an enqueued task.
    ///
    /// # Panics
    ///
    /// If there is one; the message lists what was published.
    #[track_caller]
    pub fn refute_published<E: Event + DeserializeOwned + 'static>(
        &self,
        fits: impl Fn(&E, &Attributes) -> bool,
    ) {
        assert!(
            !self.was_published(fits),
            "a matching {} was published; {}",
            short_name::<E>(),
            self.list_messages::<E>()
        );
    }

    fn was_published<E: Event + DeserializeOwned + 'static>(
        &self,
        fits: impl Fn(&E, &Attributes) -> bool,
    ) -> bool {
        let Some(runtime) = &self.runtime else {
            return false;
        };
        let records: Vec<Record> = {
            let tasks = self.shared.tasks();
            messages(&tasks)
                .chain(publishers(&tasks, runtime))
                .cloned()
                .collect()
        };
        records.iter().any(|record| {
            read::<E>(record, runtime).is_some_and(|(event, attributes)| fits(&event, &attributes))
        })
    }

    /// The published and the pending messages, separately, with those of a topic first.
    fn list_messages<E: Event>(&self) -> String {
        let Some(runtime) = &self.runtime else {
            return String::new();
        };
        let topic = E::topic().name(runtime.config());
        let now = self.now();
        let tasks = self.shared.tasks();
        let (mut expected, others): (Vec<_>, Vec<_>) = messages(&tasks).partition(|record| {
            record
                .publication()
                .is_some_and(|message| message.topic() == topic)
        });
        expected.extend(others);
        let mut text = display::list("these were", expected, now);
        if text.is_empty() {
            text.push_str("nothing was");
        }
        let waiting = display::list(
            "these are waiting to be, in tasks",
            publishers(&tasks, runtime),
            now,
        );
        if !waiting.is_empty() {
            text.push_str("\nand ");
            text.push_str(&waiting);
        }
        text
    }
}

/// All messages, in the order they were published.
fn messages(tasks: &Tasks) -> impl Iterator<Item = &Record> {
    let all = tasks.done.iter().chain(&tasks.waiting);
    all.filter(|record| record.publication().is_some())
}

/// The waiting tasks of publishers.
fn publishers<'a>(tasks: &'a Tasks, runtime: &'a Runtime) -> impl Iterator<Item = &'a Record> {
    let waiting = tasks.waiting.iter();
    waiting.filter(|record| publisher(record, runtime).is_some())
}

/// The event type of a publisher's task, and its topic, unless the task names one.
fn publisher(record: &Record, runtime: &Runtime) -> Option<(TypeId, String)> {
    let entry = runtime.registry().by_name(record.envelope()?.task())?;
    match entry.registration.kind {
        Kind::Publisher { topic } => Some(((entry.registration.type_id)(), topic().name(runtime.config()))),
        Kind::Task | Kind::Subscriber(_) => None,
    }
}

/// The event of a message or of a publisher's task, if it is of this type.
fn read<E: Event + DeserializeOwned + 'static>(
    record: &Record,
    runtime: &Runtime,
) -> Option<(E, Attributes)> {
    let topic = E::topic().name(runtime.config());
    if let Some(message) = record.publication() {
        let key = runtime.config().propagated_headers_key();
        let (content, _) = propagation::read(message.data.clone(), message.attributes(), key, &[]);
        let event = json::decode(&content).ok()?;
        return (message.topic() == topic).then(|| (event, message.attributes().clone()));
    }
    let (type_id, usual_topic) = publisher(record, runtime)?;
    let body = PublisherBody::read(record.envelope()?.body()).ok()?;
    let event = json::decode(body.content().as_bytes()).ok()?;
    let fits = type_id == TypeId::of::<E>() || body.topic_name.unwrap_or(usual_topic) == topic;
    fits.then(|| (event, body.attributes.unwrap_or_default()))
}

/// The name of a type without its path.
fn short_name<E>() -> &'static str {
    let name = type_name::<E>();
    name.rsplit("::").next().unwrap_or(name)
}
