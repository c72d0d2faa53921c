//! The list of registered types.

use std::fmt;

use serde::Serialize;

use crate::registry::Kind;
use crate::runtime::Runtime;

/// The kind of a registered type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RegisteredKind {
    /// A background job.
    Task,
    /// A background job with a schedule.
    Periodic,
    /// An event that can be published.
    Publisher,
    /// A subscriber, which runs on messages.
    Subscriber,
}

impl fmt::Display for RegisteredKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Task => "task",
            Self::Periodic => "periodic",
            Self::Publisher => "publisher",
            Self::Subscriber => "subscriber",
        })
    }
}

/// A registered task, publisher or subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RegisteredTask {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: RegisteredKind,
    /// The queue that its tasks go to, unless a call names another; `None` for a subscriber that does not forward.
    pub queue: Option<String>,
    /// The topic that it publishes to or subscribes to, with its prefix.
    pub topic: Option<String>,
    /// Its URL.
    pub url: String,
    /// The service that runs it, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<&'static str>,
    /// Where it is defined, as `file:line`.
    pub location: &'static str,
}

impl Runtime {
    /// Every registered type, sorted by name.
    ///
    /// ```standalone_crate
    /// # use cloud_tasks::runtime::RegisteredKind;
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Serialize, Deserialize)]
    /// struct Charge { invoice: u64 }
    ///
    /// #[task(queue = "billing")]
    /// impl Task for Charge {
    ///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let runtime = Runtime::eager().build().await?;
    /// let charge = &runtime.registered()[0];
    /// assert_eq!((charge.name, charge.kind), ("Charge", RegisteredKind::Task));
    /// assert_eq!(charge.queue.as_deref(), Some("billing"));
    /// assert_eq!(charge.url, "http://localhost:8080/tasks/Charge");
    /// # Ok(())
    /// # }
    /// ```
    pub fn registered(&self) -> Vec<RegisteredTask> {
        let config = self.config();
        let registrations = self.registry().registrations();
        let queue = |queue: Option<&str>| Some(queue.unwrap_or(config.default_queue()).to_owned());
        registrations
            .into_iter()
            .map(|registration| {
                let name = registration.name;
                let subscription = || self.subscriptions().iter().find(|other| other.task == name);
                let (kind, queue, topic, url) = match &registration.kind {
                    Kind::Task => {
                        let kind = if registration.periodic.is_some() {
                            RegisteredKind::Periodic
                        } else {
                            RegisteredKind::Task
                        };
                        (kind, queue(registration.queue), None, None)
                    }
                    Kind::Publisher { topic } => (
                        RegisteredKind::Publisher,
                        queue(registration.queue),
                        Some(topic().name(config)),
                        None,
                    ),
                    Kind::Subscriber(options) => {
                        let forwarded = options.use_cloud_tasks.then_some(registration.queue);
                        let (topic, url) = subscription()
                            .map(|subscription| (subscription.topic.clone(), subscription.url.clone()))
                            .unzip();
                        (RegisteredKind::Subscriber, forwarded.and_then(queue), topic, url)
                    }
                };
                RegisteredTask {
                    name,
                    kind,
                    queue,
                    topic,
                    url: url.unwrap_or_else(|| registration.url(name, config)),
                    service: registration.service,
                    location: registration.location,
                }
            })
            .collect()
    }
}
