//! A proxy that counts the gRPC calls that go through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const PREFACE: usize = 24;
const FRAME_HEADER: usize = 9;
/// The type of a HTTP/2 frame that opens a request.
const HEADERS: u8 = 1;

/// Counts calls on their way to another address; ends when it is dropped.
pub(crate) struct Calls {
    host: String,
    count: Arc<AtomicUsize>,
    _connections: JoinSet<()>,
}

impl Calls {
    /// Stands in front of `host`.
    pub(crate) async fn to(host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().to_string();
        let count = Arc::<AtomicUsize>::default();
        let (counting, target) = (Arc::clone(&count), host.to_owned());
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(&target).await.unwrap();
                for stream in [&client, &server] {
                    stream.set_nodelay(true).unwrap();
                }
                let (from_client, mut to_client) = client.into_split();
                let (mut from_server, to_server) = server.into_split();
                connections.spawn(async move {
                    let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
                });
                connections.spawn(forward(from_client, to_server, Arc::clone(&counting)));
            }
        });
        Self {
            host: own,
            count,
            _connections: accepting,
        }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// How many calls were begun so far.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

/// Passes HTTP/2 frames on until one side closes.
async fn forward(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, count: Arc<AtomicUsize>) {
    let mut preface = [0; PREFACE];
    if client.read_exact(&mut preface).await.is_err() || server.write_all(&preface).await.is_err() {
        return;
    }
    let mut header = [0; FRAME_HEADER];
    while client.read_exact(&mut header).await.is_ok() {
        let [a, b, c, kind, ..] = header;
        let mut frame = vec![0; usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)];
        if client.read_exact(&mut frame).await.is_err() {
            return;
        }
        if kind == HEADERS {
            count.fetch_add(1, Ordering::SeqCst);
        }
        if server.write_all(&header).await.is_err() || server.write_all(&frame).await.is_err() {
            return;
        }
    }
}
