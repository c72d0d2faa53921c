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

const BEARER: &[u8] = b"bearer ";
const NO_BEARER: Refusal = Refusal::Malformed("the Authorization header is not a Bearer token");

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

/// The text of the only `Authorization: Bearer` header. It need not be text yet: only a token that was not seen before is
/// looked at closely.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&[u8], Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::NoToken)?;
    if values.next().is_some() {
        return Err(Refusal::Malformed("there are several Authorization headers"));
    }
    if value.len() > MAX_HEADER_BYTES {
        return Err(Refusal::Malformed("the Authorization header is too large"));
    }
    match value.as_bytes().split_at_checked(BEARER.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(BEARER) => Ok(trim_spaces(token)),
        _ => Err(NO_BEARER),
    }
}

fn trim_spaces(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(b" ") {
        text = rest;
    }
    while let Some(rest) = text.strip_suffix(b" ") {
        text = rest;
    }
    text
}

impl<'a> Token<'a> {
    /// Reads the text of [`bearer`].
    pub fn read(text: &'a [u8]) -> Result<Self, Refusal> {
        // No token contains other bytes.
        let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii());
        Self::split(text.ok_or(NO_BEARER)?)
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
