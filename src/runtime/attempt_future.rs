//! The future of one attempt: its span, its scope, its deadline and its panic.
//!
//! These types are written by hand, because an `async fn` keeps its arguments twice and every branch inline. A request
//! moves them several times, and the allocator is fast only for small boxes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::instrument::Instrumented;
use tracing::level_filters::LevelFilter;
use tracing::{Instrument, Level, Span};

use crate::base::BoxFuture;
use crate::registry::AttemptError;
use crate::runtime::attempt::{panic_message, report, start_time};
use crate::runtime::scope::{Scope, Scoped};

type Outcome = Result<Vec<u8>, AttemptError>;

/// Whether somebody listens to a level. Otherwise the fields of a span or an event need not be read: with the feature
/// `log` of `tracing`, which axum enables, they would be read in any case.
pub(super) fn is_listened_to(level: Level) -> bool {
    level <= LevelFilter::current()
}

pin_project! {
    /// One attempt, which runs inside its span and its scope; returned by [`Runtime::run`](crate::Runtime).
    #[project = AttemptProjection]
    pub(crate) enum AttemptFuture {
        /// Nobody listens to the span: entering one has its price even then.
        Bare { #[pin] run: Scoped<Steps> },
        Spanned { #[pin] run: Instrumented<Scoped<Steps>> },
        /// A message that becomes a task.
        Forward { run: BoxFuture<'static, Outcome> },
    }
}

/// What an attempt does inside its scope.
pub(super) enum Steps {
    /// It runs the task, and reports the outcome.
    Plain(Reported),
    /// It needs a claim, or is the last one.
    Guarded(BoxFuture<'static, Outcome>),
}

/// The run of a task, and the report of its outcome.
pub(super) struct Reported {
    run: TimedRun,
    /// When it started, if somebody listens to how long it took.
    started: Option<Instant>,
}

impl AttemptFuture {
    pub(super) fn new(steps: Steps, scope: Scope, span: Option<Span>) -> Self {
        let run = scope.run(steps);
        match span {
            Some(span) => Self::Spanned {
                run: run.instrument(span),
            },
            None => Self::Bare { run },
        }
    }

    pub fn forward(run: impl Future<Output = Outcome> + Send + 'static) -> Self {
        Self::Forward { run: Box::pin(run) }
    }
}

impl Steps {
    pub fn plain(run: TimedRun) -> Self {
        Self::Plain(Reported {
            run,
            started: start_time(),
        })
    }
}

impl Future for AttemptFuture {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        match self.project() {
            AttemptProjection::Bare { run } => run.poll(cx),
            AttemptProjection::Spanned { run } => run.poll(cx),
            AttemptProjection::Forward { run } => run.as_mut().poll(cx),
        }
    }
}

impl Future for Steps {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        match self.get_mut() {
            Self::Plain(Reported { run, started }) => {
                let outcome = ready!(Pin::new(run).poll(cx));
                report(&outcome, *started);
                Poll::Ready(outcome)
            }
            Self::Guarded(run) => run.as_mut().poll(cx),
        }
    }
}

/// The run of a handler until its deadline. Its panic is an error.
pub(super) struct TimedRun {
    /// `None` when it has ended.
    run: Option<BoxFuture<'static, Outcome>>,
    deadline: Instant,
    limit: Duration,
    /// Set when the handler has waited for the first time: a timer is not free, and most handlers are done at once.
    timer: Option<Pin<Box<Sleep>>>,
}

impl TimedRun {
    pub fn new(run: BoxFuture<'static, Outcome>, deadline: Instant, limit: Duration) -> Self {
        Self {
            run: Some(run),
            deadline,
            limit,
            timer: None,
        }
    }

    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Some(run) = &mut self.run else {
            return Poll::Pending;
        };
        match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(cx))) {
            Ok(Poll::Ready(outcome)) => return Poll::Ready(outcome.map_err(AttemptError::or_busy)),
            Ok(Poll::Pending) => {}
            Err(panic) => return Poll::Ready(Err(AttemptError::Panicked(panic_message(&*panic)))),
        }
        let deadline = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        // A handler that always has something to do uses up its turn, and must end nevertheless.
        ready!(pin!(unconstrained(timer)).poll(cx));
        Poll::Ready(Err(AttemptError::TimedOut(self.limit)))
    }
}

impl Future for TimedRun {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let outcome = ready!(self.poll_run(cx));
        // Dropped here, so that what the handler holds is released before the outcome is reported.
        self.run = None;
        Poll::Ready(outcome)
    }
}
