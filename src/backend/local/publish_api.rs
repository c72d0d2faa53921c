//! The method `topics.publish` of Pub/Sub, for other processes that use this engine.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::backend::local::pubsub::PubSub;
use crate::base::text::error_chain;
use crate::base::{Attributes, BoxError, Publication, names};

/// Google's limit of a request, with room for base64.
const MAX_BYTES: usize = 14 * 1024 * 1024;

/// The request of `topics.publish`.
#[derive(Deserialize)]
struct Messages {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    #[serde(default)]
    data: String,
    #[serde(default)]
    attributes: Attributes,
    #[serde(default)]
    ordering_key: String,
}

impl Message {
    fn publication(self, topic: &str) -> Result<Publication, BoxError> {
        Ok(Publication {
            topic: topic.to_owned().into(),
            data: STANDARD.decode(self.data)?.into(),
            attributes: self.attributes,
            ordering_key: Some(self.ordering_key).filter(|key| !key.is_empty()),
        })
    }
}

/// The topic of a request to publish, `projects/P/topics/T`; `None` for any other request.
pub(super) fn topic<B>(request: &Request<B>) -> Option<String> {
    let path = request.uri().path().strip_prefix("/v1/")?;
    let topic = path.strip_suffix(":publish")?;
    let is_topic = matches!(
        topic.split('/').collect::<Vec<_>>()[..],
        ["projects", _, "topics", _]
    );
    let topic = names::decode_segment(topic).filter(|_| is_topic)?;
    (request.method() == Method::POST).then(|| topic.into_owned())
}

/// Publishes the messages of a request.
pub(super) async fn publish<B>(pubsub: Arc<PubSub>, topic: &str, request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body<Error: Into<BoxError>>,
{
    let messages = match read(topic, request).await {
        Ok(messages) => messages,
        Err(error) => return answer(StatusCode::BAD_REQUEST, &status(400, &error_chain(&*error))),
    };
    let mut ids = Vec::new();
    for publication in messages {
        match pubsub.publish(&publication).await {
            Ok(id) => ids.push(id),
            Err(error) => {
                return answer(
                    StatusCode::SERVICE_UNAVAILABLE,
                    &status(503, &error_chain(&error)),
                );
            }
        }
    }
    answer(StatusCode::OK, &json!({ "messageIds": ids }))
}

async fn read<B>(topic: &str, request: Request<B>) -> Result<Vec<Publication>, BoxError>
where
    B: Body<Error: Into<BoxError>>,
{
    let body = Limited::new(request.into_body(), MAX_BYTES)
        .collect()
        .await?
        .to_bytes();
    let read: Messages = serde_json::from_slice(&body)?;
    let messages = read.messages.into_iter();
    messages.map(|message| message.publication(topic)).collect()
}

pub(super) fn status(code: u16, message: &dyn std::fmt::Display) -> Value {
    json!({"error": {"code": code, "message": message.to_string()}})
}

pub(super) fn answer(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
