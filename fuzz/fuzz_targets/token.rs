//! Tokens: whoever has no key of the issuer is not let in, whatever they make.
#![no_main]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arbitrary::Arbitrary;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cloud_tasks::backend::{Backend, BackendFuture, Envelope};
use cloud_tasks::service::TrustedCallers;
use cloud_tasks::task::Enqueued;
use cloud_tasks::{Config, Context, Message, Runtime, SubscriberTask, Task, TaskResult, task};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use support::{Answer, block_on, post, send};

const ENDPOINT: &str = "https://shop.example";
const ISSUER: &str = "https://accounts.google.com";
const ACCOUNT: &str = "tasks@my-project.iam.gserviceaccount.com";
const KEY_ID: &str = "key-1";
const ISSUER_KEY: &[u8] = include_bytes!("../../tests/fixtures/keys/issuer.pem");
const OTHER_KEY: &[u8] = include_bytes!("../../tests/fixtures/keys/other.pem");

#[derive(Deserialize, Serialize)]
struct Note;

#[task]
impl Task for Note {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

struct Listener;

#[task(topic = "topic")]
impl SubscriberTask for Listener {
    async fn run(_message: Message<Value>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// A backend that takes nothing.
struct Nowhere;

impl Backend for Nowhere {
    fn enqueue<'a>(&'a self, _runtime: &'a Runtime, envelope: Envelope) -> BackendFuture<'a> {
        Box::pin(async move { Ok(Enqueued::new(envelope.queue(), "nowhere")) })
    }
}

/// What every run begins with.
struct World {
    runtime: Runtime,
    /// Tokens that the issuer signed; the first one is in order, and no other.
    tokens: Vec<String>,
    other: EncodingKey,
    /// The modulus of the issuer's key, which everybody knows.
    modulus: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let issuer = EncodingKey::from_rsa_pem(ISSUER_KEY).unwrap();
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&issuer, Algorithm::RS256).unwrap()).unwrap();
        let members = jwk.as_object_mut().unwrap();
        members.extend([
            ("kid".to_owned(), json!(KEY_ID)),
            ("use".to_owned(), json!("sig")),
        ]);
        let modulus = URL_SAFE_NO_PAD.decode(members["n"].as_str().unwrap()).unwrap();
        let keys_url = serve(&json!({ "keys": [jwk] }));
        let callers = TrustedCallers::new()
            .issuer(ISSUER, keys_url)
            .min_refresh_interval(Duration::from_secs(24 * 3600));
        let config = Config::default()
            .with_endpoint(ENDPOINT)
            .with_service_account(ACCOUNT);
        let builder = Runtime::builder()
            .backend(Nowhere)
            .config(config)
            .callers(callers);
        let runtime = block_on(builder.build()).unwrap();
        let tokens: Vec<_> = signed_tokens()
            .into_iter()
            .map(|(header, claims)| {
                let text = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
                let signature = crypto::sign(text.as_bytes(), &issuer, Algorithm::RS256).unwrap();
                format!("{text}.{signature}")
            })
            .collect();
        let world = Self {
            runtime,
            tokens,
            other: EncodingKey::from_rsa_pem(OTHER_KEY).unwrap(),
            modulus,
        };
        // The keys are there from now on, and a good token does get in.
        for (index, token) in world.tokens.iter().enumerate() {
            let answer = world.ask(&[format!("Bearer {token}").into_bytes()], 0).unwrap();
            assert_eq!(answer.status == 200, index == 0, "{index}: {}", answer.text);
        }
        world
    }

    fn ask(&self, authorization: &[Vec<u8>], door: u8) -> Option<Answer> {
        let (path, body) = [
            ("/tasks/Note", "{}"),
            ("/subscriptions/Listener", r#"{"message": {"data": "MQ=="}}"#),
            ("/tasks/Unknown", "{}"),
        ][usize::from(door) % 3];
        let request = post(
            path,
            authorization.iter().map(|value| ("authorization", value)),
            body,
        )?;
        Some(block_on(send(&self.runtime, request)))
    }

    /// Whether this is the one good token, as it is.
    fn is_good(&self, authorization: &[Vec<u8>]) -> bool {
        let [value] = authorization else {
            return false;
        };
        let Some((scheme, token)) = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.split_once(' '))
        else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer")
            && token.trim_matches(' ') == self.tokens[0]
            && value.len() <= 8192
    }
}

/// Answers every request with the keys, for as long as the process lives.
fn serve(keys: &Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let body = keys.to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: max-age=86400\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}/certs")
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn good_header() -> Value {
    json!({"alg": "RS256", "kid": KEY_ID, "typ": "JWT"})
}

