//! The CPU time of an enqueue, next to the bare official client that sends the same message to the same server.
//!
//! The server is this binary again, in a process of its own, so that its CPU time is not counted. Both sides take turns,
//! and the ratio of each round is told: the machine's mood changes slower than a round. `cargo bench --bench enqueue_cpu`;
//! without `--bench` one short round is run.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark that cannot start may panic"
)]

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cloud_tasks::{Config, Context, Google, RetrySettings, Runtime, Task, TaskResult, task};
use futures_util::{StreamExt, stream};
use google_cloud_auth::credentials::anonymous;
use google_cloud_tasks_v2::client::CloudTasks;
use google_cloud_tasks_v2::model;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use uuid::Uuid;

/// The argument that makes this binary the server.
const SERVE: &str = "--serve";
const LOCATION: &str = "projects/my-project/locations/europe-west1";
const ENDPOINT: &str = "https://shop.example";
const ACCOUNT: &str = "tasks@my-project.iam.gserviceaccount.com";

#[derive(Clone, Deserialize, Serialize)]
struct SendWelcomeEmail {
    user_id: u64,
    template: String,
}

#[task(queue = "emails")]
impl Task for SendWelcomeEmail {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

fn email() -> SendWelcomeEmail {
    SendWelcomeEmail {
        user_id: 7,
        template: "welcome".to_owned(),
    }
}

/// Who sends.
#[derive(Clone)]
enum Sender {
    /// The official client, and whether the task gets a name.
    Bare(CloudTasks, bool),
    Ours(Runtime),
}

impl Sender {
    async fn send(&self) {
        match self {
            Self::Bare(client, named) => bare(client, *named).await,
            Self::Ours(runtime) => {
                let enqueued = email().asap().on(runtime).await.unwrap();
                assert_eq!(enqueued.queue(), "emails");
            }
        }
    }

    /// Sends so many, so many of them at once.
    async fn send_all(&self, calls: usize, at_once: usize) {
        stream::iter(0..calls)
            .for_each_concurrent(at_once, |_| self.send())
            .await;
    }
}

/// What one would write with the official client alone.
async fn bare(client: &CloudTasks, named: bool) {
    let body = Bytes::from(serde_json::to_vec(&email()).unwrap());
    let queue = format!("{LOCATION}/queues/emails");
    let mut task = model::Task::new().set_http_request(
        model::HttpRequest::new()
            .set_url(format!("{ENDPOINT}/tasks/SendWelcomeEmail"))
            .set_http_method(model::HttpMethod::Post)
            .set_headers([("content-type", "application/json")])
            .set_body(body)
            .set_oidc_token(
                model::OidcToken::new()
                    .set_service_account_email(ACCOUNT)
                    .set_audience(ENDPOINT),
            ),
    );
    if named {
        task = task.set_name(format!("{queue}/tasks/{}", Uuid::new_v4().simple()));
    }
    let created = client
        .create_task()
        .set_parent(queue)
        .set_task(task)
        .send()
        .await
        .unwrap();
    assert!(created.name.starts_with(LOCATION));
}

async fn official(url: &str) -> CloudTasks {
    CloudTasks::builder()
        .with_endpoint(url)
        .with_credentials(anonymous::Builder::new().build())
        .build()
        .await
        .unwrap()
}

async fn ours(url: &str, retry: RetrySettings) -> Runtime {
    let config = Config::default()
        .endpoint(ENDPOINT)
        .project("my-project")
        .location("europe-west1")
        .service_account(ACCOUNT)
        .enqueue_retry(retry);
    let google = Google::new()
        .api_endpoint(url)
        .credentials(anonymous::Builder::new().build());
    Runtime::builder()
        .config(config)
        .google(google)
        .build()
        .await
        .unwrap()
}

/// The CPU time of this process's threads so far, or nothing where the system does not tell it.
fn cpu() -> Option<Duration> {
    // A thread's account is brought up to date when it is taken off its CPU.
    std::thread::sleep(Duration::from_micros(100));
    let mut nanos = 0;
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let path = thread.ok()?.path().join("schedstat");
        let text = std::fs::read_to_string(path).ok()?;
        nanos += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanos))
}

/// One way to send, next to another.
struct Comparison {
    name: &'static str,
    ours: Sender,
    theirs: Sender,
    at_once: usize,
}

