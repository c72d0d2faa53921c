//! The tokens of requests, valid or not.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde_json::json;

use super::key::Key;
use crate::base::{Config, Error};

const ISSUER: &str = "https://accounts.google.com";
/// The account of tokens if the settings name none.
pub(super) const ACCOUNT: &str = "tasks@testing.iam.gserviceaccount.com";
/// The lifetime of Google's tokens in seconds.
const LIFETIME: u64 = 60 * 60;

/// The content of a request's token, and how it is signed.
#[derive(Clone)]
pub(super) struct Token {
    pub audience: String,
    pub account: String,
    pub expired: bool,
    pub signature: Signature,
    /// When it was issued, in seconds since 1970; `None` means now.
    pub issued: Option<u64>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Signature {
    Right,
    Wrong,
    /// There is no token.
    None,
}

impl Token {
    /// The token that Google's services would send to a service with these settings.
    pub fn of(config: &Config) -> Self {
        Self {
            audience: config.base_url().to_owned(),
            account: config.service_account().unwrap_or(ACCOUNT).to_owned(),
            expired: false,
            signature: Signature::Right,
            issued: None,
        }
    }

    /// The `Authorization` header, if there is a token.
    pub fn header(&self, key: &Key) -> Result<Option<HeaderValue>, Error> {
        if self.signature == Signature::None {
            return Ok(None);
        }
        let header = json!({"alg": "RS256", "kid": key.id, "typ": "JWT"}).to_string();
        let encode = |text: &[u8]| URL_SAFE_NO_PAD.encode(text);
        let signed = format!(
            "{}.{}",
            encode(header.as_bytes()),
            encode(self.claims().as_bytes())
        );
        let mut signature = key.sign(&signed)?;
        if self.signature == Signature::Wrong {
            signature.reverse();
        }
        let value = format!("Bearer {signed}.{}", encode(&signature));
        // Base64 and dots are always valid in a header.
        Ok(HeaderValue::try_from(value).ok())
    }

    /// In Google's format.
    fn claims(&self) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let issued = match self.issued {
            Some(issued) => issued,
            None if self.expired => now.saturating_sub(2 * LIFETIME),
            None => now,
        };
        json!({
            "aud": self.audience,
            "azp": "112233445566778899000",
            "email": self.account,
            "email_verified": true,
            "exp": issued + LIFETIME,
            "iat": issued,
            "iss": ISSUER,
            "sub": "112233445566778899000",
        })
        .to_string()
    }
}

/// The token options of all requests.
macro_rules! token_options {
    ($request:ty) => {
        impl $request {
            /// Omits the token: the response is 401 if callers are verified.
            pub fn unsigned(mut self) -> Self {
                self.token.signature = super::token::Signature::None;
                self
            }

            /// Breaks the signature of the token: the response is 401.
            pub fn forged(mut self) -> Self {
                self.token.signature = super::token::Signature::Wrong;
                self
            }

            /// Uses a token that expired an hour ago: the response is 401.
            pub fn expired(mut self) -> Self {
                self.token.expired = true;
                self
            }

            /// Uses a token for this audience instead of the endpoint of the settings: the response is 403, unless the
            /// audience is trusted.
            pub fn audience(mut self, audience: impl Into<String>) -> Self {
                self.token.audience = audience.into();
                self
            }

            /// Uses a token of this account instead of that of the settings: the response is 403, unless the account is
            /// trusted.
            pub fn account(mut self, email: impl Into<String>) -> Self {
                self.token.account = email.into();
                self
            }
        }

        impl std::fmt::Debug for $request {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($request))
                    .field("url", &self.url)
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(super) use token_options;
