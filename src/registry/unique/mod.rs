//! Uniqueness of tasks, and the id that follows from it.

mod canonical;
pub(crate) mod id;
mod options;

pub(crate) use id::Uniqueness;
pub(crate) use options::validate_window;
pub use options::{UniqueFields, UniqueOptions};
