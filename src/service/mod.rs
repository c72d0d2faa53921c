//! The tower service that Cloud Tasks calls, and the layer that puts it in front of another service.

mod body;
mod handle;
mod layer;
pub(crate) mod limit;
pub(crate) mod respond;
mod route;
mod serve;

pub use layer::{TaskFuture, TaskLayer, TaskLayerService};
pub use serve::TaskService;
