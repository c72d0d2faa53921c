//! What the `#[task]` attribute accepts: it is enough that this compiles. Several tasks share a name, so no runtime is built here.
#![deny(future_incompatible, non_ascii_idents)]
#![allow(
    missing_docs,
    missing_debug_implementations,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]

mod constants;
// Public, as the lints that it denies are about what is public.
pub mod lints;
mod model_publishers;
mod models;
mod options;
mod publishers;
mod renamed;
mod retry_options;
mod schedule_options;
mod signatures;
mod states;
mod subscriber_options;
mod subscribers;
mod types;
mod unique;
