//! What stands where `Runtime::perform` is without the feature `testing`: a message that names the feature.

use crate::runtime::Runtime;

/// No type has this: it is the text of a compile error.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`Runtime::perform` and `Runtime::perform_message` need the feature `testing` of cloud-tasks",
    label = "needs the feature `testing`",
    note = "enable it for your tests: `cargo add --dev cloud-tasks --features testing`"
)]
pub trait FeatureTesting {}

impl Runtime {
    /// Needs the feature `testing`.
    #[doc(hidden)]
    pub fn perform<T: FeatureTesting>(&self, task: T) -> T {
        task
    }

    /// Needs the feature `testing`.
    #[doc(hidden)]
    pub fn perform_message<S: FeatureTesting>(&self, subscriber: S) -> S {
        subscriber
    }
}
