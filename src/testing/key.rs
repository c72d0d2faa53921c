//! The signing keys of tests: generated once per process, and not known outside.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::auth::{FixedKeys, parse_keys};
use crate::base::{Error, ErrorKind};

/// How many keys a simulation rotates.
const ROTATED: usize = 3;

static KEYS: [OnceLock<Result<Key, String>>; ROTATED] = [const { OnceLock::new() }; ROTATED];

pub(super) struct Key {
    /// Its id in tokens.
    pub id: String,
    pair: RsaKeyPair,
    /// It as an entry of a key set.
    entry: Value,
    /// The keys that a runtime verifies tokens with.
    public: FixedKeys,
}

impl Key {
    /// The key of this process.
    pub fn get() -> Result<&'static Self, Error> {
        Self::number(0)
    }

    /// A key of this process. There are few, so they repeat.
    pub fn number(number: usize) -> Result<&'static Self, Error> {
        let number = number % ROTATED;
        KEYS[number]
            .get_or_init(|| Self::make(number))
            .as_ref()
            .map_err(|reason| {
                let text = format!("no signing key could be generated: {reason}");
                Error::new(ErrorKind::Build, text)
            })
    }

    /// The key set with this key and the one before it.
    pub fn set(number: usize) -> Result<Bytes, Error> {
        let (key, before) = (Self::number(number)?, Self::number(number + ROTATED - 1)?);
        Ok(json!({"keys": [before.entry, key.entry]}).to_string().into())
    }

    fn make(number: usize) -> Result<Self, String> {
        let id = format!("cloud-tasks-testing-{number}");
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|error| error.to_string())?;
        let public = pair.public_key();
        let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        let entry = json!({
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": id,
            "n": encode(public.modulus().big_endian_without_leading_zero()),
            "e": encode(public.exponent().big_endian_without_leading_zero()),
        });
        let document = json!({"keys": [&entry]});
        let public = FixedKeys(parse_keys(document.to_string().as_bytes())?);
        Ok(Self {
            id,
            pair,
            entry,
            public,
        })
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
