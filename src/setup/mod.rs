//! Set-up: what the code asks for is made in the cloud.

mod admin;
mod report;
mod shape;
mod subscribers;

pub use report::SetUpReport;
