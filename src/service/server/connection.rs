//! One connection, with its limits.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};

use hyper_util::server::graceful::GracefulConnection;
use tokio::time::{Instant, sleep_until};

use crate::base::BoxError;
use crate::service::server::activity::{Activity, Limits, Order};

/// Serves a connection until it ends, waits for too long, or has to make room. `None` if it is to be cut off.
pub(crate) async fn serve<C>(
    mut connection: Pin<&mut C>,
    activity: &Activity,
    limits: Limits,
) -> Option<Result<(), BoxError>>
where
    C: GracefulConnection<Error = BoxError>,
{
    let shortest = limits.header.min(limits.idle);
    let mut timer = pin!(sleep_until(Instant::now() + shortest));
    // When an idle connection that was asked to close is cut off.
    let mut closing = None;
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(ended));
            }
            match activity.take_order(cx) {
                Some(Order::Leave) => {
                    connection.as_mut().graceful_shutdown();
                    continue;
                }
                // Its request may have come in the meantime.
                Some(Order::MakeRoom) if activity.dispensable().is_some() => return Poll::Ready(None),
                Some(Order::MakeRoom) | None => {}
            }
            let now = Instant::now();
            let next = match (activity.deadline(limits), closing) {
                // Looked at again, since the end of a request does not always wake this task.
                (None, _) => now + shortest,
                (Some(deadline), _) if deadline > now => deadline,
                (Some(_), None) if activity.is_idle() => {
                    // HTTP/2 says so to its client, which may have sent a request just now.
                    connection.as_mut().graceful_shutdown();
                    closing = Some(now + limits.header);
                    continue;
                }
                (Some(_), Some(cut_off)) if cut_off > now => cut_off,
                (Some(_), _) => return Poll::Ready(None),
            };
            // Setting a timer takes a lock: only if it must fire earlier, or has fired.
            if timer.deadline() > next || timer.is_elapsed() {
                timer.as_mut().reset(next);
            }
            ready!(timer.as_mut().poll(cx));
        }
    })
    .await
}
