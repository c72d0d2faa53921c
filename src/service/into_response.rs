//! `IntoResponse` of axum for [`Error`].

use axum_core::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;

use crate::base::Error;
use crate::service::respond::whole_seconds;

/// An error as the response of an axum handler: [`Error::status`], with `Retry-After` if a retry may succeed.
///
/// The body says neither what failed nor why, since the client is a stranger; the error is logged.
///
/// ```standalone_crate
/// use axum::{Router, http::StatusCode, routing::post};
/// use cloud_tasks::{Context, Error, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct SendInvoice { id: u64 }
///
/// #[task]
/// impl Task for SendInvoice {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// async fn pay() -> Result<StatusCode, Error> {
///     SendInvoice { id: 7 }.asap().await?;
///     Ok(StatusCode::ACCEPTED)
/// }
///
/// let app: Router = Router::new().route("/pay", post(pay));
/// # let _ = app;
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        tracing::error!(error = format!("{self:#}"), %status, "a request failed");
        let Some(pause) = self.retry_after() else {
            return (status, "The request could not be handled\n").into_response();
        };
        let retry_after = [(RETRY_AFTER, whole_seconds(pause))];
        (
            status,
            retry_after,
            "The request cannot be handled now, try again later\n",
        )
            .into_response()
    }
}
