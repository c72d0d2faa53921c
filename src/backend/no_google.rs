//! What stands in for Google if the feature `google` is off.

use crate::backend::Connected;
use crate::base::Config;

/// The services behind a backend: none.
#[derive(Clone, Default)]
pub(crate) struct Services;

/// How Google is called: not at all.
#[derive(Default)]
pub(crate) struct Google;

impl Google {
    #[expect(clippy::unused_async, reason = "with the feature, this is awaited")]
    pub(crate) async fn open(self, _config: &mut Config) -> Result<(Connected, Services), Vec<String>> {
        Err(vec![
            "there is no backend: enable the feature `google`, set CLOUD_TASKS_EAGER, or name a `.backend(..)`"
                .to_owned(),
        ])
    }
}
