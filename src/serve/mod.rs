//! A server for a service with tasks: time limits for clients, and a stop that loses nothing.

mod body;
mod connections;
mod drain;
mod server;

pub use body::ServeBody;
pub use server::Serve;
