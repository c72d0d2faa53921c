//! What it costs to find out, before an enqueue, whether its arguments can be decoded again.
//!
//! CPU time of this thread by subjects that take turns, round by round; a ratio is of two in the same round. Run it with
//! `cargo bench --bench encode_cpu`; it ends after about ten seconds. With `--test` there is one short round.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark prints, and may panic where it cannot start"
)]

use std::collections::BTreeMap;
use std::hint::black_box;

use cloud_tasks::backend::{Backend, BackendFuture, Envelope};
use cloud_tasks::task::Enqueued;
use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

struct Nowhere;

impl Backend for Nowhere {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        Box::pin(async move { Ok(Enqueued::new(envelope.queue(), "nowhere")) })
    }
}

/// An order with lines, of any length.
#[derive(Clone, Deserialize, Serialize)]
struct Order {
    id: u64,
    customer: String,
    lines: Vec<Line>,
}

#[derive(Clone, Deserialize, Serialize)]
struct Line {
    sku: String,
    price: f64,
    options: BTreeMap<String, Option<u32>>,
}

#[task]
impl Task for Order {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

impl Order {
    fn of(lines: usize) -> Self {
        let line = |number: usize| Line {
            sku: format!("sku-{number:06}"),
            price: number as f64 * 1.17,
            options: BTreeMap::from([("size".to_owned(), Some(42)), ("gift".to_owned(), None)]),
        };
        Self {
            id: 7,
            customer: "a customer with a name".to_owned(),
            lines: (0..lines).map(line).collect(),
        }
    }
}

/// The CPU time of this thread, in seconds.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds: f64 = text.split_whitespace().next().unwrap().parse().unwrap();
    nanoseconds / 1e9
}

async fn time(rounds: usize, work: impl AsyncFn()) -> f64 {
    let start = cpu();
    for _ in 0..rounds {
        work().await;
    }
    (cpu() - start) / rounds as f64
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let rounds = if is_test { 1 } else { 41 };
    let runtime = Runtime::builder()
        .backend(Nowhere)
        .allow_unauthenticated()
        .build()
        .await
        .unwrap();
    println!(
        "bytes  serialize  serialize and decode  the whole enqueue  serialize, of the enqueue  decode, of the enqueue"
    );
    for lines in [0, 1, 10, 100, 800] {
        let order = Order::of(lines);
        let bytes = serde_json::to_vec(&order).unwrap().len();
        let turns = if is_test { 10 } else { 2_000_000 / (bytes + 500) };
        let mut figures = [const { Vec::new() }; 5];
        for _ in 0..rounds {
            let serialize = time(turns, async || {
                black_box(serde_json::to_vec(black_box(&order)).unwrap());
            });
            let serialize = serialize.await;
            let both = time(turns, async || {
                let json = serde_json::to_vec(black_box(&order)).unwrap();
                black_box(serde_json::from_slice::<Order>(&json).unwrap());
            });
            let both = both.await;
            let enqueue = time(turns, async || {
                // The clone is in it, as a caller's own value would be.
                black_box(black_box(&order).clone().asap().on(&runtime).await.unwrap());
            });
            let enqueue = enqueue.await;
            let shares = [serialize / enqueue, (both - serialize) / enqueue];
            let all = [serialize * 1e6, both * 1e6, enqueue * 1e6]
                .into_iter()
                .chain(shares);
            for (figures, figure) in figures.iter_mut().zip(all) {
                figures.push(figure);
            }
        }
        let [serialize, both, enqueue, share, decode] = figures.map(median);
        println!(
            "{bytes:>5}  {serialize:>6.2} us  {both:>17.2} us  {enqueue:>14.2} us  {share:>25.2}  {decode:>22.2}"
        );
    }
}
