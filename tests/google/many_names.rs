//! Many ordering keys and many topics: the tasks and the memory of publishing are bounded, and nothing is lost or out of order.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use cloud_tasks::backend::RetrySettings;
use cloud_tasks::event::{PublishNow, Topic};
use cloud_tasks::{Error, ModelPublisherTask, PublisherTask, Runtime, task};
use fastrand::Rng;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::publishing::{Counted, patient, runtime};
use crate::support::api::{config, google};
use crate::support::chaos::{Arrives, Fault};
use crate::support::publish_api::{PublishApi, Published, Reply};
use crate::support::wait::within;

/// More than the tasks of all publishers that may exist at once: of 256 topics, or of 100 workers, with their requests.
const MAX_TASKS: usize = 1200;

/// Is published to a topic with its number.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Spread(u32);

#[task(topic = "spread")]
impl ModelPublisherTask for Spread {
    fn content(number: &u32, _extra: &()) -> Self {
        Self(*number)
    }

    fn topic_for(number: &u32, _extra: &()) -> Topic {
        Topic::new(format!("spread-{number}"))
    }
}

/// A message for a topic of its own.
fn to_its_topic(number: u32, runtime: &Runtime) -> PublishNow {
    Spread::of(&number).sync().on(runtime)
}

/// A message with an ordering key of its own.
fn with_its_key(number: u32, runtime: &Runtime) -> PublishNow {
    Counted(number)
        .sync()
        .on(runtime)
        .ordering_key(format!("key-{number}"))
}

type Publish = fn(u32, &Runtime) -> PublishNow;

/// A server in a tokio runtime of its own, so that only the client's tasks are counted.
struct Elsewhere {
    api: PublishApi,
    _tokio: tokio::runtime::Runtime,
}

impl Elsewhere {
    fn start(choose: impl Fn(&[Published]) -> Reply + Send + Sync + 'static) -> Self {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let api = tokio.block_on(PublishApi::start(choose));
        Self { api, _tokio: tokio }
    }
}

/// Publishes these numbers, so many at once; the largest number of tasks meanwhile.
async fn tasks_of(publish: Publish, numbers: u32, at_once: usize, runtime: &Runtime) -> usize {
    let metrics = tokio::runtime::Handle::current().metrics();
    let mut most = 0;
    let mut results = stream::iter(0..numbers)
        .map(|number| publish(number, runtime).into_future())
        .buffer_unordered(at_once);
    while let Some(result) = within(results.next()).await {
        result.unwrap();
        most = most.max(metrics.num_alive_tasks());
    }
    most
}

fn client() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn the_tasks_for_many_names_are_bounded_however_many_messages_are_in_flight() {
    for (what, publish) in [("keys", with_its_key as Publish), ("topics", to_its_topic)] {
        for at_once in [32, 1500] {
            let server = Elsewhere::start(|_| Reply::Accept);

            let tasks = client().block_on(async {
                let runtime = runtime(&server.api.url(), patient()).await;
                tasks_of(publish, 1500, at_once, &runtime).await
            });

            assert!(tasks <= MAX_TASKS, "{what}, {at_once} at once: {tasks} tasks");
            let mut texts: Vec<u32> = server
                .api
                .texts()
                .iter()
                .map(|text| text.parse().unwrap())
                .collect();
            texts.sort_unstable();
            texts.dedup();
            assert_eq!(texts.len(), 1500, "{what}, {at_once} at once");
        }
    }
}

#[test]
fn the_tasks_for_many_keys_are_bounded_while_all_of_them_pause() {
    let refusals = AtomicUsize::new(0);
    let server = Elsewhere::start(move |_| {
        if refusals.fetch_add(1, Ordering::SeqCst) < 1500 {
            Reply::Refuse(14, "try again")
        } else {
            Reply::Accept
        }
    });

    let tasks = client().block_on(async {
        let runtime = runtime(&server.api.url(), patient()).await;
        tasks_of(with_its_key, 1000, 1000, &runtime).await
    });

    assert!(tasks <= MAX_TASKS, "{tasks} tasks");
    assert_eq!(server.api.texts().len(), 1000);
}

