//! The `#[task]` attribute: what it refuses, and what the runtime goes by.

mod events;
mod refused;
mod registered;
