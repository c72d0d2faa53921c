//! The tokens of requests, in order or not.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde_json::json;

use super::key::{KEY_ID, Key};
use crate::base::{Config, Error};

const ISSUER: &str = "https://accounts.google.com";
/// Whom tokens are of where the settings name no account.
pub(super) const ACCOUNT: &str = "tasks@testing.iam.gserviceaccount.com";
/// Google's tokens last so long, in seconds.
const LIFETIME: u64 = 60 * 60;

/// What a request's token says, and whether it is one at all.
#[derive(Clone)]
pub(super) struct Token {
    pub audience: String,
    pub account: String,
    pub expired: bool,
    pub signature: Signature,
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
    pub(super) fn of(config: &Config) -> Self {
        Self {
            audience: config.base_url().to_owned(),
            account: config.service_account.as_deref().unwrap_or(ACCOUNT).to_owned(),
            expired: false,
            signature: Signature::Right,
        }
    }

    /// The `Authorization` header, where there is one.
    pub(super) fn header(&self, key: &Key) -> Result<Option<HeaderValue>, Error> {
        if self.signature == Signature::None {
            return Ok(None);
        }
        let header = json!({"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}).to_string();
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
        // Base64 and dots are always fit for a header.
        Ok(HeaderValue::try_from(value).ok())
    }

    /// As Google writes them.
    fn claims(&self) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let issued = if self.expired {
            now.saturating_sub(2 * LIFETIME)
        } else {
            now
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

/// Writes what all requests say of their tokens.
macro_rules! token_options {
    ($request:ty) => {
        impl $request {
            /// Leaves the token out: the answer is 401 where callers are verified.
            pub fn unsigned(mut self) -> Self {
                self.token.signature = super::token::Signature::None;
                self
            }

            /// Spoils the signature of the token: the answer is 401.
            pub fn forged(mut self) -> Self {
                self.token.signature = super::token::Signature::Wrong;
                self
            }

            /// Lets the token be one that expired an hour ago: the answer is 401.
            pub fn expired(mut self) -> Self {
                self.token.expired = true;
                self
            }

            /// Makes the token for this audience, and not for the endpoint of the settings: 403, unless it is trusted.
            pub fn audience(mut self, audience: impl Into<String>) -> Self {
                self.token.audience = audience.into();
                self
            }

            /// Makes the token of this account, and not of that of the settings: 403, unless it is trusted.
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
