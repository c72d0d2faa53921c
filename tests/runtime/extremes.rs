//! Times, durations and numbers at their ends: nothing panics, whatever is answered.

use std::time::{Duration, Instant, SystemTime};

use cloud_tasks::backend::RetrySettings;
use cloud_tasks::idempotency::{IdempotencyKey, IdempotencyStore, MemoryStore};
use cloud_tasks::queue::QueueSettings;
use cloud_tasks::service::TrustedCallers;
use cloud_tasks::task::{RunAt, TaskMetadata};
use cloud_tasks::testing::{PushRequest, Signer};
use cloud_tasks::{Config, Context, Discard, Message, RetryAfter, Runtime, Task, TaskResult, task};
use http_body_util::Full;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dependencies::{with_dependencies, with_states};
use crate::events::Auditor;
use crate::periodic::Digest;
use crate::support::http::{answer, post};
use crate::tasks::Add;

/// Any time that the system can represent, and its ends.
fn times() -> impl Strategy<Value = SystemTime> {
    let epoch = SystemTime::UNIX_EPOCH;
    let end = Duration::new(i64::MAX as u64, 999_999_999);
    let latest = epoch.checked_add(end).unwrap();
    let earliest = epoch.checked_sub(Duration::from_secs(i64::MAX as u64)).unwrap();
    let any_time =
        (any::<bool>(), 0..i64::MAX as u64, 0..1_000_000_000_u32).prop_map(move |(ahead, seconds, nanos)| {
            let far = Duration::new(seconds, nanos);
            let time = if ahead {
                epoch.checked_add(far)
            } else {
                epoch.checked_sub(far)
            };
            time.unwrap_or(latest)
        });
    // The year 9999 and the year 10000, a day before 1970, and what lies around now.
    let edges = [253_402_300_799, 253_402_300_800, 4_102_444_800, 1_700_000_000, 0];
    let edges = edges.map(|seconds| epoch + Duration::new(seconds, 1));
    prop_oneof![
        any_time,
        prop::sample::select(edges.to_vec()),
        Just(latest),
        Just(earliest),
        Just(epoch - Duration::from_secs(86_400)),
        (0..100_000_u64).prop_map(move |seconds| SystemTime::now() + Duration::from_secs(seconds)),
    ]
}

fn durations() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
        (0..100_000_u64).prop_map(Duration::from_millis),
        Just(Duration::ZERO),
        Just(Duration::from_nanos(1)),
        Just(Duration::MAX),
    ]
}

fn numbers() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), 0..20_u32, Just(u32::MAX)]
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        any::<usize>(),
        0..20_usize,
        Just(usize::MAX),
        Just(usize::MAX >> 3)
    ]
}

fn floats() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        prop::sample::select(vec![
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN,
            -0.0,
            0.0,
            1.0
        ]),
    ]
}

/// Wakes up.
#[derive(Debug, Deserialize, Serialize)]
struct Wake {
    hour: u8,
}

#[task(unique)]
impl Task for Wake {
    async fn run(self, cx: Context) -> TaskResult<u32> {
        let metadata = cx.metadata();
        let _ = (metadata.eta(), metadata.timeout(), metadata.schedule_time());
        Ok(metadata.attempt())
    }
}

