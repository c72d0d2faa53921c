//! The limits of options and of names, and the languages of filters and of schedules: what Google's services accept, in one place.
//!
//! The crate `cloud-tasks` applies them when a runtime is built, and `#[task]` when it is compiled. Use [`cloud_tasks::event::Filter`]
//! and the options of `#[task]`; this crate has no interface of its own that stays the same.
//!
//! [`cloud_tasks::event::Filter`]: https://docs.rs/cloud-tasks/latest/cloud_tasks/event/struct.Filter.html

pub mod filter;
pub mod limits;
pub mod names;
pub mod times;
