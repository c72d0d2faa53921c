//! The tower service that Cloud Tasks calls, and the layer that puts it in front of another service.

mod body;
mod handle;
mod layer;
mod respond;
mod route;
#[cfg(feature = "serve")]
mod server;
mod service;

#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use crate::auth::TrustedCallers;
#[cfg(feature = "serve")]
#[cfg_attr(docsrs, doc(cfg(feature = "serve")))]
pub use server::{Serve, ServeBody};

pub use layer::{TaskFuture, TaskLayer, TaskLayerService};
pub use service::TaskService;