fn wake() -> Wake {
    Wake { hour: 7 }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // A long wait is over at once.
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_time_of_an_enqueue_panics(
        time in times(), start in times(), wait in durations(), timeout in durations(), window in durations(),
        maximum in durations(), at_once in sizes(),
    ) {
        block_on(async {
            let config = Config::default().with_maximum_eta(maximum);
            let (runtime, recorder) = with_states(Runtime::recorded())
                .config(config.clone())
                .starting_at(start)
                .build()
                .await
                .unwrap();
            for when in [RunAt::from(time), RunAt::from(wait), RunAt::from(Instant::now())] {
                let _ = when.at();
                let _ = wake().later(when).timeout(timeout).unique_for(window).on(&runtime).await;
                let _ = wake().spread_until(when).on(&runtime).await;
                let _ = Wake::asap_all(vec![wake(), wake()]).later(when).concurrency(at_once).on(&runtime).await;
                let _ = Wake::asap_all(vec![wake()]).spread_until(when).timeout(timeout).on(&runtime).await;
            }
            recorder.advance(wait);
            let _ = format!("{recorder:?} {:?}", recorder.envelopes());
            for task in recorder.find::<Wake>() {
                let _ = (task.schedule_time(), task.timeout(), format!("{task:?}"));
            }
            let _ = recorder.drain_due().attempts(3).await;
            let _ = recorder.drain_until(time).await;
            let queue = runtime.queue("tasks");
            let _ = queue.list().at_least_attempts(u32::MAX).try_next().await;
            let _ = queue.delete_tasks().at_least_attempts(0).concurrency(at_once).await;

            let eager = with_states(Runtime::eager()).config(config).build().await.unwrap();
            for when in [RunAt::from(time), RunAt::from(wait)] {
                let _ = wake().later(when).timeout(timeout).unique_for(window).on(&eager).await;
            }
        });
    }

    #[test]
    fn no_time_of_a_schedule_panics(time in times(), wait in durations()) {
        block_on(async {
            let (runtime, recorder) = with_states(Runtime::recorded()).starting_at(time).run_schedules().build().await.unwrap();
            for schedule in runtime.schedules() {
                let next = schedule.next_after(time);
                prop_assert!(next.is_none_or(|next| next > time), "{next:?} after {time:?}");
                let _ = format!("{schedule:?}");
            }
            recorder.advance(wait.min(Duration::from_secs(7200)));
            let _ = recorder.drain_due().await;
            Ok(())
        })?;
    }

    #[test]
    fn no_number_of_a_setting_panics(
        a in durations(), b in durations(), c in durations(), number in numbers(), size in sizes(), factor in floats(),
        rate in floats(), signed in any::<i32>(),
    ) {
        block_on(async {
            let retry = RetrySettings { initial: a, maximum: b, multiplier: factor, deadline: c };
            let config = Config::default()
                .with_maximum_eta(a)
                .with_subscriber_max_retries(number)
                .with_subscriber_min_backoff(a)
                .with_subscriber_max_backoff(b)
                .with_subscriber_expiration(c)
                .with_enqueue_retry(retry);
            let queue = QueueSettings::new("q")
                .with_max_dispatches_per_second(rate)
                .with_max_concurrent_dispatches(number)
                .with_max_attempts(signed)
                .with_max_retry_duration(a)
                .with_min_backoff(b)
                .with_max_backoff(c)
                .with_max_doublings(number);
            let _ = format!("{config:?} {queue:?}");
            let callers = TrustedCallers::new()
                .account("a@b.example")
                .fetch_timeout(a)
                .min_refresh_interval(b)
                .max_key_age(c);
            let built = with_dependencies(Runtime::builder())
                .backend(crate::support::nowhere::Nowhere::default())
                .callers(callers)
                .config(config.clone())
                .queue(queue)
                .max_concurrency(size)
                .max_body_bytes(size)
                .max_push_bytes(size)
                .allow_unsigned_pushes()
                .build()
                .await;
            if let Err(error) = built {
                let _ = format!("{error} {error:?}");
            }
            let eager = with_states(Runtime::eager()).max_concurrency(size).max_body_bytes(size).build().await;
            if let Ok(runtime) = eager {
                let _ = answer(&runtime, post("/tasks/Add", r#"{"left": 1, "right": 1}"#)).await;
            }
            for name in ["MAXIMUM_ETA_TASK", "SUBSCRIBER_EXPIRATION", "ENQUEUE_RETRY_MULTIPLIER", "SUBSCRIBER_MAX_RETRIES"] {
                for value in [factor.to_string(), number.to_string(), format!("{factor:e}"), a.as_secs_f64().to_string()] {
                    let _ = Config::from_vars([(format!("CLOUD_TASKS_{name}"), value)]);
                }
            }
        });
    }

    #[test]
    fn no_number_of_an_outcome_or_of_metadata_panics(
        delay in durations(), time in times(), number in numbers(), status in any::<u16>(),
    ) {
        let retry = RetryAfter::new(delay);
        let _ = format!("{retry} {retry:?} {:?}", retry.delay());
        if let Ok(discard) = Discard::new("reason").status(status) {
            let _ = format!("{discard} {:?}", discard.status_code());
        }
        let metadata = TaskMetadata::new()
            .with_eta(time)
            .with_job("job", time)
            .with_retry_count(number)
            .with_execution_count(number)
            .with_max_attempts(number)
            .with_previous_response(status);
        let _ = format!("{metadata:?} {} {}", metadata.attempt(), metadata.is_last_attempt());
        prop_assert_eq!(metadata.eta(), Some(time.max(SystemTime::UNIX_EPOCH)));
        let _ = Message::new(7).with_delivery_attempt(number);
    }

    #[test]
    fn no_number_of_a_tests_request_panics(
        time in times(), number in numbers(), status in any::<u16>(), timeout in durations(),
    ) {
        block_on(async {
            let signer = Signer::new().unwrap();
            let runtime = with_states(Runtime::eager()).verified_by(&signer).build().await.unwrap();
            let _ = runtime
                .perform(Add { left: 1, right: 1 })
                .attempt(number)
                .eta(time)
                .timeout(timeout)
                .await;
            let request = signer
                .callback(&runtime, &Add { left: 1, right: 1 })
                .attempt(number)
                .eta(time)
                .previous_response(status)
                .request();
            if let Ok(request) = request {
                let _ = answer(&runtime, request.map(body)).await;
            }
            let due = signer.scheduled::<Digest>(&runtime).and_then(|scheduled| scheduled.due(time).request());
            if let Ok(request) = due {
                let _ = answer(&runtime, request.map(body)).await;
            }
            let message = Message::new(serde_json::json!({"user_id": 7, "action": "x"})).with_delivery_attempt(number);
            if let Ok(request) = signer.push::<Auditor>(&runtime, &message).and_then(PushRequest::request) {
                let _ = answer(&runtime, request.map(body)).await;
            }
        });
    }

    #[test]
    fn no_number_of_a_store_panics(now in times(), retention in durations(), lease in durations(), capacity in sizes()) {
        block_on(async {
            let store = MemoryStore::new().retention(retention).capacity(capacity).clock(move || now);
            let key = IdempotencyKey::new("effect");
            let claim = store.begin(&key, lease).await.unwrap();
            if let cloud_tasks::idempotency::Claim::Run { token, .. } = claim {
                let _ = store.renew(&key, &token, lease).await;
                let _ = store.complete(&key, &token).await;
                let _ = store.begin(&key, lease).await;
                let _ = store.release(&key, &token).await;
            }
            let _ = (store.len(), format!("{store:?}"));
        });
    }
}

fn body(body: Full<bytes::Bytes>) -> axum::body::Body {
    axum::body::Body::new(body)
}
