//! A Pub/Sub push behind two doors: an axum handler that does everything by hand, and the task service.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::extract::Path;
use axum::response::{IntoResponse, Response as AxumResponse};
use axum::{Json, Router, routing};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cloud_tasks::{Context, Message, SubscriberTask, TaskResult, task};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use serde::Deserialize;
use tower::Service;

use super::{Answer, TaskRequest};

/// The content of the message.
#[derive(Deserialize)]
struct OrderPlaced {
    order_id: u64,
    customer: String,
}

impl OrderPlaced {
    /// The work, the same behind both doors.
    fn work(self, attributes: &BTreeMap<String, String>, id: &str) -> String {
        let express = attributes.get("express").map_or("", String::as_str);
        format!(
            "shipped {} to {}, express {express}, message {id}",
            self.order_id, self.customer
        )
    }
}

struct ShipOrder;

#[task(topic = "orders")]
impl SubscriberTask for ShipOrder {
    async fn run(message: Message<OrderPlaced>, _cx: Context) -> TaskResult<String> {
        Ok(message.content.work(&message.attributes, &message.id))
    }
}

const BODY: &str = r#"{"message":{"attributes":{"express":"true","googclient_traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},"data":"eyJvcmRlcl9pZCI6NywiY3VzdG9tZXIiOiJBZGEgTG92ZWxhY2UifQ==","messageId":"10000000000000007","message_id":"10000000000000007","orderingKey":"customer-7","publishTime":"2026-01-01T00:00:00.123Z","publish_time":"2026-01-01T00:00:00.123Z"},"subscription":"projects/shop/subscriptions/shop--ship-order","deliveryAttempt":1}"#;
const ANSWER: &str =
    r#"{"result":"shipped 7 to Ada Lovelace, express true, message 10000000000000007","status":"executed"}"#;

/// Builds the request as Pub/Sub sends it: wrapped, with both spellings of the names.
pub(crate) fn push_request() -> TaskRequest {
    Request::post("/subscriptions/ShipOrder")
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .header("from", "noreply@google.com")
        .header(
            "user-agent",
            "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
        )
        .body(Full::from(BODY))
        .unwrap()
}

#[derive(Deserialize)]
struct Envelope {
    message: Pushed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pushed {
    data: String,
    attributes: BTreeMap<String, String>,
    message_id: String,
}

async fn run(Path(name): Path<String>, Json(Envelope { message }): Json<Envelope>) -> AxumResponse {
    if name != "ShipOrder" {
        return StatusCode::NOT_FOUND.into_response();
    }
    let Ok(data) = STANDARD.decode(message.data) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match serde_json::from_slice::<OrderPlaced>(&data) {
        Ok(order) => {
            let result = order.work(&message.attributes, &message.message_id);
            Json(Answer::executed(result)).into_response()
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// What one would write with axum alone: what the work needs is read, and nothing else.
pub(crate) fn axum_push() -> Router {
    Router::new().route("/subscriptions/{name}", routing::post(run))
}

/// Sends a hundred pushes through a service, and looks at its answers.
pub(crate) fn warm_push<S, B>(service: &S)
where
    S: Service<TaskRequest, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data = Bytes>,
{
    super::warm_with(service, push_request, ANSWER);
}
