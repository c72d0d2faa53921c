//! Building a runtime: the place where mistakes surface.

mod in_process;
mod modes;
mod options;
mod parts;

pub use in_process::{InProcess, Recorded};
pub use modes::Configured;
#[cfg(feature = "local")]
pub use modes::Embedded;
pub use options::RuntimeBuilder;
