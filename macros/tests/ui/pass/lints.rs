//! The expansion passes where the user's crate is strict.
#![forbid(unsafe_code)]
#![deny(warnings, unused, future_incompatible, rust_2018_idioms, missing_docs, unreachable_pub)]
#![deny(unused_qualifications, missing_debug_implementations, missing_copy_implementations)]
#![deny(trivial_casts, trivial_numeric_casts, single_use_lifetimes, unused_results, variant_size_differences)]
#![deny(let_underscore_drop, non_ascii_idents, unused_lifetimes, unused_macro_rules, redundant_lifetimes)]
#![deny(absolute_paths_not_starting_with_crate, elided_lifetimes_in_paths, explicit_outlives_requirements)]
#![deny(non_local_definitions, redundant_imports, unit_bindings, ambiguous_negative_literals)]

use core::time::Duration;

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

/// Public.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[deprecated]
pub struct Old(String);

#[task(name = "Old", aliases = ["Older"], queue = "emails", timeout = "2m")]
#[allow(deprecated)]
impl Task for Old {
    async fn run(self, _cx: Context<(String, Duration)>) -> TaskResult<String> {
        Ok(self.0)
    }
}

fn main() {}
