//! What is sent after a commit, and only then.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use cloud_tasks::backend::{Backend, BackendFuture, Envelope};
use cloud_tasks::commit::{CommitHooks, Transactional, UnsentError};
use cloud_tasks::event::Attributes;
use cloud_tasks::task::Enqueued;
use cloud_tasks::{Config, Error, ErrorKind, Model, ModelPublisherTask, PublisherTask, Runtime, Task, task};
use http::{Request, Response};
use serde::{Deserialize, Serialize};
use tower::{Layer, ServiceExt, service_fn};

use crate::dependencies::with_dependencies;
use crate::support::commit::{Call, GreetUser, Shaky, action};

/// JSON has only strings as keys.
#[derive(Deserialize, Serialize)]
struct KeyedByPair {
    by_pair: BTreeMap<(u8, u8), u8>,
}

impl KeyedByPair {
    fn new() -> Self {
        Self {
            by_pair: [((1, 2), 3)].into(),
        }
    }
}

#[task]
impl PublisherTask for KeyedByPair {}

#[derive(Model)]
#[model(app_label = "sales")]
struct Order {
    id: i64,
}

#[derive(Deserialize, Serialize)]
struct OrderOpened {
    order_id: i64,
}

#[task]
impl ModelPublisherTask for OrderOpened {
    fn content(order: &Order, _extra: &()) -> Self {
        Self { order_id: order.id }
    }

    fn attributes(order: &Order, _extra: &()) -> Attributes {
        [("id".to_owned(), order.id.to_string())].into()
    }
}

/// A runtime whose backend fails a number of times.
async fn shaky(failures: usize) -> (Runtime, Shaky) {
    let backend = Shaky::failing(failures);
    let runtime = with_dependencies(backend.builder()).build().await.unwrap();
    (runtime, backend)
}

#[tokio::test]
async fn nothing_is_sent_before_the_hooks_are_run_and_everything_after() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    let mut hooks = CommitHooks::new();

    GreetUser { user_id: 7 }
        .later(Duration::from_secs(60))
        .queue("slow")
        .task_id("welcome-7")
        .on(&runtime)
        .on_commit(&mut hooks)
        .unwrap();
    action("signup")
        .sync()
        .attribute("priority", "high")
        .on(&runtime)
        .on_commit(&mut hooks)
        .unwrap();
    action("later")
        .asap()
        .queue("events")
        .on(&runtime)
        .on_commit(&mut hooks)
        .unwrap();
    let before = (recorder.envelopes().len(), recorder.publications().len());
    assert_eq!(hooks.len(), 3);
    hooks.run().await.unwrap();

    assert_eq!(before, (0, 0));
    let envelopes = recorder.envelopes();
    assert_eq!(
        (envelopes[0].queue(), envelopes[0].id()),
        ("slow", Some("welcome-7"))
    );
    assert!(envelopes[0].schedule_time().unwrap() > SystemTime::now());
    assert_eq!((envelopes[1].task(), envelopes[1].queue()), ("SignUp", "events"));
    assert_eq!(recorder.publications()[0].attributes()["priority"], "high");
}

#[tokio::test]
async fn the_hooks_run_in_the_order_in_which_they_were_added() {
    let (runtime, backend) = shaky(0).await;
    let mut hooks = CommitHooks::new();

    for user_id in 1..=3 {
        let id = user_id.to_string();
        let email = GreetUser { user_id }.asap().task_id(id);
        email.on(&runtime).on_commit(&mut hooks).unwrap();
        action("step").sync().on(&runtime).on_commit(&mut hooks).unwrap();
    }
    hooks.run().await.unwrap();

    let subjects: Vec<_> = backend.calls().into_iter().map(|call| call.subject).collect();
    let step = r#"{"action":"step"}"#;
    assert_eq!(subjects, ["emails/1", step, "emails/2", step, "emails/3", step]);
}

#[tokio::test]
async fn dropped_hooks_send_nothing() {
    let (runtime, backend) = shaky(0).await;
    let mut hooks = CommitHooks::new();

    action("signup")
        .asap()
        .on(&runtime)
        .on_commit(&mut hooks)
        .unwrap();
    drop(hooks);

    assert_eq!(backend.calls(), []);
}

