//! What is sent after a commit, and only then.

mod hooks;
mod sqlite;
mod support;
