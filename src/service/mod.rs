//! The HTTP side: a tower service for requests of Cloud Tasks and Pub/Sub, a layer, and a server.

mod accepted;
mod body;
mod handle;
#[cfg(feature = "axum")]
mod into_response;
mod layer;
mod limited;
mod probe;
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
