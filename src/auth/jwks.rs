//! The JSON Web Key Set, and how long it may be cached.

use std::collections::HashMap;
use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;

/// If the response has no cache lifetime.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(5 * 60);
/// One day, whatever the response says.
const LONGEST_MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// A key that verifies tokens.
#[derive(Clone)]
pub(crate) struct Key {
    /// As in the document, to detect whether a key has changed.
    components: (String, String),
    pub decoding: DecodingKey,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.components == other.components
    }
}

/// The keys of a test, by their ids.
#[cfg(feature = "testing")]
#[derive(Clone)]
pub(crate) struct FixedKeys(pub HashMap<String, Key>);

#[cfg(feature = "testing")]
impl std::fmt::Debug for FixedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

/// The RSA keys of a document that sign with RS256, by their ids.
///
/// Keys of other kinds are left out: a set may have them beside ours. An `alg` that nobody knows counts as none, as it does for
/// google-auth: an emulator says `RSA256`. Where an id comes twice the first one counts.
pub(crate) fn parse(json: &[u8]) -> Result<HashMap<String, Key>, String> {
    let document: Document =
        serde_json::from_slice(json).map_err(|error| format!("not a key set: {error}"))?;
    let mut keys = HashMap::new();
    for value in document.keys {
        let key = serde_json::from_value::<Jwk>(value).ok().and_then(usable);
        if let Some((id, key)) = key {
            keys.entry(id).or_insert(key);
        }
    }
    if keys.is_empty() {
        return Err("it has no RSA key for RS256".to_owned());
    }
    Ok(keys)
}

fn usable(jwk: Jwk) -> Option<(String, Key)> {
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let rs256 = matches!(
        jwk.common.key_algorithm,
        None | Some(KeyAlgorithm::RS256 | KeyAlgorithm::UNKNOWN_ALGORITHM)
    );
    let AlgorithmParameters::RSA(rsa) = jwk.algorithm else {
        return None;
    };
    (signs && rs256).then_some(())?;
    let components = (rsa.n, rsa.e);
    Some((jwk.common.key_id?, Key { components, decoding }))
}

/// How long a response may be cached: `max-age` minus `Age`.
pub(crate) fn max_age(headers: &HeaderMap) -> Duration {
    let directives = || {
        headers
            .get_all(CACHE_CONTROL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
    };
    let is = |name: &'static str| move |directive: &str| directive.eq_ignore_ascii_case(name);
    if directives().any(is("no-store")) || directives().any(is("no-cache")) {
        return Duration::ZERO;
    }
    let Some(max_age) = directives().find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then_some(())?;
        seconds(value.trim_matches('"'))
    }) else {
        return DEFAULT_MAX_AGE;
    };
    let age = headers
        .get(AGE)
        .and_then(|value| seconds(value.to_str().ok()?))
        .unwrap_or_default();
    max_age.saturating_sub(age).min(LONGEST_MAX_AGE)
}

fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn an_answer_is_kept_for_its_max_age_less_its_age() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        for (lines, expected) in [
            (
                &[
                    ("cache-control", "public, max-age=3600, must-revalidate"),
                    ("age", "600"),
                ][..],
                minutes(50),
            ),
            (
                &[("cache-control", "max-age=600"), ("age", "900")],
                Duration::ZERO,
            ),
            (
                &[("cache-control", "public"), ("cache-control", "Max-Age=60")],
                minutes(1),
            ),
            (&[("cache-control", "max-age=999999999")], minutes(24 * 60)),
            (&[("cache-control", "no-store, max-age=60")], Duration::ZERO),
            (&[("cache-control", "max-age=soon")], DEFAULT_MAX_AGE),
            (&[], DEFAULT_MAX_AGE),
        ] {
            assert_eq!(max_age(&headers(lines)), expected, "{lines:?}");
        }
    }

    #[test]
    fn only_rsa_keys_with_an_id_that_sign_with_rs256_are_taken() {
        let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
        let with = |extra: Value| {
            let mut key = rsa.clone();
            key.as_object_mut()
                .unwrap()
                .extend(extra.as_object().unwrap().clone());
            key
        };
        let document = json!({"keys": [
            with(json!({"kid": "bare"})),
            with(json!({"kid": "full", "use": "sig", "alg": "RS256"})),
            with(json!({"kid": "for-encryption", "use": "enc"})),
            with(json!({"kid": "rs512", "alg": "RS512"})),
            with(json!({"kid": "misnamed", "alg": "RSA256"})),
            rsa,
            {"kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB", "kid": "ec"},
            {"kty": "oct", "k": "AQAB", "kid": "secret"},
            {"kty": "something new", "kid": "new"},
            7,
        ]});

        let keys = parse(document.to_string().as_bytes()).unwrap();

        let mut ids: Vec<_> = keys.keys().map(String::as_str).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["bare", "full", "misnamed"]);
    }

    #[test]
    fn a_document_without_a_usable_key_is_refused() {
        for text in [
            "",
            "<html>",
            "{}",
            r#"{"keys": []}"#,
            r#"{"keys": [{"kty": "oct", "k": "AQAB", "kid": "a"}]}"#,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_parsing_panic(json in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&json);
        }

        #[test]
        fn no_header_makes_keys_last_for_longer_than_a_day(value in "[ -~]{0,40}", age in "[ -~]{0,20}") {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, value.parse().unwrap());
            headers.insert(AGE, age.parse().unwrap());
            prop_assert!(max_age(&headers) <= LONGEST_MAX_AGE);
        }
    }
}
