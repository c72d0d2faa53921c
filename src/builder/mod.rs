//! Building a runtime: the place where mistakes surface.

mod modes;
mod options;
mod parts;

#[cfg(feature = "local")]
pub use modes::Embedded;
pub use modes::{Configured, InProcess, Recorded};
pub use options::RuntimeBuilder;
