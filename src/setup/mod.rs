//! Set-up: the cloud is made to look as the code says.

mod admin;
mod change;
mod convert;
mod dead_letters;
mod grants;
mod options;
mod owner;
mod patience;
mod plan;
mod pubsub;
mod queues;
mod report;
mod schedules;
mod shape;
mod start;
mod step;

pub use change::{Action, Change, FieldChange, ResourceKind};
pub use plan::{HeldBack, Plan};
pub use report::{Failure, SetUpError, SetUpReport};
pub use start::Setup;
pub(crate) use start::set_up_one;
