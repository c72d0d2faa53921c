//! The errors of our own HTTP clients, as those of Google's clients.

use bytes::Bytes;
use google_cloud_gax::error::{Error as GoogleError, rpc::Status};
use http::{HeaderMap, Response};

use crate::base::http_client::HttpError;

/// The error of a request without a response.
pub(crate) fn of_http(error: HttpError) -> GoogleError {
    match error {
        HttpError::Roots(_) | HttpError::Connect(_) | HttpError::ConnectTimedOut(_) => {
            GoogleError::connect(error)
        }
        HttpError::Failed(_) | HttpError::Body(_) => GoogleError::io(error),
        HttpError::TimedOut(_) => GoogleError::timeout(error),
        HttpError::TooLarge(_) => GoogleError::deser(error),
        HttpError::Redirect { status, location } => {
            GoogleError::http(status.as_u16(), HeaderMap::new(), location.into())
        }
    }
}

/// The body of a response, or the error that it reports.
pub(crate) fn of_response(response: Response<Bytes>) -> Result<Bytes, GoogleError> {
    let (parts, body) = response.into_parts();
    if parts.status.is_success() {
        return Ok(body);
    }
    let code = parts.status.as_u16();
    Err(match Status::try_from(&body) {
        Ok(status) => GoogleError::service_with_http_metadata(status, Some(code), Some(parts.headers)),
        Err(_) => GoogleError::http(code, parts.headers, body),
    })
}
