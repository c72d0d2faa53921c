//! Dispatching a task until it has ended.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until};

use super::delivery::{Answer, Delivery};
use super::history::Event;
use super::plans::task_key;
use super::queue::Queue;
use super::tasks::NewTask;
use super::world::{World, lock};
use crate::base::{ForwardedMessage, TaskMetadata};
use crate::testing::simulation::Fault;

const USER_AGENT: HeaderValue = HeaderValue::from_static("Google-Cloud-Tasks");
const RETRY_REASON: HeaderName = HeaderName::from_static("x-cloudtasks-taskretryreason");

/// A task that has not ended.
pub(super) struct WaitingTask {
    pub task: NewTask,
    pub id: String,
    pub subject: String,
    pub created: SystemTime,
    pub state: std::sync::Mutex<TaskState>,
    /// Wakes its driver: the state has changed.
    changed: Notify,
}

#[derive(Clone)]
pub(super) struct TaskState {
    /// When it is due. The service announces it as the ETA of the attempt.
    pub schedule_time: SystemTime,
    pub attempts: u32,
    /// The responses other than 5xx.
    pub responses: u32,
    /// When the first attempt was dispatched.
    first: Option<Instant>,
    pub last: Option<LastDispatch>,
    /// It is dispatched now, whatever its schedule.
    pub run_requested: bool,
    pub ended: bool,
}

/// The attempt that was dispatched last.
#[derive(Clone, Copy)]
pub(super) struct LastDispatch {
    pub time: SystemTime,
    /// The time and the code of the response; `None` while it is in progress.
    pub response: Option<(SystemTime, u16)>,
}

/// What a task does next.
enum Next {
    /// An attempt, which occupies this place of its queue.
    Attempt(Option<OwnedSemaphorePermit>),
    Ended,
}

impl WaitingTask {
    pub fn new(
        task: NewTask,
        id: String,
        subject: String,
        created: SystemTime,
        schedule_time: SystemTime,
    ) -> Self {
        Self {
            task,
            id,
            subject,
            created,
            state: std::sync::Mutex::new(TaskState {
                schedule_time,
                attempts: 0,
                responses: 0,
                first: None,
                last: None,
                run_requested: false,
                ended: false,
            }),
            changed: Notify::new(),
        }
    }

    /// Changes its state, and wakes its driver.
    pub fn change<R>(&self, change: impl FnOnce(&mut TaskState) -> R) -> R {
        let changed = change(&mut lock(&self.state));
        self.changed.notify_one();
        changed
    }

    async fn next(&self, world: &World, queue: &Queue) -> Next {
        loop {
            let state = lock(&self.state).clone();
            if state.ended {
                return Next::Ended;
            }
            if state.run_requested {
                lock(&self.state).run_requested = false;
                return Next::Attempt(queue.free_slot());
            }
            let in_progress = state.last.is_some_and(|last| last.response.is_none());
            let turn = async {
                if in_progress {
                    std::future::pending::<()>().await;
                }
                sleep_until(world.instant(state.schedule_time)).await;
                queue.turn().await
            };
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                turn = turn => return Next::Attempt(turn),
            }
        }
    }
}

impl World {
    /// Dispatches a task until it has ended.
    pub async fn drive(self: &Arc<Self>, waiting: &Arc<WaitingTask>) {
        let queue = self.queue(&waiting.task.queue);
        while let Next::Attempt(turn) = waiting.next(self, &queue).await {
            let (headers, attempt) = self.begin_attempt(waiting);
            let (world, waiting, queue) = (Arc::clone(self), Arc::clone(waiting), Arc::clone(&queue));
            let open = self.begin();
            // Apart, because a task may be dispatched again while an attempt is in progress.
            tokio::spawn(async move {
                let _open = open;
                let answer = world.attempt(&waiting, headers, attempt).await;
                drop(turn);
                world.finish(&waiting, &queue, attempt, &answer);
            });
        }
    }

