//! One connection, with its limits.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Poll, Waker, ready};

use hyper_util::server::graceful::GracefulConnection;
use tokio::task::coop::unconstrained;
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
    // It never fires later than the shortest limit from when it was set. So no limit that begins afterwards ends before it, and until
    // then nothing need be looked at, not even the clock.
    let mut timer = pin!(sleep_until(Instant::now() + shortest));
    // The task that the timer and orders wake, which never changes as long as nobody moves the connection to another one.
    let mut woken: Option<Waker> = None;
    // When an idle connection that was asked to close is cut off.
    let mut closing = None;
    poll_fn(|cx| {
        let is_woken = woken.as_ref().is_some_and(|task| task.will_wake(cx.waker()));
        if !is_woken {
            activity.wake_for_orders(cx.waker());
            woken = Some(cx.waker().clone());
        }
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(ended));
            }
            match activity.take_order(cx.waker()) {
                Some(Order::Leave) => {
                    connection.as_mut().graceful_shutdown();
                    continue;
                }
                // Its request may have come in the meantime.
                Some(Order::MakeRoom) if activity.dispensable().is_some() => return Poll::Ready(None),
                Some(Order::MakeRoom) | None => {}
            }
            if is_woken && !timer.is_elapsed() {
                return Poll::Pending;
            }
            let now = Instant::now();
            let next = match (activity.deadline(limits), closing) {
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
            timer.as_mut().reset(next.min(now + shortest));
            // Not counted as work of this task: a timer that yields would not wake it.
            ready!(pin!(unconstrained(timer.as_mut())).poll(cx));
        }
    })
    .await
}
