//! The signing key of tests: generated once per process, and not known outside.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::auth::{FixedKeys, parse_keys};
use crate::base::{Error, ErrorKind};

/// The key's id in tokens.
pub(super) const KEY_ID: &str = "cloud-tasks-testing";

static KEY: OnceLock<Result<Key, String>> = OnceLock::new();

pub(super) struct Key {
    pair: RsaKeyPair,
    /// The keys that a runtime verifies tokens with.
    public: FixedKeys,
}

impl Key {
    /// The key of this process.
    pub fn get() -> Result<&'static Self, Error> {
        KEY.get_or_init(Self::make).as_ref().map_err(|reason| {
            let text = format!("no signing key could be generated: {reason}");
            Error::new(ErrorKind::Build, text)
        })
    }

    fn make() -> Result<Self, String> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|error| error.to_string())?;
        let public = pair.public_key();
        let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        let document = json!({"keys": [{
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": KEY_ID,
            "n": encode(public.modulus().big_endian_without_leading_zero()),
            "e": encode(public.exponent().big_endian_without_leading_zero()),
        }]});
        let public = FixedKeys(parse_keys(document.to_string().as_bytes())?);
        Ok(Self { pair, public })
    }

    pub fn public(&self) -> FixedKeys {
        self.public.clone()
    }

    /// The signature of a text, with RS256.
    pub fn sign(&self, text: &str) -> Result<Vec<u8>, Error> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .map_err(|error| Error::invalid(format!("the token was not signed: {error}")))?;
        Ok(signature)
    }
}
