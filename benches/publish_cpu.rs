//! What publishing costs next to the bare official publisher, on the same emulator: the CPU of this process.
//!
//! One by one, each awaited, and a thousand at once. The official publisher appears twice: with its defaults (up to 10 ms
//! and 100 messages a call), and with no delay and 1000 messages a call. The subjects take turns, round by round, and a
//! ratio is of two in the same round. The emulator takes more CPU than all of them, so publishes per second say little.
//! Run it with `cargo bench --bench publish_cpu`; it ends after about a minute. With `--test` there is one short round.
//! With `--only N --times T` the subject `N` (0 to 2) alone publishes a thousand at once, `T` times, for a profiler.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark prints, and may panic where it cannot start"
)]

#[path = "../tests/support/pubsub.rs"]
mod pubsub;

use std::str::FromStr;
use std::time::{Duration, Instant};

use cloud_tasks::{Config, PublisherTask, Runtime, task};
use futures_util::future::try_join_all;
use google_cloud_auth::credentials::anonymous;
use google_cloud_pubsub::client::Publisher;
use google_cloud_pubsub::model::Message;
use serde::{Deserialize, Serialize};

/// How long the rounds may take altogether.
const BUDGET: Duration = Duration::from_secs(50);
const NAMES: [&str; 3] = ["official publisher", "official, no delay", "cloud-tasks"];
const OURS: usize = 2;

#[derive(Clone, Deserialize, Serialize)]
struct OrderPlaced {
    id: u64,
    customer: String,
    total: String,
}

#[task(topic = "ours")]
impl PublisherTask for OrderPlaced {}

fn order(id: u64) -> OrderPlaced {
    OrderPlaced {
        id,
        customer: "Ada Lovelace, 12 St James's Square, London".to_owned(),
        total: "1234.56".to_owned(),
    }
}

/// Who publishes.
enum Subject {
    Bare(Publisher),
    Ours(Runtime),
}

impl Subject {
    async fn publish(&self, id: u64) -> Result<String, cloud_tasks::BoxError> {
        match self {
            Self::Bare(publisher) => {
                let message = Message::new()
                    .set_data(serde_json::to_vec(&order(id))?)
                    .set_attributes([("priority", "high")]);
                Ok(publisher.publish(message).await?)
            }
            Self::Ours(runtime) => {
                let publish = order(id).sync().attribute("priority", "high");
                Ok(publish.on(runtime).await?)
            }
        }
    }

    async fn one_by_one(&self, count: u64) {
        for id in 0..count {
            self.publish(id).await.unwrap();
        }
    }

    async fn at_once(&self, count: u64) {
        try_join_all((0..count).map(|id| self.publish(id))).await.unwrap();
    }
}

/// What a round took, for one message.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    time: f64,
}

