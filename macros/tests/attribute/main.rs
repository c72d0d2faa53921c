//! The `#[task]` attribute: what it accepts, what it refuses, and what the runtime goes by.

mod events;
mod registered;
mod ui;
