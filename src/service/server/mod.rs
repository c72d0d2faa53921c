//! A server with time limits for clients and graceful shutdown.

mod activity;
mod connection;
mod connections;
mod gate;
mod run;
mod server;
mod shutdown;
mod signals;
mod start_check;
mod timed_body;
mod watched;

pub use server::Serve;
pub use timed_body::ServeBody;
