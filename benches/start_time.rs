//! How long `build()` takes: for a task, a subscriber or a schedule each, and with a client that uses TLS or none.
//!
//! Each build is the first one of a process of its own, which is this binary again: what is read or made once per process counts.
//! `cargo bench --bench start_time`; without `--bench` there is one short round.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark that cannot start may panic"
)]

use std::process::Command;
use std::time::{Duration, Instant};

use cloud_tasks::__private::Registration;
use cloud_tasks::backend::Google;
use cloud_tasks::{Config, Context, Message, Runtime, SubscriberTask, Task, TaskResult, task};
use google_cloud_auth::credentials::anonymous;
use serde::{Deserialize, Serialize};

/// The argument that makes this binary build one runtime, before its kind and its number of registrations.
const BUILD: &str = "--build";

#[derive(Deserialize, Serialize)]
struct Cleanup {
    days: u32,
}

#[task(every = "0 3 * * *", payload = Cleanup { days: 30 })]
impl Task for Cleanup {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

struct SendReceipt;

#[task(topic = "orders")]
impl SubscriberTask for SendReceipt {
    async fn run(message: Message<u64>, _cx: Context) -> TaskResult {
        let _ = message.content;
        Ok(())
    }
}

/// What `#[task]` writes, so often under other names.
fn registrations(kind: &str, count: usize) -> Vec<Registration> {
    let names = (0..count).map(|number| &*format!("{kind}{number}").leak());
    let location = concat!(file!(), ":", line!());
    names
        .map(|name| match kind {
            "subscribers" => Registration::subscriber::<SendReceipt>(name, location),
            "schedules" => Registration::task::<Cleanup>(name, location).periodic::<Cleanup>(),
            _ => Registration::task::<Cleanup>(name, location),
        })
        .collect()
}

/// Builds a runtime, and says how many nanoseconds that took.
fn build(kind: &str, count: usize) {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = Config::default()
        .with_endpoint("https://shop.example")
        .with_project("my-project")
        .with_location("europe-west1")
        .with_service_account("tasks@my-project.iam.gserviceaccount.com");
    let registrations = registrations(kind, count);
    let started = Instant::now();
    let built = tokio.block_on(async {
        let url = match kind {
            "plain" => "http://127.0.0.1:9",
            "tls" => "https://127.0.0.1:9",
            _ => {
                let builder = Runtime::eager().config(config).register_all(registrations);
                return builder.build().await;
            }
        };
        let google = Google::new()
            .api_endpoint(url)
            .credentials(anonymous::Builder::new().build());
        let builder = Runtime::builder().config(config).google(google);
        builder
            .register_all(registrations)
            .allow_unauthenticated()
            .build()
            .await
    });
    let took = started.elapsed();
    built.unwrap();
    println!("{}", took.as_nanos());
}

/// The time of a build in a process of its own.
fn measure(kind: &str, count: usize) -> Duration {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([BUILD, kind, &count.to_string()])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let nanos = String::from_utf8(output.stdout).unwrap();
    Duration::from_nanos(nanos.trim().parse().unwrap())
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, build_one, kind, count] = &*arguments
        && build_one == BUILD
    {
        return build(kind, count.parse().unwrap());
    }
    let rounds = if arguments.iter().any(|argument| argument == "--bench") {
        41
    } else {
        1
    };
    println!(
        "{:<14} {:>7} {:>12} {:>12} {:>12}",
        "", "count", "median", "least", "most"
    );
    for (kind, count) in [
        ("tasks", 10),
        ("plain", 10),
        ("tls", 10),
        ("tasks", 1_000),
        ("subscribers", 1_000),
        ("schedules", 1_000),
        ("tasks", 10_000),
        ("subscribers", 10_000),
        ("schedules", 10_000),
    ] {
        let mut times: Vec<_> = (0..rounds).map(|_| measure(kind, count)).collect();
        times.sort_unstable();
        let (least, median, most) = (times[0], times[times.len() / 2], times[times.len() - 1]);
        println!("{kind:<14} {count:>7} {median:>12.1?} {least:>12.1?} {most:>12.1?}");
    }
}
