//! What a token says, in the types that it must say it in.

use std::borrow::Cow;

use serde::Deserialize;

/// The claims that decide anything; one that is missing or of another type makes the token unreadable.
///
/// Stricter than JSON Web Tokens are in general, and than `jsonwebtoken`'s own reading: an issuer is one text and not a
/// list of them, and times are whole numbers. Google's tokens are so.
#[derive(Deserialize)]
pub(crate) struct Claims<'a> {
    #[serde(borrow)]
    pub iss: Cow<'a, str>,
    #[serde(borrow)]
    pub aud: Audience<'a>,
    pub exp: u64,
    pub nbf: Option<u64>,
    pub iat: Option<u64>,
    #[serde(borrow)]
    pub email: Cow<'a, str>,
    pub email_verified: bool,
}

/// One audience, or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Several(#[serde(borrow)] Vec<Cow<'a, str>>),
}

impl Audience<'_> {
    /// Whether any of them is in a list.
    pub(crate) fn meets(&self, wanted: &[String]) -> bool {
        let is_wanted = |audience: &str| wanted.iter().any(|wanted| wanted == audience);
        match self {
            Self::One(audience) => is_wanted(audience),
            Self::Several(audiences) => audiences.iter().any(|audience| is_wanted(audience)),
        }
    }
}
