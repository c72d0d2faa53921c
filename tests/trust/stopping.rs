//! How long the server accepts connections and keeps them: after the signal, between two requests, and when they are many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use cloud_tasks::backend::{Backend, BackendFuture, Envelope};
use cloud_tasks::commit::CommitHooks;
use cloud_tasks::task::Enqueued;
use cloud_tasks::{BoxError, Runtime, Task};
use http_body_util::Empty;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::service::{Note, state};
use crate::serving::{LONG, SHORT, Server, answer, request, rest};
use crate::support::logs::Logs;
use crate::support::wait::{next, within};

type Http2 = (SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>);

/// A connection of HTTP/2, and the task that ends with it.
async fn http2(server: &Server) -> Http2 {
    let stream = TokioIo::new(server.connect().await);
    let (client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    (client, tokio::spawn(connection))
}

async fn status(client: &mut SendRequest<Empty<Bytes>>) -> u16 {
    let request = http::Request::get("http://x/").body(Empty::new()).unwrap();
    within(client.send_request(request))
        .await
        .unwrap()
        .status()
        .as_u16()
}

/// Sends a request over an HTTP/1 connection that stays open.
async fn get(stream: &mut TcpStream) {
    request(stream, "GET /", "").await;
    let answer = within(answer(stream)).await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_server_with_nothing_to_do_goes_on_answering_as_long_as_it_lingers() {
    let mut server = Server::start(|serve| serve.grace(LONG).linger(LONG)).await;
    let mut kept = server.connect().await;
    get(&mut kept).await;

    server.stop();
    let mut turned_away = server.until_stopping().await;
    for path in ["/tasks/Note", "/subscriptions/Listener", "/"] {
        let mut stream = server.connect().await;
        request(&mut stream, &format!("POST {path}"), "{}").await;
        turned_away += &within(rest(&mut stream)).await;
    }
    request(&mut kept, "GET /", "").await;
    turned_away += &within(rest(&mut kept)).await;

    for part in ["HTTP/1.1 503", "retry-after: 1\r\n", "connection: close\r\n"] {
        assert_eq!(turned_away.matches(part).count(), 5, "{part}: {turned_away}");
    }
    assert!(!server.ended.is_finished());
    server.ended.abort();
}

#[tokio::test]
async fn a_task_that_its_queue_does_not_deliver_again_is_let_in_while_the_server_stops() {
    let mut server = Server::start(|serve| serve.grace(LONG).linger(LONG)).await;
    server.stop();
    server.until_stopping().await;

    let mut answers = Vec::new();
    for (queue, retries) in [("last", 0), ("last", 1), ("unknown", 1)] {
        let mut stream = server.connect().await;
        let text = format!(
            "POST /tasks/Note HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nx-cloudtasks-queuename: {queue}\r\n\
             x-cloudtasks-taskname: n1\r\nx-cloudtasks-taskretrycount: {retries}\r\n\r\nnull"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let answer = within(rest(&mut stream)).await;
        answers.push(answer.split(' ').nth(1).unwrap_or_default().to_owned());
    }

    assert_eq!(answers, ["503", "200", "503"]);
    server.ended.abort();
}

#[tokio::test]
async fn a_server_that_has_lingered_closes_its_door_and_ends() {
    // The grace would hold it up for an hour, and so would lingering beyond the grace.
    for (grace, linger) in [(LONG, SHORT), (SHORT, LONG)] {
        let mut server = Server::start(|serve| serve.grace(grace).linger(linger)).await;
        let mut kept = server.connect().await;
        get(&mut kept).await;

        server.stop();
        within(&mut server.ended).await.unwrap().unwrap();

        assert_eq!(rest(&mut kept).await, "");
        assert!(TcpStream::connect(server.address).await.is_err());
    }
}

#[tokio::test]
async fn what_ends_while_the_server_stops_sends_its_client_elsewhere() {
    let mut server = Server::start(|serve| serve.grace(LONG).linger(LONG)).await;
    let mut running = server.start_work(7).await;

    server.stop();
    server.until_stopping().await;
    server.foreman.release(1);
    let ended = within(rest(&mut running)).await;

    assert!(ended.starts_with("HTTP/1.1 200"), "{ended}");
    assert!(ended.contains("connection: close\r\n"), "{ended}");
    server.ended.abort();
}

#[tokio::test]
async fn over_http_2_it_answers_503_and_says_goodbye() {
    let mut server = Server::start(|serve| serve.grace(LONG).linger(LONG)).await;
    let (mut client, connection) = http2(&server).await;
    assert_eq!(status(&mut client).await, 200);

    server.stop();
    server.until_stopping().await;
    let turned_away = status(&mut client).await;
    // A GOAWAY ends the connection; without it, it would go on while the server lingers.
    within(connection).await.unwrap().unwrap();

    assert_eq!(turned_away, 503);
    server.ended.abort();
}

#[tokio::test]
async fn a_connection_between_two_requests_outlives_the_limit_for_headers() {
    let mut server = Server::start(|serve| serve.header_timeout(SHORT).idle_timeout(LONG)).await;
    let mut first = server.connect().await;
    get(&mut first).await;
    let (mut client, _connection) = http2(&server).await;
    assert_eq!(status(&mut client).await, 200);

    // The limit for headers ends others in the meantime, twice.
    for _ in 0..2 {
        within(rest(&mut server.connect().await)).await;
    }

    get(&mut first).await;
    assert_eq!(status(&mut client).await, 200);
    server.stop();
    within(server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_idle_connection_ends_at_its_own_limit() {
    let mut server = Server::start(|serve| serve.header_timeout(LONG).idle_timeout(SHORT)).await;
    let mut first = server.connect().await;
    get(&mut first).await;
    let (mut client, connection) = http2(&server).await;
    assert_eq!(status(&mut client).await, 200);

    assert_eq!(within(rest(&mut first)).await, "");
    // An end in order: the client knows which requests were not taken.
    within(connection).await.unwrap().unwrap();

    server.stop();
    within(server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn half_of_the_next_headers_has_the_limit_for_headers() {
    let mut server = Server::start(|serve| serve.header_timeout(SHORT).idle_timeout(LONG)).await;
    let mut slow = server.connect().await;
    get(&mut slow).await;

    slow.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();

    assert_eq!(within(rest(&mut slow)).await, "");
    server.stop();
    within(server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_may_run_for_longer_than_a_connection_may_be_idle() {
    let mut server = Server::start(|serve| serve.header_timeout(10 * SHORT).idle_timeout(SHORT)).await;
    let mut running = server.start_work(7).await;

    for _ in 0..2 {
        let mut other = server.connect().await;
        get(&mut other).await;
        within(rest(&mut other)).await;
    }
    server.foreman.release(1);

    let ended = within(answer(&mut running)).await;
    assert!(ended.ends_with(r#"{"result":7,"status":"executed"}"#), "{ended}");
    server.stop();
    within(server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_new_connection_takes_the_place_of_a_silent_one_and_then_of_the_longest_idle_one() {
    let mut server =
        Server::start(|serve| serve.max_connections(3).header_timeout(LONG).idle_timeout(LONG)).await;
    let mut longest = server.connect().await;
    get(&mut longest).await;
    let mut running = server.start_work(7).await;
    let mut silent = server.connect().await;

    let mut third = server.connect().await;
    get(&mut third).await;
    assert_eq!(within(rest(&mut silent)).await, "");
    get(&mut longest).await;
    get(&mut third).await;
    let mut fourth = server.connect().await;
    get(&mut fourth).await;

    assert_eq!(within(rest(&mut longest)).await, "");
    get(&mut third).await;
    server.foreman.release(1);
    assert!(within(answer(&mut running)).await.starts_with("HTTP/1.1 200"));
    server.stop();
    within(server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_new_connection_waits_while_all_are_busy() {
    let logs = Logs::capture();
    let mut server = Server::start(|serve| serve.max_connections(2)).await;
    let mut first = server.start_work(1).await;
    let _second = server.start_work(2).await;
    let mut third = server.connect().await;
    request(&mut third, "GET /", "").await;

    server.foreman.release(1);
    let answered = within(answer(&mut third)).await;

    assert!(answered.ends_with("hello"), "{answered}");
    assert!(within(rest(&mut first)).await.starts_with("HTTP/1.1 200"));
    assert!(
        logs.text().contains("all connections are busy"),
        "{}",
        logs.text()
    );
    server.foreman.release(1);
    server.stop();
    within(server.ended).await.unwrap().unwrap();
}

/// A backend whose every step the test allows.
#[derive(Clone)]
struct Stepwise {
    steps: Arc<Semaphore>,
    sent: Arc<AtomicUsize>,
}

impl Stepwise {
    async fn step(&self) {
        self.steps.acquire().await.unwrap().forget();
    }
}

impl Backend for Stepwise {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        Box::pin(async move {
            self.step().await;
            self.sent.fetch_add(1, Ordering::SeqCst);
            Ok(Enqueued::new(envelope.queue(), "1"))
        })
    }
}

/// Says that its handler was dropped before its end.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn clients_that_hang_up_during_a_commit_lose_nothing_of_what_it_sends() {
    const TASKS: usize = 3;
    const CLIENTS: usize = 10;
    let backend = Stepwise {
        steps: Arc::new(Semaphore::new(0)),
        sent: Arc::default(),
    };
    let runtime = Runtime::builder()
        .backend(backend.clone())
        .state(state())
        .allow_unauthenticated()
        .build()
        .await
        .unwrap();
    let (started, mut starts) = mpsc::unbounded_channel();
    let (dropped, mut drops) = mpsc::unbounded_channel();
    let committed = Arc::new(AtomicUsize::new(0));
    let (own, commits, steps) = (runtime.clone(), Arc::clone(&committed), backend.clone());
    let order = move || async move {
        let _dropped = Dropped(dropped);
        let mut hooks = CommitHooks::new();
        for _ in 0..TASKS {
            Note.asap().on(&own).on_commit(&mut hooks).unwrap();
        }
        let commit = hooks.commit_with(|hooks| async move {
            started.send(()).unwrap();
            // The `COMMIT` is under way.
            steps.step().await;
            commits.fetch_add(1, Ordering::SeqCst);
            hooks.run().await?;
            Ok::<_, BoxError>("ordered")
        });
        commit.await.unwrap()
    };
    let app = Router::new().route("/orders", post(order)).layer(runtime.layer());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = runtime
        .serve(listener, app)
        .grace(LONG)
        .linger(std::time::Duration::ZERO)
        .shutdown(async { drop(stopped.await) });
    let ended = tokio::spawn(serve.into_future());

    // Each client leaves later: before the `COMMIT` is answered, or after so many of its tasks.
    for client in 0..CLIENTS {
        let mut stream = TcpStream::connect(address).await.unwrap();
        request(&mut stream, "POST /orders", "").await;
        next(&mut starts).await;
        let before = committed.load(Ordering::SeqCst) + backend.sent.load(Ordering::SeqCst);
        let allowed = client % (TASKS + 1);
        backend.steps.add_permits(allowed);
        while committed.load(Ordering::SeqCst) + backend.sent.load(Ordering::SeqCst) < before + allowed {
            tokio::task::yield_now().await;
        }
        drop(stream);
        next(&mut drops).await;
        // Those before it went on without their clients, and are not done: only this many steps were allowed.
    }
    stop.send(()).unwrap();
    assert!(!ended.is_finished());
    backend.steps.add_permits(CLIENTS * (TASKS + 1));
    within(ended).await.unwrap().unwrap();

    assert_eq!(committed.load(Ordering::SeqCst), CLIENTS);
    assert_eq!(backend.sent.load(Ordering::SeqCst), CLIENTS * TASKS);
}
