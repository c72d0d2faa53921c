//! Substitutes for the Google backend without the feature `google`.

use std::future::Ready;

use crate::backend::Connected;
use crate::base::{Config, Invalid};
use crate::registry::Role;

/// The services behind a backend: none.
#[derive(Clone, Default)]
pub(crate) struct Services {}

impl Services {
    /// Whether messages come from Google's Pub/Sub.
    #[expect(clippy::unused_self, reason = "as with Google")]
    pub fn has_google_pubsub(&self) -> bool {
        false
    }

    /// Fetches no token: nothing is called.
    #[expect(clippy::unused_self, reason = "as with Google")]
    pub fn prefetch_token(&self) -> Option<Ready<()>> {
        None
    }
}

/// The configuration of the Google clients, which do not exist.
#[derive(Default)]
pub(crate) struct Google;

impl Google {
    #[expect(clippy::unused_async, reason = "with the feature, this is awaited")]
    pub(crate) async fn open(
        self,
        _config: &mut Config,
        _role: Role,
    ) -> Result<(Connected, Services), Vec<Invalid>> {
        Err(vec![Invalid::because(
            "there is no backend: enable the feature `google`, set CLOUD_TASKS_MODE=eager, or use `.backend(..)`",
        )])
    }
}
