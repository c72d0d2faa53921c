//! What everything else stands on: errors, settings, names, JSON, time and the forms that travel.

pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod error;
pub(crate) mod future;
pub(crate) mod json;
pub(crate) mod metadata;
pub(crate) mod names;
pub(crate) mod outcome;
pub(crate) mod state;
pub(crate) mod wire;
