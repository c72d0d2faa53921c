//! What `serve_cpu` measures: servers of one piece of work, each in a process of its own.
#![allow(dead_code, reason = "each benchmark uses a part")]

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use cloud_tasks::backend::{Backend, BackendFuture, Envelope};
use cloud_tasks::service::TrustedCallers;
use cloud_tasks::task::Enqueued;
use cloud_tasks::{Config, Runtime};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use crate::key_server::key_server;
use crate::subjects::{self, FEW};
use crate::tokens;

/// The argument that makes this binary a server.
pub(crate) const SERVE: &str = "--serve";
pub(crate) const ENDPOINT: &str = "https://shop.example";

/// Who serves.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Subject {
    /// Hyper and a function: no routes, no time limits, no end but the process's.
    Hyper,
    /// `Runtime::service`, served by the same hyper.
    Service,
    /// `Runtime::serve` of `Runtime::service`.
    Serve,
    /// The same, for verified callers.
    Verified,
}

const NAMES: [(&str, Subject); 4] = [
    ("hyper", Subject::Hyper),
    ("service", Subject::Service),
    ("serve", Subject::Serve),
    ("verified", Subject::Verified),
];

impl Subject {
    pub(crate) fn named(name: &str) -> Self {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("{name}: no such subject")).1
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, subject)| *subject == self).unwrap().0
    }
}

struct Nowhere;

impl Backend for Nowhere {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        Box::pin(async move { Ok(Enqueued::new(envelope.queue(), "nowhere")) })
    }
}

/// The runtime of verified callers, which has its keys. Their server ends with the process.
async fn verified() -> Runtime {
    let keys = Box::leak(Box::new(key_server().await));
    let callers = TrustedCallers::new().issuer(tokens::ISSUER, format!("{}/certs", keys.uri()));
    let config = Config::default()
        .with_endpoint(ENDPOINT)
        .with_service_account(tokens::ACCOUNT);
    let builder = Runtime::builder()
        .backend(Nowhere)
        .config(config)
        .callers(callers);
    builder.build().await.unwrap()
}

/// Serves connections with hyper alone.
async fn hyper<S>(listener: TcpListener, service: S)
where
    S: Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
        tokio::spawn(connection);
    }
}

/// Serves until the process ends, on a port that is told as soon as requests are accepted.
pub(crate) async fn serve(subject: Subject, tell: impl FnOnce(SocketAddr)) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let runtime = match subject {
        Subject::Verified => verified().await,
        Subject::Hyper | Subject::Service | Subject::Serve => subjects::runtime(FEW).await,
    };
    tell(address);
    match subject {
        Subject::Hyper => hyper(listener, service_fn(subjects::answer)).await,
        Subject::Service => hyper(listener, TowerToHyperService::new(runtime.service())).await,
        Subject::Serve | Subject::Verified => runtime.serve(listener, runtime.service()).await.unwrap(),
    }
}

/// Tells the process that started this one where it serves, and ends with it.
pub(crate) fn tell_parent(address: SocketAddr) {
    println!("{address}");
    std::io::stdout().flush().unwrap();
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

/// A server in another process, which ends with this value.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

/// What of a process is in memory, in MiB.
pub(crate) struct Memory {
    /// All of it, the program's own pages included, at its highest.
    pub(crate) peak: f64,
    /// What it has allocated, now.
    pub(crate) anonymous: f64,
}

impl Server {
    /// Starts a server; `threads` is how its tokio runtime is made: `one` or `many`.
    pub(crate) fn start(subject: Subject, threads: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([SERVE, subject.name(), threads])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            process,
            address: line.trim().parse().unwrap(),
        }
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).unwrap()
    }

    /// The CPU time so far of the thread that serves.
    pub(crate) fn cpu(&self) -> Duration {
        // A thread's account is brought up to date when it is taken off its CPU.
        std::thread::sleep(Duration::from_micros(200));
        let text = self.proc(&format!("task/{}/schedstat", self.process.id()));
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    }

    pub(crate) fn memory(&self) -> Memory {
        let status = self.proc("status");
        let mib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            let kib: f64 = line.split_whitespace().next().unwrap().parse().unwrap();
            kib / 1024.0
        };
        Memory {
            peak: mib("VmHWM:"),
            anonymous: mib("RssAnon:"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its end is all that is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