#[tokio::test]
async fn a_publisher_and_an_event_of_a_model_have_methods_of_their_own() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    let mut hooks = CommitHooks::new();
    let mut order = Order { id: 7 };

    runtime
        .scope(async {
            action("login").sync_on_commit(&mut hooks)?;
            action("logout").asap_on_commit(&mut hooks)?;
            OrderOpened::of(&order).sync_on_commit(&mut hooks)?;
            order.id = 8;
            OrderOpened::of(&order).asap_on_commit(&mut hooks)
        })
        .await
        .unwrap();
    order.id = 9;
    hooks.run().await.unwrap();

    let published = recorder.publications();
    assert_eq!(published[0].data(), br#"{"action":"login"}"#);
    assert_eq!(
        (published[1].topic(), published[1].data()),
        ("sales-order", &br#"{"order_id":7}"#[..])
    );
    let envelopes = recorder.envelopes();
    assert_eq!(
        envelopes[0].body(),
        br#"{"message":{"action":"logout"},"attributes":null}"#
    );
    assert_eq!(
        envelopes[1].body(),
        br#"{"message":{"order_id":8},"attributes":{"id":"8"},"topic_name":"sales-order"}"#
    );
    assert_eq!(order.id, 9);
}

#[tokio::test]
async fn a_task_that_cannot_be_sent_is_an_error_at_once_and_not_kept() {
    let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();
    let email = || GreetUser { user_id: 7 }.asap().on(&runtime);
    let mut hooks = CommitHooks::new();

    for (error, kind) in [
        (
            KeyedByPair::new().asap().on(&runtime).on_commit(&mut hooks),
            ErrorKind::Encode,
        ),
        (
            KeyedByPair::new().sync().on(&runtime).on_commit(&mut hooks),
            ErrorKind::Encode,
        ),
        (
            email().queue("no spaces").on_commit(&mut hooks),
            ErrorKind::InvalidRequest,
        ),
        (
            email().task_id("a/b").on_commit(&mut hooks),
            ErrorKind::InvalidRequest,
        ),
        (
            email().header("Host", "x").on_commit(&mut hooks),
            ErrorKind::InvalidRequest,
        ),
        (
            email().timeout(Duration::ZERO).on_commit(&mut hooks),
            ErrorKind::InvalidRequest,
        ),
        (
            action("x")
                .sync()
                .attribute("goog", "x")
                .on(&runtime)
                .on_commit(&mut hooks),
            ErrorKind::InvalidRequest,
        ),
        (
            GreetUser { user_id: 7 }.asap().on_commit(&mut hooks),
            ErrorKind::NoRuntime,
        ),
        (action("x").sync_on_commit(&mut hooks), ErrorKind::NoRuntime),
        (action("x").asap_on_commit(&mut hooks), ErrorKind::NoRuntime),
    ] {
        assert_eq!(error.unwrap_err().kind(), kind);
    }

    assert!(hooks.is_empty());
}

#[tokio::test]
async fn unsent_tasks_are_in_the_error_and_are_sent_again_under_the_same_ids() {
    let (runtime, backend) = shaky(2).await;
    let mut hooks = CommitHooks::new();
    let email = |user_id| GreetUser { user_id }.asap().on(&runtime);

    email(1).on_commit(&mut hooks).unwrap();
    action("signup")
        .sync()
        .on(&runtime)
        .on_commit(&mut hooks)
        .unwrap();
    email(2).on_commit(&mut hooks).unwrap();
    let unsent = hooks.run().await.unwrap_err();
    let first = backend.calls();

    assert_eq!(
        first.iter().map(|call| call.worked).collect::<Vec<_>>(),
        [false, false, true]
    );
    assert_eq!(
        unsent.to_string(),
        "transaction committed, but 2 of 3 messages could not be sent"
    );
    let said: Vec<_> = unsent.errors().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [0, 1].map(|index| format!("no answer for {}", first[index].subject))
    );
    assert!(unsent.errors()[0].may_have_taken_effect());
    assert_eq!(unsent.source().unwrap().to_string(), said[0]);

    unsent.retry().await.unwrap();

    let again = [0, 1].map(|index| Call {
        subject: first[index].subject.clone(),
        worked: true,
    });
    assert_eq!(backend.calls()[3..], again);
}

/// Takes every task, but its first answer is lost on the way.
#[derive(Clone, Default)]
struct Mumbling(Arc<Mutex<BTreeSet<String>>>);

impl Backend for Mumbling {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        let id = envelope.id().unwrap().to_owned();
        let mut taken = self.0.lock().unwrap();
        let first = taken.is_empty();
        let duplicate = !taken.insert(id.clone());
        Box::pin(async move {
            if first {
                return Err(Error::unavailable("no answer"));
            }
            let enqueued = Enqueued::new(envelope.queue(), id);
            Ok(if duplicate {
                enqueued.into_duplicate()
            } else {
                enqueued
            })
        })
    }
}

