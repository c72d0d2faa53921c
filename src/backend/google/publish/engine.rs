//! Publishing to the local engine of another process.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use crate::backend::google::rest_client::RestClient;
use crate::base::names::pubsub_path;
use crate::base::{Error, Publication};

/// The response of `topics.publish`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Published {
    message_ids: [String; 1],
}

/// Publishes a message through the engine's own Pub/Sub, by the REST form of Google's method.
///
/// # Errors
///
/// If the emulator has no Pub/Sub, or does not take the message.
pub(in crate::backend::google) async fn publish(
    client: &RestClient,
    project: &str,
    publication: Publication,
) -> Result<String, Error> {
    let topic = pubsub_path(project, "topics", publication.topic());
    let body = json!({
        "messages": [{
            "data": STANDARD.encode(publication.data()),
            "attributes": publication.attributes(),
            "orderingKey": publication.ordering_key().unwrap_or_default(),
        }],
    });
    let published = client.post::<Published>(&topic, "publish", &body).await;
    match published {
        Ok(Published { message_ids: [id] }) => Ok(id),
        Err(error) if error.http_status_code() == Some(404) => Err(no_pubsub(publication.topic())),
        Err(error) => Err(Error::unavailable(format!(
            "the message to topic {} may not have been published: the local engine gave no clear answer",
            publication.topic()
        ))
        .with_source(error)),
    }
}

/// The error of an emulator without a Pub/Sub.
pub(in crate::backend::google) fn no_pubsub(topic: &str) -> Error {
    Error::rejected(format!(
        "the message to topic {topic} was not published: Cloud Tasks is an emulator and no Pub/Sub is configured; set PUBSUB_EMULATOR_HOST"
    ))
}
