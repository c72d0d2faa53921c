//! The shared fixtures, and those that bring tasks into this program.

#[path = "../support/mod.rs"]
mod shared;

#[path = "../support/commit.rs"]
pub(crate) mod commit;
#[path = "../support/deliveries.rs"]
pub(crate) mod deliveries;
#[path = "../support/store_contract.rs"]
pub(crate) mod store_contract;

pub(crate) use shared::*;