fn good_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": ENDPOINT, "azp": "1", "sub": "1", "email": ACCOUNT, "email_verified": true,
        "iat": now(), "exp": now() + 365 * 24 * 3600,
    })
}

fn with(mut value: Value, name: &str, member: Value) -> Value {
    value.as_object_mut().unwrap().insert(name.to_owned(), member);
    value
}

/// A good token, and all that the issuer signed for somebody else or for another time.
fn signed_tokens() -> Vec<(Value, Value)> {
    let claims = |name, member| (good_header(), with(good_claims(), name, member));
    let header = |name, member| (with(good_header(), name, member), good_claims());
    vec![
        (good_header(), good_claims()),
        claims("exp", json!(now() - 60)),
        claims("exp", json!("9999999999")),
        claims("aud", json!("https://other.example")),
        claims("aud", json!([])),
        claims("email", json!("x@my-project.iam.gserviceaccount.com")),
        claims("email_verified", json!(false)),
        claims("email_verified", json!("true")),
        claims("iss", json!("https://evil.example")),
        claims("nbf", json!(now() + 365 * 24 * 3600)),
        claims("iat", json!(now() + 365 * 24 * 3600)),
        header("alg", json!("RS512")),
        header("alg", json!("none")),
        header("kid", json!("key-2")),
        header("crit", json!(["exp"])),
    ]
}

#[derive(Arbitrary, Debug)]
enum Input {
    Headers {
        door: u8,
        values: Vec<Vec<u8>>,
    },
    Bearer {
        door: u8,
        scheme: u8,
        token: String,
    },
    Made {
        door: u8,
        header: Part,
        claims: Part,
        signature: Signature,
        tail: Option<String>,
    },
    /// A signed token, changed.
    Changed {
        door: u8,
        token: u8,
        changes: Vec<(u16, Change)>,
    },
    /// Several headers, of which one may be good.
    Several {
        door: u8,
        first: Option<u8>,
        second: Option<u8>,
        other: Vec<u8>,
    },
}

#[derive(Arbitrary, Debug)]
enum Change {
    Replace(char),
    Insert(char),
    Remove,
    Cut,
}

#[derive(Arbitrary, Debug)]
enum Part {
    Of(u8),
    Encoded(Vec<u8>),
    Padded(Vec<u8>),
    Raw(String),
    Members(Vec<(u8, Member)>),
    /// Good, but for some members.
    Good(Vec<(u8, Member)>),
    Twice(u8, Member),
}

#[derive(Arbitrary, Debug)]
enum Member {
    Null,
    Bool(bool),
    Integer(i64),
    Large(u64),
    Float(f64),
    Text(String),
    Known(u8),
    Several(Vec<u8>),
    Deep(u8),
}

const HEADER_NAMES: &[&str] = &[
    "alg", "kid", "typ", "crit", "jku", "jwk", "x5c", "x5u", "b64", "zip", "enc",
];
const CLAIM_NAMES: &[&str] = &[
    "iss",
    "aud",
    "exp",
    "nbf",
    "iat",
    "email",
    "email_verified",
    "sub",
    "azp",
];
const TEXTS: &[&str] = &[
    "RS256",
    "none",
    "None",
    "HS256",
    "RS384",
    "PS256",
    "ES256",
    "EdDSA",
    KEY_ID,
    "key-2",
    "JWT",
    ISSUER,
    "accounts.google.com",
    ENDPOINT,
    "https://shop.example/",
    ACCOUNT,
    "true",
    "",
];

impl Member {
    fn json(&self) -> Value {
        let known = |index: &u8| TEXTS[usize::from(*index) % TEXTS.len()];
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Integer(value) => (*value).into(),
            Self::Large(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Known(index) => known(index).into(),
            Self::Several(indexes) => indexes.iter().map(known).collect(),
            Self::Deep(depth) => (0..*depth).fold(Value::Null, |inner, _| json!([inner])),
        }
    }
}

