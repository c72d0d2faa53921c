//! The unit tests: what the attribute parses, and what it expands to. A program of its own, for the reason that lib.rs gives.

mod expand;
mod parse;
mod tests;
