//! Operations on the queues of a simulation.

use std::future::ready;

use super::backend::SimulatedBackend;
use super::dispatch::WaitingTask;
use super::world::lock;
use crate::backend::{BackendFuture, Page, QueueOperations, View};
use crate::base::{LastAttempt, QueueInfo, QueueState, QueuedTask, QueuedTaskParts};

fn queued(waiting: &WaitingTask, view: View) -> QueuedTask {
    let (task, state) = (&waiting.task, lock(&waiting.state).clone());
    QueuedTask::new(QueuedTaskParts {
        id: waiting.id.clone(),
        queue: task.queue.clone(),
        url: task.url.clone(),
        headers: task.headers.clone(),
        body: (view == View::Full).then(|| task.body.clone()),
        schedule_time: Some(state.schedule_time),
        create_time: Some(waiting.created),
        timeout: Some(task.deadline),
        attempts: state.attempts,
        responses: state.responses,
        last_attempt: state.last.map(|last| LastAttempt {
            dispatch_time: Some(last.time),
            response_time: last.response.map(|(time, _)| time),
            status: last.response.map(|(_, code)| response_status(code)),
        }),
        max_attempts: None,
    })
}

/// The service's description of a response, as recorded for each of these codes.
#[expect(
    clippy::match_overlapping_arm,
    reason = "the ranges are for what has no description of its own"
)]
fn response_status(code: u16) -> String {
    let (name, number) = match code {
        400 => ("INVALID_ARGUMENT", 3),
        401 => ("UNAUTHENTICATED", 16),
        403 => ("PERMISSION_DENIED", 7),
        404 => ("NOT_FOUND", 5),
        409 => ("ABORTED", 10),
        429 => ("RESOURCE_EXHAUSTED", 8),
        499 => ("CANCELLED", 1),
        501 => ("UNIMPLEMENTED", 12),
        503 => ("UNAVAILABLE", 14),
        504 => ("DEADLINE_EXCEEDED", 4),
        400..=499 => ("FAILED_PRECONDITION", 9),
        500..=599 => ("INTERNAL", 13),
        _ => ("UNKNOWN", 2),
    };
    format!("{name}({number}): HTTP status code {code}")
}

impl QueueOperations for SimulatedBackend {
    fn get<'a>(&'a self, queue: &'a str, id: &'a str, view: View) -> BackendFuture<'a, Option<QueuedTask>> {
        let found = self.world().waiting_task(queue, id);
        Box::pin(ready(Ok(found.map(|waiting| queued(&waiting, view)))))
    }

    /// All on one page, since all are in memory.
    fn page<'a>(
        &'a self,
        queue: &'a str,
        view: View,
        _size: u16,
        _from: Option<&'a str>,
    ) -> BackendFuture<'a, Page> {
        let world = self.world();
        let tasks = lock(&world.tasks);
        let of_queue = tasks
            .waiting
            .values()
            .filter(|waiting| waiting.task.queue == queue);
        let tasks = of_queue.map(|waiting| queued(waiting, view)).collect();
        Box::pin(ready(Ok(Page { tasks, next: None })))
    }

    fn delete<'a>(&'a self, queue: &'a str, id: &'a str) -> BackendFuture<'a, bool> {
        Box::pin(ready(Ok(self.world().delete_task(queue, id))))
    }

    fn run<'a>(&'a self, queue: &'a str, id: &'a str) -> BackendFuture<'a, bool> {
        Box::pin(ready(Ok(self.world().run_task(queue, id))))
    }

    fn pause<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        self.world().queue(queue).pause(true);
        Box::pin(ready(Ok(())))
    }

    fn resume<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        self.world().queue(queue).pause(false);
        Box::pin(ready(Ok(())))
    }

    fn purge<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        let world = self.world();
        let ids: Vec<_> = {
            let tasks = lock(&world.tasks);
            let places = tasks.waiting.keys().filter(|(of, _)| of == queue);
            places.map(|(_, id)| id.clone()).collect()
        };
        for id in ids {
            world.delete_task(queue, &id);
        }
        *lock(&world.queue(queue).purged) = Some(world.now());
        Box::pin(ready(Ok(())))
    }

    fn info<'a>(&'a self, name: &'a str) -> BackendFuture<'a, QueueInfo> {
        let queue = self.world().queue(name);
        let state = if queue.is_paused() {
            QueueState::Paused
        } else {
            QueueState::Running
        };
        let mut info = QueueInfo::new(name, state);
        info.max_dispatches_per_second = Some(queue.rate());
        info.max_concurrent_dispatches = Some(queue.concurrent());
        info.max_attempts = queue.attempts();
        info.purge_time = *lock(&queue.purged);
        Box::pin(ready(Ok(info)))
    }
}
