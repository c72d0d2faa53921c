//! Reading a request body with a size limit.

use std::pin::pin;

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unread {
    TooLarge,
    Broken,
}

/// Reads a body of at most `limit` bytes. A body that arrives in one piece is not copied.
pub(crate) async fn read<B: Body>(body: B, limit: usize) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLarge);
    }
    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
            continue;
        };
        if data.remaining() > limit - first.len() - rest.len() {
            return Err(Unread::TooLarge);
        }
        if first.is_empty() {
            first = data.copy_to_bytes(data.remaining());
        } else {
            rest.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}
