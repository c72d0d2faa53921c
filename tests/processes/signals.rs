//! The signals that stop a server, in a process of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use cloud_tasks::Runtime;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

use crate::crash::stage::Record;

/// Set in the process of the server.
const PART: &str = "TEST_SIGNALS";
const CLOUD_RUN: &str = "K_SERVICE";

/// Runs as a server in the processes that the tests below start; otherwise it does nothing.
#[tokio::test]
async fn the_server() {
    if std::env::var_os(PART).is_none() {
        return;
    }
    tracing_subscriber::fmt().with_ansi(false).init();
    let record = Record::open(Path::new("/dev/null")).unwrap();
    let runtime = Runtime::eager().state(record).build().await.unwrap();
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/hang", get(std::future::pending::<()>));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let serve = runtime.serve(listener, app).without_tasks();
    serve.grace(Duration::from_secs(3600)).await.unwrap();
}

struct Server {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Server {
    async fn start(vars: &[(&str, &str)]) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["signals::the_server", "--exact", "--nocapture"])
            .env_remove(CLOUD_RUN)
            .env(PART, "yes")
            .envs(vars.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut server = Self {
            process,
            output,
            address: String::new(),
        };
        let line = server.log("serving").await;
        let (_, address) = line.split_once(" address=").unwrap();
        address.split(' ').next().unwrap().clone_into(&mut server.address);
        server
    }

    /// Waits until the server logs this, and returns the line.
    async fn log(&mut self, text: &str) -> String {
        loop {
            let line = self.output.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("the server ended without logging {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    fn send(&self, signal: Signal) {
        let id = Pid::from_raw(self.process.id().unwrap().cast_signed());
        kill_process(id.unwrap(), signal).unwrap();
    }

    async fn get(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

#[tokio::test]
async fn a_server_lingers_where_a_load_balancer_may_not_know_yet_that_it_stops() {
    for (vars, signal, linger) in [
        (&[][..], Signal::TERM, "linger=5s"),
        (&[(CLOUD_RUN, "shop")], Signal::TERM, "linger=0ns"),
        (&[], Signal::INT, "linger=0ns"),
    ] {
        let mut server = Server::start(vars).await;

        server.send(signal);
        let stopping = server.log("stopping").await;

        assert!(stopping.contains(linger), "{vars:?} {signal:?}: {stopping}");
        if linger == "linger=5s" {
            let mut answer = vec![0; 1024];
            let length = server.get("/").await.read(&mut answer).await.unwrap();
            assert!(answer[..length].starts_with(b"HTTP/1.1 503"));
        } else {
            assert!(server.process.wait().await.unwrap().success());
        }
    }
}

#[tokio::test]
async fn a_second_signal_cuts_off_what_runs() {
    let mut server = Server::start(&[]).await;
    let mut hanging = server.get("/hang").await;
    // Accepted after the other one, so that one is running when this is answered.
    let mut answer = [0; 15];
    server.get("/").await.read_exact(&mut answer).await.unwrap();

    server.send(Signal::TERM);
    server.log("stopping").await;
    server.send(Signal::TERM);
    let cut_off = server.log("cut_off").await;

    assert!(cut_off.contains("cut_off=1"), "{cut_off}");
    assert!(server.process.wait().await.unwrap().success());
    assert_eq!(hanging.read(&mut answer).await.unwrap_or_default(), 0);
}
