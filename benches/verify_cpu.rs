//! What it costs to verify a caller, and whether anybody good is turned away while others try to get in.
//!
//! CPU time of this thread for a handled request, by subjects that take turns, round by round; a ratio is of two in the same
//! round. Then five seconds of a client with random key ids beside a good one. Run it with `cargo bench --bench verify_cpu`;
//! it ends after about half a minute. With `--test` there is one short round.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark prints, and may panic where it cannot start"
)]

#[path = "../tests/support/key_server.rs"]
mod key_server;
mod subjects;
#[allow(dead_code, reason = "it signs with one key")]
#[path = "../tests/support/tokens.rs"]
mod tokens;

use std::hint::black_box;
use std::time::{Duration, Instant};

use cloud_tasks::backend::{Backend, BackendFuture, Envelope};
use cloud_tasks::service::{TaskService, TrustedCallers};
use cloud_tasks::task::Enqueued;
use cloud_tasks::{Config, Runtime};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use key_server::key_server;
use serde_json::{Value, json};
use subjects::FEW;
use tower::ServiceExt;
use wiremock::MockServer;

const ENDPOINT: &str = "https://shop.example";
const BUDGET: Duration = Duration::from_secs(25);
const ATTACK: Duration = Duration::from_secs(5);
const COOL_DOWN: Duration = Duration::from_secs(1);

struct Nowhere;

impl Backend for Nowhere {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        Box::pin(async move { Ok(Enqueued::new(envelope.queue(), "nowhere")) })
    }
}

/// The CPU time of this thread, in seconds.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds: f64 = text.split_whitespace().next().unwrap().parse().unwrap();
    nanoseconds / 1e9
}

/// A service that verifies with the keys of this server, and has them already.
async fn verified(server: &MockServer) -> TaskService {
    let callers = TrustedCallers::new()
        .issuer(tokens::ISSUER, format!("{}/certs", server.uri()))
        .min_refresh_interval(COOL_DOWN);
    let runtime = Runtime::builder()
        .backend(Nowhere)
        .config(
            Config::default()
                .with_endpoint(ENDPOINT)
                .with_service_account(tokens::ACCOUNT),
        )
        .callers(callers)
        .build()
        .await
        .unwrap();
    let service = runtime.service();
    assert!(handle(&service, Some(&bearer(&tokens::good(ENDPOINT)))).await);
    service
}

fn bearer(token: &str) -> HeaderValue {
    HeaderValue::try_from(format!("Bearer {token}")).unwrap()
}

/// Different tokens that are all in order.
fn distinct(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| {
            let claims = tokens::with(tokens::claims(ENDPOINT), json!({"sub": number.to_string()}));
            tokens::sign(&tokens::header(), &claims)
        })
        .collect()
}

async fn handle(service: &TaskService, authorization: Option<&HeaderValue>) -> bool {
    let mut request = subjects::request();
    if let Some(value) = authorization {
        request.headers_mut().insert(AUTHORIZATION, value.clone());
    }
    let response = service.clone().oneshot(request).await.unwrap();
    response.status() == 200
}

async fn handle_all(service: &TaskService, authorizations: &[HeaderValue], times: usize) {
    for _ in 0..times {
        for value in authorizations {
            assert!(black_box(handle(service, Some(value)).await));
        }
    }
}