#[tokio::test]
async fn an_unclear_answer_makes_no_second_task() {
    let backend = Mumbling::default();
    let runtime = with_dependencies(Runtime::builder())
        .backend(backend.clone())
        .allow_unauthenticated()
        .build()
        .await
        .unwrap();
    let mut hooks = CommitHooks::new();
    action("signup")
        .asap()
        .on(&runtime)
        .on_commit(&mut hooks)
        .unwrap();

    let unsent = hooks.run().await.unwrap_err().into_unsent();
    let mut hooks = CommitHooks::new();
    hooks.append(unsent);
    hooks.run().await.unwrap();

    assert_eq!(backend.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_failed_retry_holds_the_tasks_that_are_still_unsent() {
    let (runtime, backend) = shaky(3).await;
    let mut hooks = CommitHooks::new();
    action("one").sync().on(&runtime).on_commit(&mut hooks).unwrap();
    action("two").sync().on(&runtime).on_commit(&mut hooks).unwrap();

    let unsent: UnsentError = hooks.run().await.unwrap_err().retry().await.unwrap_err();

    assert_eq!(
        unsent.to_string(),
        "transaction committed, but 1 of 2 messages could not be sent"
    );
    assert_eq!(unsent.into_unsent().len(), 1);
    assert_eq!(backend.calls().len(), 4);
}

#[tokio::test]
async fn the_propagated_headers_are_those_of_when_it_was_added() {
    let config = Config::default().with_propagated_headers(["x-request-id"]);
    let (runtime, recorder) = Runtime::recorded().config(config).build().await.unwrap();
    let hooks = Arc::new(Mutex::new(CommitHooks::new()));
    let shared = Arc::clone(&hooks);
    let handler = service_fn(move |_request: Request<String>| {
        let mut hooks = shared.lock().unwrap();
        GreetUser { user_id: 7 }.asap().on_commit(&mut *hooks).unwrap();
        action("signup").sync_on_commit(&mut *hooks).unwrap();
        async { Ok::<_, std::convert::Infallible>(Response::new(axum::body::Body::empty())) }
    });

    let request = Request::get("/")
        .header("x-request-id", "abc")
        .body(String::new());
    runtime
        .layer()
        .layer(handler)
        .oneshot(request.unwrap())
        .await
        .unwrap();
    let kept = std::mem::take(&mut *hooks.lock().unwrap());
    kept.run().await.unwrap();

    assert_eq!(recorder.envelopes()[0].headers()["x-request-id"], "abc");
    assert_eq!(recorder.publications()[0].attributes()["x-request-id"], "abc");
}

#[tokio::test]
async fn any_wrapper_can_hold_the_hooks() {
    struct UnitOfWork(CommitHooks);

    impl Transactional for UnitOfWork {
        fn commit_hooks(&mut self) -> &mut CommitHooks {
            &mut self.0
        }
    }

    fn sign_up(tx: &mut impl Transactional) -> Result<(), Error> {
        action("signup").asap_on_commit(tx)
    }

    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    let mut work = UnitOfWork(CommitHooks::new());
    runtime
        .scope(async {
            sign_up(&mut work)?;
            sign_up(&mut &mut work)?;
            sign_up(&mut work.0)?;
            let erased: &mut dyn Transactional = &mut work;
            action("signup").asap_on_commit(erased)
        })
        .await
        .unwrap();
    work.0.run().await.unwrap();

    assert_eq!(recorder.envelopes().len(), 4);
}

#[tokio::test]
async fn hooks_cross_threads_and_show_no_content() {
    fn crosses_threads<T: Send + Sync>(value: T) -> T {
        value
    }
    let (runtime, _backend) = shaky(1).await;
    let mut hooks = CommitHooks::new();
    action("secret")
        .sync()
        .on(&runtime)
        .on_commit(&mut hooks)
        .unwrap();
    action("secret")
        .asap()
        .on(&runtime)
        .on_commit(&mut hooks)
        .unwrap();

    let hooks = crosses_threads(hooks);
    let shown = format!("{hooks:?}");
    let unsent = tokio::spawn(hooks.run()).await.unwrap().unwrap_err();

    assert!(
        shown.contains("user-actions") && !shown.contains("secret"),
        "{shown}"
    );
    // Its errors quote what this backend says; what was not sent is shown without content.
    let unsent = format!("{:?}", unsent.into_unsent());
    assert!(
        unsent.contains("user-actions") && !unsent.contains("secret"),
        "{unsent}"
    );
}
