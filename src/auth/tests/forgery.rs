//! The forgery matrix: tokens that must be rejected, tokens that must be accepted, and a proof that each check is
//! needed.

use jsonwebtoken::{Algorithm, EncodingKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::tokens::{claims, header, now, sign, sign_text, with};
use super::*;
use crate::auth::rules::{Checks, SKEW};

/// A forged token, and the expected refusal.
struct Forged {
    name: &'static str,
    authorization: Vec<String>,
    refusal: Refusal,
}

fn bearer(name: &'static str, token: impl AsRef<str>, refusal: Refusal) -> Forged {
    Forged {
        name,
        authorization: vec![format!("Bearer {}", token.as_ref())],
        refusal,
    }
}

/// A token signed by the issuer, with a modified header.
fn header_of(name: &'static str, changes: Value, refusal: Refusal) -> Forged {
    bearer(name, sign(&with(header(), changes), &claims(ENDPOINT)), refusal)
}

/// A token signed by the issuer, with modified claims.
fn claims_of(name: &'static str, changes: Value, refusal: Refusal) -> Forged {
    bearer(name, sign(&header(), &with(claims(ENDPOINT), changes)), refusal)
}

/// A token with this algorithm, signed with this key.
fn signed_with(name: &'static str, alg: &str, key: &EncodingKey, algorithm: Algorithm) -> Forged {
    let header = with(header(), json!({"alg": alg})).to_string();
    let token = sign_text(&header, &claims(ENDPOINT).to_string(), key, algorithm);
    bearer(name, token, Refusal::Algorithm)
}

/// A valid token with another signature part.
fn signature_of(name: &'static str, change: impl FnOnce(&str) -> String) -> Forged {
    let good = tokens::good(ENDPOINT);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    bearer(
        name,
        format!("{signed}.{}", change(signature)),
        Refusal::Signature,
    )
}

fn public_key() -> EncodingKey {
    let document = tokens::jwks([(KEY_ID, tokens::issuer_key())]);
    EncodingKey::from_secret(document["keys"][0]["n"].as_str().unwrap().as_bytes())
}

fn algorithms() -> Vec<Forged> {
    let rs256 = Algorithm::RS256;
    let issuer = tokens::issuer_key();
    let unsigned = |alg: &str| {
        let header = with(header(), json!({"alg": alg})).to_string();
        format!("{}.", tokens::unsigned(&header, &claims(ENDPOINT).to_string()))
    };
    let malformed = Refusal::Malformed("the token's header does not decode");
    vec![
        bearer("alg none, no signature", unsigned("none"), Refusal::Algorithm),
        bearer("alg nOnE, no signature", unsigned("nOnE"), Refusal::Algorithm),
        signed_with("alg none, signed by the issuer", "none", &issuer, rs256),
        signed_with(
            "HS256 with the public key",
            "HS256",
            &public_key(),
            Algorithm::HS256,
        ),
        signed_with("HS256 in the header alone", "HS256", &issuer, rs256),
        signed_with(
            "ES256 with a key on a curve",
            "ES256",
            &tokens::curve_key(),
            Algorithm::ES256,
        ),
        signed_with("ES256 in the header alone", "ES256", &issuer, rs256),
        signed_with(
            "RS512 in the header of an RS256 signature",
            "RS512",
            &issuer,
            rs256,
        ),
        signed_with("RS512 for real", "RS512", &issuer, Algorithm::RS512),
        signed_with("RS384 for real", "RS384", &issuer, Algorithm::RS384),
        signed_with("PS256 for real", "PS256", &issuer, Algorithm::PS256),
        signed_with("rs256 in lower case", "rs256", &issuer, rs256),
        header_of("alg missing", json!({"alg": null}), malformed),
        header_of("alg null", json!({"alg": {"null": true}}), malformed),
        header_of("alg a list", json!({"alg": ["RS256"]}), malformed),
        header_of("crit", json!({"crit": ["exp"]}), Refusal::Critical),
        header_of("crit empty", json!({"crit": []}), Refusal::Critical),
        header_of("crit null", json!({"crit": {"null": true}}), Refusal::Critical),
    ]
}

fn keys_and_signatures() -> Vec<Forged> {
    let other = |changes: Value| {
        let header = with(header(), changes).to_string();
        let claims = claims(ENDPOINT).to_string();
        sign_text(&header, &claims, &tokens::other_key(), Algorithm::RS256)
    };
    let their_jwk = &tokens::jwks([(KEY_ID, tokens::other_key())])["keys"][0];
    let (first, second) = (
        tokens::good(ENDPOINT),
        sign(&header(), &claims("https://other.example")),
    );
    let (signed, _) = first.rsplit_once('.').unwrap();
    let (_, signature) = second.rsplit_once('.').unwrap();
    let claims_replaced = {
        let (_, signature) = first.rsplit_once('.').unwrap();
        let theirs = with(claims(ENDPOINT), json!({"sub": "somebody else"}));
        format!(
            "{}.{signature}",
            tokens::unsigned(&header().to_string(), &theirs.to_string())
        )
    };
    vec![
        header_of(
            "kid unknown",
            json!({"kid": "key-2"}),
            Refusal::KeyNotFetched(LONG),
        ),
        header_of("kid empty", json!({"kid": ""}), Refusal::KeyNotFetched(LONG)),
        header_of(
            "kid missing",
            json!({"kid": null}),
            Refusal::Malformed("the token names no key"),
        ),
        header_of(
            "kid a number",
            json!({"kid": 1}),
            Refusal::Malformed("the token's header does not decode"),
        ),
        bearer("another key under our id", other(json!({})), Refusal::Signature),
        bearer(
            "another key in the header",
            other(json!({"jwk": their_jwk})),
            Refusal::Signature,
        ),
        bearer(
            "a URL of other keys",
            other(json!({"jku": "https://evil.example/certs"})),
            Refusal::Signature,
        ),
        bearer(
            "the signature of another token",
            format!("{signed}.{signature}"),
            Refusal::Signature,
        ),
        bearer("claims replaced", claims_replaced, Refusal::Signature),
        signature_of("signature missing", |_| String::new()),
        signature_of("signature cut", |signature| signature[..300].to_owned()),
        signature_of("signature padded", |signature| format!("{signature}==")),
        signature_of("signature removed, as Cloud Run does", |_| {
            "SIGNATURE_REMOVED_BY_GOOGLE".to_owned()
        }),
        signature_of("a letter changed", |signature| {
            let (first, rest) = signature.split_at(1);
            format!("{}{rest}", if first == "A" { "B" } else { "A" })
        }),
    ]
}

fn times() -> Vec<Forged> {
    let of = claims_of;
    let unreadable = |name, changes| of(name, changes, Refusal::Claims);
    vec![
        unreadable("exp missing", json!({"exp": null})),
        unreadable("exp null", json!({"exp": {"null": true}})),
        unreadable("exp a text", json!({"exp": (now() + 3600).to_string()})),
        unreadable("exp a fraction", json!({"exp": 1e12 + 0.5})),
        unreadable("exp negative", json!({"exp": -1})),
        unreadable("nbf a text", json!({"nbf": "0"})),
        unreadable("iat a text", json!({"iat": "0"})),
        of(
            "expired an hour ago",
            json!({"exp": now() - 3600}),
            Refusal::Expired,
        ),
        of(
            "expired beyond the skew",
            json!({"exp": now() - SKEW}),
            Refusal::Expired,
        ),
        of("expired in 1970", json!({"exp": 0}), Refusal::Expired),
        of("not yet valid", json!({"nbf": now() + 600}), Refusal::NotYetValid),
        of(
            "issued in the future",
            json!({"iat": now() + 600}),
            Refusal::IssuedLater,
        ),
    ]
}

fn identities() -> Vec<Forged> {
    let unreadable = |name, changes| claims_of(name, changes, Refusal::Claims);
    let issuer = |name, iss: Value| claims_of(name, json!({"iss": iss}), Refusal::Issuer);
    let audience = |name, aud: Value| claims_of(name, json!({"aud": aud}), Refusal::Audience);
    let account = |name, email: Value| claims_of(name, json!({"email": email}), Refusal::Account);
    let not_verified = json!({"email_verified": false});
    vec![
        unreadable("iss missing", json!({"iss": null})),
        unreadable(
            "iss a list with Google in it",
            json!({"iss": [ISSUER, "https://evil.example"]}),
        ),
        issuer("iss of somebody else", json!("https://evil.example")),
        issuer("iss with a slash", json!("https://accounts.google.com/")),
        issuer("iss over http", json!("http://accounts.google.com")),
        unreadable("aud missing", json!({"aud": null})),
        unreadable("aud a number", json!({"aud": 7})),
        unreadable("aud a list of numbers", json!({"aud": [7]})),
        audience("aud of another service", json!("https://other.example")),
        audience(
            "aud a list without ours",
            json!(["https://other.example", "https://shop.example.evil.example"]),
        ),
        audience("aud an empty list", json!([])),
        audience("aud with a path", json!(format!("{ENDPOINT}/tasks"))),
        audience(
            "aud with a name in upper case",
            json!(format!("{ENDPOINT}/tasks/NOTE")),
        ),
        audience("aud of another route", json!(format!("{ENDPOINT}/tasks/Notes"))),
        audience(
            "aud of another kind of route",
            json!(format!("{ENDPOINT}/subscriptions/Note")),
        ),
        audience("aud of another scheme", json!("http://shop.example")),
        audience("aud of another port", json!(format!("{ENDPOINT}:8443"))),
        audience("aud with a user", json!("https://x@shop.example")),
        unreadable("email missing", json!({"email": null})),
        unreadable("email null", json!({"email": {"null": true}})),
        unreadable("email a list with ours in it", json!({"email": [ACCOUNT]})),
        account(
            "an account of another project",
            json!("tasks@other-project.iam.gserviceaccount.com"),
        ),
        account(
            "ours with something behind it",
            json!(format!("{ACCOUNT}.evil.example")),
        ),
        account("email empty", json!("")),
        unreadable("email_verified missing", json!({"email_verified": null})),
        unreadable("email_verified a text", json!({"email_verified": "true"})),
        claims_of("email not verified", not_verified, Refusal::EmailNotVerified),
    ]
}

fn shapes() -> Vec<Forged> {
    let good = tokens::good(ENDPOINT);
    let parts = Refusal::Malformed("the token has not three parts");
    let scheme = Refusal::Malformed("the Authorization header is not a Bearer token");
    let undecodable = Refusal::Malformed("the token's header does not decode");
    let signed =
        |header: &str, claims: &str| sign_text(header, claims, &tokens::issuer_key(), Algorithm::RS256);
    let (header, claims) = (header().to_string(), claims(ENDPOINT).to_string());
    let twice = claims.replacen('{', r#"{"email": "x@y", "#, 1);
    let big = sign(
        &tokens::header(),
        &with(tokens::claims(ENDPOINT), json!({"pad": "x".repeat(8192)})),
    );
    let of = |name, authorization: &[&str], refusal| Forged {
        name,
        authorization: authorization.iter().map(|&value| value.to_owned()).collect(),
        refusal,
    };
    let several = Refusal::Malformed("there are several Authorization headers");
    let bearer_good = format!("Bearer {good}");
    vec![
        bearer(
            "oversized",
            big,
            Refusal::Malformed("the Authorization header is too large"),
        ),
        of(
            "two Authorization headers",
            &[&bearer_good, &bearer_good],
            several,
        ),
        of("no Authorization header", &[], Refusal::NoToken),
        of("Basic", &["Basic dXNlcjpwYXNzd29yZA=="], scheme),
        of("no scheme", &[&good], scheme),
        of("Bearer and nothing", &["Bearer"], scheme),
        of("an empty header", &[""], scheme),
        bearer("no token", "", parts),
        bearer("two parts", good.rsplit_once('.').unwrap().0, parts),
        bearer("four parts", format!("{good}.x"), parts),
        bearer(
            "five parts, as encrypted tokens have",
            format!("{good}.x.y"),
            parts,
        ),
        bearer("two tokens", format!("{good}, {good}"), parts),
        bearer(
            "a header that is no JSON",
            signed("alg: RS256", &claims),
            undecodable,
        ),
        bearer(
            "a header that is no base64",
            good.replacen("ey", "e!", 1),
            undecodable,
        ),
        bearer(
            "claims that are not JSON",
            signed(&header, "everything"),
            Refusal::Claims,
        ),
        bearer("claims that are a list", signed(&header, "[]"), Refusal::Claims),
        bearer(
            "a claim that comes twice",
            signed(&header, &twice),
            Refusal::Claims,
        ),
    ]
}

fn matrix() -> Vec<Forged> {
    [
        algorithms(),
        keys_and_signatures(),
        times(),
        identities(),
        shapes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Tokens that must be accepted.
fn good_ones() -> Vec<(&'static str, String)> {
    let with_claims = |changes| sign(&header(), &with(claims(ENDPOINT), changes));
    vec![
        ("as Google writes it", tokens::good(ENDPOINT)),
        (
            "the other spelling of the issuer",
            with_claims(json!({"iss": "accounts.google.com"})),
        ),
        (
            "the second audience",
            with_claims(json!({"aud": SECOND_AUDIENCE})),
        ),
        (
            "an audience in upper case",
            with_claims(json!({"aud": "HTTPS://SHOP.EXAMPLE"})),
        ),
        (
            "the URL of the called route as audience",
            with_claims(json!({"aud": format!("{ENDPOINT}/tasks/Note")})),
        ),
        (
            "a list of audiences with ours",
            with_claims(json!({"aud": ["https://other.example", ENDPOINT]})),
        ),
        (
            "the second account",
            with_claims(json!({"email": SECOND_ACCOUNT})),
        ),
        (
            "an hour old",
            with_claims(json!({"iat": now() - 3595, "exp": now() + 5})),
        ),
        (
            "expired within the skew",
            with_claims(json!({"exp": now() - SKEW + 5})),
        ),
        (
            "from a clock that is a little ahead",
            with_claims(json!({"iat": now() + SKEW, "nbf": now() + SKEW})),
        ),
        ("without iat", with_claims(json!({"iat": null}))),
        (
            "with claims that we do not know",
            with_claims(json!({"google": {"compute_engine": {}}})),
        ),
        (
            "without typ",
            sign(&with(header(), json!({"typ": null})), &claims(ENDPOINT)),
        ),
    ]
}

#[tokio::test]
async fn no_forged_token_gets_in_and_each_is_told_why() {
    let server = key_server().await;
    let verifier = verifier_of(callers(&server));
    // First a valid one, so that the cache of verified tokens is in play too.
    assert_eq!(verify(&verifier, &tokens::good(ENDPOINT)).await, Ok(()));
    let matrix = matrix();
    // RELIABILITY.md says how many.
    assert_eq!(matrix.len(), 88);

    for forged in matrix {
        let headers = headers(forged.authorization.iter().map(String::as_str));

        let verdict = verifier.verify(&NOTE, &headers).await;

        assert_eq!(verdict, Err(forged.refusal), "{}", forged.name);
    }
}

#[tokio::test]
async fn every_good_token_gets_in_twice_and_with_any_spelling_of_the_scheme() {
    let server = key_server().await;
    let verifier = verifier_of(callers(&server));

    // RELIABILITY.md says how many.
    assert_eq!(good_ones().len(), 13);
    for (name, token) in good_ones() {
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let verdict = verifier
                .verify(&NOTE, &headers([&*format!("{scheme} {token}")]))
                .await;

            assert_eq!(verdict, Ok(()), "{name}, {scheme}");
        }
    }
    assert_eq!(fetches(&server).await, 1);
}

#[tokio::test]
async fn the_headers_of_cloud_tasks_alone_prove_nothing() {
    let server = key_server().await;
    let verifier = verifier_of(callers(&server));
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-cloudtasks-queuename", "emails"),
        ("x-cloudtasks-taskname", "1"),
        ("x-cloudtasks-taskretrycount", "0"),
        ("x-cloudtasks-taskexecutioncount", "0"),
        ("x-cloudtasks-tasketa", "1700000000"),
        ("user-agent", "Google-Cloud-Tasks"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }

    assert_eq!(verifier.verify(&NOTE, &headers).await, Err(Refusal::NoToken));
}

/// The forged tokens that are accepted with these checks.
async fn that_get_in(server: &MockServer, checks: Checks) -> Vec<&'static str> {
    let mut verifier = verifier_of(callers(server));
    verifier.checks = checks;
    let mut names = Vec::new();
    for forged in matrix() {
        let headers = headers(forged.authorization.iter().map(String::as_str));
        if verifier.verify(&NOTE, &headers).await.is_ok() {
            names.push(forged.name);
        }
    }
    names
}

#[tokio::test]
async fn without_any_one_of_the_checks_a_forged_token_gets_in() {
    let server = key_server().await;
    let all = Checks::default();
    assert!(that_get_in(&server, Checks::default()).await.is_empty());

    for left_out in 0..all.header.len() {
        let mut checks = Checks::default();
        checks.header.remove(left_out);
        let names = that_get_in(&server, checks).await;
        assert!(!names.is_empty(), "check {left_out} of the header");
    }
    for left_out in 0..all.claims.len() {
        let mut checks = Checks::default();
        checks.claims.remove(left_out);
        let names = that_get_in(&server, checks).await;
        assert!(!names.is_empty(), "check {left_out} of the claims");
    }
    let unsigned = Checks {
        signature: |_, _| Ok(()),
        ..Checks::default()
    };
    assert!(
        that_get_in(&server, unsigned)
            .await
            .contains(&"another key under our id")
    );
}

#[tokio::test]
async fn what_is_refused_for_its_header_would_else_have_got_in() {
    let server = key_server().await;
    let verifier = verifier_of(callers(&server));
    let big = sign(
        &header(),
        &with(claims(ENDPOINT), json!({"pad": "x".repeat(8192)})),
    );

    for token in [big, tokens::good(ENDPOINT)] {
        assert_eq!(
            verifier.verify_token(&NOTE, &Token::split(&token).unwrap()).await,
            Ok(())
        );
    }
}

mod behind_a_platform {
    use super::*;

    fn trusting(server: &MockServer) -> Verifier {
        let config = Config::default()
            .with_endpoint(ENDPOINT)
            .with_service_account(ACCOUNT);
        callers(server).verifier(&config, true).unwrap()
    }

    fn removed(claims: &Value) -> String {
        let text = tokens::unsigned(&header().to_string(), &claims.to_string());
        format!("{text}.SIGNATURE_REMOVED_BY_GOOGLE")
    }

    #[tokio::test]
    async fn a_token_without_its_signature_gets_in_when_all_that_it_says_is_in_order() {
        let server = key_server().await;
        let verifier = trusting(&server);
        let of = |changes| removed(&with(claims(ENDPOINT), changes));

        for (token, expected) in [
            (of(json!({})), Ok(())),
            (
                of(json!({"email": "x@other.iam.gserviceaccount.com"})),
                Err(Refusal::Account),
            ),
            (
                of(json!({"aud": "https://other.example"})),
                Err(Refusal::Audience),
            ),
            (of(json!({"exp": now() - 60})), Err(Refusal::Expired)),
            (
                of(json!({"email_verified": false})),
                Err(Refusal::EmailNotVerified),
            ),
        ] {
            assert_eq!(verify(&verifier, &token).await, expected);
        }
        assert_eq!(fetches(&server).await, 0);
    }

    #[tokio::test]
    async fn a_request_whose_other_header_the_platform_checked_does_not_get_in() {
        let server = key_server().await;
        let verifier = trusting(&server);
        let forged = removed(&claims(ENDPOINT));
        let mut headers = headers([&*format!("Bearer {forged}")]);
        assert_eq!(verifier.verify(&NOTE, &headers).await, Ok(()));

        headers.insert(
            "x-serverless-authorization",
            HeaderValue::from_static("Bearer a.b.c"),
        );

        let refusal = Refusal::Malformed("there is an X-Serverless-Authorization header");
        assert_eq!(verifier.verify(&NOTE, &headers).await, Err(refusal));
    }

    #[tokio::test]
    async fn a_token_that_has_its_signature_is_checked_in_full() {
        let server = key_server().await;
        let verifier = trusting(&server);

        assert_eq!(verify(&verifier, &tokens::good(ENDPOINT)).await, Ok(()));
        for forged in matrix() {
            let headers = headers(forged.authorization.iter().map(String::as_str));
            let removed = forged.name == "signature removed, as Cloud Run does";
            assert_eq!(
                verifier.verify(&NOTE, &headers).await.is_ok(),
                removed,
                "{}",
                forged.name
            );
        }
    }
}

proptest! {
    #[test]
    fn nothing_that_is_not_signed_gets_in_and_nothing_panics(
        header in "\\PC{0,40}|[a-zA-Z0-9_-]{0,40}\\.[a-zA-Z0-9_-]{0,40}\\.[a-zA-Z0-9_-]{0,40}",
        json in "\\PC{0,60}",
        claims in "\\PC{0,60}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Nobody listens there, so there are no keys.
        let mut callers = TrustedCallers::new();
        callers.keys_url = "http://127.0.0.1:9/certs".to_owned();
        let verifier = verifier_of(callers.min_refresh_interval(LONG));
        let token = format!("{}.c2ln", tokens::unsigned(&json, &claims));
        for text in [header, token] {
            if let Ok(value) = HeaderValue::from_str(&format!("Bearer {text}")) {
                let mut headers = HeaderMap::new();
                headers.insert("authorization", value);
                prop_assert!(runtime.block_on(verifier.verify(&NOTE, &headers)).is_err());
            }
        }
    }
}
