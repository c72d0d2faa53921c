//! The reasons to reject a caller.

use std::fmt;
use std::time::Duration;

/// Why a caller was rejected. Contains nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "google"),
    expect(dead_code, reason = "without it there is no verifier")
)]
pub(crate) enum Refusal {
    /// No caller is trusted, so no token can help.
    NobodyTrusted,
    NoToken,
    /// Not exactly one `Authorization: Bearer` header with a token of three parts.
    Malformed(&'static str),
    Algorithm,
    /// The token requires extensions, none of which are supported.
    Critical,
    UnknownKey,
    /// Its key is not among those that were fetched last, and newer ones are not fetched so soon.
    KeyNotFetched(Duration),
    Signature,
    /// A claim is missing or has another type.
    Claims,
    Expired,
    NotYetValid,
    /// The token was issued in the future.
    IssuedLater,
    Issuer,
    Audience,
    Account,
    EmailNotVerified,
    /// There are no keys to verify with, which is not the caller's fault.
    NoKeys(Duration),
}

impl Refusal {
    /// Whether the token is valid, but of an account that is not trusted.
    pub fn is_foreign(self) -> bool {
        matches!(
            self,
            Self::Issuer | Self::Audience | Self::Account | Self::EmailNotVerified
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NobodyTrusted => "no account is trusted here",
            Self::NoToken => "there is no token",
            Self::Malformed(what) => what,
            Self::Algorithm => "the token is not signed with RS256",
            Self::Critical => "the token has critical extensions",
            Self::UnknownKey => "the token is signed with an unknown key",
            Self::KeyNotFetched(_) => "the token's key is not known, and keys were fetched a moment ago",
            Self::Signature => "the token's signature is wrong",
            Self::Claims => "the token's claims are incomplete",
            Self::Expired => "the token is expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::IssuedLater => "the token was issued in the future",
            Self::Issuer => "the token's issuer is not trusted",
            Self::Audience => "the token is meant for another audience",
            Self::Account => "the token's account is not trusted",
            Self::EmailNotVerified => "the token's e-mail is not verified",
            Self::NoKeys(_) => "the keys to check tokens with are out of reach",
        })
    }
}
