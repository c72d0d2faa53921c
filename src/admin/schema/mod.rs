//! JSON Schemas of tasks and events, and what a change means for what waits in queues.
//!
//! A type that derives `schemars::JsonSchema` has a schema as soon as the feature `schema` is on; any other has none. The
//! guide [Changing a payload](crate::guide::changing_a_payload) shows how to use them in CI.

mod alternatives;
mod asyncapi;
mod compare;
mod contract;
mod contracts;
mod values;

pub use compare::Change;
pub use contract::Contract;
pub use contracts::{Contracts, NamedContract};
