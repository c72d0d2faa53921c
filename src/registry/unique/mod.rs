//! Uniqueness of tasks, and the id that follows from it.

mod canonical;
pub(crate) mod id;
mod options;

use std::time::Duration;

pub(crate) use id::Uniqueness;
pub(crate) use options::validate_window;

/// The uniqueness options of a type.
#[derive(Clone, Copy, Debug)]
pub struct UniqueOptions {
    of: Of,
    window: Option<Duration>,
}

/// What distinguishes the tasks of a type.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Of {
    Arguments,
    Fields,
    Name,
}

/// The fields that a task is unique by, as JSON.
#[derive(Debug, Default)]
pub struct UniqueFields {
    text: Vec<u8>,
    error: Option<serde_json::Error>,
}
