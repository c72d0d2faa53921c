//! A peer that is a Python program: `python/lines.py` says how it is talked to.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

use crate::support::pubsub;
use crate::support::wait::{next, within};

/// Names the virtual environment that has the peers' packages. It is set and empty where they cannot be installed.
const VENV: &str = "CLOUD_TASKS_PEERS_VENV";

/// Whether `.ci/peers` runs this test; says loudly when it does not.
pub(crate) fn is_selected(test: &str) -> bool {
    let selected = std::env::var_os(VENV).is_some();
    if !selected {
        skip(test, "foreign peers are run by .ci/peers");
    }
    selected
}

/// The virtual environment with the peers; `None` where they are not installed, which it says loudly.
pub(crate) fn environment(test: &str) -> Option<PathBuf> {
    if !is_selected(test) {
        return None;
    }
    let environment = std::env::var_os(VENV).filter(|path| !path.is_empty());
    if environment.is_none() {
        skip(test, "the Python packages of the peers are not installed");
    }
    environment.map(PathBuf::from)
}

/// Google's Pub/Sub emulator, for a peer in Python; `None` where one of the two is not installed, which it says loudly.
pub(crate) fn emulator(test: &str) -> Option<String> {
    environment(test)?;
    pubsub::emulator(test)
}

/// A running program. It is killed when this is dropped, and ends by itself when this process ends in any other way,
/// because its standard input ends then.
pub(crate) struct Python {
    _child: Child,
    calls: ChildStdin,
    answers: mpsc::UnboundedReceiver<Result<Value, String>>,
    events: mpsc::UnboundedReceiver<Value>,
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl Python {
    /// Starts a program, and waits for its first event; `None` where the peers are not installed, which it says loudly.
    pub(crate) async fn start(test: &str, program: &str, vars: &[(&str, &str)]) -> Option<(Self, Value)> {
        let environment = environment(test)?;
        let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/peers/python"]
            .iter()
            .collect();
        let mut child = Command::new(environment.join("bin/python"))
            .arg(folder.join(program))
            // What is installed is found, and nothing else of this machine's settings.
            .env_clear()
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs(vars.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (answering, answers) = mpsc::unbounded_channel();
        let (telling, events) = mpsc::unbounded_channel();
        let stderr = Arc::default();
        tokio::spawn(read_lines(child.stdout.take().unwrap(), answering, telling));
        tokio::spawn(read_stderr(child.stderr.take().unwrap(), Arc::clone(&stderr)));
        let mut python = Self {
            calls: child.stdin.take().unwrap(),
            _child: child,
            answers,
            events,
            stderr,
        };
        let first = python.event().await;
        Some((python, first))
    }

    /// Calls a function of the program with these arguments, and gives back what it returns.
    ///
    /// The arguments are written as text at once, since a `Value` holds fewer numbers than JSON does.
    pub(crate) async fn call(&mut self, function: &str, arguments: impl Serialize) -> Value {
        let arguments = serde_json::to_string(&arguments).unwrap();
        let line = format!("{{\"call\":\"{function}\",\"with\":{arguments}}}\n");
        self.calls.write_all(line.as_bytes()).await.unwrap();
        match within(self.answers.recv()).await {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => panic!("{function}: {error}"),
            None => panic!("the program ended at the call of {function}"),
        }
    }

    /// The next thing that happened in the program.
    pub(crate) async fn event(&mut self) -> Value {
        next(&mut self.events).await
    }
}

impl Drop for Python {
    /// A test that fails shows what the program said.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.stderr.lock().unwrap();
            let _ = writeln!(
                std::io::stderr(),
                "the peer said: {}",
                String::from_utf8_lossy(&text)
            );
        }
    }
}

/// Says that a test does not run, also where the test harness hides what a test prints.
pub(crate) fn skip(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {why}");
}

async fn read_lines(
    stdout: ChildStdout,
    answers: mpsc::UnboundedSender<Result<Value, String>>,
    events: mpsc::UnboundedSender<Value>,
) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut line: Value = serde_json::from_str(&line).unwrap();
        // A test may be over by now.
        let _ = if let Some(event) = line.get_mut("event") {
            events.send(event.take()).is_ok()
        } else if let Some(error) = line["error"].as_str() {
            answers.send(Err(error.to_owned())).is_ok()
        } else {
            answers.send(Ok(line["answer"].take())).is_ok()
        };
    }
}

async fn read_stderr(mut stderr: ChildStderr, text: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
        text.lock().unwrap().extend_from_slice(&chunk[..read]);
    }
}
