//! The server: how it stops, and clients who take their time.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use cloud_tasks::Runtime;
use cloud_tasks::queue::QueueSettings;
use cloud_tasks::service::Serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::service::{Foreman, Nowhere};
use crate::support::logs::Logs;

pub(crate) const LONG: Duration = Duration::from_secs(3600);
pub(crate) const SHORT: Duration = Duration::from_millis(50);

/// A server with [`Work`](crate::service::Work) and a page of its own.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) runtime: Runtime,
    pub(crate) foreman: Foreman,
    starts: mpsc::UnboundedReceiver<u64>,
    backend: Nowhere,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) ended: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) async fn start(options: impl FnOnce(Serve<Router>) -> Serve<Router>) -> Self {
        let (foreman, starts) = Foreman::new();
        let backend = Nowhere::default();
        let runtime = Runtime::builder()
            .backend(backend.clone())
            .state(foreman.clone())
            .queue(QueueSettings::new("last").with_max_attempts(2))
            .allow_unauthenticated()
            .build()
            .await
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/big", get(|| async { vec![b'x'; 64 * 1024 * 1024] }))
            .route("/read", post(|body: String| async move { body }))
            .layer(runtime.layer());
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = runtime
            .serve(listener, app)
            .linger(Duration::ZERO)
            .shutdown(async { drop(stopped.await) });
        Self {
            address,
            runtime,
            foreman,
            starts,
            backend,
            stop: Some(stop),
            ended: tokio::spawn(options(serve).into_future()),
        }
    }

    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection over which a task is started.
    pub(crate) async fn start_work(&mut self, number: u64) -> TcpStream {
        let mut stream = self.connect().await;
        request(
            &mut stream,
            "POST /tasks/Work",
            &format!(r#"{{"number": {number}}}"#),
        )
        .await;
        assert_eq!(self.starts.recv().await, Some(number));
        stream
    }

    /// Sends requests until the server says that it is stopping.
    pub(crate) async fn until_stopping(&self) -> String {
        loop {
            let mut stream = self.connect().await;
            request(&mut stream, "GET /", "").await;
            let answer = answer(&mut stream).await;
            if !answer.starts_with("HTTP/1.1 200") {
                return answer;
            }
        }
    }
}

