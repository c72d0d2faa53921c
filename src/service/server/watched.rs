//! The socket of a connection and the bodies of its responses, which report to its [`Activity`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::service::server::activity::{Activity, Request};

pin_project! {
    /// The body of a response, whose end is the end of its request.
    pub(crate) struct Answer<B> {
        #[pin]
        pub body: B,
        pub request: Request,
    }
}

impl<B: Body> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// The socket of a connection, which notes when the client sends something, and fails if the client accepts nothing for too
    /// long.
    pub(crate) struct Watched<I> {
        #[pin]
        io: I,
        activity: Arc<Activity>,
        write_timeout: Duration,
        // Most writes are accepted at once and need no timer.
        #[pin]
        write_deadline: Option<Sleep>,
    }
}

impl<I> Watched<I> {
    pub fn new(io: I, activity: Arc<Activity>, write_timeout: Duration) -> Self {
        Self {
            io,
            activity,
            write_timeout,
            write_deadline: None,
        }
    }

    /// Limits the time of a write, which begins when it is first pending.
    fn limit<T>(
        polled: Poll<io::Result<T>>,
        mut deadline: Pin<&mut Option<Sleep>>,
        timeout: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            if deadline.is_some() {
                deadline.set(None);
            }
            return polled;
        }
        if deadline.is_none() {
            deadline.set(Some(sleep(timeout)));
        }
        if let Some(deadline) = deadline.as_pin_mut() {
            ready!(deadline.poll(cx));
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncRead> AsyncRead for Watched<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        let before = buffer.filled().len();
        let polled = this.io.poll_read(cx, buffer);
        if buffer.filled().len() > before {
            this.activity.received();
        }
        polled
    }
}

impl<I: AsyncWrite> AsyncWrite for Watched<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.project();
        let polled = this.io.poll_write(cx, bytes);
        Self::limit(polled, this.write_deadline, *this.write_timeout, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        let polled = this.io.poll_flush(cx);
        Self::limit(polled, this.write_deadline, *this.write_timeout, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        let polled = this.io.poll_shutdown(cx);
        Self::limit(polled, this.write_deadline, *this.write_timeout, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        let polled = this.io.poll_write_vectored(cx, slices);
        Self::limit(polled, this.write_deadline, *this.write_timeout, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
