//! What a connection is doing, and until when it may go on.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use http::Version;
use tokio::time::Instant;

use crate::service::server::shutdown::Drain;

/// How long a connection may wait for its client.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// From the first byte of a request to the end of its headers; for the first request from the start of the connection.
    pub header: Duration,
    /// Between two requests.
    pub idle: Duration,
}

/// What one connection is doing. hyper has a single limit for the time between two requests and for the headers of the next
/// one (`header_read_timeout` starts when the previous response ends), so both are measured here.
pub(crate) struct Activity {
    state: Mutex<State>,
    /// An [`Order`], or [`NONE`]. It is looked for whenever the connection does something, so it is not behind the lock.
    order: AtomicU8,
    /// Wakes the task of the connection.
    task: AtomicWaker,
    drain: Arc<Drain>,
}

/// There is no order.
const NONE: u8 = 0;

struct State {
    phase: Phase,
    /// Requests whose response has not ended.
    running: usize,
    version: Option<Version>,
}

/// What a connection without a running request waits for, and since when.
#[derive(Clone, Copy)]
enum Phase {
    /// Its first request.
    New(Instant),
    /// The rest of a request's headers (HTTP/1 only: in HTTP/2 any frame may come at any time, and the ping finds a client
    /// that stops within one).
    Head(Instant),
    Idle(Instant),
}

/// What a connection is told to do.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum Order {
    /// Accept no further request.
    Leave = 1,
    /// Close if it still waits: its place is needed.
    MakeRoom = 2,
}

/// How dispensable a waiting connection is: first those that never sent a request, then those that wait longest.
pub(crate) type Dispensable = (bool, Instant);

impl Activity {
    pub fn new(drain: &Arc<Drain>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                phase: Phase::New(Instant::now()),
                running: 0,
                version: None,
            }),
            order: AtomicU8::new(NONE),
            task: AtomicWaker::new(),
            drain: Arc::clone(drain),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request until the returned value is dropped, which is when its response has ended.
    pub fn start(self: &Arc<Self>, version: Version) -> Request {
        let mut state = self.state();
        state.running += 1;
        state.version = Some(version);
        Request(Arc::clone(self))
    }

    /// Notes bytes of the client. What it sends together with the end of a request is hyper's: the start of a next request that
    /// is not continued has the longer time of an idle connection.
    pub fn received(&self) {
        let mut state = self.state();
        if let (0, Phase::Idle(_), Some(version)) = (state.running, state.phase, state.version)
            && version < Version::HTTP_2
        {
            state.phase = Phase::Head(Instant::now());
        }
    }

    /// When the connection has waited long enough; `None` while a request runs.
    pub fn deadline(&self, limits: Limits) -> Option<Instant> {
        let state = self.state();
        (state.running == 0).then(|| match state.phase {
            Phase::New(since) | Phase::Head(since) => since + limits.header,
            Phase::Idle(since) => since + limits.idle,
        })
    }

    /// How dispensable the connection is; `None` while a request runs, and if it has its order already.
    pub fn dispensable(&self) -> Option<Dispensable> {
        let state = self.state();
        let has_order = self.order.load(Ordering::Acquire) != NONE;
        (state.running == 0 && !has_order).then_some(match state.phase {
            Phase::New(since) => (false, since),
            Phase::Head(since) | Phase::Idle(since) => (true, since),
        })
    }

    /// Whether it waits between two requests, of whose second nothing has arrived.
    pub fn is_idle(&self) -> bool {
        let state = self.state();
        state.running == 0 && matches!(state.phase, Phase::Idle(_))
    }

    pub fn order(&self, order: Order) {
        self.order.store(order as u8, Ordering::Release);
        self.task.wake();
    }

    /// Wakes this task for the next order.
    pub fn wake_for_orders(&self, task: &Waker) {
        self.task.register(task);
    }

    /// Takes the order. An order wakes its task once, so this task is registered again.
    pub fn take_order(&self, task: &Waker) -> Option<Order> {
        if self.order.load(Ordering::Acquire) == NONE {
            return None;
        }
        // First, so that an order that comes in between is not missed.
        self.wake_for_orders(task);
        match self.order.swap(NONE, Ordering::AcqRel) {
            order if order == Order::Leave as u8 => Some(Order::Leave),
            order if order == Order::MakeRoom as u8 => Some(Order::MakeRoom),
            _ => None,
        }
    }
}

/// A request whose response has not ended.
pub(crate) struct Request(Arc<Activity>);

impl Request {
    /// The requests that it is one of.
    pub fn drain(&self) -> &Drain {
        &self.0.drain
    }

    /// Tells the connection to accept no further request.
    pub fn leave(&self) {
        self.0.order(Order::Leave);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.running -= 1;
        if state.running == 0 {
            state.phase = Phase::Idle(Instant::now());
        }
    }
}