async fn measure(count: usize, work: impl Future<Output = ()>) -> f64 {
    let before = cpu();
    work.await;
    (cpu() - before) / count as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One round, in seconds a request.
struct Round {
    unverified: f64,
    one: f64,
    unverified_thousand: f64,
    thousand: f64,
    new: f64,
    bare: f64,
}

async fn round(server: &MockServer, tokens: &[String], scale: usize) -> Round {
    let open = subjects::tasks(FEW);
    let values: Vec<_> = tokens.iter().map(|token| bearer(token)).collect();
    let one = vec![values[0].clone(); 1000];
    let (of_one, of_thousand, of_new) = (
        verified(server).await,
        verified(server).await,
        verified(server).await,
    );
    handle_all(&of_one, &one[..1], 1).await;
    handle_all(&of_thousand, &values, 1).await;

    let count = 1000 * scale;
    // The unverified one gets the header too: building it is no part of the check.
    let unverified = measure(count, handle_all(&open, &one, scale)).await;
    let unverified_thousand = measure(count, handle_all(&open, &values, scale)).await;
    let seen_one = measure(count, handle_all(&of_one, &one, scale)).await;
    let seen_thousand = measure(count, handle_all(&of_thousand, &values, scale)).await;
    let new = measure(1000, handle_all(&of_new, &values, 1)).await;

    let document = tokens::jwks([(tokens::KEY_ID, tokens::issuer_key())]);
    let jwk = serde_json::from_value(document["keys"][0].clone()).unwrap();
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[ENDPOINT]);
    validation.set_issuer(&[tokens::ISSUER]);
    let bare = measure(1000, async {
        for token in tokens {
            black_box(decode::<Value>(token, &key, &validation).unwrap());
        }
    })
    .await;
    Round {
        unverified,
        unverified_thousand,
        one: seen_one,
        thousand: seen_thousand,
        new,
        bare,
    }
}

fn report(rounds: &[Round]) {
    let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
    println!("\nCPU of a handled request ({} rounds, medians)", rounds.len());
    println!(
        "  unverified                       {:>7.2} µs",
        of(|round| round.unverified) * 1e6
    );
    println!(
        "  a token seen before              {:>7.2} µs   {:.2} x unverified",
        of(|round| round.one) * 1e6,
        of(|round| round.one / round.unverified)
    );
    println!(
        "  one of 1,000 tokens seen before  {:>7.2} µs   {:.2} x unverified",
        of(|round| round.thousand) * 1e6,
        of(|round| round.thousand / round.unverified_thousand)
    );
    println!(
        "  a new token                      {:>7.2} µs   adds {:.2} x a bare check",
        of(|round| round.new) * 1e6,
        of(|round| (round.new - round.unverified) / round.bare)
    );
    println!(
        "  a bare check by jsonwebtoken     {:>7.2} µs",
        of(|round| round.bare) * 1e6
    );
}

/// A client with random key ids and one with a good token, side by side.
async fn attack(server: &MockServer, duration: Duration) {
    let service = verified(server).await;
    let good = bearer(&tokens::good(ENDPOINT));
    let before = server.received_requests().await.unwrap().len();
    let end = Instant::now() + duration;
    let claims = tokens::claims(ENDPOINT).to_string();
    let attacker = async {
        let mut tried = 0_u64;
        while Instant::now() < end {
            let header = json!({"alg": "RS256", "kid": format!("junk-{tried}")}).to_string();
            let junk = bearer(&format!("{}.c2lnbmF0dXJl", tokens::unsigned(&header, &claims)));
            assert!(!handle(&service, Some(&junk)).await);
            tried += 1;
            tokio::task::yield_now().await;
        }
        tried
    };
    let caller = async {
        let (mut tried, mut refused) = (0_u64, 0_u64);
        while Instant::now() < end {
            refused += u64::from(!handle(&service, Some(&good)).await);
            tried += 1;
            tokio::task::yield_now().await;
        }
        (tried, refused)
    };
    let (junk, (tried, refused)) = tokio::join!(attacker, caller);
    let fetches = server.received_requests().await.unwrap().len() - before;
    println!(
        "\n{duration:?} of random key ids, a cool-down of {COOL_DOWN:?}: {junk} junk tokens, {tried} good ones, {refused} good \
         ones refused, {fetches} fetches"
    );
    assert_eq!(refused, 0);
    assert!(fetches as f64 <= duration.as_secs_f64() / COOL_DOWN.as_secs_f64() + 1.0);
}

async fn run(short: bool) {
    let server = key_server().await;
    let tokens = distinct(1000);
    let started = Instant::now();
    let mut rounds = Vec::new();
    while rounds.is_empty() || (!short && started.elapsed() < BUDGET) {
        rounds.push(round(&server, &tokens, if short { 1 } else { 10 }).await);
    }
    report(&rounds);
    attack(&server, if short { COOL_DOWN / 10 } else { ATTACK }).await;
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(run(has("--test") || !has("--bench")));
}