/// More keys than workers, so a key waits for others between its batches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_keys_keeps_its_order_through_faults() {
    const KEYS: u32 = 300;
    let rng = Mutex::new(Rng::with_seed(0x5eed));
    let api = PublishApi::start(move |_| match rng.lock().unwrap().u8(0..100) {
        0..10 => Reply::Refuse(14, "try again"),
        10..14 => Reply::Spoil(Fault::Error500, Arrives::Yes),
        14 => Reply::Spoil(Fault::Reset, Arrives::Not),
        _ => Reply::Accept,
    })
    .await;
    let runtime = runtime(&api.url(), patient()).await;

    // Each number of each key, in waves that find the keys before, at and behind their turn.
    let mut publishes = FuturesUnordered::new();
    for number in 0..10 {
        for key in 0..KEYS {
            let publish = Counted(number).sync().on(&runtime).ordering_key(key.to_string());
            let mut publish = publish.into_future();
            match futures_util::poll!(&mut publish) {
                Poll::Ready(result) => drop(result.unwrap()),
                Poll::Pending => publishes.push(publish),
            }
        }
        tokio::task::yield_now().await;
    }
    while let Some(result) = within(publishes.next()).await {
        result.unwrap();
    }

    let mut by_key = HashMap::<String, Vec<u32>>::new();
    for message in api.accepted() {
        let number = message.text().parse().unwrap();
        let numbers = by_key.entry(message.ordering_key).or_default();
        // What arrived without a response arrives again, with all that was behind it.
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    assert_eq!(by_key.len(), KEYS as usize);
    for (key, numbers) in by_key {
        assert_eq!(numbers, (0..10).collect::<Vec<_>>(), "key {key}");
    }
}

#[tokio::test]
async fn keys_that_pause_hold_up_no_other_key() {
    let api = PublishApi::start(|messages| {
        if messages[0].ordering_key.starts_with("key-") {
            Reply::Refuse(14, "try again")
        } else {
            Reply::Accept
        }
    })
    .await;
    let retry = RetrySettings {
        initial: Duration::from_secs(600),
        maximum: Duration::from_secs(600),
        deadline: Duration::from_secs(6000),
        ..patient()
    };
    let runtime = runtime(&api.url(), retry).await;
    let mut pausing: FuturesUnordered<_> = (0..250)
        .map(|number| with_its_key(number, &runtime).into_future())
        .collect();
    while api.requests().len() < 250 {
        assert!(futures_util::poll!(pausing.next()).is_pending());
        tokio::task::yield_now().await;
    }

    let good = Counted(1000).sync().on(&runtime).ordering_key("good");
    within(good.into_future()).await.unwrap();

    assert_eq!(api.texts(), ["1000"]);
}

#[tokio::test]
async fn a_flush_covers_the_messages_of_topics_whose_publishers_have_gone() {
    let api = PublishApi::start(|_| Reply::Accept).await;
    let runtime = runtime(&api.url(), patient()).await;

    for number in 0..1000 {
        let mut publish = to_its_topic(number, &runtime).into_future();
        // Once polled, it goes on.
        assert!(futures_util::poll!(&mut publish).is_pending());
    }
    within(runtime.flush()).await;

    assert_eq!(api.texts().len(), 1000);
}

#[tokio::test]
async fn a_topic_that_was_not_used_for_long_is_published_to_again() {
    let api = PublishApi::start(|_| Reply::Accept).await;
    let runtime = runtime(&api.url(), RetrySettings::off()).await;

    for round in 0..3 {
        for number in (0..300).step_by(1 + round) {
            within(to_its_topic(number, &runtime).into_future())
                .await
                .unwrap();
        }
    }

    assert_eq!(api.texts().len(), 300 + 150 + 100);
}

