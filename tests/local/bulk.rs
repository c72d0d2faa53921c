//! Many tasks at once: their order, how many are under way, what is taken from the input, failures, the whole way.

use std::collections::BTreeSet;
use std::iter;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use cloud_tasks::backend::{Backend, BackendFuture, Envelope, RetrySettings};
use cloud_tasks::task::{BulkProgress, Enqueued};
use cloud_tasks::{Config, Context, Error, Runtime, Task, TaskResult, task};
use futures_util::{FutureExt, StreamExt, poll, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::dependencies::with_dependencies;
use crate::support::api::{QUEUES, config, created, google, refused};
use crate::support::server::Port;

#[derive(Deserialize, Serialize)]
struct Remind {
    user: usize,
}

#[derive(Clone)]
pub(crate) struct Ran(mpsc::UnboundedSender<usize>);

impl Ran {
    /// Where nobody looks.
    pub(crate) fn unread() -> Self {
        Self(mpsc::unbounded_channel().0)
    }
}

#[task(queue = "reminders")]
impl Task for Remind {
    async fn run(self, cx: Context<Ran>) -> TaskResult {
        // A test may be over by now.
        let _ = cx.state().0.send(self.user);
        Ok(())
    }
}

fn remind(user: usize) -> Remind {
    Remind { user }
}

fn user(envelope: &Envelope) -> usize {
    serde_json::from_slice::<Remind>(envelope.body()).unwrap().user
}

/// A backend whose answers wait for a permit, and which counts what is under way.
#[derive(Clone)]
struct Gate {
    permits: Arc<Semaphore>,
    under_way: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    envelopes: Arc<Mutex<Vec<Envelope>>>,
}

impl Gate {
    async fn runtime(permits: usize) -> (Runtime, Self) {
        let gate = Self {
            permits: Arc::new(Semaphore::new(permits)),
            under_way: Arc::default(),
            most: Arc::default(),
            envelopes: Arc::default(),
        };
        let runtime = with_dependencies(Runtime::builder())
            .backend(gate.clone())
            .allow_unauthenticated()
            .build();
        (runtime.await.unwrap(), gate)
    }

    /// The users of the calls, in the order in which these ended.
    fn users(&self) -> Vec<usize> {
        let envelopes = self.envelopes.lock().unwrap();
        envelopes.iter().map(user).collect()
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Backend for Gate {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        Box::pin(async move {
            let user = user(&envelope);
            let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(under_way, Ordering::SeqCst);
            self.permits.acquire().await.unwrap().forget();
            // Those that began later often end sooner.
            for _ in 0..(user * 7) % 13 {
                tokio::task::yield_now().await;
            }
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            let queue = envelope.queue().to_owned();
            self.envelopes.lock().unwrap().push(envelope);
            match user % 10 {
                4 => Err(Error::rejected(format!("user {user} is refused"))),
                6 => Ok(Enqueued::new(queue, user.to_string()).into_duplicate()),
                _ => Ok(Enqueued::new(queue, user.to_string())),
            }
        })
    }
}

/// Tasks without end, and how many of them were taken.
fn counted() -> (impl Iterator<Item = Remind> + Send + use<>, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let tasks = (0..).map(move |user| {
        counter.fetch_add(1, Ordering::SeqCst);
        remind(user)
    });
    (tasks, taken)
}

/// What a result tells: the id, or the error.
fn told(result: &Result<Enqueued, Error>) -> String {
    match result {
        Ok(enqueued) => enqueued.id().to_owned(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn results_come_in_the_order_of_the_input_and_a_failure_is_that_of_its_task() {
    let (runtime, gate) = Gate::runtime(Semaphore::MAX_PERMITS).await;

    let results = Remind::asap_all((0..200).map(remind))
        .concurrency(20)
        .on(&runtime)
        .await;

    let expected: Vec<_> = (0..200)
        .map(|user| match user % 10 {
            4 => format!("user {user} is refused"),
            _ => user.to_string(),
        })
        .collect();
    assert_eq!(results.iter().map(told).collect::<Vec<_>>(), expected);
    let users = gate.users();
    assert!(
        !users.is_sorted(),
        "all calls ended in order, so nothing was tried"
    );
}

#[tokio::test]
async fn so_many_are_under_way_as_is_said_and_no_more() {
    for (concurrency, expected) in [(0, 1), (1, 1), (5, 5), (1000, 100)] {
        let (runtime, gate) = Gate::runtime(0).await;
        let mut results = Remind::asap_all((0..100).map(remind))
            .concurrency(concurrency)
            .on(&runtime)
            .into_future();

        assert!(poll!(&mut results).is_pending());
        assert_eq!(gate.under_way.load(Ordering::SeqCst), expected);
        gate.permits.add_permits(100);
        assert_eq!(results.await.len(), 100);
        assert_eq!(gate.most(), expected);
    }
    let (runtime, gate) = Gate::runtime(0).await;
    let mut by_default = Remind::asap_all((0..100).map(remind)).on(&runtime).into_future();
    assert!(poll!(&mut by_default).is_pending());
    assert_eq!(gate.most(), 64);
}

#[tokio::test]
async fn input_without_end_is_taken_no_faster_than_results_are_taken_out() {
    let (runtime, gate) = Gate::runtime(0).await;
    let (tasks, taken) = counted();
    let taken = || taken.load(Ordering::SeqCst);

    let mut results = Remind::asap_all(tasks).concurrency(8).on(&runtime).stream();
    let at_first = taken();
    assert!(poll!(results.next()).is_pending());
    let before_the_first_result = taken();
    gate.permits.add_permits(10_000);
    let mut most_ahead = 0;
    for out in 1..=2000 {
        results.next().await.unwrap().ok();
        most_ahead = most_ahead.max(taken() - out);
    }
    drop(results);

    assert_eq!((at_first, before_the_first_result), (0, 8));
    // All that is in memory: what was taken from the input and whose result was not taken out.
    assert!(most_ahead <= 8, "{most_ahead}");
    assert!(taken() <= 2008);
}

#[tokio::test]
async fn one_that_takes_long_holds_back_no_more_than_fits() {
    let (runtime, gate) = Gate::runtime(0).await;
    let (tasks, taken) = counted();
    let mut results = Remind::asap_all(tasks).concurrency(4).on(&runtime).stream();

    // Three get a permit, and whichever does not holds back what comes behind it.
    assert!(poll!(results.next()).is_pending());
    gate.permits.add_permits(3);
    let mut out = 0;
    while let Some(Some(_)) = next_soon(&mut results).await {
        out += 1;
    }

    assert!(taken.load(Ordering::SeqCst) <= out + 4);
}

/// The next result, unless it does not come although everything else had its turn.
async fn next_soon<S: futures_util::Stream + Unpin>(results: &mut S) -> Option<Option<S::Item>> {
    for _ in 0..100 {
        if let Some(result) = results.next().now_or_never() {
            return Some(result);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn progress_counts_what_came_of_each() {
    let (runtime, _) = Gate::runtime(Semaphore::MAX_PERMITS).await;
    let mut seen = Vec::new();

    Remind::asap_all((0..20).map(remind))
        .on_progress(|progress| seen.push(*progress))
        .on(&runtime)
        .await;
    let mut endless = Vec::new();
    let (tasks, _) = counted();
    let results = Remind::asap_all(tasks)
        .on_progress(|progress| endless.push(*progress))
        .on(&runtime)
        .stream();
    results.take(3).count().await;

    let numbers = |progress: &BulkProgress| {
        let BulkProgress {
            done,
            enqueued,
            duplicates,
            failed,
            total,
            ..
        } = *progress;
        (done, enqueued, duplicates, failed, total)
    };
    assert_eq!(seen.len(), 20);
    assert_eq!(numbers(&seen[4]), (5, 4, 0, 1, Some(20)));
    assert_eq!(numbers(&seen[19]), (20, 16, 2, 2, Some(20)));
    assert_eq!(endless.iter().map(numbers).next_back(), Some((3, 3, 0, 0, None)));
}

#[tokio::test]
async fn the_options_hold_for_each_task() {
    let (runtime, gate) = Gate::runtime(Semaphore::MAX_PERMITS).await;
    let hour = Duration::from_secs(3600);
    let before = SystemTime::now();

    Remind::asap_all((0..50).map(remind))
        .spread_until(hour)
        .queue("slow")
        .timeout(Duration::from_secs(60))
        .header("x-request-id", "abc")
        .on(&runtime)
        .await;
    let spread = std::mem::take(&mut *gate.envelopes.lock().unwrap());
    Remind::asap_all([remind(1)])
        .later(before + hour)
        .on(&runtime)
        .await;
    let later = gate.envelopes.lock().unwrap()[0].clone();

    let times: BTreeSet<_> = spread.iter().filter_map(Envelope::schedule_time).collect();
    assert!(times.len() > 40, "each has an instant of its own: {times:?}");
    assert!(
        times
            .iter()
            .all(|time| *time > before && *time < SystemTime::now() + hour)
    );
    for envelope in &spread {
        assert_eq!(envelope.queue(), "slow");
        assert_eq!(envelope.timeout(), Some(Duration::from_secs(60)));
        assert_eq!(envelope.headers()["x-request-id"], "abc");
    }
    assert_eq!(
        (later.queue(), later.schedule_time()),
        ("reminders", Some(before + hour))
    );
}

#[tokio::test]
async fn what_is_wrong_with_an_option_is_told_of_every_task_and_nothing_is_sent() {
    let (runtime, gate) = Gate::runtime(Semaphore::MAX_PERMITS).await;

    let headers = Remind::asap_all((0..3).map(remind))
        .header("host", "a")
        .on(&runtime)
        .await;
    let queues = Remind::asap_all((0..3).map(remind))
        .queue("no blanks")
        .on(&runtime)
        .await;

    for result in headers.iter().chain(&queues) {
        assert!(
            result.as_ref().is_err_and(Error::is_invalid_request),
            "{result:?}"
        );
    }
    assert_eq!((headers.len(), queues.len(), gate.most()), (3, 3, 0));
}

#[tokio::test]
async fn the_runtime_is_that_of_the_code_that_awaits() {
    let (runtime, gate) = Gate::runtime(Semaphore::MAX_PERMITS).await;

    let nowhere = Remind::asap_all((0..2).map(remind)).await;
    let made_before = Remind::asap_all((0..2).map(remind));
    let in_scope = runtime.scope(made_before.into_future()).await;
    let spawned = runtime.spawn(Remind::asap_all((0..2).map(remind))).await.unwrap();

    assert!(
        nowhere
            .iter()
            .all(|result| result.as_ref().is_err_and(Error::is_no_runtime))
    );
    assert!(in_scope.iter().chain(&spawned).all(Result::is_ok));
    assert_eq!(gate.envelopes.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn input_may_be_borrowed_empty_or_a_stream_that_waits() {
    let (runtime, _) = Gate::runtime(Semaphore::MAX_PERMITS).await;
    let users = [1, 2, 3];
    let (sender, receiver) = mpsc::unbounded_channel();

    let borrowed = Remind::asap_all(users.iter().map(|user| remind(*user)))
        .on(&runtime)
        .await;
    let empty = Remind::asap_all(iter::empty()).on(&runtime).await;
    let input = stream::unfold(receiver, async |mut receiver| {
        Some((receiver.recv().await?, receiver))
    });
    let mut results = pin!(Remind::asap_all_from(input).on(&runtime).stream());
    let before = poll!(results.next()).is_pending();
    sender.send(remind(9)).unwrap();
    let first = results.next().await.unwrap();
    drop(sender);

    assert_eq!((borrowed.len(), empty.len(), before), (3, 0, true));
    assert_eq!(told(&first), "9");
    assert!(results.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_tasks_are_enqueued_and_all_of_them_run() {
    const TASKS: usize = 2000;
    let port = Port::open().await;
    let endpoint = port.url().to_owned();
    let (sender, mut ran) = mpsc::unbounded_channel();
    let (runtime, engine) = with_dependencies(Runtime::local())
        .config(Config::default().with_endpoint(endpoint))
        .state(Ran(sender))
        .build()
        .await
        .unwrap();
    let app = axum::Router::new().layer(runtime.layer());
    let _server = port.serve(app);

    let results = Remind::asap_all((0..TASKS).map(remind))
        .concurrency(32)
        .on(&runtime)
        .await;
    let mut users = BTreeSet::new();
    while users.len() < TASKS {
        users.insert(ran.recv().await.unwrap());
    }

    let ids: BTreeSet<_> = results.iter().map(told).collect();
    assert!(results.iter().all(Result::is_ok));
    assert_eq!((ids.len(), users.last()), (TASKS, Some(&(TASKS - 1))));
    engine.stop().await;
}

/// Refuses every tenth user.
fn picky(request: &Request) -> ResponseTemplate {
    use base64::Engine;
    let body = crate::support::api::sent(request)["task"]["httpRequest"]["body"].clone();
    let body = base64::engine::general_purpose::STANDARD
        .decode(body.as_str().unwrap())
        .unwrap();
    match serde_json::from_slice::<Remind>(&body).unwrap().user % 10 {
        3 => refused(400, "INVALID_ARGUMENT", "not this one"),
        _ => created(request),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_of_google_is_called_for_each_and_its_refusals_are_told_in_order() {
    let api = MockServer::start().await;
    Mock::given(any()).respond_with(picky).mount(&api).await;
    let runtime = with_dependencies(Runtime::builder())
        .config(config().with_enqueue_retry(RetrySettings::off()))
        .google(google(api.uri()))
        .build()
        .await
        .unwrap();

    let results = Remind::asap_all((0..100).map(remind))
        .concurrency(16)
        .on(&runtime)
        .await;

    for (user, result) in results.iter().enumerate() {
        let rejected = result.as_ref().is_err_and(Error::is_rejected);
        assert_eq!(rejected, user % 10 == 3, "{user}: {result:?}");
        assert_eq!(result.is_err(), rejected, "{user}: {result:?}");
    }
    let requests = api.received_requests().await.unwrap();
    let path = format!("/v2/{QUEUES}/reminders/tasks");
    assert_eq!(
        requests
            .iter()
            .filter(|request| request.url.path() == path)
            .count(),
        100
    );
}
