//! Set-up: plans and applies the changes that bring the cloud to the state that the code describes.

mod api_field;
pub(crate) mod call_error;
pub(crate) mod change;
pub(crate) mod clients;
pub(crate) mod convert;
pub(crate) mod dead_letters;
pub(crate) mod iam;
pub(crate) mod operation;
pub(crate) mod options;
pub(crate) mod ownership;
pub(crate) mod plan;
pub(crate) mod queues;
pub(crate) mod report;
pub(crate) mod schedules;
pub(crate) mod setup;
pub(crate) mod subscription_diff;
pub(crate) mod subscriptions;

pub use change::{Action, Change, FieldChange, ResourceKind};
pub use plan::{HeldBack, Plan};
pub use report::{Failure, SetUpError, SetUpReport};
pub use setup::{Setup, SetupExt};
