//! A peer that breaks off, stays silent or sends nonsense, which no mock server does on request.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What the peer does with a request that it has read to its end.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends this, and closes.
    Send(String),
    /// Sends this, and waits for the next request on the same connection.
    Keep(String),
    /// Resets the connection.
    Reset,
    /// Says nothing until the caller gives up.
    Nothing,
}

impl Act {
    /// An answer with a body of JSON.
    pub(crate) fn answer(status: u16, body: &str) -> Self {
        Self::Send(format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// An answer with a body of JSON, after which the connection stays open.
    pub(crate) fn kept_answer(status: u16, body: &str) -> Self {
        Self::Keep(format!(
            "HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// An answer whose body ends before its length.
    pub(crate) fn half_an_answer() -> Self {
        Self::Send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"name\": \"proj".to_owned())
    }
}

/// A peer with a script: an act for every request, the last one for all that follow. It stops when dropped.
pub(crate) struct Peer {
    url: String,
    bodies: Arc<Mutex<Vec<Value>>>,
    connections: Arc<AtomicUsize>,
    arrived: mpsc::UnboundedReceiver<()>,
    _connections: JoinSet<()>,
}

impl Peer {
    pub(crate) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let (arrivals, arrived) = mpsc::unbounded_channel();
        let seen = Arc::clone(&bodies);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(
                    stream,
                    Arc::clone(&script),
                    Arc::clone(&seen),
                    arrivals.clone(),
                ));
            }
        });
        Self {
            url,
            bodies,
            connections,
            arrived,
            _connections: accepting,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How many connections were opened so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until one more request was read to its end.
    pub(crate) async fn wait_for_a_request(&mut self) {
        self.arrived.recv().await.unwrap();
    }

    /// The bodies of the requests so far.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.bodies.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Act>>>,
    bodies: Arc<Mutex<Vec<Value>>>,
    arrivals: mpsc::UnboundedSender<()>,
) {
    while let Some(body) = read_request(&mut stream).await {
        bodies.lock().unwrap().push(body);
        // Not every test listens.
        let _ = arrivals.send(());
        let act = {
            let mut script = script.lock().unwrap();
            match script.len() {
                1 => script.front().cloned(),
                _ => script.pop_front(),
            }
            .unwrap()
        };
        match act {
            Act::Send(answer) => {
                // The caller may have given up.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            Act::Keep(answer) => {
                let _ = stream.write_all(answer.as_bytes()).await;
                continue;
            }
            Act::Reset => stream.set_zero_linger().unwrap(),
            Act::Nothing => while matches!(stream.read(&mut [0; 64]).await, Ok(1..)) {},
        }
        return;
    }
}

/// Reads a request that tells its length; `None` where the caller breaks off.
async fn read_request(stream: &mut TcpStream) -> Option<Value> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length: usize = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(str::to_owned)
            })
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        if body.len() >= length {
            return Some(serde_json::from_str(body).unwrap());
        }
    }
}

/// A port where nobody listens, and where nobody else can while this is held.
pub(crate) struct Nobody {
    socket: TcpSocket,
}

impl Nobody {
    pub(crate) fn take() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self { socket }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.socket.local_addr().unwrap())
    }
}
