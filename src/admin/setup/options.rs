//! What a set-up is asked to do.

use std::collections::BTreeSet;

/// What a set-up is asked to do.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Options {
    pub(crate) prune: bool,
    pub(crate) allow_data_loss: bool,
    pub(crate) subscribers: bool,
    pub(crate) queues: bool,
    pub(crate) schedules: bool,
    /// The tasks that are meant; all where it is `None`.
    pub(crate) only: Option<BTreeSet<String>>,
    /// As it was given, else as the metadata server says.
    pub(crate) project_number: Option<u64>,
}

impl Options {
    /// Whether this task, publisher or subscriber is meant.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(name))
    }
}