impl Part {
    /// The text of this part of a token; `index` is its place in one.
    fn text(&self, world: &World, index: usize) -> String {
        let (names, good) = if index == 0 {
            (HEADER_NAMES, good_header as fn() -> Value)
        } else {
            (CLAIM_NAMES, good_claims as fn() -> Value)
        };
        let name = |index: &u8| names[usize::from(*index) % names.len()];
        match self {
            Self::Of(token) => part_of(world, *token, index),
            Self::Encoded(bytes) => encode(bytes),
            Self::Padded(bytes) => STANDARD.encode(bytes),
            Self::Raw(text) => text.clone(),
            Self::Members(members) => {
                let object: Value = members
                    .iter()
                    .map(|(key, member)| (name(key).to_owned(), member.json()))
                    .collect();
                encode(object.to_string())
            }
            Self::Good(changes) => {
                let fold = |value, (key, member): &(u8, Member)| with(value, name(key), member.json());
                encode(changes.iter().fold(good(), fold).to_string())
            }
            Self::Twice(key, member) => {
                let text = good().to_string();
                encode(format!(
                    "{},{:?}:{}}}",
                    &text[..text.len() - 1],
                    name(key),
                    member.json()
                ))
            }
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Signature {
    Of(u8),
    Encoded(Vec<u8>),
    Raw(String),
    Removed,
    /// With another key.
    OtherKey,
    /// With what everybody knows of the issuer's key, as a secret.
    Modulus,
    Pem,
    Zeros(u16),
}

impl Signature {
    fn text(&self, world: &World, signed: &str) -> String {
        let hmac = |secret: &[u8]| {
            crypto::sign(
                signed.as_bytes(),
                &EncodingKey::from_secret(secret),
                Algorithm::HS256,
            )
            .unwrap()
        };
        match self {
            Self::Of(token) => part_of(world, *token, 2),
            Self::Encoded(bytes) => encode(bytes),
            Self::Raw(text) => text.clone(),
            Self::Removed => "SIGNATURE_REMOVED_BY_GOOGLE".to_owned(),
            Self::OtherKey => crypto::sign(signed.as_bytes(), &world.other, Algorithm::RS256).unwrap(),
            Self::Modulus => hmac(&world.modulus),
            Self::Pem => hmac(ISSUER_KEY),
            Self::Zeros(length) => encode(vec![0; usize::from(*length) % 1024]),
        }
    }
}

fn part_of(world: &World, token: u8, index: usize) -> String {
    let token = &world.tokens[usize::from(token) % world.tokens.len()];
    token.split('.').nth(index).unwrap().to_owned()
}

impl Input {
    fn authorization(self, world: &World) -> (u8, Vec<Vec<u8>>) {
        let signed = |index: u8| &world.tokens[usize::from(index) % world.tokens.len()];
        let bearer = |token: &str| format!("Bearer {token}").into_bytes();
        match self {
            Self::Headers { door, values } => (door, values),
            Self::Bearer { door, scheme, token } => {
                let scheme = ["Bearer ", "bEARER  ", "Basic ", "Bearer\t", ""][usize::from(scheme) % 5];
                (door, vec![format!("{scheme}{token}").into_bytes()])
            }
            Self::Made {
                door,
                header,
                claims,
                signature,
                tail,
            } => {
                let text = format!("{}.{}", header.text(world, 0), claims.text(world, 1));
                let signature = signature.text(world, &text);
                let tail = tail.unwrap_or_default();
                (door, vec![bearer(&format!("{text}.{signature}{tail}"))])
            }
            Self::Changed { door, token, changes } => {
                let mut text: Vec<char> = signed(token).chars().collect();
                for (at, change) in changes {
                    let at = usize::from(at) % text.len().max(1);
                    match change {
                        Change::Replace(with) if at < text.len() => text[at] = with,
                        Change::Insert(character) => text.insert(at, character),
                        Change::Remove if at < text.len() => drop(text.remove(at)),
                        Change::Cut => text.truncate(at),
                        Change::Replace(_) | Change::Remove => {}
                    }
                }
                (door, vec![bearer(&text.into_iter().collect::<String>())])
            }
            Self::Several {
                door,
                first,
                second,
                other,
            } => {
                let mut values: Vec<_> = [first, second]
                    .into_iter()
                    .flatten()
                    .map(|index| bearer(signed(index)))
                    .collect();
                values.push(other);
                (door, values)
            }
        }
    }
}

fuzz_target!(|input: Input| {
    thread_local! {
        static WORLD: World = World::new();
    }
    WORLD.with(|world| {
        let (door, authorization) = input.authorization(world);
        let Some(answer) = world.ask(&authorization, door) else {
            return;
        };
        let status = answer.status.as_u16();
        if world.is_good(&authorization) {
            assert_eq!(status, if door % 3 == 2 { 404 } else { 200 }, "{}", answer.text);
            return;
        }
        // Not even which tasks there are.
        assert!(matches!(status, 401 | 403), "{status} {}", answer.text);
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401);
        assert!(
            answer.text.len() < 200 && answer.text.starts_with(r#"{"error":"Not allowed: "#),
            "{}",
            answer.text
        );
    });
});
