//! The simulated Cloud Tasks: queues, and the tasks in them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::percent_decode_str;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::delivery::{Answer, Delivery};
use super::history::Event;
use super::plans::task_key;
use super::queue::Queue;
use super::world::{World, lock};
use crate::base::{ForwardedMessage, TaskMetadata, names};
use crate::registry::queue_settings::QueueSettings;
use crate::testing::simulation::Fault;

const USER_AGENT: HeaderValue = HeaderValue::from_static("Google-Cloud-Tasks");
const RETRY_REASON: HeaderName = HeaderName::from_static("x-cloudtasks-taskretryreason");
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

/// A task in a queue.
pub(super) struct WaitingTask {
    pub task: NewTask,
    pub id: String,
    pub subject: String,
    pub created: SystemTime,
    pub state: std::sync::Mutex<TaskState>,
    /// Wakes its driver: it is deleted, or to be run now.
    changed: Notify,
}

#[derive(Clone)]
pub(super) struct TaskState {
    pub due: Instant,
    pub attempts: u32,
    /// The responses other than 5xx.
    pub responses: u32,
    pub last_status: Option<StatusCode>,
    pub deleted: bool,
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
        if let Some(other) = lock(&self.seen).create(call, &subject) {
            self.problem(format!("one call of `asap()` created {other} and {subject}"));
        }
        let due = task
            .schedule_time
            .map_or_else(Instant::now, |time| self.instant(time).max(Instant::now()));
        let body = String::from_utf8_lossy(&task.body);
        let body = crate::base::text::brief(&body).into_owned();
        self.step(
            "tasks",
            &subject,
            Event::Created,
            &format!("{} {body}", task.queue),
        );
        let waiting = Arc::new(WaitingTask {
            task,
            id: id.clone(),
            subject,
            created: self.now(),
            state: std::sync::Mutex::new(TaskState {
                due,
                attempts: 0,
                responses: 0,
                last_status: None,
                deleted: false,
            }),
            changed: Notify::new(),
        });
        lock(&self.tasks).waiting.insert(place, Arc::clone(&waiting));
        let (world, open) = (Arc::clone(self), self.begin());
        tokio::spawn(async move {
            let _open = open;
            world.drive(&waiting).await;
            world.end_task(&waiting);
        });
        Some(id)
    }

    /// Frees the place of a task that has ended, and blocks its name.
    fn end_task(&self, waiting: &WaitingTask) {
        let seconds = match self.seed {
            0 => BLOCKED.start,
            _ => self.number_at(&format!("{}, blocked", waiting.subject), BLOCKED),
        };
        let place = (waiting.task.queue.clone(), waiting.id.clone());
        let mut tasks = lock(&self.tasks);
        tasks.waiting.remove(&place);
        tasks
            .blocked
            .insert(place, Instant::now() + Duration::from_secs(seconds));
    }

    /// Dispatches a task until it has ended.
    async fn drive(self: &Arc<Self>, waiting: &Arc<WaitingTask>) {
        let queue = self.queue(&waiting.task.queue);
        let subject = &waiting.subject;
        let mut first = None;
        loop {
            if !waiting.until_due().await {
                return;
            }
            let turn = queue.turn().await;
            if lock(&waiting.state).deleted {
                return;
            }
            let attempt = {
                let mut state = lock(&waiting.state);
                state.attempts += 1;
                state.attempts
            };
            let place = format!("{subject}, attempt {attempt}");
            if let Some(mut details) = self.fault(Fault::Delay, &place, subject) {
                sleep(Duration::from_millis(details.u64(100..10_000))).await;
            }
            self.may_rotate_keys(&place);
            let began = *first.get_or_insert_with(Instant::now);
            let twin = self.fault(Fault::Duplicate, &place, subject).map(|mut details| {
                let pause = Duration::from_millis(details.u64(0..200));
                self.send_twin(waiting, attempt, pause)
            });
            let answer = self.attempt(waiting, attempt, &place).await;
            drop(turn);
            if answer.status().is_some_and(|status| status.is_success()) {
                self.acknowledge(waiting, &answer);
                // What comes late belongs to the history of the task too.
                if let Some(twin) = twin {
                    let _ = twin.await;
                }
                return;
            }
            if queue.gives_up(attempt, began.elapsed()) {
                self.step(
                    "tasks",
                    subject,
                    Event::GivenUp,
                    &format!("after attempt {attempt}"),
                );
                return;
            }
            lock(&waiting.state).due = Instant::now() + queue.backoff(attempt);
        }
    }

    /// Sends the same attempt again; nobody reads its answer.
    fn send_twin(
        self: &Arc<Self>,
        waiting: &Arc<WaitingTask>,
        attempt: u32,
        pause: Duration,
    ) -> tokio::task::JoinHandle<()> {
        let (world, waiting) = (Arc::clone(self), Arc::clone(waiting));
        tokio::spawn(async move {
            sleep(pause).await;
            let place = format!("{}, twin of attempt {attempt}", waiting.subject);
            world.attempt(&waiting, attempt, &place).await;
        })
    }

    async fn attempt(self: &Arc<Self>, waiting: &WaitingTask, attempt: u32, place: &str) -> Answer {
        let task = &waiting.task;
        let answer = self
            .deliver(Delivery {
                url: &task.url,
                headers: self.headers(waiting, attempt),
                body: task.body.clone(),
                deadline: task.deadline,
                key: task_key(&task.queue, &waiting.id),
                subject: &waiting.subject,
                place: place.to_owned(),
            })
            .await;
        let mut state = lock(&waiting.state);
        state.last_status = answer.status();
        state.responses += u32::from(answer.status().is_some_and(|status| !status.is_server_error()));
        answer
    }

    fn headers(&self, waiting: &WaitingTask, attempt: u32) -> HeaderMap {
        let (task, state) = (&waiting.task, lock(&waiting.state).clone());
        let due = task.schedule_time.unwrap_or(waiting.created);
        let mut metadata = TaskMetadata::new()
            .with_queue(&task.queue)
            .with_id(&waiting.id)
            .with_retry_count(attempt - 1)
            .with_execution_count(state.responses)
            .with_eta(due);
        let mut headers = task.headers.clone();
        if attempt > 1 {
            let status = state.last_status.map_or(504, |status| status.as_u16());
            metadata = metadata.with_previous_response(status);
            headers.insert(RETRY_REASON, HeaderValue::from_static(""));
        }
        headers.insert(header::USER_AGENT, USER_AGENT);
        headers.extend(metadata.headers().clone());
        if let Some(token) = self.token(&task.audience, &task.account) {
            headers.insert(header::AUTHORIZATION, token);
        }
        headers
    }

    /// Ends a task with a response, and checks that it was handled.
    fn acknowledge(&self, waiting: &WaitingTask, answer: &Answer) {
        let subject = &waiting.subject;
        self.step("tasks", subject, Event::Acknowledged, "");
        let message = ForwardedMessage::read(&waiting.task.headers);
        let message = message.identity().map(|message| message.id);
        let ids: Vec<_> = message.into_iter().chain([&*waiting.id]).collect();
        self.check_handled(subject, &ids, answer);
    }

    /// Deletes a task. Returns whether it was there.
    pub fn delete_task(&self, queue: &str, id: &str) -> bool {
        let place = (queue.to_owned(), id.to_owned());
        let Some(waiting) = lock(&self.tasks).waiting.get(&place).cloned() else {
            return false;
        };
        lock(&waiting.state).deleted = true;
        self.step("tasks", &waiting.subject, Event::Deleted, "");
        waiting.changed.notify_one();
        true
    }

    /// Makes a task due now. Returns whether it was there.
    pub fn run_task(&self, queue: &str, id: &str) -> bool {
        let place = (queue.to_owned(), id.to_owned());
        let Some(waiting) = lock(&self.tasks).waiting.get(&place).cloned() else {
            return false;
        };
        lock(&waiting.state).due = Instant::now();
        waiting.changed.notify_one();
        true
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

impl WaitingTask {
    /// Waits until it is due. Returns `false` if it was deleted.
    async fn until_due(&self) -> bool {
        loop {
            let state = lock(&self.state).clone();
            if state.deleted {
                return false;
            }
            if state.due <= Instant::now() {
                return true;
            }
            if timeout_at(state.due, self.changed.notified()).await.is_err() {
                sleep_until(state.due).await;
            }
        }
    }
}