/// The CPU time of this process, in seconds.
///
/// tokio runs on this thread alone, whose own clock counts nanoseconds; where the kernel has none, that of the process
/// counts hundredths of a second.
fn cpu() -> f64 {
    if let Ok(text) = std::fs::read_to_string("/proc/self/schedstat")
        && let Some(nanoseconds) = text
            .split_whitespace()
            .next()
            .and_then(|text| text.parse::<f64>().ok())
        && nanoseconds > 0.0
    {
        return nanoseconds / 1e9;
    }
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The program's name, in parentheses, may hold spaces.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

async fn measure(messages: u64, work: impl Future<Output = ()>) -> Cost {
    let (started, before) = (Instant::now(), cpu());
    work.await;
    let messages = messages as f64;
    Cost {
        cpu: (cpu() - before) / messages,
        time: started.elapsed().as_secs_f64() / messages,
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn subjects(host: &str) -> [Subject; 3] {
    let project = format!("bench-{}", std::process::id());
    let topic = |name: &str| format!("projects/{project}/topics/{name}");
    for name in ["bare", "ours"] {
        pubsub::make_topic(host, &topic(name)).await;
    }
    let bare = || {
        Publisher::builder(topic("bare"))
            .with_endpoint(format!("http://{host}"))
            .with_credentials(anonymous::Builder::new().build())
    };
    // Nothing is enqueued, so that there need not be anybody.
    let config = Config::default()
        .with_project(&project)
        .with_pubsub_emulator_host(host)
        .with_cloud_tasks_emulator_host("127.0.0.1:9");
    let quick = bare()
        .set_delay_threshold(Duration::ZERO)
        .set_message_count_threshold(1000);
    [
        Subject::Bare(bare().build().await.unwrap()),
        Subject::Bare(quick.build().await.unwrap()),
        Subject::Ours(Runtime::builder().config(config).build().await.unwrap()),
    ]
}

fn report(title: &str, rounds: &[[Cost; 3]]) {
    println!("\n{title} ({} rounds)", rounds.len());
    println!(
        "{:<20} {:>12} {:>12} {:>14}   CPU ratio of cloud-tasks to it",
        "", "CPU/message", "time/message", "publishes/s"
    );
    for (index, name) in NAMES.iter().enumerate() {
        let time = median(rounds.iter().map(|round| round[index].time));
        let spent = median(rounds.iter().map(|round| round[index].cpu));
        let ratios = || rounds.iter().map(|round| round[OURS].cpu / round[index].cpu);
        let ratio = if index == OURS {
            String::new()
        } else {
            let (least, most) = ratios().fold((f64::MAX, f64::MIN), |(a, b), r| (a.min(r), b.max(r)));
            format!("{:.2} (min {least:.2}, max {most:.2})", median(ratios()))
        };
        println!(
            "{name:<20} {:>9.1} µs {:>9.1} µs {:>14.0}   {ratio}",
            spent * 1e6,
            time * 1e6,
            1.0 / time
        );
    }
}

async fn run(host: &str, short: bool) {
    let subjects = subjects(host).await;
    let (alone, together, times) = if short { (10, 100, 1) } else { (50, 1000, 40) };
    for subject in &subjects {
        subject.one_by_one(10).await;
        subject.at_once(together).await;
    }
    let (mut one_by_one, mut at_once) = (Vec::new(), Vec::new());
    let started = Instant::now();
    loop {
        let (mut single, mut batched) = (
            [Cost { cpu: 0.0, time: 0.0 }; 3],
            [Cost { cpu: 0.0, time: 0.0 }; 3],
        );
        // Another one begins in every round, so that no one always follows the same.
        for turn in 0..subjects.len() {
            let index = (turn + one_by_one.len()) % subjects.len();
            let subject = &subjects[index];
            single[index] = measure(alone, subject.one_by_one(alone)).await;
            batched[index] = measure(times * together, async {
                for _ in 0..times {
                    subject.at_once(together).await;
                }
            })
            .await;
        }
        one_by_one.push(single);
        at_once.push(batched);
        if short || started.elapsed() > BUDGET {
            break;
        }
    }
    report("one by one, each awaited", &one_by_one);
    report(&format!("{together} at once"), &at_once);
}

/// One subject alone, a thousand messages at once and that so many times: what a profiler wants.
async fn only(host: &str, index: usize, times: u64) {
    let subjects = subjects(host).await;
    for _ in 0..times {
        subjects[index].at_once(1000).await;
    }
}

/// What the value behind an argument is.
fn value_of<T: FromStr>(arguments: &[String], name: &str) -> Option<T> {
    let position = arguments.iter().position(|argument| argument == name)?;
    arguments.get(position + 1)?.parse().ok()
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let Some(host) = pubsub::emulator("publish_cpu") else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        match value_of(&arguments, "--only") {
            Some(index) => only(&host, index, value_of(&arguments, "--times").unwrap_or(10)).await,
            None => run(&host, has("--test") || !has("--bench")).await,
        }
    });
}
