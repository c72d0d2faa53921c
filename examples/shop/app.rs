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

/// The whole shop: its routes, and the layer that handles tasks and pushes.
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
    // Accepts any content type, and an empty body: `curl -X POST localhost:8080/signup`.
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
        (StatusCode::BAD_REQUEST, format!("expected {accepted}: {error}\n"))
    })?;

    let order = Order { id, express };
    let event = OrderPlaced::of(&order).asap().await.map_err(unavailable)?;

    let enqueued = json!({"queue": event.queue(), "id": event.id()});
    Ok((StatusCode::ACCEPTED, Json(json!({ "enqueued": [enqueued] }))))
}

async fn show_activity(State(activity): State<Activity>) -> Json<Vec<Entry>> {
    Json(activity.entries())
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes a value")]
fn unavailable(error: cloud_tasks::Error) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"))
}

#[cfg(test)]
mod tests;
