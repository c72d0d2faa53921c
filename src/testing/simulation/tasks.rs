//! The simulated Cloud Tasks: queues, and the tasks in them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use tokio::time::Instant;

use super::dispatch::WaitingTask;
use super::history::Event;
use super::queue::Queue;
use super::world::{World, lock};
use crate::base::names;
use crate::registry::queue_settings::QueueSettings;

/// How long the name of a task stays blocked after its end, in seconds: at least an hour, up to 24.
const BLOCKED: std::ops::Range<u64> = 3_600..86_400;

/// A task that is created.
pub(super) struct NewTask {
    pub queue: String,
    pub id: Option<String>,
    pub url: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub schedule_time: Option<SystemTime>,
    pub deadline: Duration,
    pub audience: String,
    pub account: String,
}

/// All queues and tasks.
#[derive(Default)]
pub(super) struct Tasks {
    queues: BTreeMap<String, Arc<Queue>>,
    settings: BTreeMap<String, QueueSettings>,
    /// Those that wait or run, by queue and id.
    pub waiting: BTreeMap<(String, String), Arc<WaitingTask>>,
    /// The names of tasks that have ended, and until when they are blocked.
    blocked: BTreeMap<(String, String), Instant>,
}

impl World {
    pub fn set_queues(&self, settings: &[QueueSettings]) {
        let mut tasks = lock(&self.tasks);
        for settings in settings {
            tasks
                .settings
                .insert(settings.name().to_owned(), settings.clone());
        }
    }

    pub fn queue(&self, name: &str) -> Arc<Queue> {
        let mut tasks = lock(&self.tasks);
        if let Some(queue) = tasks.queues.get(name) {
            return Arc::clone(queue);
        }
        let settings = tasks.settings.get(name).cloned();
        let queue = Arc::new(Queue::new(settings.unwrap_or_else(|| QueueSettings::new(name))));
        tasks.queues.insert(name.to_owned(), Arc::clone(&queue));
        queue
    }

    /// Creates a task, and returns its id; `None` if its name is taken.
    pub fn create_task(self: &Arc<Self>, call: u64, task: NewTask) -> Option<String> {
        let id = task
            .id
            .clone()
            .unwrap_or_else(|| format!("{:019}", self.random() >> 2));
        let place = (task.queue.clone(), id.clone());
        let name = percent_decode_str(names::last_segment(&task.url))
            .decode_utf8_lossy()
            .into_owned();
        let taken = {
            let tasks = lock(&self.tasks);
            let now = Instant::now();
            tasks.waiting.contains_key(&place) || tasks.blocked.get(&place).is_some_and(|end| now < *end)
        };
        if taken {
            self.step("tasks", &name, Event::NotCreated, &format!("{id} exists"));
            return None;
        }
        let subject = format!("{name}-{}", self.next_number(&name));
        self.check_created(call, &subject, &task.queue, &id);
        let created = self.now();
        let schedule_time = task.schedule_time.map_or(created, |time| time.max(created));
        let body = String::from_utf8_lossy(&task.body);
        let body = crate::base::text::brief(&body).into_owned();
        self.step(
            "tasks",
            &subject,
            Event::Created,
            &format!("{} {body}", task.queue),
        );
        let waiting = Arc::new(WaitingTask::new(
            task,
            id.clone(),
            subject,
            created,
            schedule_time,
        ));
        lock(&self.tasks).waiting.insert(place, Arc::clone(&waiting));
        let (world, open) = (Arc::clone(self), self.begin());
        tokio::spawn(async move {
            let _open = open;
            world.drive(&waiting).await;
        });
        Some(id)
    }

    /// Frees the place of a task that has ended, and blocks its name.
    pub fn end_task(&self, waiting: &WaitingTask) {
        let seconds = match self.seed {
            0 => BLOCKED.start,
            _ => self.number_at(&format!("{}, blocked", waiting.subject), BLOCKED),
        };
        let place = (waiting.task.queue.clone(), waiting.id.clone());
        let mut tasks = lock(&self.tasks);
        tasks.waiting.remove(&place);
        lock(&self.seen).end_task(&place);
        tasks
            .blocked
            .insert(place, Instant::now() + Duration::from_secs(seconds));
        drop(tasks);
        waiting.change(|state| state.ended = true);
    }

    /// Deletes a task, also while an attempt is in progress, whose answer then has no effect. Returns whether it was there.
    pub fn delete_task(&self, queue: &str, id: &str) -> bool {
        let Some(waiting) = self.waiting_task(queue, id) else {
            return false;
        };
        self.step("tasks", &waiting.subject, Event::Deleted, "");
        self.end_task(&waiting);
        true
    }

    /// Dispatches a task now, whatever its schedule, its queue's limits and state, and attempts in progress. Returns whether it
    /// was there.
    pub fn run_task(&self, queue: &str, id: &str) -> bool {
        let Some(waiting) = self.waiting_task(queue, id) else {
            return false;
        };
        waiting.change(|state| state.run_requested = true);
        true
    }

    /// A task that has not ended.
    pub fn waiting_task(&self, queue: &str, id: &str) -> Option<Arc<WaitingTask>> {
        let place = (queue.to_owned(), id.to_owned());
        lock(&self.tasks).waiting.get(&place).cloned()
    }

    /// The subjects that wait or run.
    pub fn waiting_tasks(&self) -> Vec<String> {
        let tasks = lock(&self.tasks);
        tasks
            .waiting
            .values()
            .map(|waiting| waiting.subject.clone())
            .collect()
    }
}
