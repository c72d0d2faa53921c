//! The throughput of `asap_all`, next to a loop over the bare official client that sends the same messages, as many at once.
//!
//! The server is this binary again, in a process of its own. Both sides take turns, and the ratio of each round is told: the
//! machine's mood changes slower than a round. `cargo bench --bench bulk_throughput`; without `--bench` one short round is
//! run.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark that cannot start may panic"
)]

use std::time::{Duration, Instant};

use cloud_tasks::backend::RetrySettings;
use cloud_tasks::{Runtime, Task};
use futures_util::{StreamExt, stream};
use google_cloud_tasks_v2::client::CloudTasks;

use api::{SERVE, SendWelcomeEmail, Server, bare, email, official, ours, serve, tokio};

#[path = "subjects/api.rs"]
mod api;

/// What one would write with the official client alone, named as the library does it by default.
async fn by_hand(client: &CloudTasks, calls: usize, at_once: usize) -> Duration {
    let began = Instant::now();
    let sent = stream::iter(0..calls)
        .map(|_| bare(client, true))
        .buffered(at_once)
        .count()
        .await;
    assert_eq!(sent, calls);
    began.elapsed()
}

async fn in_bulk(runtime: &Runtime, calls: usize, at_once: usize) -> Duration {
    let began = Instant::now();
    let results = SendWelcomeEmail::asap_all((0..calls).map(|_| email()))
        .concurrency(at_once)
        .on(runtime)
        .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), calls);
    began.elapsed()
}

/// Compares in rounds: theirs, ours, ours, theirs, so that what grows or shrinks steadily cancels out.
async fn compare(runtime: &Runtime, client: &CloudTasks, at_once: usize, rounds: usize, calls: usize) {
    by_hand(client, calls, at_once).await;
    in_bulk(runtime, calls, at_once).await;
    let mut ratios = Vec::new();
    let (mut ours, mut theirs) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..rounds {
        let first = by_hand(client, calls, at_once).await;
        let bulk = in_bulk(runtime, calls, at_once).await + in_bulk(runtime, calls, at_once).await;
        let hand = first + by_hand(client, calls, at_once).await;
        ratios.push(hand.as_secs_f64() / bulk.as_secs_f64());
        ours += bulk;
        theirs += hand;
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "{at_once:>3} at once: throughput {:.3} of the loop by hand ({:.3} to {:.3} in {rounds} rounds of 2 x {calls} calls), \
         {:.0} to {:.0} calls a second",
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
        rate(ours, rounds, calls),
        rate(theirs, rounds, calls),
    );
}

#[allow(clippy::cast_precision_loss, reason = "a number of calls is small")]
fn rate(time: Duration, rounds: usize, calls: usize) -> f64 {
    (2 * rounds * calls) as f64 / time.as_secs_f64()
}

fn main() {
    if std::env::args().any(|arg| arg == SERVE) {
        return serve();
    }
    let measured = std::env::args().any(|arg| arg == "--bench");
    let server = Server::start();
    tokio().block_on(async {
        let url = format!("http://{}", server.address);
        let runtime = ours(&url, RetrySettings::default()).await;
        let client = official(&url).await;
        for at_once in [1, 16, 64] {
            if measured {
                compare(&runtime, &client, at_once, 41, 1000).await;
            } else {
                compare(&runtime, &client, at_once, 1, 2 * at_once).await;
            }
        }
    });
}
