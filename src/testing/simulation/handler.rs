//! What stands around each handler: it notes what happens, and interrupts it as planned.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::Notify;

use super::history::Event;
use super::instance::Instance;
use super::plans::{Interruption, Plan, key_of, key_of_task};
use super::world::lock;
use crate::base::text::{brief, error_chain};
use crate::base::{BoxFuture, Dead, Push, TaskError, TaskMetadata};
use crate::registry::{AttemptError, Handler, TaskInput};
use crate::testing::simulation::Fault;

/// The most awaits of a hook before which it is interrupted.
const MOST_HOOK_POLLS: u32 = 4;

/// A handler of a task in an instance.
pub(super) struct Observed {
    pub handler: Arc<dyn Handler>,
    pub instance: Arc<Instance>,
}

impl Observed {
    fn observe<'a, T>(
        &self,
        run: BoxFuture<'a, T>,
        subject: &str,
        plan: Option<Arc<Plan>>,
        note: fn(&Instance, &str, &T),
    ) -> Running<'a, T> {
        Running {
            run: Some(run),
            instance: Arc::clone(&self.instance),
            subject: subject.to_owned(),
            plan,
            polls: 0,
            note,
        }
    }
}

impl Handler for Observed {
    fn call(
        self: Arc<Self>,
        input: TaskInput,
        metadata: TaskMetadata,
    ) -> BoxFuture<'static, Result<Vec<u8>, AttemptError>> {
        let world = &self.instance.world;
        let key = key_of(&input, &metadata);
        let (subject, plan) = world.plans.take(&key);
        world.check_order(&subject, &key);
        let runs = metadata.runs().map(|runs| format!("run {runs}"));
        world.step(
            &self.instance.name,
            &subject,
            Event::Began,
            &runs.unwrap_or_default(),
        );
        let run = Arc::clone(&self.handler).call(input, metadata);
        Box::pin(self.observe(run, &subject, plan, note_run))
    }

    fn check(&self, push: &Push) -> Result<(), String> {
        self.handler.check(push)
    }

    fn on_dead(
        &self,
        body: Bytes,
        dead: Dead,
        metadata: TaskMetadata,
    ) -> BoxFuture<'_, Result<(), TaskError>> {
        let world = &self.instance.world;
        let (subject, _) = world.plans.take(&key_of_task(&metadata));
        let number = world.next_number(&format!("hook of {subject}"));
        let fault = world.fault(Fault::Kill, &format!("{subject}, hook {number}"), &subject);
        let plan = fault.map(|mut details| {
            Arc::new(Plan {
                how: Interruption::Kill,
                polls: details.u32(0..=MOST_HOOK_POLLS),
                cut: Notify::new(),
            })
        });
        let run = self.handler.on_dead(body, dead, metadata);
        Box::pin(self.observe(run, &subject, plan, note_hook))
    }
}

/// Runs code of a request of the test in an instance, until its end or its interruption.
pub(super) fn run_request<T: Send + 'static>(
    instance: &Arc<Instance>,
    subject: &str,
    plan: Option<Arc<Plan>>,
    request: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = T> + Send + 'static {
    instance.world.step(&instance.name, subject, Event::Began, "");
    Running {
        run: Some(Box::pin(request)),
        instance: Arc::clone(instance),
        subject: subject.to_owned(),
        plan,
        polls: 0,
        note: |instance, subject, _: &T| instance.world.step(&instance.name, subject, Event::Ran, ""),
    }
}

fn note_run(instance: &Instance, subject: &str, outcome: &Result<Vec<u8>, AttemptError>) {
    let world = &instance.world;
    lock(&world.seen).ran(subject, outcome);
    match outcome {
        Ok(_) => world.step(&instance.name, subject, Event::Ran, ""),
        Err(error) => {
            let cause = error.cause().map(error_chain).unwrap_or_default();
            let text = format!("{} {cause}", error.text());
            world.step(
                &instance.name,
                subject,
                Event::Failed,
                brief(text.trim_end()).as_ref(),
            );
        }
    }
}

fn note_hook(instance: &Instance, subject: &str, outcome: &Result<(), TaskError>) {
    let world = &instance.world;
    match outcome {
        Ok(()) | Err(TaskError::Discard(_)) => {
            lock(&world.seen).hook_ran(subject);
            world.step(&instance.name, subject, Event::Hook, "");
        }
        Err(error) => {
            let text = format!("its hook: {error}");
            world.step(&instance.name, subject, Event::Failed, brief(&text).as_ref());
        }
    }
}

/// A handler that runs, until its end or its interruption.
struct Running<'a, T> {
    /// `None` after its end.
    run: Option<BoxFuture<'a, T>>,
    instance: Arc<Instance>,
    subject: String,
    plan: Option<Arc<Plan>>,
    polls: u32,
    note: fn(&Instance, &str, &T),
}

impl<T> Future for Running<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if self.instance.has_ended() {
            return Poll::Pending;
        }
        let polls = self.polls;
        if let Some(plan) = self.plan.take_if(|plan| polls >= plan.polls) {
            self.interrupt(&plan, &format!("before await {}", plan.polls + 1));
            return Poll::Pending;
        }
        let Some(run) = &mut self.run else {
            return Poll::Pending;
        };
        let Poll::Ready(outcome) = run.as_mut().poll(cx) else {
            self.polls += 1;
            return Poll::Pending;
        };
        self.run = None;
        (self.note)(&self.instance, &self.subject, &outcome);
        match self.plan.take() {
            Some(plan) => {
                self.interrupt(&plan, "after its handler");
                match plan.how {
                    Interruption::Kill => Poll::Pending,
                    // A connection breaks while something is awaited. Here nothing is, so what follows goes on to its next await.
                    Interruption::HangUp => Poll::Ready(outcome),
                }
            }
            None => Poll::Ready(outcome),
        }
    }
}

impl<T> Running<'_, T> {
    fn interrupt(&self, plan: &Plan, when: &str) {
        match plan.how {
            Interruption::HangUp => plan.cut.notify_one(),
            Interruption::Kill => {
                let why = format!("killed in {} {when}", self.subject);
                match self.instance.world.service_of(&self.instance) {
                    Some(service) => service.kill(&self.instance, &why),
                    None => self.instance.kill(&why),
                }
            }
        }
    }
}

impl<T> Drop for Running<'_, T> {
    fn drop(&mut self) {
        if self.run.take().is_some() {
            let (event, text) = if std::thread::panicking() {
                (Event::Failed, "panicked")
            } else {
                (Event::Dropped, "")
            };
            self.instance
                .world
                .step(&self.instance.name, &self.subject, event, text);
        }
    }
}
