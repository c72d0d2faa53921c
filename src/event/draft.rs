//! A message before it is published or enqueued: encoded content, attributes and topic.

use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{Attributes, Error, HeaderPlacement, Publication, json, propagation};
use crate::event::format::Format;
use crate::registry::topic::Topic;
use crate::runtime::{Scope, encode_error};

/// A message with encoded content, before its headers are added.
#[derive(Clone)]
pub(super) struct Draft {
    /// The publisher's name.
    pub task: &'static str,
    /// The JSON of the event.
    content: Bytes,
    /// The bytes of the message, if they are not the JSON.
    data: Option<Bytes>,
    headers: Option<HeaderPlacement>,
    topic: Topic,
    /// Whether the topic was chosen for this message, and so must travel with it.
    own_topic: bool,
    pub attributes: Attributes,
    pub ordering_key: Option<String>,
}

/// The body of a publisher's task, after the message.
#[derive(Serialize)]
struct Rest<'a> {
    attributes: Option<&'a Attributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ordering_key: Option<&'a str>,
}

impl Draft {
    /// A message that a task will publish. The task's body holds the event as JSON.
    pub fn new<T: Serialize + DeserializeOwned>(
        task: &'static str,
        event: &T,
        topic: Topic,
        format: &Format<T>,
    ) -> Result<Self, Error> {
        let content = json::encode(event).map_err(|error| encode_error(task, error))?;
        Ok(Self {
            task,
            content,
            data: format.encode(task, event)?,
            headers: format.headers,
            topic,
            own_topic: false,
            attributes: Attributes::new(),
            ordering_key: None,
        })
    }

    /// A message that is published from this process: an encoder needs no JSON.
    pub fn now<T: Serialize + DeserializeOwned>(
        task: &'static str,
        event: &T,
        topic: Topic,
        format: &Format<T>,
    ) -> Result<Self, Error> {
        let Some(data) = format.encode(task, event)? else {
            return Self::new(task, event, topic, format);
        };
        Ok(Self {
            task,
            content: Bytes::new(),
            data: Some(data),
            headers: format.headers,
            topic,
            own_topic: false,
            attributes: Attributes::new(),
            ordering_key: None,
        })
    }

    /// Marks the topic as chosen for this message. It travels with the message, since the model may change before it is
    /// published.
    pub fn with_own_topic(mut self) -> Self {
        self.own_topic = true;
        self
    }

    pub fn with_attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    pub fn remove_content(&mut self) {
        self.content = Bytes::new();
        self.data = None;
    }

    pub fn publication(self, scope: &Scope) -> Result<Publication, Error> {
        let bare = Publication {
            topic: self.topic.into_name(scope.runtime.config()),
            data: self.data.unwrap_or(self.content),
            attributes: self.attributes,
            ordering_key: self.ordering_key,
        };
        with_headers(scope, bare, &scope.headers(), self.headers)
    }

    pub fn body(self, scope: &Scope) -> Result<Bytes, Error> {
        // What Pub/Sub would reject is rejected now, and not when the task runs.
        let publication = self.clone().publication(scope)?;
        let rest = Rest {
            attributes: (!self.attributes.is_empty()).then_some(&self.attributes),
            topic_name: self.own_topic.then_some(publication.topic()),
            ordering_key: self.ordering_key.as_deref(),
        };
        if self.content.is_empty() {
            let body = serde_json::to_vec(&rest).map_err(|error| encode_error(self.task, error))?;
            return Ok(body.into());
        }
        let mut body = Vec::with_capacity(self.content.len() + 128);
        body.extend_from_slice(br#"{"message":"#);
        body.extend_from_slice(&self.content);
        // The rest is a non-empty object: its opening brace becomes the comma after the message.
        let comma = body.len();
        serde_json::to_writer(&mut body, &rest).map_err(|error| encode_error(self.task, error))?;
        body[comma] = b',';
        Ok(body.into())
    }
}

/// A message with these headers, checked against the service's limits.
pub(super) fn with_headers(
    scope: &Scope,
    bare: Publication,
    headers: &HeaderMap,
    placement: Option<HeaderPlacement>,
) -> Result<Publication, Error> {
    if headers.is_empty() {
        return bare.check().map(|()| bare);
    }
    let config = scope.runtime.config();
    let key = match placement.unwrap_or(config.header_placement()) {
        HeaderPlacement::ContentAndAttributes => Some(config.propagated_headers_key()),
        HeaderPlacement::Attributes => None,
    };
    let mut publication = bare.clone();
    propagation::write(&mut publication, headers, key);
    if publication.check().is_ok() {
        return Ok(publication);
    }
    // Propagated headers must not prevent the message from being published.
    bare.check()?;
    tracing::warn!(
        topic = bare.topic(),
        "there is no room for the propagated headers; they are left out"
    );
    Ok(bare)
}
