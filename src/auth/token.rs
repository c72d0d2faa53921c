//! A token as it arrives: taken out of its header and apart, with nothing believed yet.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::auth::Refusal;

/// The largest `Authorization` header that is looked at; Google's tokens have about 1 KiB.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// What Cloud Run puts in the place of a signature that it checked itself.
const SIGNATURE_REMOVED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// The three parts of a token.
#[derive(Clone, Copy)]
pub(crate) struct Token<'a> {
    /// The whole of it.
    pub text: &'a str,
    /// What is signed: the first two parts and the dot between them.
    pub signed: &'a str,
    header: &'a str,
    claims: &'a str,
    pub signature: &'a str,
}

/// The members of a token's header that decide anything.
#[derive(Deserialize)]
pub(crate) struct Header {
    pub alg: String,
    kid: Option<String>,
    /// Whether there is such a member, whatever it is.
    #[serde(default, deserialize_with = "present")]
    pub crit: bool,
}

impl Header {
    /// The id of the key that the token says it is signed with.
    pub(crate) fn key_id(self) -> Result<String, Refusal> {
        self.kid.ok_or(Refusal::Malformed("the token names no key"))
    }
}

impl<'a> Token<'a> {
    /// The token of the one `Authorization: Bearer` header.
    pub(crate) fn of(headers: &'a HeaderMap) -> Result<Self, Refusal> {
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
            return Err(Refusal::Malformed("the Authorization header is no Bearer token"));
        }
        Self::split(token.trim_matches(' '))
    }

    /// Takes a token apart.
    pub(crate) fn split(text: &'a str) -> Result<Self, Refusal> {
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

    /// Whether the platform took the signature away after it had checked it.
    pub(crate) fn was_checked_by_platform(&self) -> bool {
        self.signature == SIGNATURE_REMOVED
    }

    /// The header, decoded.
    pub(crate) fn header(&self) -> Result<Header, Refusal> {
        decode(self.header)
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or(Refusal::Malformed("the token's header does not decode"))
    }

    /// The JSON of the claims.
    pub(crate) fn claims(&self) -> Result<Vec<u8>, Refusal> {
        decode(self.claims).ok_or(Refusal::Claims)
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}
