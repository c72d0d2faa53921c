//! A server for a service with tasks: time limits for clients, and a stop that loses nothing.

mod connections;
mod server;
mod shutdown;
mod timed_body;

pub use server::Serve;
pub use timed_body::ServeBody;
