//! The form in which an event travels: its bytes, and the place of propagated headers.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::base::{BoxError, Error, ErrorKind, HeaderPlacement, json};

/// An encoder of events.
type Encode<T> = fn(&T) -> Result<Vec<u8>, BoxError>;

/// The encoder and the header placement of an event's type.
pub(super) struct Format<T> {
    /// `None` for JSON.
    encode: Option<Encode<T>>,
    pub headers: Option<HeaderPlacement>,
}

impl<T> Format<T> {
    pub const fn new(encode: Option<Encode<T>>, headers: Option<HeaderPlacement>) -> Self {
        Self { encode, headers }
    }

    /// The bytes of an event, or `None` if they are its JSON.
    pub fn encode(&self, task: &str, event: &T) -> Result<Option<Bytes>, Error> {
        let encoded = self.encode.map(|encode| encode(event)).transpose();
        encoded.map(|data| data.map(Bytes::from)).map_err(|error| {
            // Its text may contain a value.
            Error::new(
                ErrorKind::Encode,
                format!("the content of {task} was not encoded: its encoder refused it"),
            )
            .with_source(error)
        })
    }
}

impl<T: DeserializeOwned> Format<T> {
    /// The bytes of a message, from the JSON in a task's body. Without an encoder the JSON is sent as it was received.
    pub fn data(&self, task: &str, content: Bytes) -> Result<Bytes, DataError> {
        // Empty if there are attributes alone.
        if content.is_empty() {
            return Ok(content);
        }
        // Decoded in any case, so that a message that no subscriber could read is not published.
        let event = json::decode::<T>(&content).map_err(DataError::Decode)?;
        let encoded = self.encode(task, &event).map_err(DataError::Encode)?;
        Ok(encoded.unwrap_or(content))
    }
}

/// Why a task's body is no message.
pub(super) enum DataError {
    Decode(String),
    Encode(Error),
}
