//! Operations on the queues of a simulation.

use std::future::ready;

use super::backend::SimulatedBackend;
use super::tasks::WaitingTask;
use super::world::lock;
use crate::backend::{BackendFuture, Page, QueueOperations, View};
use crate::base::{QueueInfo, QueueState, QueuedTask, QueuedTaskParts};

fn queued(waiting: &WaitingTask, now: std::time::SystemTime, view: View) -> QueuedTask {
    let (task, state) = (&waiting.task, lock(&waiting.state).clone());
    let wait = state.due.saturating_duration_since(tokio::time::Instant::now());
    QueuedTask::new(QueuedTaskParts {
        id: waiting.id.clone(),
        queue: task.queue.clone(),
        url: task.url.clone(),
        headers: task.headers.clone(),
        body: (view == View::Full).then(|| task.body.clone()),
        schedule_time: Some(now + wait),
        create_time: Some(waiting.created),
        timeout: Some(task.deadline),
        attempts: state.attempts,
        responses: state.responses,
        last_attempt: None,
        max_attempts: None,
    })
}

impl QueueOperations for SimulatedBackend {
    fn get<'a>(&'a self, queue: &'a str, id: &'a str, view: View) -> BackendFuture<'a, Option<QueuedTask>> {
        let world = self.world();
        let place = (queue.to_owned(), id.to_owned());
        let found = lock(&world.tasks).waiting.get(&place).cloned();
        Box::pin(ready(
            Ok(found.map(|waiting| queued(&waiting, world.now(), view))),
        ))
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
        let tasks = of_queue
            .map(|waiting| queued(waiting, world.now(), view))
            .collect();
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
        let settings = queue.settings();
        info.max_dispatches_per_second = settings.max_dispatches_per_second();
        info.max_concurrent_dispatches = settings.max_concurrent_dispatches();
        info.max_attempts = settings.attempts();
        Box::pin(ready(Ok(info)))
    }
}