pub(crate) async fn request(stream: &mut TcpStream, line: &str, body: &str) {
    let text = format!(
        "{line} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// The first answer that comes.
pub(crate) async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4096];
    let count = stream.read(&mut bytes).await.unwrap_or_default();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

/// Everything until the server closes the connection.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is cut off ends with an error, which is an end too.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn when_it_stops_what_runs_ends_what_is_new_goes_elsewhere_and_publishers_are_flushed() {
    let mut server = Server::start(|serve| serve.grace(LONG)).await;
    let mut running = server.start_work(7).await;
    server.stop();

    let turned_away = server.until_stopping().await;
    server.foreman.release(1);
    let ended = rest(&mut running).await;
    server.ended.await.unwrap().unwrap();

    assert!(turned_away.starts_with("HTTP/1.1 503"), "{turned_away}");
    assert!(turned_away.contains("retry-after: 1\r\n"), "{turned_away}");
    assert!(turned_away.contains("connection: close\r\n"), "{turned_away}");
    assert!(turned_away.ends_with(r#"{"error":"This instance is shutting down"}"#));
    assert!(ended.ends_with(r#"{"result":7,"status":"executed"}"#), "{ended}");
    assert_eq!(server.foreman.cut_off(), 0);
    assert_eq!(server.backend.flushes.load(Ordering::SeqCst), 1);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn what_does_not_end_within_the_grace_is_cut_off_without_an_answer() {
    let mut server = Server::start(|serve| serve.grace(SHORT)).await;
    let mut running = server.start_work(7).await;
    server.stop();

    let answer = rest(&mut running).await;
    server.ended.await.unwrap().unwrap();

    assert_eq!(answer, "");
    assert_eq!(server.foreman.cut_off(), 1);
    assert_eq!(server.backend.flushes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_stop() {
    let mut server = Server::start(|serve| serve.grace(LONG).header_timeout(LONG)).await;
    let mut idle = server.connect().await;
    request(&mut idle, "GET /", "").await;
    assert!(answer(&mut idle).await.ends_with("hello"));

    server.stop();

    server.ended.await.unwrap().unwrap();
    assert_eq!(rest(&mut idle).await, "");
}

#[tokio::test]
async fn a_client_that_does_not_send_its_headers_is_let_go() {
    let mut server = Server::start(|serve| serve.header_timeout(SHORT)).await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();

    // It ends, which is what is asked for: without a limit this would wait for ever.
    rest(&mut slow).await;

    server.stop();
    server.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_sends_nothing_or_half_of_a_greeting_is_let_go() {
    let mut server = Server::start(|serve| serve.header_timeout(SHORT)).await;

    for greeting in ["", "PRI * HTTP/2.0\r", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut silent = server.connect().await;
        silent.write_all(greeting.as_bytes()).await.unwrap();

        // It ends, which is what is asked for.
        rest(&mut silent).await;
    }

    server.stop();
    server.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_first_request_may_run_for_longer_than_its_headers_may_take() {
    // Ten times as long as elsewhere: these headers are to arrive in time, on a busy machine too.
    let mut server = Server::start(|serve| serve.header_timeout(10 * SHORT)).await;
    let mut running = server.start_work(7).await;

    // Another connection is let go in the meantime, so the time has passed.
    rest(&mut server.connect().await).await;
    server.foreman.release(1);

    assert!(
        answer(&mut running)
            .await
            .ends_with(r#"{"result":7,"status":"executed"}"#)
    );
    server.stop();
    server.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn times_without_end_are_taken() {
    let mut server = Server::start(|serve| {
        serve
            .grace(Duration::MAX)
            .header_timeout(Duration::MAX)
            .body_timeout(Duration::MAX)
            .write_timeout(Duration::MAX)
    })
    .await;
    let mut stream = server.connect().await;
    request(&mut stream, "GET /", "").await;

    assert!(answer(&mut stream).await.ends_with("hello"));
    server.stop();
    server.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let mut server = Server::start(|serve| serve.body_timeout(SHORT)).await;

    for (path, status) in [("/tasks/Note", "400"), ("/read", "400")] {
        let mut slow = server.connect().await;
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{{");
        slow.write_all(head.as_bytes()).await.unwrap();

        let answer = answer(&mut slow).await;

        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{path}: {answer}"
        );
    }
    server.stop();
    server.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_let_go() {
    let mut server = Server::start(|serve| serve.write_timeout(SHORT).grace(LONG)).await;
    let mut slow = server.connect().await;
    request(&mut slow, "GET /big", "").await;
    assert!(answer(&mut slow).await.starts_with("HTTP/1.1 200"));

    // The stop waits for answers that are on their way, and so ends only when this one is given up.
    server.stop();
    server.ended.await.unwrap().unwrap();

    assert!(rest(&mut slow).await.len() < 64 * 1024 * 1024);
}

#[tokio::test]
async fn it_speaks_http_2_too() {
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;

    let mut server = Server::start(|serve| serve).await;
    let client: Client<_, http_body_util::Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();

    let response = client
        .get(format!("http://{}/", server.address).parse().unwrap())
        .await
        .unwrap();

    assert_eq!(
        (response.version(), response.status().as_u16()),
        (http::Version::HTTP_2, 200)
    );
    drop(client);
    server.stop();
    server.ended.await.unwrap().unwrap();
}

/// The head of a request for a task with as much in its headers as a task can have.
fn full_head() -> Vec<(String, String)> {
    let value = "x".repeat(32 * 1024 / 80 - 8);
    (0..80).map(|n| (format!("x-{n:04}"), value.clone())).collect()
}

#[tokio::test]
async fn what_an_enqueue_accepts_the_server_takes_over_http_1_and_http_2() {
    let mut server = Server::start(|serve| serve).await;
    server.foreman.release(2);
    let lines: Vec<String> = full_head()
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let lines = lines.concat();
    let body = r#"{"number": 1}"#;
    let head = format!(
        "POST /tasks/Work HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{lines}\r\n",
        body.len()
    );
    let mut first = server.connect().await;
    first.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let over_http_1 = answer(&mut first).await;

    let stream = hyper_util::rt::TokioIo::new(server.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), stream)
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    let mut request = http::Request::post("http://x/tasks/Work")
        .body(body.to_owned())
        .unwrap();
    for (name, value) in full_head() {
        let (name, value) = (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        request.headers_mut().insert(name, value);
    }
    let over_http_2 = client.send_request(request).await.unwrap().status();
    connection.abort();
    server.stop();

    assert!(over_http_1.starts_with("HTTP/1.1 200"), "{over_http_1}");
    assert_eq!(over_http_2, 200);
}

/// The resident memory of this process, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// Runs in a process of its own, where nothing else takes memory.
#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "it is a part of another test"]
async fn holds_connections_with_unfinished_headers() {
    const CONNECTIONS: usize = 300;
    let mut server = Server::start(|serve| serve.header_timeout(LONG)).await;
    let line = format!("x: {}\r\n", "x".repeat(1000));
    // As much as is kept at most: one line more is answered with 431.
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\n{}", line.repeat(62));
    // What the first connection allocates is not of any connection.
    let mut streams = vec![server.connect().await];
    streams[0].write_all(head.as_bytes()).await.unwrap();
    let before = resident();

    for _ in 0..CONNECTIONS {
        let mut stream = server.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    // Answered after everything before it was read.
    let mut last = server.connect().await;
    for _ in 0..100 {
        request(&mut last, "GET /", "").await;
        assert!(answer(&mut last).await.ends_with("hello"));
    }

    let each = resident().saturating_sub(before) / CONNECTIONS;
    writeln!(
        std::io::stdout(),
        "unfinished headers hold {each} bytes per connection"
    )
    .unwrap();
    drop(streams);
    server.stop();
    server.ended.await.unwrap().unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_with_unfinished_headers_holds_little_more_than_they_are() {
    let part = "serving::holds_connections_with_unfinished_headers";
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([part, "--exact", "--ignored", "--nocapture"])
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();

    let text = String::from_utf8_lossy(&output.stdout);
    let told = text
        .split_once("unfinished headers hold ")
        .and_then(|(_, told)| told.split_once(' '));
    let each: usize = told.unwrap_or_else(|| panic!("{output:?}")).0.parse().unwrap();

    assert!(output.status.success(), "{output:?}");
    // The headers have 62 KiB; the connection itself, both ends of it, some more.
    assert!((50_000..110_000).contains(&each), "{each} bytes per connection");
}

#[tokio::test]
async fn headers_that_never_end_are_not_kept() {
    let mut server = Server::start(|serve| serve.header_timeout(LONG)).await;
    let mut stream = server.connect().await;

    let line = format!("x: {}\r\n", "x".repeat(1000));
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\n{}", line.repeat(66));
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = answer(&mut stream).await;
    server.stop();

    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn what_was_spawned_ends_before_the_server_has_stopped() {
    let mut server = Server::start(|serve| serve.grace(LONG)).await;
    let (release, released) = oneshot::channel::<()>();
    let ended = Arc::new(AtomicBool::new(false));
    let at_the_end = Arc::clone(&ended);
    server.runtime.spawn(async move {
        released.await.unwrap();
        // A call to the cloud takes longer than the rest of the stop.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        at_the_end.store(true, Ordering::SeqCst);
    });

    server.stop();
    release.send(()).unwrap();
    server.ended.await.unwrap().unwrap();

    assert!(ended.load(Ordering::SeqCst));
    assert_eq!(server.backend.flushes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_was_spawned_and_does_not_end_holds_the_stop_up_for_the_grace_alone() {
    let mut server = Server::start(|serve| serve.grace(SHORT)).await;
    let logs = Logs::capture();
    let endless = server.runtime.spawn(std::future::pending::<()>());

    server.stop();
    server.ended.await.unwrap().unwrap();

    assert!(logs.text().contains("did not end in time"), "{}", logs.text());
    assert_eq!(server.backend.flushes.load(Ordering::SeqCst), 1);
    endless.abort();
}
