//! A server for a service with tasks: time limits for clients, and a stop that loses nothing.

pub(crate) mod connections;
pub(crate) mod server;
pub(crate) mod shutdown;
pub(crate) mod timed_body;

pub use server::Serve;
pub use timed_body::ServeBody;
