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
        // Most bodies are available at once and need no timer.
        #[pin]
        deadline: Option<Sleep>,
    }
}

impl ServeBody {
    pub(crate) fn new(incoming: Incoming, timeout: Duration) -> Self {
        Self {
            incoming: Either::Left(incoming),
            timeout,
            deadline: None,
        }
    }

    /// A body without content.
    pub fn empty() -> Self {
        Self {
            incoming: Either::Right(Empty::new()),
            timeout: Duration::ZERO,
            deadline: None,
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
        let mut this = self.project();
        if let Poll::Ready(frame) = this.incoming.poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if this.deadline.is_none() {
            this.deadline.set(Some(sleep(*this.timeout)));
        }
        match this.deadline.as_pin_mut().map(|deadline| deadline.poll(cx)) {
            Some(Poll::Ready(())) => {
                let error = format!("the body did not arrive within {:?}", this.timeout);
                Poll::Ready(Some(Err(error.into())))
            }
            _ => Poll::Pending,
        }
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
