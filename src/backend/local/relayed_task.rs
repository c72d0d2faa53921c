//! Passing an attempt of a task on to the service, and looking at the response.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};

use crate::backend::local::emulator::Emulator;
use crate::base::BoxError;
use crate::base::http_client::HttpError;
use crate::base::limits::INDEFINITELY;

/// The emulator accepts no larger task.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// Sends the emulator's request to the URL in its path, and returns the status of the response. The emulator knows the
/// deadline, and hangs up.
///
/// # Errors
///
/// If there was no response. Then the emulator must not get one either, to count the attempt as unreachable.
pub(crate) async fn pass_on<B>(
    emulator: &Emulator,
    request: Request<B>,
    target: &str,
) -> Result<Response<Full<Bytes>>, BoxError>
where
    B: Body<Error: Into<BoxError>>,
{
    let (mut parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_BYTES).collect().await?.to_bytes();
    parts.uri = format!("http://{target}").parse()?;
    // The client sets these for its own connection.
    for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    let status = match emulator
        .call(Request::from_parts(parts, body), INDEFINITELY)
        .await
    {
        Ok(status) | Err(HttpError::Redirect { status, .. }) => status,
        Err(error) => return Err(error.into()),
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    Ok(response)
}
