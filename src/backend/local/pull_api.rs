//! The methods `pull`, `acknowledge` and `modifyAckDeadline` of Pub/Sub for the subscriptions of dead tasks: commands of other
//! processes list and replay them.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::backend::local::dead_letters::LocalDeadLetters;
use crate::backend::local::publish_api::{answer, status};
use crate::base::text::error_chain;
use crate::base::{BoxError, names};

/// More than a thousand ids of ours.
const MAX_BYTES: usize = 1024 * 1024;

/// A call of one of the methods.
pub(super) struct Call {
    /// `projects/P/subscriptions/S`.
    subscription: String,
    verb: Verb,
}

#[derive(Clone, Copy)]
enum Verb {
    Pull,
    Acknowledge,
    ModifyAckDeadline,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Arguments {
    max_messages: usize,
    ack_ids: Vec<String>,
    ack_deadline_seconds: u16,
}

/// The call of a request; `None` for any other request.
pub(super) fn call<B>(request: &Request<B>) -> Option<Call> {
    let path = request.uri().path().strip_prefix("/v1/")?;
    let (subscription, verb) = path.rsplit_once(':')?;
    let verb = match verb {
        "pull" => Verb::Pull,
        "acknowledge" => Verb::Acknowledge,
        "modifyAckDeadline" => Verb::ModifyAckDeadline,
        _ => return None,
    };
    let is_subscription = matches!(
        subscription.split('/').collect::<Vec<_>>()[..],
        ["projects", _, "subscriptions", _]
    );
    let subscription = names::decode_segment(subscription).filter(|_| is_subscription)?;
    (request.method() == Method::POST).then(|| Call {
        subscription: subscription.into_owned(),
        verb,
    })
}

/// Answers a call.
pub(super) async fn respond<B>(
    letters: &LocalDeadLetters,
    call: Call,
    request: Request<B>,
) -> Response<Full<Bytes>>
where
    B: Body<Error: Into<BoxError>>,
{
    let arguments = match read(request).await {
        Ok(arguments) => arguments,
        Err(error) => return answer(StatusCode::BAD_REQUEST, &status(400, &error_chain(&*error))),
    };
    let Some(topic) = letters.topic_of(&call.subscription) else {
        let message = format!("the local engine has no subscription {}", call.subscription);
        let mut body = status(404, &message);
        body["error"]["status"] = json!("NOT_FOUND");
        return answer(StatusCode::NOT_FOUND, &body);
    };
    let mut body = json!({});
    match call.verb {
        Verb::Pull => {
            let pulled = letters.pull(&topic, arguments.max_messages);
            let received = pulled.into_iter().map(|(ack_id, id, data)| {
                json!({"ackId": ack_id, "message": {"messageId": id, "data": STANDARD.encode(data)}})
            });
            body["receivedMessages"] = received.collect::<Vec<Value>>().into();
        }
        Verb::Acknowledge => letters.settle(&arguments.ack_ids),
        Verb::ModifyAckDeadline => {
            let time = Duration::from_secs(arguments.ack_deadline_seconds.into());
            letters.lease(&arguments.ack_ids, time);
        }
    }
    answer(StatusCode::OK, &body)
}

async fn read<B>(request: Request<B>) -> Result<Arguments, BoxError>
where
    B: Body<Error: Into<BoxError>>,
{
    let body = Limited::new(request.into_body(), MAX_BYTES)
        .collect()
        .await?
        .to_bytes();
    Ok(serde_json::from_slice(&body)?)
}
