//! Reading a request body with a size limit.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use pin_project_lite::pin_project;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unread {
    TooLarge,
    Broken,
}

/// Reads a body of at most `limit` bytes. A body that arrives in one piece is not copied.
pub(crate) fn read<B: Body>(body: B, limit: usize) -> Read<B> {
    Read {
        body,
        limit,
        first: Bytes::new(),
        rest: BytesMut::new(),
    }
}

pin_project! {
    /// The future of [`read`].
    pub(crate) struct Read<B> {
        #[pin]
        body: B,
        limit: usize,
        first: Bytes,
        rest: BytesMut,
    }
}

impl<B: Body> Future for Read<B> {
    type Output = Result<Bytes, Unread>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.first.is_empty() && this.body.size_hint().lower() > *this.limit as u64 {
            return Poll::Ready(Err(Unread::TooLarge));
        }
        while let Some(frame) = ready!(this.body.as_mut().poll_frame(cx)) {
            let Ok(mut data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
                continue;
            };
            let length = data.remaining();
            if length > *this.limit - this.first.len() - this.rest.len() {
                return Poll::Ready(Err(Unread::TooLarge));
            }
            if this.first.is_empty() {
                *this.first = data.copy_to_bytes(length);
            } else {
                this.rest.extend_from_slice(&data.copy_to_bytes(length));
            }
        }
        let first = std::mem::take(this.first);
        if this.rest.is_empty() {
            return Poll::Ready(Ok(first));
        }
        let mut whole = BytesMut::with_capacity(first.len() + this.rest.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(this.rest);
        Poll::Ready(Ok(whole.freeze()))
    }
}
