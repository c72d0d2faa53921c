//! Set-up: plans and applies the changes that bring the cloud to the state that the code describes.

mod api_field;
mod call_error;
mod change;
mod clients;
mod convert;
mod dead_letters;
mod grants;
mod iam;
mod operation;
mod options;
mod ownership;
mod plan;
mod queues;
mod recreate;
mod report;
mod schedule_diff;
mod schedules;
mod setup;
mod subscription_diff;
mod subscription_health;
mod subscriptions;
mod trial;
mod visibility;

pub use change::{Action, Change, FieldChange, ResourceKind};
pub use plan::{HeldBack, Plan};
pub use report::{Failure, SetUpError, SetUpReport};
pub use setup::{Setup, SetupExt};