#[tokio::test]
async fn a_message_that_finds_no_free_publisher_says_so() {
    let api = PublishApi::start(|_| Reply::Spoil(Fault::TimeOut, Arrives::Not)).await;
    let runtime = runtime(&api.url(), RetrySettings::off()).await;
    let results: Vec<Result<String, Error>> =
        futures_util::future::join_all((0..600).map(|number| to_its_topic(number, &runtime).into_future()))
            .await;

    let busy: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().unwrap_err())
        .filter(|error| !error.may_have_taken_effect())
        .collect();
    // The first 256 give their places back at the very moment at which the others have waited long enough: some of these get one.
    assert!((88..=600 - 256).contains(&busy.len()), "{}", busy.len());
    for error in busy {
        let text = error.to_string();
        let rest = text.strip_prefix("the message to topic projects/acme/topics/spread-");
        let rest = rest
            .unwrap()
            .trim_start_matches(|digit: char| digit.is_ascii_digit());
        assert_eq!(
            rest,
            " was not published: it waited 1s, since messages of 256 other topics are in flight; publish to fewer topics at once"
        );
    }
}

/// The measured process: its memory after so many names, in KiB.
#[test]
#[ignore = "part of the measurement below, which runs it in a process of its own"]
fn publishes_to_many_names() {
    let Ok(url) = std::env::var("TEST_MANY_NAMES_API") else {
        return;
    };
    let number = |name| std::env::var(name).unwrap().parse::<u32>().unwrap();
    let (keys, topics) = (number("TEST_MANY_NAMES_KEYS"), number("TEST_MANY_NAMES_TOPICS"));
    client().block_on(async {
        // On a busy machine nothing else than the memory counts.
        let google = google("http://127.0.0.1:1").pubsub_endpoint(&url);
        let google = google.attempt_timeout(Duration::from_secs(60));
        let runtime = Runtime::builder()
            .config(config())
            .google(google)
            .build()
            .await
            .unwrap();
        // What the first messages allocate is not of the later ones.
        tasks_of(with_its_key, 1000, 64, &runtime).await;
        tasks_of(to_its_topic, 1000, 64, &runtime).await;
        let before = resident();
        for (what, publish, names) in [
            ("keys", with_its_key as Publish, keys),
            ("topics", to_its_topic, topics),
        ] {
            let tasks = tasks_of(publish, names, 64, &runtime).await;
            let after = resident();
            let mut stdout = std::io::stdout();
            writeln!(
                stdout,
                "{names} {what}: {before} KiB before, {after} KiB after, at most {tasks} tasks"
            )
            .unwrap();
        }
    });
}

/// The resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or_default()
}

async fn measure(keys: u32, topics: u32) -> String {
    let api = PublishApi::start_forgetful(|_| Reply::Accept).await;
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "many_names::publishes_to_many_names",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env("TEST_MANY_NAMES_API", api.url())
        .env("TEST_MANY_NAMES_KEYS", keys.to_string())
        .env("TEST_MANY_NAMES_TOPICS", topics.to_string())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// `cargo test --test google many_names::a_million -- --ignored --nocapture` shows the figures of RELIABILITY.md.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "takes minutes"]
#[expect(clippy::print_stdout, reason = "it shows its figures")]
async fn a_million_ordering_keys_and_a_hundred_thousand_topics() {
    for topics in [500, 5_000, 100_000] {
        let told = measure(10 * topics, topics).await;
        for line in told.lines().filter(|line| line.contains("KiB after")) {
            println!("{line}");
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_memory_for_many_names_is_bounded() {
    let told = measure(2_000, 2_000).await;

    let lines: Vec<_> = told.lines().filter(|line| line.contains("KiB after")).collect();
    assert_eq!(lines.len(), 2, "{told}");
    for line in lines {
        let numbers: Vec<u64> = line
            .split([' ', ',', ':'])
            .filter_map(|word| word.parse().ok())
            .collect();
        let [_, before, after, _] = numbers[..] else {
            panic!("{line}")
        };
        // A publisher for each name would be more than 20 MB of keys and 60 MB of topics.
        assert!(after.saturating_sub(before) < 15 * 1024, "{line}");
    }
}
