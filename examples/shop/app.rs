//! The shop's web application.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use cloud_tasks::{ModelPublisherTask, Runtime, Task};
use serde::Deserialize;
use serde_json::json;

use crate::activity::{Activity, Entry};
use crate::orders::{Order, OrderPlaced};
use crate::tasks::{FollowUp, GrantBonus, SendWelcomeEmail};

/// The whole shop: its pages, and in front of them the tasks that come back.
pub(crate) fn app(runtime: &Runtime, activity: Activity) -> Router {
    Router::new()
        .route("/signup", post(signup))
        .route("/orders", post(place_order))
        .route("/activity", get(show_activity))
        .with_state(activity)
        .layer(runtime.layer())
}

#[derive(Deserialize)]
struct Signup {
    name: String,
}

async fn signup(body: Bytes) -> Result<impl IntoResponse, (StatusCode, String)> {
    // Any content type will do, and no body at all: `curl -X POST localhost:8080/signup`.
    let body = if body.is_empty() {
        Bytes::from_static(br#"{"name": "Ada"}"#)
    } else {
        body
    };
    let Signup { name } = serde_json::from_slice(&body).map_err(|error| {
        (
            StatusCode::BAD_REQUEST,
            format!("expected {{\"name\": \"..\"}}: {error}\n"),
        )
    })?;

    let welcome = SendWelcomeEmail { name: name.clone() }
        .asap()
        .await
        .map_err(unavailable)?;
    let bonus = GrantBonus { name: name.clone() }
        .asap()
        .await
        .map_err(unavailable)?;
    let follow_up = FollowUp { name }
        .later(Duration::from_secs(2))
        .await
        .map_err(unavailable)?;

    let enqueued = [welcome, bonus, follow_up].map(|task| json!({"queue": task.queue(), "id": task.id()}));
    Ok((StatusCode::ACCEPTED, Json(json!({ "enqueued": enqueued }))))
}

#[derive(Deserialize)]
struct NewOrder {
    id: u64,
    #[serde(default)]
    express: bool,
}

async fn place_order(body: Bytes) -> Result<impl IntoResponse, (StatusCode, String)> {
    let body = if body.is_empty() {
        Bytes::from_static(br#"{"id": 1, "express": true}"#)
    } else {
        body
    };
    let NewOrder { id, express } = serde_json::from_slice(&body).map_err(|error| {
        let accepted = r#"{"id": 1, "express": true}"#;
        (
            StatusCode::BAD_REQUEST,
            format!("expected such as {accepted}: {error}\n"),
        )
    })?;

    let order = Order { id, express };
    let event = OrderPlaced::of(&order).asap().await.map_err(unavailable)?;

    let enqueued = json!({"queue": event.queue(), "id": event.id()});
    Ok((StatusCode::ACCEPTED, Json(json!({ "enqueued": [enqueued] }))))
}

async fn show_activity(State(activity): State<Activity>) -> Json<Vec<Entry>> {
    Json(activity.entries())
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
fn unavailable(error: cloud_tasks::Error) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    fn signup_of(body: &'static str) -> Request<Body> {
        Request::post("/signup").body(Body::from(body)).unwrap()
    }

    #[tokio::test]
    async fn a_signup_enqueues_three_tasks_and_runs_none_of_them() {
        let activity = Activity::default();
        let (runtime, recorder) = Runtime::recorded().state(activity.clone()).build().await.unwrap();

        let response = app(&runtime, activity.clone())
            .oneshot(signup_of(r#"{"name": "Grace"}"#))
            .await
            .unwrap();

        assert_eq!(response.status(), StatusCode::ACCEPTED);
        recorder.assert_enqueued::<SendWelcomeEmail>(|task| task.name == "Grace");
        recorder.assert_enqueued::<GrantBonus>(|task| task.name == "Grace");
        recorder.assert_enqueued::<FollowUp>(|task| task.name == "Grace");
        assert!(activity.entries().is_empty());
    }

    #[tokio::test]
    async fn the_first_mail_fails_as_it_is_meant_to() {
        let activity = Activity::default();
        let runtime = Runtime::eager().state(activity.clone()).build().await.unwrap();

        let error = SendWelcomeEmail { name: "Grace".into() }
            .asap()
            .on(&runtime)
            .await
            .unwrap_err();

        assert_eq!(
            format!("{error:#}"),
            "task SendWelcomeEmail failed: the mail server is down"
        );
        assert_eq!(activity.entries()[0].attempt, 1);
    }

    #[tokio::test]
    async fn an_order_is_published_by_a_task_and_heard_by_those_who_want_it() {
        let activity = Activity::default();
        let (runtime, recorder) = Runtime::recorded().state(activity.clone()).build().await.unwrap();
        let request = Request::post("/orders")
            .body(Body::from(r#"{"id": 7, "express": true}"#))
            .unwrap();

        let response = app(&runtime, activity.clone()).oneshot(request).await.unwrap();
        let before = recorder.publications().len();
        let failed = recorder.drain().await.unwrap_err();

        assert_eq!((response.status(), before), (StatusCode::ACCEPTED, 0));
        assert_eq!(
            format!("{failed:#}"),
            "task ChargeCard failed: the card was refused"
        );
        let outcomes: Vec<_> = activity
            .entries()
            .into_iter()
            .map(|entry| entry.outcome)
            .collect();
        assert_eq!(
            outcomes,
            ["failed: the card of order 7 was refused", "shipped order 7"]
        );
    }

    #[tokio::test]
    async fn a_signup_without_a_name_is_refused_and_enqueues_nothing() {
        let (runtime, recorder) = Runtime::recorded().build().await.unwrap();

        let response = app(&runtime, Activity::default())
            .oneshot(signup_of(r#"{"nome": "Grace"}"#))
            .await
            .unwrap();

        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert!(recorder.envelopes().is_empty());
    }
}
