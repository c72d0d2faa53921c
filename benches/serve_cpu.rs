//! The CPU time of a request over HTTP: `Runtime::service` and `Runtime::serve` next to bare hyper, verified callers next to
//! unverified ones; and the memory of a server under load.
//!
//! Each server is this binary again, in a process of its own, with one thread whose CPU time is read. The client is this process,
//! and is not counted. Two servers take turns, and the ratio of each round is told: the machine's mood changes slower than a
//! round. `cargo bench --bench serve_cpu`; without `--bench` one short round is run. `--count SUBJECT REQUESTS` serves so many
//! requests for a callgrind that somebody else has started.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark prints, and may panic where it cannot start"
)]

#[path = "subjects/http_client.rs"]
mod http_client;
#[path = "subjects/http_server.rs"]
mod http_server;
#[path = "../tests/support/key_server.rs"]
mod key_server;
mod subjects;
#[allow(dead_code, reason = "it signs with one key")]
#[path = "../tests/support/tokens.rs"]
mod tokens;

use std::process::Command;
use std::time::Duration;

use http_client::{Client, request};
use http_server::{ENDPOINT, SERVE, Server, Subject, serve, tell_parent};
use serde_json::json;

/// The argument that makes this binary a client.
const CLIENT: &str = "--client";
/// How many tokens the verified callers have.
const TOKENS: usize = 1000;
/// How many requests there are when memory is measured.
const LOAD: usize = 64_000;

/// One server next to another.
struct Comparison {
    name: &'static str,
    ours: Subject,
    theirs: Subject,
    connections: usize,
}

/// How much is measured.
#[derive(Clone, Copy)]
struct Scale {
    rounds: usize,
    requests: usize,
}

impl Comparison {
    /// Compares in rounds: theirs, ours, ours, theirs, so that what grows or shrinks steadily cancels out.
    fn run(&self, scale: Scale, requests: &[Vec<u8>]) {
        let mut sides = [self.theirs, self.ours].map(|subject| {
            let server = Server::start(subject, "one");
            let client = Client::new(server.address, self.connections, requests);
            (server, client)
        });
        for (_, client) in &mut sides {
            client.send(scale.requests.max(requests.len()));
        }
        let mut ratios = Vec::new();
        let mut total = [Duration::ZERO; 2];
        for _ in 0..scale.rounds {
            let mut round = [Duration::ZERO; 2];
            for side in [0, 1, 1, 0] {
                let (server, client) = &mut sides[side];
                let before = server.cpu();
                client.send(scale.requests);
                round[side] += server.cpu().saturating_sub(before);
            }
            ratios.push(round[1].as_secs_f64() / round[0].as_secs_f64());
            total = [total[0] + round[0], total[1] + round[1]];
        }
        ratios.sort_by(f64::total_cmp);
        let [theirs, ours] = total.map(|time| micros(time, scale));
        println!(
            "{:<36} {:>2} connections: ratio {:.3} ({:.3} to {:.3} in {} rounds of 2 x {} requests), {ours:.2} us to {theirs:.2} us",
            self.name,
            self.connections,
            ratios[ratios.len() / 2],
            ratios[0],
            ratios[ratios.len() - 1],
            ratios.len(),
            scale.requests,
        );
    }
}

#[allow(clippy::cast_precision_loss, reason = "a number of requests is small")]
fn micros(time: Duration, scale: Scale) -> f64 {
    time.as_secs_f64() * 1e6 / (2 * scale.rounds * scale.requests) as f64
}

/// Requests with different tokens that are all in order.
fn signed() -> Vec<Vec<u8>> {
    let sign = |number: usize| {
        let claims = tokens::with(tokens::claims(ENDPOINT), json!({"sub": number.to_string()}));
        request(Some(&tokens::sign(&tokens::header(), &claims)))
    };
    (0..TOKENS).map(sign).collect()
}

/// The memory of a server after all connections have sent their requests, all at once each time.
fn memory(subject: Subject, requests: &[Vec<u8>], connections: usize, count: usize) {
    let server = Server::start(subject, "many");
    let before = server.memory();
    Client::new(server.address, connections, requests).send(count);
    let after = server.memory();
    println!(
        "{:<9} {connections} connections, {count} requests: peak {:.1} MiB, anonymous {:.2} MiB; before the first request {:.1} and {:.2}",
        subject.name(),
        after.peak,
        after.anonymous,
        before.peak,
        before.anonymous,
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        Some(&arguments[at + 1..])
    };
    if let Some([subject, threads, ..]) = after(SERVE) {
        return tokio(threads == "many").block_on(serve(Subject::named(subject), tell_parent));
    }
    if let Some([address, count, ..]) = after(CLIENT) {
        return Client::new(address.parse().unwrap(), 1, &[request(None)]).send(count.parse().unwrap());
    }
    if let Some([subject, count, ..]) = after("--count") {
        return self::count(Subject::named(subject), count.clone());
    }
    let measured = after("--bench").is_some();
    let scale = if measured {
        Scale {
            rounds: 41,
            requests: 2000,
        }
    } else {
        Scale {
            rounds: 1,
            requests: 20,
        }
    };
    let (plain, signed) = (vec![request(None)], signed());
    for connections in [1, 16] {
        for (name, ours, theirs, requests) in [
            ("service() to hyper", Subject::Service, Subject::Hyper, &plain),
            ("serve to hyper", Subject::Serve, Subject::Hyper, &plain),
            (
                "serve, 1,000 tokens, to unverified",
                Subject::Verified,
                Subject::Serve,
                &signed,
            ),
        ] {
            let comparison = Comparison {
                name,
                ours,
                theirs,
                connections,
            };
            comparison.run(scale, requests);
        }
    }
    let load = if measured { LOAD } else { 2 * 64 };
    for connections in [16, 64] {
        for (subject, requests) in [
            (Subject::Hyper, &plain),
            (Subject::Serve, &plain),
            (Subject::Verified, &signed),
        ] {
            memory(subject, requests, connections, load);
        }
    }
}

/// A runtime as `#[tokio::main]` makes it, or one of a single thread, whose CPU time is that of the server.
fn tokio(has_many_threads: bool) -> tokio::runtime::Runtime {
    let mut builder = if has_many_threads {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    builder.enable_all().build().unwrap()
}

/// Serves so many requests of a client in another process, and ends.
fn count(subject: Subject, count: String) {
    tokio(false).block_on(serve(subject, |address| {
        let mut client = Command::new(std::env::current_exe().unwrap());
        client.args([CLIENT.to_owned(), address.to_string(), count]);
        std::thread::spawn(move || {
            let ended = client.status().unwrap();
            std::process::exit(ended.code().unwrap_or(1));
        });
    }));
}
