//! The options that one task and a bulk of tasks have in common.

use std::time::Duration;

use http::HeaderMap;

use crate::base::own_header;
use crate::runtime::run_at::Start;

/// The options of a task that is sent, or of each task of a bulk.
#[derive(Clone, Default)]
pub(crate) struct SendOptions {
    pub start: Start,
    pub queue: Option<String>,
    pub timeout: Option<Duration>,
    headers: HeaderMap,
    /// Why the options are invalid: the first reason. It fails the task when it is sent.
    invalid: Option<String>,
}

impl SendOptions {
    /// Adds a header, which must be valid.
    pub fn set_header(&mut self, name: &str, value: &str) {
        match own_header(name, value) {
            Ok((name, value)) => {
                self.headers.insert(name, value);
            }
            Err(reason) => self.refuse(reason),
        }
    }

    /// Adds headers that are already valid.
    pub fn add_headers(&mut self, headers: HeaderMap) {
        self.headers.extend(headers);
    }

    /// Fails the task for this reason, unless it fails for another one already.
    pub fn refuse(&mut self, reason: String) {
        self.invalid.get_or_insert(reason);
    }

    /// The headers, or why the options are invalid.
    pub fn into_headers(self) -> Result<HeaderMap, String> {
        self.invalid.map_or(Ok(self.headers), Err)
    }
}
