//! Google's Pub/Sub emulator: the one that `PUBSUB_EMULATOR_HOST` names, or one from the installed Cloud SDK.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// How long a Java program may take to start on a busy machine.
const START: Duration = Duration::from_secs(120);

/// An emulator of this process, which ends when this process does: the shell around it waits for the pipe to close,
/// and that happens also when a test panics, or is killed.
struct Started {
    host: String,
    _shell: Child,
}

static STARTED: OnceLock<Result<Started, String>> = OnceLock::new();

/// The emulator as `host:port`, the same one for the whole process; says on standard error why where there is none.
pub(crate) fn emulator(who: &str) -> Option<String> {
    if let Ok(host) = std::env::var("PUBSUB_EMULATOR_HOST")
        && !host.is_empty()
    {
        assert!(
            answers(&host),
            "PUBSUB_EMULATOR_HOST is {host}, and no Pub/Sub emulator answers there"
        );
        return Some(host);
    }
    match STARTED.get_or_init(start) {
        Ok(started) => Some(started.host.clone()),
        Err(why) => {
            // The test harness hides what `eprintln!` says in a test that passes.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: {who}: {why}; set PUBSUB_EMULATOR_HOST, or install the Cloud SDK's pubsub-emulator and Java"
            );
            None
        }
    }
}

fn start() -> Result<Started, String> {
    let program = installed()?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("there is no free port: {error}"))?
        .port();
    let mut shell = Command::new("sh")
        .args(["-c", r#""$0" "$@" & read -r _; kill $!"#])
        .arg(program)
        .args(["--host=127.0.0.1", &format!("--port={port}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("no shell was started: {error}"))?;
    let host = format!("127.0.0.1:{port}");
    let started = Instant::now();
    while !answers(&host) {
        if started.elapsed() > START {
            drop(shell.stdin.take());
            return Err(format!("the emulator did not answer within {START:?}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(Started { host, _shell: shell })
}

/// The emulator's program in the Cloud SDK.
fn installed() -> Result<PathBuf, String> {
    let asked = Command::new("gcloud")
        .args(["info", "--format=value(installation.sdk_root)"])
        .output()
        .map_err(|error| format!("there is no Cloud SDK (gcloud: {error})"))?;
    let root = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    let program = PathBuf::from(root).join("platform/pubsub-emulator/bin/cloud-pubsub-emulator");
    if !program.exists() {
        return Err(format!("the Cloud SDK has no {}", program.display()));
    }
    match Command::new("java").arg("-version").output() {
        Ok(java) if java.status.success() => Ok(program),
        _ => Err("there is no Java for the emulator".to_owned()),
    }
}

/// Whether an emulator answers `Ok` to `GET /`.
fn answers(host: &str) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = [0; 512];
        let mut length = 0;
        while !answer[..length].windows(2).any(|pair| pair == b"Ok") {
            match stream.read(&mut answer[length..])? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => length += read,
            }
        }
        Ok::<_, std::io::Error>(())
    };
    ask().is_ok()
}

/// A call of the REST API: its status and the JSON of its answer.
pub(crate) async fn rest(host: &str, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{host}/v1/{path}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let response = Client::builder(TokioExecutor::new())
        .build_http()
        .request(request)
        .await
        .unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// Makes a topic.
pub(crate) async fn make_topic(host: &str, path: &str) {
    let (status, answer) = rest(host, Method::PUT, path, &serde_json::json!({})).await;
    assert_eq!(status, 200, "{answer}");
}
