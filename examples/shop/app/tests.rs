//! The shop's tests, which are also an example of the test helpers.

use std::time::SystemTime;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use cloud_tasks::Message;
use cloud_tasks::testing::Recorder;
use cloud_tasks::testing::Signer;
use tower::ServiceExt;

use super::*;
use crate::orders::{ChargeCard, ShipExpress};
use crate::tasks::CountActivity;

/// The shop with a recorder, and a signer that it trusts.
struct Shop {
    app: Router,
    runtime: Runtime,
    recorder: Recorder,
    signer: Signer,
    activity: Activity,
}

impl Shop {
    async fn open() -> Self {
        let activity = Activity::default();
        let signer = Signer::new().unwrap();
        let (runtime, recorder) = Runtime::recorded()
            .starting_at(SystemTime::UNIX_EPOCH)
            .run_schedules()
            .verified_by(&signer)
            .state(activity.clone())
            .build()
            .await
            .unwrap();
        Self {
            app: app(&runtime, activity.clone()),
            runtime,
            recorder,
            signer,
            activity,
        }
    }

    async fn post(&self, path: &str, body: &'static str) -> StatusCode {
        let request = Request::post(path).body(Body::from(body)).unwrap();
        self.send(request).await.status()
    }

    async fn send<B>(&self, request: Request<B>) -> Response
    where
        B: axum::body::HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        self.app.clone().oneshot(request).await.unwrap()
    }

    fn outcomes(&self) -> Vec<String> {
        let entries = self.activity.entries();
        entries.into_iter().map(|entry| entry.outcome).collect()
    }
}

fn welcome() -> SendWelcomeEmail {
    SendWelcomeEmail { name: "Grace".into() }
}

#[tokio::test]
async fn a_signup_enqueues_three_tasks_and_runs_none_of_them() {
    let shop = Shop::open().await;

    let status = shop.post("/signup", r#"{"name": "Grace"}"#).await;

    assert_eq!(status, StatusCode::ACCEPTED);
    shop.recorder
        .assert_enqueued::<SendWelcomeEmail>(|task| task.name == "Grace");
    shop.recorder
        .assert_enqueued::<GrantBonus>(|task| task.name == "Grace");
    shop.recorder.assert_enqueued_count::<FollowUp>(1);
    assert_eq!(shop.recorder.find::<FollowUp>()[0].queue(), "emails");
    assert!(shop.activity.entries().is_empty());
}

#[tokio::test]
async fn the_follow_up_comes_two_seconds_after_the_mail() {
    let shop = Shop::open().await;
    shop.post("/signup", r#"{"name": "Grace"}"#).await;

    // The first attempt of the e-mail fails, the second succeeds.
    let at_once = shop.recorder.drain_due().attempts(2).await.unwrap();
    shop.recorder.refute_enqueued::<SendWelcomeEmail>(|_| true);
    shop.recorder.assert_enqueued_count::<FollowUp>(1);
    shop.recorder.advance(Duration::from_secs(2));
    let later = shop.recorder.drain_due().await.unwrap();

    assert_eq!((at_once, later), (3, 1));
    assert_eq!(
        shop.outcomes(),
        [
            "failed: the mail server is down",
            "discarded: the campaign is over",
            "sent to Grace",
            "asked Grace how things are going",
        ]
    );
}

#[tokio::test]
async fn the_first_attempt_of_the_mail_fails_and_the_second_succeeds() {
    let shop = Shop::open().await;

    let first = shop.runtime.perform(welcome()).await.unwrap().assert_failed();
    let second = shop
        .runtime
        .perform(welcome())
        .attempt(2)
        .await
        .unwrap()
        .assert_done();

    assert_eq!(first.to_string(), "the mail server is down");
    assert_eq!(second, "sent in attempt 2");
    assert_eq!(shop.activity.entries()[0].attempt, 1);
}

#[tokio::test]
async fn the_bonus_discards_itself() {
    let shop = Shop::open().await;

    let bonus = shop
        .runtime
        .perform(GrantBonus { name: "Grace".into() })
        .await
        .unwrap();

    assert_eq!(bonus.assert_discarded().reason(), "the campaign is over");
}

#[tokio::test]
async fn a_task_reaches_the_shop_only_with_a_token() {
    let shop = Shop::open().await;
    let callback = || shop.signer.callback(&shop.runtime, &welcome()).attempt(2);

    let unsigned = shop.send(callback().unsigned().request().unwrap()).await;
    let signed = shop.send(callback().request().unwrap()).await;

    assert_eq!(
        (unsigned.status(), signed.status()),
        (StatusCode::UNAUTHORIZED, StatusCode::OK)
    );
    assert_eq!(shop.outcomes(), ["sent to Grace"]);
}

#[tokio::test]
async fn a_message_reaches_the_shop_only_with_a_token() {
    let shop = Shop::open().await;
    let order = Message::new(OrderPlaced { order_id: 7 });
    let push = || shop.signer.push::<ShipExpress>(&shop.runtime, &order).unwrap();

    let unsigned = shop.send(push().unsigned().request().unwrap()).await;
    let signed = shop.send(push().request().unwrap()).await;

    assert_eq!(
        (unsigned.status(), signed.status()),
        (StatusCode::UNAUTHORIZED, StatusCode::OK)
    );
    assert_eq!(shop.outcomes(), ["shipped order 7"]);
}

#[tokio::test]
async fn an_order_is_published_by_a_task_and_reaches_its_subscribers() {
    let shop = Shop::open().await;

    let status = shop.post("/orders", r#"{"id": 7, "express": true}"#).await;
    shop.recorder
        .assert_published::<OrderPlaced>(|event, attributes| {
            event.order_id == 7 && attributes["express"] == "true"
        });
    let before = shop.recorder.publications().len();
    let failed = shop.recorder.drain().await.unwrap_err();

    assert_eq!((status, before), (StatusCode::ACCEPTED, 0));
    assert_eq!(
        format!("{failed:#}"),
        "task ChargeCard failed: the card was refused"
    );
    assert_eq!(
        shop.outcomes(),
        ["failed: the card of order 7 was refused", "shipped order 7"]
    );
}

#[tokio::test]
async fn a_refused_card_fails_the_delivery() {
    let shop = Shop::open().await;
    let order = Message::new(OrderPlaced { order_id: 7 }).with_delivery_attempt(5);

    let charged = shop.runtime.perform_message::<ChargeCard>(&order).await.unwrap();

    assert_eq!(charged.assert_failed().to_string(), "the card was refused");
    assert_eq!(shop.activity.entries()[0].attempt, 5);
}

#[tokio::test]
async fn the_schedule_runs_every_minute() {
    let shop = Shop::open().await;

    let ran = shop.recorder.drain_until(Duration::from_secs(180)).await.unwrap();

    assert_eq!((ran, shop.recorder.ran::<CountActivity>().len()), (3, 3));
    assert_eq!(
        shop.outcomes(),
        ["counted 0 entries", "counted 1 entries", "counted 2 entries"]
    );
}

#[tokio::test]
async fn a_signup_without_a_name_is_refused_and_enqueues_nothing() {
    let shop = Shop::open().await;

    let status = shop.post("/signup", r#"{"nome": "Grace"}"#).await;

    assert_eq!(status, StatusCode::BAD_REQUEST);
    shop.recorder.assert_nothing_enqueued();
}
