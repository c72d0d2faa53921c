//! Tokens as Google signs them, and as others would like to.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// The id of the issuer's key.
pub(crate) const KEY_ID: &str = "key-1";
pub(crate) const ISSUER: &str = "https://accounts.google.com";
pub(crate) const ACCOUNT: &str = "tasks@my-project.iam.gserviceaccount.com";

/// The key that the issuer signs with.
pub(crate) fn issuer_key() -> EncodingKey {
    EncodingKey::from_rsa_pem(include_bytes!("../fixtures/keys/issuer.pem")).unwrap()
}

/// A key of somebody else.
pub(crate) fn other_key() -> EncodingKey {
    EncodingKey::from_rsa_pem(include_bytes!("../fixtures/keys/other.pem")).unwrap()
}

/// A key on a curve.
pub(crate) fn curve_key() -> EncodingKey {
    EncodingKey::from_ec_pem(include_bytes!("../fixtures/keys/ec.pem")).unwrap()
}

/// The document with the public halves of keys, by their ids.
pub(crate) fn jwks<'a>(keys: impl IntoIterator<Item = (&'a str, EncodingKey)>) -> Value {
    let keys: Vec<_> = keys.into_iter().map(|(id, key)| jwk(id, &key)).collect();
    json!({ "keys": keys })
}

fn jwk(id: &str, key: &EncodingKey) -> Value {
    let jwk = Jwk::from_encoding_key(key, Algorithm::RS256).unwrap();
    let mut jwk = serde_json::to_value(jwk).unwrap();
    let members = json!({"kid": id, "alg": "RS256", "use": "sig"});
    jwk.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    jwk
}

/// Now, in seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The header of a token that is in order.
pub(crate) fn header() -> Value {
    json!({"alg": "RS256", "kid": KEY_ID, "typ": "JWT"})
}

/// The claims of a token that is in order, as Google writes them.
pub(crate) fn claims(audience: &str) -> Value {
    json!({
        "iss": ISSUER,
        "aud": audience,
        "azp": "112233445566778899000",
        "sub": "112233445566778899000",
        "email": ACCOUNT,
        "email_verified": true,
        "iat": now(),
        "exp": now() + 3600,
    })
}

/// A value with some members set; `null` takes one away, and `{"null": true}` makes it null.
pub(crate) fn with(mut value: Value, changes: Value) -> Value {
    let members = value.as_object_mut().unwrap();
    let Value::Object(changes) = changes else {
        panic!("{changes} is no object");
    };
    for (name, change) in changes {
        match change {
            Value::Null => drop(members.remove(&name)),
            change if change == json!({"null": true}) => drop(members.insert(name, Value::Null)),
            change => drop(members.insert(name, change)),
        }
    }
    value
}

/// The first two parts of a token.
pub(crate) fn unsigned(header: &str, claims: &str) -> String {
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    )
}

/// A token of these texts, whatever they say, signed in this way.
pub(crate) fn sign_text(header: &str, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let text = unsigned(header, claims);
    let signature = jsonwebtoken::crypto::sign(text.as_bytes(), key, algorithm).unwrap();
    format!("{text}.{signature}")
}

/// A token that the issuer signed with RS256, whatever it says.
pub(crate) fn sign(header: &Value, claims: &Value) -> String {
    sign_text(
        &header.to_string(),
        &claims.to_string(),
        &issuer_key(),
        Algorithm::RS256,
    )
}

/// A token that is in order, for this audience.
pub(crate) fn good(audience: &str) -> String {
    sign(&header(), &claims(audience))
}
