//! The rules for a valid token.

use jsonwebtoken::Algorithm;

use crate::auth::Refusal;
use crate::auth::access::Called;
use crate::auth::audience::Audiences;
use crate::auth::claims::Claims;
use crate::auth::jwks::Key;
use crate::auth::token::{Header, Token};

/// How far two clocks may differ, in seconds.
pub(crate) const SKEW: u64 = 10;

/// The accepted issuers, audiences and accounts.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub issuers: Vec<String>,
    pub audiences: Audiences,
    pub accounts: Vec<String>,
}

/// Every check as a separate entry, so that tests can remove one and prove that it matters.
pub(crate) struct Checks {
    pub header: Vec<HeaderCheck>,
    pub signature: SignatureCheck,
    pub claims: Vec<ClaimCheck>,
}

type HeaderCheck = fn(&Header) -> Result<(), Refusal>;
type SignatureCheck = fn(&Token<'_>, &Key) -> Result<(), Refusal>;
/// `now` is in seconds since 1970.
type ClaimCheck = fn(&Rules, &Claims<'_>, &Called<'_>, now: u64) -> Result<(), Refusal>;

impl Default for Checks {
    fn default() -> Self {
        Self {
            header: vec![
                |header| (header.alg == "RS256").or(Refusal::Algorithm),
                |header| (!header.crit).or(Refusal::Critical),
            ],
            signature,
            claims: vec![
                issuer,
                audience,
                expired,
                not_yet_valid,
                issued_later,
                account,
                email_verified,
            ],
        }
    }
}

fn signature(token: &Token<'_>, key: &Key) -> Result<(), Refusal> {
    // RS256 whatever the header says: a key is never used with another algorithm.
    jsonwebtoken::crypto::verify(
        token.signature,
        token.signed.as_bytes(),
        &key.decoding,
        Algorithm::RS256,
    )
    .unwrap_or(false)
    .or(Refusal::Signature)
}

fn issuer(rules: &Rules, claims: &Claims<'_>, _called: &Called<'_>, _now: u64) -> Result<(), Refusal> {
    let trusted = rules.issuers.iter().any(|issuer| *issuer == claims.iss);
    trusted.or(Refusal::Issuer)
}

fn audience(rules: &Rules, claims: &Claims<'_>, called: &Called<'_>, _now: u64) -> Result<(), Refusal> {
    let opens = rules.audiences.opened_by(&claims.aud, called);
    opens.is_some().or(Refusal::Audience)
}

fn expired(_rules: &Rules, claims: &Claims<'_>, _called: &Called<'_>, now: u64) -> Result<(), Refusal> {
    (now < claims.exp.saturating_add(SKEW)).or(Refusal::Expired)
}

fn not_yet_valid(_rules: &Rules, claims: &Claims<'_>, _called: &Called<'_>, now: u64) -> Result<(), Refusal> {
    (claims.nbf.is_none_or(|nbf| nbf <= now + SKEW)).or(Refusal::NotYetValid)
}

fn issued_later(_rules: &Rules, claims: &Claims<'_>, _called: &Called<'_>, now: u64) -> Result<(), Refusal> {
    (claims.iat.is_none_or(|iat| iat <= now + SKEW)).or(Refusal::IssuedLater)
}

fn account(rules: &Rules, claims: &Claims<'_>, _called: &Called<'_>, _now: u64) -> Result<(), Refusal> {
    let trusted = rules.accounts.iter().any(|email| *email == claims.email);
    trusted.or(Refusal::Account)
}

fn email_verified(
    _rules: &Rules,
    claims: &Claims<'_>,
    _called: &Called<'_>,
    _now: u64,
) -> Result<(), Refusal> {
    claims.email_verified.or(Refusal::EmailNotVerified)
}

/// Turns a failed condition into a refusal.
trait OrRefuse {
    fn or(self, refusal: Refusal) -> Result<(), Refusal>;
}

impl OrRefuse for bool {
    fn or(self, refusal: Refusal) -> Result<(), Refusal> {
        if self { Ok(()) } else { Err(refusal) }
    }
}
