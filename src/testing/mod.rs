//! What tests need beyond a [`Recorder`](crate::Recorder): single attempts, and requests to a whole service.
//!
//! [`Runtime::perform`](crate::Runtime::perform) runs one task with metadata of your choice, and tells what came of it. A
//! [`Signer`] makes the requests that Cloud Tasks, Pub/Sub and Cloud Scheduler make, signed with a key that a runtime built
//! with `verified_by(&signer)` trusts. The [guide](crate::guide::testing) has all of it.
//!
//! ```standalone_crate
//! use axum::Router;
//! use cloud_tasks::testing::Signer;
//! use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
//! use serde::{Deserialize, Serialize};
//! use tower::ServiceExt;
//!
//! #[derive(Serialize, Deserialize)]
//! struct SendWelcomeEmail { user_id: u64 }
//!
//! #[task(queue = "emails")]
//! impl Task for SendWelcomeEmail {
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
//! let performed = runtime.perform(SendWelcomeEmail { user_id: 7 }).attempt(3).await?;
//! assert_eq!(performed.assert_done(), "sent to 7 in attempt 3");
//!
//! let app: Router = Router::new().layer(runtime.layer());
//! let request = signer.callback(&runtime, &SendWelcomeEmail { user_id: 7 }).attempt(3).request()?;
//! assert_eq!(app.oneshot(request).await?.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! Nothing here is shared between tests but the key, so they may run side by side.

mod callback;
mod key;
mod perform;
mod perform_message;
mod performed;
mod push;
mod scheduled;
mod signer;
mod token;

pub use callback::CallbackRequest;
pub use perform::Perform;
pub use perform_message::PerformMessage;
pub use performed::Performed;
pub use push::PushRequest;
pub use scheduled::ScheduledRequest;
pub use signer::Signer;
