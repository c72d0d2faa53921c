//! What the tests of this program share.

#[path = "../support/deliveries.rs"]
pub(crate) mod deliveries;
#[path = "../support/store_contract.rs"]
pub(crate) mod store_contract;
