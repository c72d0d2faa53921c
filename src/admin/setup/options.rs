//! The options of a set-up.

use std::collections::BTreeSet;

/// The options of a set-up.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct Options {
    pub prune: bool,
    pub allow_data_loss: bool,
    pub skip_iam: bool,
    pub subscribers: bool,
    pub queues: bool,
    pub schedules: bool,
    /// The selected types; `None` selects all.
    pub only: Option<BTreeSet<String>>,
    /// As given, or from the metadata server.
    pub project_number: Option<u64>,
}

impl Options {
    /// Whether this task, publisher or subscriber is selected.
    pub fn takes(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(name))
    }
}
