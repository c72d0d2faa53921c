//! The CPU time of an enqueue, next to a call that is written by hand with hyper and to the bare official client, which send the
//! same message to the same server. And the connections that a burst opens.
//!
//! The server is this binary again, in a process of its own, so that its CPU time is not counted. Both sides take turns,
//! and the ratio of each round is told: the machine's mood changes slower than a round. `cargo bench --bench enqueue_cpu`;
//! without `--bench` one short round is run. `--count` enqueues a thousand tasks for `.ci/instructions`, and `--count http2` does so
//! over HTTP/2.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark that cannot start may panic"
)]

use std::time::Duration;

use cloud_tasks::Runtime;
use cloud_tasks::backend::RetrySettings;
use futures_util::{StreamExt, stream};
use google_cloud_tasks_v2::client::CloudTasks;

use by_hand::ByHand;

use api::{SERVE, Server, bare, email, official, ours, ours_over_http2, serve, tokio};

#[path = "subjects/api.rs"]
mod api;
#[path = "subjects/by_hand.rs"]
mod by_hand;

/// Who sends.
#[derive(Clone)]
enum Sender {
    /// The official client, and whether the task gets a name.
    Bare(CloudTasks, bool),
    /// Hyper and serde alone.
    ByHand(Box<ByHand>),
    Ours(Runtime),
}

impl Sender {
    async fn send(&self) {
        match self {
            Self::Bare(client, named) => bare(client, *named).await,
            Self::ByHand(client) => client.send().await,
            Self::Ours(runtime) => enqueue(runtime).await,
        }
    }

    /// Sends so many, so many of them at once.
    async fn send_all(&self, calls: usize, at_once: usize) {
        stream::iter(0..calls)
            .for_each_concurrent(at_once, |_| self.send())
            .await;
    }
}

/// The CPU time of this process's threads so far, or nothing where the system does not tell it.
fn cpu() -> Option<Duration> {
    // A thread's account is brought up to date when it is taken off its CPU.
    std::thread::sleep(Duration::from_micros(100));
    let mut nanos = 0;
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let path = thread.ok()?.path().join("schedstat");
        let text = std::fs::read_to_string(path).ok()?;
        nanos += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanos))
}

/// One way to send, next to another.
struct Comparison {
    name: &'static str,
    ours: Sender,
    theirs: Sender,
    at_once: usize,
}

impl Comparison {
    /// Compares in rounds: theirs, ours, ours, theirs, so that what grows or shrinks steadily cancels out.
    async fn run(&self, rounds: usize, calls: usize) {
        for sender in [&self.theirs, &self.ours] {
            sender.send_all(calls, self.at_once).await;
        }
        let mut ratios = Vec::new();
        let (mut ours, mut theirs) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..rounds {
            let mut round = [Duration::ZERO; 2];
            for (side, sender) in [
                (0, &self.theirs),
                (1, &self.ours),
                (1, &self.ours),
                (0, &self.theirs),
            ] {
                let Some(before) = cpu() else {
                    println!("this system does not tell a process's CPU time in /proc");
                    return;
                };
                sender.send_all(calls, self.at_once).await;
                round[side] += cpu().unwrap().saturating_sub(before);
            }
            theirs += round[0];
            ours += round[1];
            ratios.push(round[1].as_secs_f64() / round[0].as_secs_f64());
        }
        ratios.sort_by(f64::total_cmp);
        println!(
            "{:<28} {:>3} at once: ratio {:.3} ({:.3} to {:.3} in {} rounds of 2 x {calls} calls), all rounds {:.3}, \
             {:.1} us to {:.1} us a call",
            self.name,
            self.at_once,
            ratios[ratios.len() / 2],
            ratios[0],
            ratios[ratios.len() - 1],
            ratios.len(),
            ours.as_secs_f64() / theirs.as_secs_f64(),
            micros(ours, rounds, calls),
            micros(theirs, rounds, calls),
        );
    }
}

#[allow(clippy::cast_precision_loss, reason = "a number of calls is small")]
fn micros(time: Duration, rounds: usize, calls: usize) -> f64 {
    time.as_secs_f64() * 1e6 / (2 * rounds * calls) as f64
}

fn main() {
    if std::env::args().any(|arg| arg == SERVE) {
        return serve();
    }
    if std::env::args().any(|arg| arg == "--count") {
        return count();
    }
    let measured = std::env::args().any(|arg| arg == "--bench");
    let server = Server::start();
    tokio().block_on(async {
        let url = format!("http://{}", server.address);
        let once = Sender::Ours(ours(&url, RetrySettings::off()).await);
        let repeating = Sender::Ours(ours(&url, RetrySettings::default()).await);
        let unnamed = Sender::Bare(official(&url).await, false);
        let named = Sender::Bare(official(&url).await, true);
        let by_hand = Sender::ByHand(Box::new(ByHand::new(&url)));
        let http2 = Sender::Ours(ours_over_http2(&url).await);
        assert_same(&server, &once, &unnamed).await;
        assert_same(&server, &repeating, &named).await;
        for at_once in [1, 16, 64] {
            for (name, ours, theirs) in [
                ("to a call by hand", &repeating, &by_hand),
                ("to the official client", &repeating, &named),
                ("to the same, without a name", &once, &unnamed),
                ("HTTP/2 to HTTP/1.1", &http2, &repeating),
            ] {
                let comparison = Comparison {
                    name,
                    ours: ours.clone(),
                    theirs: theirs.clone(),
                    at_once,
                };
                if measured {
                    comparison.run(41, 1000).await;
                } else {
                    comparison.run(1, 2 * at_once).await;
                }
            }
        }
        for (name, sender) in [
            (
                "cloud-tasks",
                Sender::Ours(ours(&url, RetrySettings::default()).await),
            ),
            ("by hand", Sender::ByHand(Box::new(ByHand::new(&url)))),
            ("the official client", Sender::Bare(official(&url).await, true)),
        ] {
            let before = server.connections();
            sender.send_all(1000, 1000).await;
            // The one that asked before is counted too.
            println!(
                "{name}: {} connections for 1,000 enqueues at once",
                server.connections() - before - 1
            );
        }
    });
}

/// Enqueues a thousand tasks, one after the other, for a callgrind that somebody else has started.
fn count() {
    let (server, tokio) = (Server::start(), tokio());
    let url = format!("http://{}", server.address);
    let runtime = tokio.block_on(async {
        if std::env::args().any(|arg| arg == "http2") {
            ours_over_http2(&url).await
        } else {
            ours(&url, RetrySettings::default()).await
        }
    });
    for _ in 0..100 {
        tokio.block_on(enqueue(&runtime));
    }
    for _ in 0..1000 {
        counted_enqueue(&tokio, &runtime);
    }
}

/// What callgrind counts, by its name.
#[inline(never)]
fn counted_enqueue(tokio: &tokio::runtime::Runtime, runtime: &Runtime) {
    tokio.block_on(enqueue(runtime));
}

async fn enqueue(runtime: &Runtime) {
    let enqueued = cloud_tasks::Task::asap(email()).on(runtime).await.unwrap();
    assert_eq!(enqueued.queue(), "emails");
}

/// Makes sure that both send the same bytes, but for what is random in a name.
async fn assert_same(server: &Server, ours: &Sender, theirs: &Sender) {
    ours.send().await;
    let sent = server.last();
    theirs.send().await;
    assert_eq!(sent, server.last());
    assert!(sent.contains(r#""oidcToken""#), "{sent}");
}
