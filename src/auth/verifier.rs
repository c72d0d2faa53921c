//! The verification of a caller.

use std::time::UNIX_EPOCH;

use http::HeaderMap;
use jsonwebtoken::crypto::aws_lc;

use crate::auth::Refusal;
use crate::auth::access::Called;
use crate::auth::audience::Opens;
use crate::auth::claims::Claims;
use crate::auth::key_cache::Keys;
use crate::auth::refusal_log::Foreign;
use crate::auth::rules::{Checks, Rules};
use crate::auth::token::{Token, bearer};
use crate::auth::token_cache::TokenCache;
use crate::base::headers::SERVERLESS;
use crate::base::process;

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
    pub fn new(rules: Rules, keys: Keys, trusts_platform: bool) -> Self {
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

    /// Fetches the keys before the first token arrives.
    pub fn prefetch_keys(&self) -> impl Future<Output = ()> + Send + use<> {
        self.keys.prefetch()
    }

    /// The accounts and the audiences that open every route.
    pub fn trusted(&self) -> (&[String], &[String]) {
        (&self.rules.accounts, self.rules.audiences.general())
    }

    /// Accepts a caller whose token was seen before, and refuses one without a token. `None` if it must be verified.
    pub fn decide(&self, called: &Called<'_>, headers: &HeaderMap) -> Option<Result<(), Refusal>> {
        let value = match self.bearer(headers) {
            Ok(value) => value,
            Err(refusal) => return Some(Err(refusal)),
        };
        let now = now();
        let seen = self
            .keys
            .read(|keys| self.seen.has(value, called, keys.epoch, now));
        match seen {
            Some(true) => Some(Ok(())),
            Some(false) | None => Token::read(value).err().map(Err),
        }
    }

    /// Accepts the caller, or returns the reason for the refusal.
    pub async fn verify(&self, called: &Called<'_>, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Some(verdict) = self.decide(called, headers) {
            return verdict;
        }
        let token = Token::read(self.bearer(headers)?)?;
        self.verify_token(called, &token).await
    }

    /// The text of the token, of which nothing is checked yet.
    fn bearer<'a>(&self, headers: &'a HeaderMap) -> Result<&'a [u8], Refusal> {
        if self.trusts_platform && headers.contains_key(SERVERLESS) {
            return Err(Refusal::Malformed(
                "there is an X-Serverless-Authorization header",
            ));
        }
        bearer(headers)
    }

    async fn verify_token(&self, called: &Called<'_>, token: &Token<'_>) -> Result<(), Refusal> {
        let now = now();
        let header = token.header()?;
        for check in &self.checks.header {
            check(&header)?;
        }
        if self.trusts_platform && token.was_checked_by_platform() {
            return self.check_claims(called, token, now).map(drop);
        }
        let id = header.key_id()?;
        let keys = self.keys.with(&id).await?;
        let key = keys.get(&id).ok_or(Refusal::UnknownKey)?;
        (self.checks.signature)(token, key)?;
        let (exp, opens) = self.check_claims(called, token, now)?;
        self.seen.insert(token, opens, exp, keys.epoch);
        Ok(())
    }

    /// The account and the audiences of a refused token, for the log. Use it only if the signature was valid.
    pub fn foreign(&self, called: &Called<'_>, headers: &HeaderMap) -> Option<Foreign> {
        let json = Token::read(bearer(headers).ok()?).ok()?.claims().ok()?;
        let claims: Claims<'_> = serde_json::from_slice(&json).ok()?;
        Some(Foreign {
            account: claims.email.into_owned(),
            received: claims.aud.all().map(str::to_owned).collect(),
            accepted: self.rules.audiences.accepted(called),
        })
    }

    /// Checks the claims, and returns the expiry of the token and the routes that it opens.
    fn check_claims(
        &self,
        called: &Called<'_>,
        token: &Token<'_>,
        now: u64,
    ) -> Result<(u64, Opens), Refusal> {
        let json = token.claims()?;
        let claims: Claims<'_> = serde_json::from_slice(&json).map_err(|_| Refusal::Claims)?;
        for check in &self.checks.claims {
            check(&self.rules, &claims, called, now)?;
        }
        let opens = self.rules.audiences.opened_by(&claims.aud, called);
        // `None` only in tests that omit the check of the audience.
        let opens = opens.unwrap_or_else(|| Opens::Route(called.endpoint, called.name.into()));
        Ok((claims.exp, opens))
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    process::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
