//! The verification of a caller.

use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use jsonwebtoken::crypto::aws_lc;

use crate::auth::Refusal;
use crate::auth::access::SERVERLESS;
use crate::auth::claims::Claims;
use crate::auth::key_cache::Keys;
use crate::auth::rules::{Checks, Rules};
use crate::auth::token::Token;
use crate::auth::token_cache::TokenCache;

/// Verifies the callers of a runtime.
pub(crate) struct Verifier {
    rules: Rules,
    checks: Checks,
    keys: Keys,
    seen: TokenCache,
    /// Whether the platform in front of the service verifies signatures and removes them.
    trusts_platform: bool,
}

impl Verifier {
    pub(crate) fn new(rules: Rules, keys: Keys, trusts_platform: bool) -> Self {
        // `jsonwebtoken` needs a choice if a program links two of its back ends. A choice by the program stays.
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        Self {
            rules,
            checks: Checks::default(),
            keys,
            seen: TokenCache::new(),
            trusts_platform,
        }
    }

    /// Accepts a caller, or says why not.
    pub(crate) async fn verify(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.trusts_platform && headers.contains_key(SERVERLESS) {
            return Err(Refusal::Malformed(
                "there is an X-Serverless-Authorization header",
            ));
        }
        self.verify_token(&Token::of(headers)?).await
    }

    async fn verify_token(&self, token: &Token<'_>) -> Result<(), Refusal> {
        let now = now();
        let seen = self.keys.read(|keys| self.seen.has(token, keys.epoch, now));
        if seen == Some(true) {
            return Ok(());
        }
        let header = token.header()?;
        for check in &self.checks.header {
            check(&header)?;
        }
        if self.trusts_platform && token.was_checked_by_platform() {
            return self.check_claims(token, now).map(drop);
        }
        let id = header.key_id()?;
        let keys = self.keys.with(&id).await?;
        let key = keys.get(&id).ok_or(Refusal::UnknownKey)?;
        (self.checks.signature)(token, key)?;
        let exp = self.check_claims(token, now)?;
        self.seen.insert(token, exp, keys.epoch);
        Ok(())
    }

    /// Checks the claims, and returns when the token expires.
    fn check_claims(&self, token: &Token<'_>, now: u64) -> Result<u64, Refusal> {
        let json = token.claims()?;
        let claims: Claims<'_> = serde_json::from_slice(&json).map_err(|_| Refusal::Claims)?;
        for check in &self.checks.claims {
            check(&self.rules, &claims, now)?;
        }
        Ok(claims.exp)
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
