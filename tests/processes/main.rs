//! What is for a whole process: workers that are killed, and the installed runtime.
#![allow(missing_docs, clippy::unwrap_used)]

#[cfg(unix)]
mod crash;
mod install;
#[cfg(unix)]
mod signals;
