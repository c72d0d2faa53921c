//! What an instance fetches while it starts, so that its first requests do not wait for it.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::registry::Role;
use crate::runtime::Runtime;

/// How long a build waits. On Google's machines both fetches take a fraction of this; elsewhere it is the price of a network that
/// does not answer.
const LIMIT: Duration = Duration::from_secs(1);

impl Runtime {
    /// Fetches the first access token and the keys of callers, if Google is called.
    ///
    /// What takes too long goes on in tasks of its own, and what fails is fetched again when it is needed.
    pub(super) async fn warm_up(&self) {
        let Some(token) = self.inner.services.prefetch_token() else {
            return;
        };
        let mut fetches = vec![tokio::spawn(token)];
        let runs_tasks = self.inner.role == Role::Runs;
        let keys = self.inner.requests.access.prefetch_keys();
        fetches.extend(keys.filter(|_| runs_tasks).map(tokio::spawn));
        if timeout(LIMIT, join_all(fetches)).await.is_err() {
            tracing::debug!(
                "the access token or the keys of callers did not come within {LIMIT:?}; the build does not wait for them"
            );
        }
    }
}
