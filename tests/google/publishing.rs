//! Publishing through Google's client: refusals, silence, tokio runtimes and ordering keys.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use cloud_tasks::backend::RetrySettings;
use cloud_tasks::event::PublishNow;
use cloud_tasks::{Error, PublisherTask, Runtime, task};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::support::api::{config, google};
use crate::support::chaos::{Arrives, Fault};
use crate::support::publish_api::{INVALID, PublishApi, Published, Reply};

/// Its content is its number.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Counted(pub(crate) u32);

#[task(topic = "counted")]
impl PublisherTask for Counted {}

const ATTEMPT: Duration = Duration::from_secs(1);

pub(crate) async fn runtime(url: &str, retry: RetrySettings) -> Runtime {
    Runtime::builder()
        .config(config().with_enqueue_retry(retry))
        .google(
            google("http://127.0.0.1:1")
                .pubsub_endpoint(url)
                .attempt_timeout(ATTEMPT),
        )
        .build()
        .await
        .unwrap()
}

/// Soon, and for long.
pub(crate) fn patient() -> RetrySettings {
    RetrySettings {
        initial: Duration::from_millis(20),
        maximum: Duration::from_millis(200),
        ..RetrySettings::default()
    }
}

fn publish(number: u32, runtime: &Runtime) -> PublishNow {
    Counted(number).sync().on(runtime)
}

fn ordered(number: u32, runtime: &Runtime) -> PublishNow {
    publish(number, runtime).ordering_key("key")
}

/// Refuses a request that contains 13.
fn unlucky(messages: &[Published]) -> Reply {
    if messages.iter().any(|message| message.text() == "13") {
        INVALID
    } else {
        Reply::Accept
    }
}

async fn all_at_once(publishes: impl Iterator<Item = PublishNow>) -> Vec<Result<String, Error>> {
    join_all(publishes.map(IntoFuture::into_future)).await
}

#[tokio::test]
async fn a_refused_message_takes_no_valid_one_with_it() {
    let api = PublishApi::start(unlucky).await;
    let runtime = runtime(&api.url(), RetrySettings::off()).await;

    let results = all_at_once((0..21).map(|number| publish(number, &runtime))).await;

    for (number, result) in results.iter().enumerate() {
        match result {
            Ok(id) => assert_eq!(api.texts()[id.parse::<usize>().unwrap()], number.to_string()),
            Err(error) => {
                assert_eq!(number, 13, "{error}");
                assert!(error.is_rejected() && !error.may_have_taken_effect(), "{error:?}");
                assert!(
                    format!("{error:#}").contains("failed schema validation"),
                    "{error}"
                );
            }
        }
    }
    assert_eq!(api.texts().len(), 20);
    assert!(results[13].is_err());
}

/// The topic and the caller are the same for all messages: sending them again would change nothing.
#[tokio::test]
async fn a_topic_that_is_missing_refuses_a_batch_once() {
    let api = PublishApi::start(|_| Reply::Refuse(5, "Resource not found (resource=counted).")).await;
    let runtime = runtime(&api.url(), patient()).await;

    let results = all_at_once((0..21).map(|number| publish(number, &runtime))).await;

    assert!(
        results
            .iter()
            .all(|result| result.as_ref().unwrap_err().is_rejected())
    );
    assert_eq!(api.requests().iter().map(Vec::len).sum::<usize>(), 21);
}

#[tokio::test]
async fn a_refused_message_of_a_key_lets_the_earlier_ones_through_and_stops_the_later_ones() {
    let api = PublishApi::start(unlucky).await;
    let runtime = runtime(&api.url(), patient()).await;

    let results = all_at_once((10..16).map(|number| ordered(number, &runtime))).await;
    let after = ordered(16, &runtime).await;

    assert_eq!(api.texts(), ["10", "11", "12", "16"]);
    let [ten, eleven, twelve, unlucky, later @ ..] = &results[..] else {
        panic!("{results:?}");
    };
    assert!(ten.is_ok() && eleven.is_ok() && twelve.is_ok() && after.is_ok());
    assert!(unlucky.as_ref().unwrap_err().is_rejected());
    for error in later.iter().map(|result| result.as_ref().unwrap_err()) {
        assert!(
            error.is_unavailable() && !error.may_have_taken_effect(),
            "{error:?}"
        );
        assert_eq!(
            error.to_string(),
            "the message to topic projects/acme/topics/counted was not published: an earlier one with the same \
             ordering key failed; publish both again, in order"
        );
    }
}

#[tokio::test]
async fn messages_of_a_key_keep_their_order_through_faults() {
    let faults = [
        Reply::Spoil(Fault::Error500, Arrives::Not),
        Reply::Spoil(Fault::Reset, Arrives::Not),
        Reply::Spoil(Fault::TimeOut, Arrives::Not),
        Reply::Spoil(Fault::TooMany429, Arrives::Not),
        Reply::Refuse(14, "try again"),
    ];
    let faults = std::sync::Mutex::new(faults.into_iter());
    let api = PublishApi::start(move |_| faults.lock().unwrap().next().unwrap_or(Reply::Accept)).await;
    let runtime = runtime(&api.url(), patient()).await;

    let results = all_at_once((0..1500).map(|number| ordered(number, &runtime))).await;

    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(
        api.texts()
            .into_iter()
            .eq((0..1500).map(|number| number.to_string()))
    );
    assert!(api.accepted().iter().all(|message| message.ordering_key == "key"));
}

