//! The body of a publisher's task.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::base::{Attributes, json};
use crate::registry::{Arguments, Registered};
use crate::task::enqueue::read_arguments;

/// The body of a publisher's task, when it is received.
#[derive(Deserialize)]
pub(crate) struct PublisherBody {
    /// `None` if the message has attributes alone; `null` is content.
    #[serde(default, deserialize_with = "present")]
    pub message: Option<Box<RawValue>>,
    pub attributes: Option<Attributes>,
    pub topic_name: Option<String>,
    pub ordering_key: Option<String>,
    /// The argument `headers` of django-cloud-tasks' `run`; added to the propagated headers.
    pub headers: Option<BTreeMap<String, serde_json::Value>>,
}

/// A member that is present, whatever its value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl PublisherBody {
    /// The body of a publisher's task; it has a message, or attributes alone.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct WithMessage {
            #[serde(rename = "message")]
            _message: IgnoredAny,
        }

        let read: Self = json::decode(body)?;
        if read.message.is_none() && read.attributes.as_ref().is_none_or(Attributes::is_empty) {
            // Says that it is missing, and where.
            json::decode::<WithMessage>(body)?;
        }
        Ok(read)
    }

    /// The original content; empty if there are attributes alone.
    pub fn content(&self) -> &str {
        self.message.as_deref().map_or("", RawValue::get)
    }
}

/// The body of the task that publishes an event, whose JSON somebody typed.
pub(super) fn of_event<T>(json: &[u8]) -> Result<Arguments, String>
where
    T: Registered + Serialize + DeserializeOwned,
{
    let read = read_arguments::<T>(json)?;
    let body = [br#"{"message":"#, &read.body[..], br#","attributes":null}"#].concat();
    Ok(Arguments {
        body: body.into(),
        unique: read.unique,
    })
}
