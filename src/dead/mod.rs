//! Tasks that are given up: what is told of them, where they are kept, and how they come back.

mod burial;
#[cfg(feature = "google")]
mod dead_task;
mod death;
#[cfg(feature = "google")]
mod keeper;
mod letters;
mod limit;
#[cfg(feature = "google")]
mod list;
mod record;
#[cfg(feature = "google")]
mod replay;
#[cfg(feature = "google")]
mod tasks;

pub(crate) use burial::Burial;
#[cfg(feature = "google")]
pub use dead_task::DeadTask;
pub use death::{Dead, DeadCause};
#[cfg(feature = "google")]
pub(crate) use keeper::{Claim, Keeper, Letter, Letters, Reading};
pub(crate) use letters::DeadLetters;
#[cfg(feature = "google")]
pub use list::{DeadList, ListDead};
#[cfg(feature = "google")]
pub use replay::{Replay, Replayed};
#[cfg(feature = "google")]
pub use tasks::{DeadTasks, LeftDead};
