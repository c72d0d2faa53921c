//! The claims of a token, with strict types.

use std::borrow::Cow;

use serde::Deserialize;

/// The claims that are checked. A missing claim or one of another type makes the token invalid.
///
/// This is stricter than JSON Web Tokens in general and than `jsonwebtoken`: the issuer is one string and not a list,
/// and times are integers. Google's tokens are like this.
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
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let audiences = match self {
            Self::One(audience) => std::slice::from_ref(audience),
            Self::Several(audiences) => audiences,
        };
        audiences.iter().map(AsRef::as_ref)
    }
}
