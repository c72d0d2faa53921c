//! A server with time limits for clients and graceful shutdown.

mod connections;
mod server;
mod shutdown;
mod start_check;
mod timed_body;

pub use server::Serve;
pub use timed_body::ServeBody;
