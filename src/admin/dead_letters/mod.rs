//! Tasks whose last attempt has failed: recording, listing and replaying them.

#[cfg(feature = "google")]
mod dead_tasks;
#[cfg(feature = "google")]
mod list;
#[cfg(feature = "google")]
mod reading;
#[cfg(feature = "google")]
mod replay;
#[cfg(feature = "google")]
mod report;

#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use crate::base::DeadTask;
pub use crate::base::{Dead, DeadCause};
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use dead_tasks::{DeadTasks, UnreplayedTask};
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use list::{DeadList, ListDead};
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use replay::Replay;
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use report::{ReplayEnd, ReplayError, Replayed};