    /// Counts an attempt. Returns its headers and its number.
    fn begin_attempt(&self, waiting: &WaitingTask) -> (HeaderMap, u32) {
        let (task, mut state) = (&waiting.task, lock(&waiting.state));
        let mut metadata = TaskMetadata::new()
            .with_queue(&task.queue)
            .with_id(&waiting.id)
            .with_retry_count(state.attempts)
            .with_execution_count(state.responses)
            .with_eta(state.schedule_time);
        let mut headers = task.headers.clone();
        if let Some((_, code)) = state.last.and_then(|last| last.response) {
            metadata = metadata.with_previous_response(code);
            headers.insert(RETRY_REASON, HeaderValue::from_static(""));
        }
        headers.extend(metadata.headers().clone());
        headers.insert(header::USER_AGENT, USER_AGENT);
        state.attempts += 1;
        state.first.get_or_insert_with(Instant::now);
        state.last = Some(LastDispatch {
            time: self.now(),
            response: None,
        });
        (headers, state.attempts)
    }

    /// Makes an attempt, perhaps with a twin, whose answer nobody reads.
    async fn attempt(
        self: &Arc<Self>,
        waiting: &Arc<WaitingTask>,
        headers: HeaderMap,
        attempt: u32,
    ) -> Answer {
        let subject = &waiting.subject;
        let place = format!("{subject}, attempt {attempt}");
        if let Some(mut details) = self.fault(Fault::Delay, &place, subject) {
            sleep(Duration::from_millis(details.u64(100..10_000))).await;
        }
        self.may_rotate_keys(&place);
        if let Some(mut details) = self.fault(Fault::Duplicate, &place, subject) {
            let pause = Duration::from_millis(details.u64(0..200));
            let (world, waiting, headers) = (Arc::clone(self), Arc::clone(waiting), headers.clone());
            let open = self.begin();
            tokio::spawn(async move {
                let _open = open;
                sleep(pause).await;
                let place = format!("{}, twin of attempt {attempt}", waiting.subject);
                world.send(&waiting, headers, place).await;
            });
        }
        self.send(waiting, headers, place).await
    }

    async fn send(self: &Arc<Self>, waiting: &WaitingTask, mut headers: HeaderMap, place: String) -> Answer {
        let task = &waiting.task;
        if let Some(token) = self.token(&task.audience, &task.account) {
            headers.insert(header::AUTHORIZATION, token);
        }
        self.deliver(Delivery {
            url: &task.url,
            headers,
            body: task.body.clone(),
            deadline: task.deadline,
            key: task_key(&task.queue, &waiting.id),
            subject: &waiting.subject,
            place,
        })
        .await
    }

    /// Ends the task, or schedules its next attempt.
    fn finish(&self, waiting: &WaitingTask, queue: &Queue, attempt: u32, answer: &Answer) {
        let subject = &waiting.subject;
        let now = self.now();
        let (first, counts) = {
            let mut state = lock(&waiting.state);
            // The answer of an attempt that another one has replaced has no effect, nor has that of a deleted task.
            let counts = !state.ended && state.attempts == attempt;
            if counts {
                if let Some(last) = &mut state.last {
                    last.response = Some((now, answer.code()));
                }
                state.responses += u32::from(answer.status().is_some_and(|status| !status.is_server_error()));
            }
            (state.first, counts)
        };
        if !counts {
            return;
        }
        if answer.status().is_some_and(|status| status.is_success()) {
            self.step("tasks", subject, Event::Acknowledged, "");
            self.check_acknowledged(waiting, answer);
            self.end_task(waiting);
        } else if queue.gives_up(attempt, first.map(|first| first.elapsed()).unwrap_or_default()) {
            let text = format!("after attempt {attempt}");
            self.step("tasks", subject, Event::GivenUp, &text);
            self.end_task(waiting);
        } else {
            waiting.change(|state| state.schedule_time = now + queue.backoff(attempt));
        }
    }
    fn check_acknowledged(&self, waiting: &WaitingTask, answer: &Answer) {
        let message = ForwardedMessage::read(&waiting.task.headers);
        let message = message.identity().map(|message| message.id);
        let ids: Vec<_> = message.into_iter().chain([&*waiting.id]).collect();
        self.check_handled(&waiting.subject, &ids, answer);
        self.check_recorded(&waiting.subject, &waiting.id, &waiting.task.url, answer);
    }
}
