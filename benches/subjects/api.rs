//! Cloud Tasks in a process of its own, and the ways to call it: with the official client alone, and with this library.
#![allow(clippy::unwrap_used, clippy::print_stdout, dead_code)]

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use cloud_tasks::backend::{Google, RetrySettings};
use cloud_tasks::{Config, Context, Runtime, Task, TaskResult, task};
use google_cloud_auth::credentials::anonymous;
use google_cloud_tasks_v2::client::CloudTasks;
use google_cloud_tasks_v2::model;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use uuid::Uuid;

/// The argument that makes this binary the server.
pub(crate) const SERVE: &str = "--serve";
pub(crate) const LOCATION: &str = "projects/my-project/locations/europe-west1";
pub(crate) const ENDPOINT: &str = "https://shop.example";
pub(crate) const ACCOUNT: &str = "tasks@my-project.iam.gserviceaccount.com";

#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct SendWelcomeEmail {
    user_id: u64,
    template: String,
}

#[task(queue = "emails")]
impl Task for SendWelcomeEmail {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

pub(crate) fn email() -> SendWelcomeEmail {
    SendWelcomeEmail {
        user_id: 7,
        template: "welcome".to_owned(),
    }
}

/// What one would write with the official client alone.
pub(crate) async fn bare(client: &CloudTasks, named: bool) {
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

pub(crate) async fn official(url: &str) -> CloudTasks {
    CloudTasks::builder()
        .with_endpoint(url)
        .with_credentials(anonymous::Builder::new().build())
        .build()
        .await
        .unwrap()
}

pub(crate) async fn ours(url: &str, retry: RetrySettings) -> Runtime {
    runtime(url, retry, Google::new()).await
}

/// The same, over one connection of HTTP/2.
pub(crate) async fn ours_over_http2(url: &str) -> Runtime {
    runtime(url, RetrySettings::default(), Google::new().http2()).await
}

async fn runtime(url: &str, retry: RetrySettings, google: Google) -> Runtime {
    let config = Config::default()
        .with_endpoint(ENDPOINT)
        .with_project("my-project")
        .with_location("europe-west1")
        .with_service_account(ACCOUNT)
        .with_enqueue_retry(retry);
    let google = google
        .api_endpoint(url)
        .credentials(anonymous::Builder::new().build());
    Runtime::builder()
        .config(config)
        .google(google)
        .build()
        .await
        .unwrap()
}

/// One thread does it all, so that its CPU time is that of the calls.
pub(crate) fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The other process; it ends with this one.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start() -> Self {
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

    /// How many connections were opened so far, without this one.
    pub(crate) fn connections(&self) -> usize {
        self.get("/connections").parse::<usize>().unwrap() - 1
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// What the last call was, as the server tells it, without what names its client.
    pub(crate) fn last(&self) -> String {
        let told = self.get("/last");
        let lines = told.lines().filter(|line| !line.contains("x-goog-api-client"));
        let told = lines.collect::<Vec<_>>().join("\n");
        match told.split_once("/tasks/") {
            Some((before, id_and_more)) if !id_and_more.starts_with("SendWelcome") => {
                format!("{before}/tasks/{}", &id_and_more[32..])
            }
            _ => told,
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
pub(crate) fn serve() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    tokio().block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let last = Arc::new(Mutex::new(Call::None));
        let mut connections = 0;
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections += 1;
            stream.set_nodelay(true).unwrap();
            let last = Arc::clone(&last);
            let service = service_fn(move |request| answer(request, connections, Arc::clone(&last)));
            tokio::spawn(async move {
                let http = auto::Builder::new(TokioExecutor::new());
                http.serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
}

/// What the server remembers of a call.
type Call = Option<(Parts, Bytes)>;

async fn answer(
    request: Request<Incoming>,
    connections: usize,
    last: Arc<Mutex<Call>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.ok().unwrap_or_default().to_bytes();
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if parts.uri.path() == "/connections" {
        return Ok(Response::new(Full::from(connections.to_string())));
    }
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
