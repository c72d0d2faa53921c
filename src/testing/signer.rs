//! The signer of test requests.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::Full;

use super::key::Key;
use super::token::{ACCOUNT, Token};
use crate::auth::TrustedCallers;
use crate::base::Error;
use crate::runtime::{InProcess, RuntimeBuilder};

/// Creates the requests of Google's services, signed so that a runtime in the same test accepts them.
///
/// Its key is generated once per process and never leaves it. A runtime trusts it only if the code says so, with
/// `verified_by` or with [`callers`](Self::callers); no setting does. It creates [callbacks](Self::callback) of tasks,
/// [pushes](Self::push) of messages and [runs of schedules](Self::scheduled).
///
/// ```
/// use cloud_tasks::testing::Signer;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
/// use tower::ServiceExt;
///
/// #[derive(Serialize, Deserialize)]
/// struct ChargeTaxi { invoice: u64 }
///
/// #[task]
/// impl Task for ChargeTaxi {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let signer = Signer::new()?;
/// let (runtime, _recorder) = Runtime::recorded().verified_by(&signer).build().await?;
/// let charge = signer.callback(&runtime, &ChargeTaxi { invoice: 7 });
/// let stranger = charge.clone().account("stranger@example.iam.gserviceaccount.com");
///
/// for (request, status) in [(charge.clone(), 200), (charge.expired(), 401), (stranger, 403)] {
///     assert_eq!(runtime.service().oneshot(request.request()?).await?.status(), status);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Signer {
    key: &'static Key,
}

impl Signer {
    /// Returns the signer of this process.
    ///
    /// # Errors
    ///
    /// If no key can be generated.
    pub fn new() -> Result<Self, Error> {
        Key::get().map(|key| Self { key })
    }

    /// Returns callers that trust this signer; no keys are fetched.
    ///
    /// For a runtime of any mode that accepts [`TrustedCallers`]. Tokens must still be for the account and the endpoint
    /// of the settings. If the settings name no account, tokens are for an account that these callers trust.
    ///
    /// ```standalone_crate
    /// use cloud_tasks::testing::Signer;
    /// use cloud_tasks::backend::{Backend, BackendFuture, Envelope};
    /// use cloud_tasks::task::Enqueued;
    /// use cloud_tasks::Runtime;
    ///
    /// struct Nowhere;
    ///
    /// impl Backend for Nowhere {
    ///     fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
    ///         Box::pin(async move { Ok(Enqueued::new(envelope.queue(), "nowhere")) })
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let callers = Signer::new()?.callers();
    /// let runtime = Runtime::builder().backend(Nowhere).callers(callers).build().await?;
    /// # let _ = runtime;
    /// # Ok(())
    /// # }
    /// ```
    pub fn callers(&self) -> TrustedCallers {
        TrustedCallers::new()
            .account(ACCOUNT)
            .with_fixed_keys(self.key.public())
    }

    /// A request of these parts, with the token.
    pub(super) fn request(
        self,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
        token: &Token,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::post(url)
            .body(Full::new(body))
            .map_err(|error| Error::invalid(format!("building a request to {url} failed: {error}")))?;
        *request.headers_mut() = headers;
        if let Some(value) = token.header(self.key)? {
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        Ok(request)
    }
}

impl RuntimeBuilder<InProcess> {
    /// Accepts only requests that this signer signed. By default every caller is accepted.
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn verified_by(self, signer: &Signer) -> Self {
        self.change_mode(|mode| mode.set_callers(signer.callers()))
    }
}

/// Adds a header, or says why it is invalid.
pub(super) fn add_header(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Error> {
    let pair = name
        .parse::<HeaderName>()
        .ok()
        .zip(HeaderValue::from_str(value).ok());
    let (name, value) = pair.ok_or_else(|| {
        let accepted = "a name of letters, digits and `-`, and a value of one line";
        Error::invalid(format!(
            "the header {name:?}: {value:?} is not accepted: {accepted}"
        ))
    })?;
    headers.insert(name, value);
    Ok(())
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}
