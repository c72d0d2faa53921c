//! A token as received: extracted and split, but not verified.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::auth::Refusal;

/// The maximum size of an `Authorization` header; Google's tokens have about 1 KiB.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// What Cloud Run puts in place of a signature that it has verified.
const SIGNATURE_REMOVED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// The three parts of a token.
#[derive(Clone, Copy)]
pub(crate) struct Token<'a> {
    /// The complete text.
    pub text: &'a str,
    /// The signed part: the first two parts and the dot between them.
    pub signed: &'a str,
    header: &'a str,
    claims: &'a str,
    pub signature: &'a str,
}

/// The checked members of a token's header.
#[derive(Deserialize)]
pub(crate) struct Header {
    pub alg: String,
    kid: Option<String>,
    /// Whether the member is present, whatever its value.
    #[serde(default, deserialize_with = "present")]
    pub crit: bool,
}

impl Header {
    /// The id of the key that signed the token, according to its header.
    pub fn key_id(self) -> Result<String, Refusal> {
        self.kid.ok_or(Refusal::Malformed("the token names no key"))
    }
}

impl<'a> Token<'a> {
    /// The token of the only `Authorization: Bearer` header.
    pub fn of(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().ok_or(Refusal::NoToken)?;
        if values.next().is_some() {
            return Err(Refusal::Malformed("there are several Authorization headers"));
        }
        if value.len() > MAX_HEADER_BYTES {
            return Err(Refusal::Malformed("the Authorization header is too large"));
        }
        let text = value.to_str().unwrap_or_default();
        let (scheme, token) = text.split_once(' ').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::Malformed(
                "the Authorization header is not a Bearer token",
            ));
        }
        Self::split(token.trim_matches(' '))
    }

    /// Splits a token.
    pub fn split(text: &'a str) -> Result<Self, Refusal> {
        let parts = text
            .rsplit_once('.')
            .and_then(|(signed, signature)| Some((signed, signed.split_once('.')?, signature)))
            .filter(|(_, (_, claims), _)| !claims.contains('.'));
        let (signed, (header, claims), signature) =
            parts.ok_or(Refusal::Malformed("the token has not three parts"))?;
        Ok(Self {
            text,
            signed,
            header,
            claims,
            signature,
        })
    }

    /// Whether the platform verified the signature and removed it.
    pub fn was_checked_by_platform(&self) -> bool {
        self.signature == SIGNATURE_REMOVED
    }

    /// The decoded header.
    pub fn header(&self) -> Result<Header, Refusal> {
        decode(self.header)
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or(Refusal::Malformed("the token's header does not decode"))
    }

    /// The JSON of the claims.
    pub fn claims(&self) -> Result<Vec<u8>, Refusal> {
        decode(self.claims).ok_or(Refusal::Claims)
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}
