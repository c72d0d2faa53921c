//! Uniqueness of tasks, and the id that follows from it.

mod canonical;
pub(crate) mod id;
mod options;

pub(crate) use id::Uniqueness;
pub(crate) use options::window_mistake;
pub use options::{UniqueFields, UniqueOptions};
