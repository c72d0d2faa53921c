//! Requests under a concurrency limit, and the last delivery of a queue.

use bytes::Bytes;
use http::Response;
use http_body::Body;
use tokio::time::{Instant, timeout_at};

use crate::auth::Endpoint;
use crate::base::{TurnedAway, limits, text};
use crate::runtime::{Attempt, Runtime};
use crate::service::accepted::Accepted;
use crate::service::body::{self, Unread};
use crate::service::respond;

/// Handles a request that arrived at this instant, if there is a slot for it in time.
pub(super) async fn handle<B: Body + Send + 'static>(
    accepted: Accepted,
    body: B,
    since: Instant,
) -> Response<Bytes> {
    let runtime = accepted.runtime.clone();
    let endpoint = accepted.delivery.endpoint();
    let max_bytes = runtime.max_bytes(endpoint);
    // The last delivery of a queue is recorded if it is turned away, so its body is needed in any case.
    let last = accepted.delivery.is_last(&runtime);
    let name = accepted.entry.registration.name;
    let read = async {
        if last {
            read_last(&runtime, endpoint, name, body).await
        } else {
            body::read(body, max_bytes).await
        }
    };
    let Some(limit) = runtime.limit() else {
        return match read.await {
            Ok(body) => perform(accepted, body, max_bytes, since).await,
            Err(unread) => respond::unread(unread, max_bytes),
        };
    };
    if limit.is_exhausted() && !last {
        return respond::busy();
    }
    let wait_until = limit.wait_until(since, accepted.delivery.timeout(&accepted.entry));
    let read = if limit.is_reached() && !last {
        match timeout_at(wait_until, read).await {
            Ok(read) => read,
            Err(_) => return respond::busy(),
        }
    } else {
        read.await
    };
    let body = match read {
        Ok(body) => body,
        Err(unread) => return respond::unread(unread, max_bytes),
    };
    if body.len() > max_bytes {
        return perform(accepted, body, max_bytes, since).await;
    }
    // Only now: a body that never ends must not take the slot of a task that could run.
    match limit.slot(body.len(), wait_until).await {
        Some(_slot) => perform(accepted, body, max_bytes, since).await,
        None if last => turn_away(accepted, body, since, TurnedAway::AtLimit).await,
        None => respond::busy(),
    }
}

/// Runs the task, unless its body is too large: that of a last delivery is read in any case.
async fn perform(accepted: Accepted, body: Bytes, max_bytes: usize, since: Instant) -> Response<Bytes> {
    if body.len() > max_bytes {
        return turn_away(accepted, body, since, TurnedAway::TooLarge(max_bytes)).await;
    }
    accepted.perform::<NoBody>(body).await
}

async fn turn_away(accepted: Accepted, body: Bytes, since: Instant, reason: TurnedAway) -> Response<Bytes> {
    let on = Attempt::TurnedAway(since, reason);
    Accepted { on, ..accepted }.perform::<NoBody>(body).await
}

/// The type of a body that was read.
type NoBody = http_body_util::Empty<Bytes>;

/// Reads the body of the last delivery of a queue, of any size that a task can have, so that the task can be recorded.
pub(super) async fn read_last<B: Body>(
    runtime: &Runtime,
    endpoint: Endpoint,
    name: &str,
    body: B,
) -> Result<Bytes, Unread> {
    let max_bytes = runtime.max_bytes(endpoint).max(limits::MAX_STORED_BYTES);
    let read = body::read(body, max_bytes).await;
    if let Err(reason) = &read {
        tracing::error!(
            task = %text::excerpt(name),
            ?reason,
            "the last delivery of a task has no body that could be read, so the task ends without a record"
        );
    }
    read
}
