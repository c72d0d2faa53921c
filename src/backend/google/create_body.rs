//! The JSON of a task that is created.
//!
//! It has the members of `google.cloud.tasks.v2.CreateTaskRequest`, in the order of Google's client, from borrowed fields.

#[cfg(test)]
mod tests;

use std::fmt;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use google_cloud_gax::error::Error as GoogleError;
use google_cloud_wkt::{Duration as WktDuration, Timestamp};
use http::HeaderMap;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::backend::google::convert::{TaskFactory, joined};
use crate::base::Envelope;

/// What a task has besides its arguments and headers, in most cases.
const FRAME_BYTES: usize = 768;
/// `google.cloud.tasks.v2.HttpMethod.POST`.
const POST: u8 = 1;

#[derive(Serialize)]
struct CreateTask<'a> {
    task: NewTask<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewTask<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Name<'a>>,
    http_request: NewRequest<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatch_deadline: Option<WktDuration>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewRequest<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    url: &'a str,
    http_method: u8,
    #[serde(skip_serializing_if = "Headers::is_empty")]
    headers: Headers<'a>,
    #[serde(skip_serializing_if = "Base64::is_empty")]
    body: Base64<'a>,
    oidc_token: NewToken<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewToken<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    service_account_email: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    audience: &'a str,
}

/// The full path of a task.
struct Name<'a> {
    queue: &'a str,
    id: &'a str,
}

struct Headers<'a>(&'a HeaderMap);

struct Base64<'a>(&'a [u8]);

impl TaskFactory {
    /// The JSON of a request that creates a task in a queue, which is given by its full path.
    pub fn create_body(
        &self,
        envelope: &Envelope,
        queue: &str,
        id: Option<&str>,
    ) -> Result<Bytes, GoogleError> {
        let relayed = self.relayed(envelope);
        let (service_account_email, audience) = self.signer(envelope);
        let request = CreateTask {
            task: NewTask {
                name: id.map(|id| Name { queue, id }),
                http_request: NewRequest {
                    url: relayed.as_deref().unwrap_or(&envelope.url),
                    http_method: POST,
                    headers: Headers(&envelope.headers),
                    body: Base64(&envelope.body),
                    oidc_token: NewToken {
                        service_account_email,
                        audience,
                    },
                },
                schedule_time: Self::schedule_time(envelope),
                dispatch_deadline: Self::dispatch_deadline(envelope),
            },
        };
        let mut json = Vec::with_capacity(FRAME_BYTES + envelope.body.len().div_ceil(3) * 4);
        serde_json::to_writer(&mut json, &request).map_err(GoogleError::ser)?;
        Ok(json.into())
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue, id } = self;
        write!(f, "{queue}/tasks/{id}")
    }
}

impl Serialize for Name<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Headers<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.keys_len()))?;
        for name in self.0.keys() {
            map.serialize_entry(name.as_str(), &*joined(self.0, name))?;
        }
        map.end()
    }
}

impl Base64<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

/// What a response says of the task that was created.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created {
    pub name: Option<String>,
    pub schedule_time: Option<Timestamp>,
}

impl Created {
    /// Reads the JSON of a task.
    pub fn read(json: &[u8]) -> Result<Self, GoogleError> {
        serde_json::from_slice(json).map_err(GoogleError::deser)
    }
}
