//! Test helpers: a [`Recorder`], single attempts, and requests to a whole service.
//!
//! [`Runtime::perform`](crate::Runtime::perform) runs one task with the metadata of your choice and returns the
//! outcome. A [`Signer`] creates the requests of Cloud Tasks, Pub/Sub and Cloud Scheduler, signed with a key that a
//! runtime built with `verified_by(&signer)` trusts. See the [testing guide](crate::guide::testing).
//!
//! ```
//! use axum::Router;
//! use cloud_tasks::testing::Signer;
//! use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
//! use serde::{Deserialize, Serialize};
//! use tower::ServiceExt;
//!
//! #[derive(Serialize, Deserialize)]
//! struct SendVoucher { user_id: u64 }
//!
//! #[task(queue = "emails")]
//! impl Task for SendVoucher {
//!     async fn run(self, cx: Context) -> TaskResult<String> {
//!         Ok(format!("sent to {} in attempt {}", self.user_id, cx.metadata().attempt()))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let signer = Signer::new()?;
//! let (runtime, _recorder) = Runtime::recorded().verified_by(&signer).build().await?;
//!
//! let performed = runtime.perform(SendVoucher { user_id: 7 }).attempt(3).await?;
//! assert_eq!(performed.assert_done(), "sent to 7 in attempt 3");
//!
//! let app: Router = Router::new().layer(runtime.layer());
//! let request = signer.callback(&runtime, &SendVoucher { user_id: 7 }).attempt(3).request()?;
//! assert_eq!(app.oneshot(request).await?.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! Tests share nothing but the key, so they may run in parallel.

#[cfg(feature = "testing")]
mod callback;
#[cfg(feature = "testing")]
mod key;
#[cfg(not(feature = "testing"))]
mod no_feature;
#[cfg(feature = "testing")]
mod perform;
#[cfg(feature = "testing")]
mod perform_message;
#[cfg(feature = "testing")]
mod performed;
#[cfg(feature = "testing")]
mod push;
mod recorder;
mod registered;
#[cfg(feature = "testing")]
mod scheduled;
#[cfg(feature = "testing")]
mod signer;
#[cfg(feature = "testing")]
pub mod simulation;
#[cfg(feature = "testing")]
mod token;

pub use recorder::{Drain, Recorded, RecordedTask, Recorder};
pub use registered::assert_registered;

#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub use callback::CallbackRequest;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub use perform::Perform;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub use perform_message::PerformMessage;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub use performed::Performed;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub use push::PushRequest;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub use scheduled::ScheduledRequest;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub use signer::Signer;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub use simulation::simulate;
