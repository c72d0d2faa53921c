//! Who signs the requests of tests.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::Full;

use super::key::Key;
use super::token::{ACCOUNT, Token};
use crate::auth::TrustedCallers;
use crate::base::Error;
use crate::runtime::{InProcess, RuntimeBuilder};

/// Makes the requests that Google's services make, signed so that a runtime of the same test believes them.
///
/// Its key is made once a process and never leaves it. A runtime trusts it only where the code says so: with `verified_by`,
/// or with [`callers`](Self::callers); no setting does. It makes
/// [callbacks](Self::callback) of tasks, [pushes](Self::push) of messages and [runs of schedules](Self::scheduled).
///
/// ```standalone_crate
/// use cloud_tasks::testing::Signer;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
/// use tower::ServiceExt;
///
/// #[derive(Serialize, Deserialize)]
/// struct Charge { invoice: u64 }
///
/// #[task]
/// impl Task for Charge {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let signer = Signer::new()?;
/// let (runtime, _recorder) = Runtime::recorded().verified_by(&signer).build().await?;
/// let charge = signer.callback(&runtime, &Charge { invoice: 7 });
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
    /// The signer of this process.
    ///
    /// # Errors
    ///
    /// When the machine makes no key.
    pub fn new() -> Result<Self, Error> {
        Key::get().map(|key| Self { key })
    }

    /// The callers that are believed when this signer signed for them; nothing is fetched.
    ///
    /// For a runtime of any mode that takes [`TrustedCallers`]; that its tokens are of the settings' account and for the settings'
    /// endpoint is checked as ever. Where the settings name no account, tokens are of one that these callers trust.
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

    /// A request of these parts, signed as the token says.
    pub(super) fn request(
        self,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
        token: &Token,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::post(url)
            .body(Full::new(body))
            .map_err(|error| Error::invalid(format!("no request to {url} was made: {error}")))?;
        *request.headers_mut() = headers;
        if let Some(value) = token.header(self.key)? {
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        Ok(request)
    }
}

impl RuntimeBuilder<InProcess> {
    /// Lets in only callers whose requests this signer signed; without it everybody gets in.
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn verified_by(self, signer: &Signer) -> Self {
        self.change_mode(|mode| mode.set_callers(signer.callers()))
    }
}

/// Adds a header, or says why not.
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