/// A caller that is gone does not take its message with it, not even if that has to be sent again.
#[tokio::test]
async fn a_message_whose_caller_is_gone_is_sent_again_until_it_is_accepted() {
    let first = AtomicBool::new(true);
    let api = PublishApi::start(move |_| {
        if first.swap(false, Ordering::SeqCst) {
            Reply::Spoil(Fault::Error500, Arrives::Not)
        } else {
            Reply::Accept
        }
    })
    .await;
    let runtime = runtime(&api.url(), patient()).await;

    assert!(futures_util::poll!(publish(7, &runtime).into_future()).is_pending());
    runtime.flush().await;

    assert_eq!(api.texts(), ["7"]);
}

/// After the connection, and in the middle of the TLS handshake.
#[tokio::test]
async fn a_server_that_accepts_connections_and_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for scheme in ["http", "https"] {
        let runtime = runtime(&format!("{scheme}://{address}"), RetrySettings::off()).await;

        for publish in [publish(1, &runtime), ordered(1, &runtime)] {
            let error = publish.await.unwrap_err();

            assert!(
                error.is_unavailable() && error.may_have_taken_effect(),
                "{error:?}"
            );
        }
    }
}

/// With retries the same call succeeds; without them the next one does.
#[tokio::test]
async fn a_connection_that_has_gone_silent_is_replaced() {
    let api = PublishApi::start(|_| Reply::Accept).await;
    let once = runtime(&api.url(), RetrySettings::off()).await;
    let again = runtime(&api.url(), patient()).await;
    for runtime in [&once, &again] {
        publish(1, runtime).await.unwrap();
        ordered(1, runtime).await.unwrap();
    }
    assert_eq!(api.connections(), 2);

    api.fall_silent();
    let error = publish(2, &once).await.unwrap_err();
    publish(3, &once).await.unwrap();
    ordered(4, &again).await.unwrap();
    publish(5, &again).await.unwrap();

    assert!(
        error.is_unavailable() && error.may_have_taken_effect(),
        "{error:?}"
    );
    assert_eq!(api.connections(), 4);
    assert_eq!(api.texts()[4..], ["3", "4", "5"]);
}

/// Bodies of a success that have no id for the message.
const UNREADABLE: [&[u8]; 6] = [
    b"",
    // An empty `PublishResponse`.
    &[0, 0, 0, 0, 0],
    // It ends in the middle of its frame, of a field, and of an id.
    &[0, 0, 0, 0, 9, 0x0a],
    &[0, 0, 0, 0, 2, 0x0a, 0xff],
    // The id is no UTF-8.
    &[0, 0, 0, 0, 3, 0x0a, 1, 0xff],
    b"<html>Welcome to the hotel</html>",
];

/// At least once: it is not known whether the message is in the topic.
#[tokio::test]
async fn an_answer_that_is_not_understood_is_repeated() {
    for bytes in UNREADABLE {
        for publish in [publish, ordered] {
            let answers = AtomicUsize::new(0);
            let api = PublishApi::start(move |_| match answers.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => Reply::Bytes(bytes),
                _ => Reply::Accept,
            })
            .await;
            let runtime = runtime(&api.url(), patient()).await;

            let published = publish(7, &runtime).await;

            assert!(published.is_ok(), "{bytes:?}: {published:?}");
            assert_eq!(api.texts(), ["7", "7", "7"], "{bytes:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_never_understood_leaves_open_whether_the_message_is_published() {
    for bytes in UNREADABLE {
        let api = PublishApi::start(move |_| Reply::Bytes(bytes)).await;
        let runtime = runtime(&api.url(), RetrySettings::off()).await;

        for publish in [publish(7, &runtime), ordered(7, &runtime)] {
            let error = publish.await.unwrap_err();

            assert!(
                error.is_unavailable() && error.may_have_taken_effect(),
                "{bytes:?}: {error:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_refused_connection_means_that_nothing_was_published() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let runtime = runtime(&url, RetrySettings::off()).await;

    for publish in [publish(1, &runtime), ordered(1, &runtime)] {
        let error = publish.await.unwrap_err();

        assert!(
            error.is_unavailable() && !error.may_have_taken_effect(),
            "{error:?}"
        );
        assert!(error.to_string().contains("was not published"), "{error}");
    }
}

/// The runtime in a static that every `#[tokio::test]` uses.
#[test]
fn a_runtime_publishes_from_one_tokio_runtime_after_the_other_and_from_two_at_once() {
    let tokio = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let serving = tokio::runtime::Runtime::new().unwrap();
    let api = serving.block_on(PublishApi::start(|_| Reply::Accept));
    let first = tokio();
    let runtime = first.block_on(runtime(&api.url(), RetrySettings::off()));
    let both = |tokio: &tokio::runtime::Runtime, number| {
        tokio.block_on(async {
            publish(number, &runtime).await.unwrap();
            ordered(number, &runtime).await.unwrap();
        });
    };

    both(&first, 1);
    // The first one exists and does not run.
    both(&tokio(), 2);
    drop(first);
    both(&tokio(), 3);

    assert_eq!(api.texts(), ["1", "1", "2", "2", "3", "3"]);
}

#[test]
fn a_message_that_waits_when_its_tokio_runtime_ends_tells_the_truth() {
    let serving = tokio::runtime::Runtime::new().unwrap();
    let api = serving.block_on(PublishApi::start(|_| Reply::Spoil(Fault::TimeOut, Arrives::Not)));
    let ending = tokio::runtime::Runtime::new().unwrap();
    let runtime = ending.block_on(runtime(&api.url(), patient()));
    let mut waiting = ordered(1, &runtime).into_future();

    ending.block_on(async { assert!(futures_util::poll!(&mut waiting).is_pending()) });
    ending.shutdown_background();
    let error = serving.block_on(waiting).unwrap_err();

    assert!(error.is_unavailable(), "{error:?}");
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}
