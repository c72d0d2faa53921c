//! The cache of verified tokens.

use serde_json::json;

use super::tokens::{claims, good, header, now, sign, with};
use super::*;
use crate::auth::rules::SKEW;

#[tokio::test]
async fn a_token_seen_before_is_not_checked_again_and_one_that_differs_in_a_letter_is() {
    let server = key_server().await;
    let mut verifier = verifier_of(callers(&server));
    let token = good(ENDPOINT);
    assert_eq!(verify(&verifier, &token).await, Ok(()));
    verifier.checks.signature = |_, _| Err(Refusal::Signature);
    let (_, signature) = token.rsplit_once('.').unwrap();
    let theirs = tokens::unsigned(&header().to_string(), &claims(SECOND_AUDIENCE).to_string());

    assert_eq!(verify(&verifier, &token).await, Ok(()));
    assert_eq!(
        verify(&verifier, &format!("{theirs}.{signature}")).await,
        Err(Refusal::Signature)
    );
}

#[tokio::test]
async fn a_token_that_was_refused_is_not_remembered() {
    let server = key_server().await;
    let verifier = verifier_of(callers(&server));

    for (token, refusal) in [
        (good("https://other.example"), Refusal::Audience),
        (format!("{}A", good(ENDPOINT)), Refusal::Signature),
    ] {
        assert_eq!(verify(&verifier, &token).await, Err(refusal));
    }

    assert_eq!(verifier.seen.bytes(), 0);
}

#[tokio::test]
async fn a_token_is_remembered_until_it_expires() {
    let seen = TokenCache::new();
    let text = good(ENDPOINT);
    let token = Token::split(&text).unwrap();
    let exp = now() + 60;

    seen.insert(&token, Opens::Everything, exp, 0);

    assert!(seen.has(text.as_bytes(), &NOTE, 0, exp + SKEW - 1));
    assert!(!seen.has(text.as_bytes(), &NOTE, 0, exp + SKEW));
    assert!(!seen.has(text.as_bytes(), &NOTE, 1, exp - 1));
}

#[tokio::test]
async fn a_flood_of_good_tokens_takes_no_more_than_four_megabytes() {
    let seen = TokenCache::new();
    let text = sign(
        &header(),
        &with(claims(ENDPOINT), json!({"pad": "x".repeat(1000)})),
    );
    let token = Token::split(&text).unwrap();

    for number in 0..20_000 {
        let signature = format!("{number:0>342}");
        let text = format!("{}.{signature}", token.signed);
        seen.insert(&Token::split(&text).unwrap(), Opens::Everything, now() + 60, 0);
    }

    assert!(seen.bytes() > 2 * 1024 * 1024, "{}", seen.bytes());
    assert!(seen.bytes() <= 4 * 1024 * 1024, "{}", seen.bytes());
}
