//! Waiting until all of Pub/Sub knows what the same run has made.

use std::time::Duration;

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};

/// The pauses before a call is repeated, about six seconds in all.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
    Duration::from_millis(3200),
];

/// Whether what a call depends on was made by the same run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Visibility {
    /// It was there before.
    Settled,
    /// It was made a moment ago, so the service may not find it yet.
    Recent,
}

impl Visibility {
    /// Makes a call, and repeats it a few times if it does not find what was made a moment ago.
    pub async fn wait_for<T, F>(self, call: impl Fn() -> F) -> Result<T, GoogleError>
    where
        F: Future<Output = Result<T, GoogleError>>,
    {
        if self == Self::Recent {
            for pause in PAUSES {
                match call().await {
                    Err(error) if is_not_found(&error) => tokio::time::sleep(pause).await,
                    outcome => return outcome,
                }
            }
        }
        call().await
    }
}

fn is_not_found(error: &GoogleError) -> bool {
    error.status().is_some_and(|status| status.code == Code::NotFound)
}
