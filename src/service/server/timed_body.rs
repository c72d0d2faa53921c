//! A request body with a time limit.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use crate::base::BoxError;

pin_project! {
    /// The body of a request under [`Runtime::serve`](crate::Runtime::serve). It fails if it takes too long to arrive.
    pub struct ServeBody {
        #[pin]
        incoming: Either<Incoming, Empty<Bytes>>,
        timeout: Duration,
        wait: Wait,
    }
}

/// How long the body was waited for.
enum Wait {
    /// Not at all.
    None,
    /// Once. hyper reads a body only after somebody has asked for it, so nearly every one is waited for, and most are there as soon as
    /// it has looked: a timer would cost more than the rest of reading it.
    Once,
    /// Longer.
    Timed(Pin<Box<Sleep>>),
}

impl ServeBody {
    pub(crate) fn new(incoming: Incoming, timeout: Duration) -> Self {
        Self {
            incoming: Either::Left(incoming),
            timeout,
            wait: Wait::None,
        }
    }

    /// A body without content.
    pub fn empty() -> Self {
        Self {
            incoming: Either::Right(Empty::new()),
            timeout: Duration::ZERO,
            wait: Wait::None,
        }
    }
}

impl Body for ServeBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        if let Poll::Ready(frame) = this.incoming.poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let mut timer = match std::mem::replace(this.wait, Wait::Once) {
            Wait::None => {
                // Asked again after hyper has looked, whether the body is there then or not.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Wait::Once => Box::pin(sleep(*this.timeout)),
            Wait::Timed(timer) => timer,
        };
        if timer.as_mut().poll(cx).is_ready() {
            let error = format!("the body did not arrive within {:?}", this.timeout);
            return Poll::Ready(Some(Err(error.into())));
        }
        *this.wait = Wait::Timed(timer);
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl fmt::Debug for ServeBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeBody").finish_non_exhaustive()
    }
}
