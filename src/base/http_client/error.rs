//! Why a request has no response.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use http::{Response, StatusCode, header};
use hyper_util::client::legacy;

use crate::base::error::BoxError;
use crate::base::text::excerpt;

/// Why a request has no response.
#[derive(Debug)]
pub(crate) enum HttpError {
    /// The system has no root certificates.
    Roots(io::Error),
    /// No connection was made, so nothing was sent.
    Connect(BoxError),
    /// The request was sent, at least in part.
    Failed(BoxError),
    /// The body broke off.
    Body(BoxError),
    /// No connection was made within the time limit, so nothing was sent.
    ConnectTimedOut(Duration),
    /// The response was not complete within the time limit.
    TimedOut(Duration),
    /// The body exceeds this many bytes.
    TooLarge(usize),
    /// The server sends the client elsewhere.
    Redirect { status: StatusCode, location: String },
}

impl HttpError {
    pub fn from_client(error: legacy::Error) -> Self {
        if error.is_connect() {
            Self::Connect(error.into())
        } else {
            Self::Failed(error.into())
        }
    }

    pub fn redirect<B>(response: &Response<B>) -> Self {
        let location = response.headers().get(header::LOCATION);
        let location = location.map(|value| String::from_utf8_lossy(value.as_bytes()));
        Self::Redirect {
            status: response.status(),
            location: excerpt(&location.unwrap_or_default()).into_owned(),
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roots(_) => f.write_str("the system has no root certificates"),
            Self::Connect(_) => f.write_str("the connection was not made"),
            Self::Failed(_) => f.write_str("the connection broke before the response"),
            Self::Body(_) => f.write_str("the connection broke within the response"),
            Self::ConnectTimedOut(timeout) => write!(f, "no connection was made within {timeout:?}"),
            Self::TimedOut(timeout) => write!(f, "no complete response within {timeout:?}"),
            Self::TooLarge(bytes) => write!(f, "the response has more than {bytes} bytes"),
            Self::Redirect { status, location } => {
                write!(
                    f,
                    "the answer is {status}, a redirect to {location}, which is not followed"
                )
            }
        }
    }
}

impl StdError for HttpError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Roots(error) => Some(error),
            Self::Connect(error) | Self::Failed(error) | Self::Body(error) => Some(&**error),
            Self::ConnectTimedOut(_) | Self::TimedOut(_) | Self::TooLarge(_) | Self::Redirect { .. } => None,
        }
    }
}