impl Comparison {
    /// Compares in rounds: theirs, ours, ours, theirs, so that what grows or shrinks steadily cancels out.
    async fn run(&self, rounds: usize, calls: usize) {
        for sender in [&self.theirs, &self.ours] {
            sender.send_all(calls, self.at_once).await;
        }
        let mut ratios = Vec::new();
        let (mut ours, mut theirs) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..rounds {
            let mut round = [Duration::ZERO; 2];
            for (side, sender) in [
                (0, &self.theirs),
                (1, &self.ours),
                (1, &self.ours),
                (0, &self.theirs),
            ] {
                let Some(before) = cpu() else {
                    println!("this system does not tell a process's CPU time in /proc");
                    return;
                };
                sender.send_all(calls, self.at_once).await;
                round[side] += cpu().unwrap().saturating_sub(before);
            }
            theirs += round[0];
            ours += round[1];
            ratios.push(round[1].as_secs_f64() / round[0].as_secs_f64());
        }
        ratios.sort_by(f64::total_cmp);
        println!(
            "{:<28} {:>3} at once: ratio {:.3} ({:.3} to {:.3} in {} rounds of 2 x {calls} calls), all rounds {:.3}, \
             {:.1} us to {:.1} us a call",
            self.name,
            self.at_once,
            ratios[ratios.len() / 2],
            ratios[0],
            ratios[ratios.len() - 1],
            ratios.len(),
            ours.as_secs_f64() / theirs.as_secs_f64(),
            micros(ours, rounds, calls),
            micros(theirs, rounds, calls),
        );
    }
}

#[allow(clippy::cast_precision_loss, reason = "a number of calls is small")]
fn micros(time: Duration, rounds: usize, calls: usize) -> f64 {
    time.as_secs_f64() * 1e6 / (2 * rounds * calls) as f64
}

fn main() {
    if std::env::args().any(|arg| arg == SERVE) {
        return serve();
    }
    let measured = std::env::args().any(|arg| arg == "--bench");
    let server = Server::start();
    tokio().block_on(async {
        let url = format!("http://{}", server.address);
        let once = Sender::Ours(ours(&url, RetrySettings::off()).await);
        let repeating = Sender::Ours(ours(&url, RetrySettings::default()).await);
        let unnamed = Sender::Bare(official(&url).await, false);
        let named = Sender::Bare(official(&url).await, true);
        server.assert_same(&once, &unnamed).await;
        server.assert_same(&repeating, &named).await;
        for at_once in [1, 64] {
            for (name, ours, theirs) in [
                ("by default, with a name", &repeating, &named),
                ("without repeats and name", &once, &unnamed),
            ] {
                let comparison = Comparison {
                    name,
                    ours: ours.clone(),
                    theirs: theirs.clone(),
                    at_once,
                };
                if measured {
                    comparison.run(41, 1000).await;
                } else {
                    comparison.run(1, 2 * at_once).await;
                }
            }
        }
    });
}

/// One thread does it all, so that its CPU time is that of the calls.
fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The other process; it ends with this one.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(SERVE)
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

    /// Makes sure that both send the same bytes, but for what is random in a name.
    async fn assert_same(&self, ours: &Sender, theirs: &Sender) {
        ours.send().await;
        let sent = self.last();
        theirs.send().await;
        assert_eq!(sent, self.last());
        assert!(sent.contains(r#""oidcToken""#), "{sent}");
    }

    /// What the last call was, as the server tells it.
    fn last(&self) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream
            .write_all(b"GET /last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, told) = answer.split_once("\r\n\r\n").unwrap();
        match told.split_once("/tasks/") {
            Some((before, id_and_more)) if !id_and_more.starts_with("SendWelcome") => {
                format!("{before}/tasks/{}", &id_and_more[32..])
            }
            _ => told.to_owned(),
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

/// Answers every call with a task, as Cloud Tasks does, until the process that started this one ends.
fn serve() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    tokio().block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let last = Arc::new(Mutex::new(Call::None));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let last = Arc::clone(&last);
            let service = service_fn(move |request| answer(request, Arc::clone(&last)));
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
}

/// What the server remembers of a call.
type Call = Option<(Parts, Bytes)>;

async fn answer(
    request: Request<Incoming>,
    last: Arc<Mutex<Call>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.ok().unwrap_or_default().to_bytes();
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if let ("/last", Some((parts, body))) = (parts.uri.path(), &*last) {
        let body = String::from_utf8_lossy(body);
        let told = format!("{} {} {:#?}\n{body}", parts.method, parts.uri, parts.headers);
        return Ok(Response::new(Full::from(told)));
    }
    *last = Some((parts, body));
    let mut response = Response::new(Full::from(CREATED));
    let json = HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

/// An answer of Cloud Tasks.
const CREATED: &str = r#"{
  "name": "projects/my-project/locations/europe-west1/queues/emails/tasks/5f9e3c0a7b6d4e2f8a1c0b9d8e7f6a5b",
  "httpRequest": {
    "url": "https://shop.example/tasks/SendWelcomeEmail",
    "httpMethod": 1,
    "headers": {
      "User-Agent": "Google-Cloud-Tasks",
      "content-type": "application/json"
    },
    "oidcToken": {
      "serviceAccountEmail": "tasks@my-project.iam.gserviceaccount.com",
      "audience": "https://shop.example"
    }
  },
  "scheduleTime": "2026-01-01T00:00:00.123456Z",
  "createTime": "2026-01-01T00:00:00Z",
  "dispatchDeadline": "600s",
  "view": 1
}
"#;
