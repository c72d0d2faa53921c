//! The `Publish` method of Pub/Sub, over gRPC, with the answers that a test chooses.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{BufMut, Bytes};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::chaos::{Arrives, Fault};

/// A message in a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Published {
    pub(crate) data: Vec<u8>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) ordering_key: String,
}

impl Published {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.data).unwrap()
    }
}

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    Accept,
    /// A gRPC status.
    Refuse(u8, &'static str),
    /// Accepts the messages, and answers with a success and these bytes.
    Bytes(&'static [u8]),
    Spoil(Fault, Arrives),
}

/// `INVALID_ARGUMENT`, as for a message that does not match the topic's schema.
pub(crate) const INVALID: Reply =
    Reply::Refuse(3, "Invalid data in message: Message failed schema validation.");

type Choose = dyn Fn(&[Published]) -> Reply + Send + Sync;

/// A server of that method; it stops when it is dropped.
pub(crate) struct PublishApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    _connections: JoinSet<()>,
}

/// Whether the server keeps what it was sent.
#[derive(Clone, Copy, PartialEq)]
enum Record {
    Everything,
    Nothing,
}

struct Shared {
    choose: Box<Choose>,
    record: Record,
    requests: Mutex<Vec<Vec<Published>>>,
    accepted: Mutex<Vec<Published>>,
    connections: AtomicUsize,
    /// Up to which number connections are silent.
    silent: watch::Sender<usize>,
}

impl PublishApi {
    pub(crate) async fn start(choose: impl Fn(&[Published]) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_recording(Record::Everything, Box::new(choose)).await
    }

    /// A server that takes more messages than fit into its memory.
    pub(crate) async fn start_forgetful(
        choose: impl Fn(&[Published]) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_recording(Record::Nothing, Box::new(choose)).await
    }

    async fn start_recording(record: Record, choose: Box<Choose>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            choose,
            record,
            requests: Mutex::default(),
            accepted: Mutex::default(),
            connections: AtomicUsize::new(0),
            silent: watch::Sender::new(0),
        });
        let of_all = Arc::clone(&shared);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&of_all)));
            }
        });
        Self {
            address,
            shared,
            _connections: accepting,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The texts of the messages of each request so far.
    pub(crate) fn requests(&self) -> Vec<Vec<String>> {
        let requests = self.shared.requests.lock().unwrap();
        let texts =
            |request: &Vec<Published>| request.iter().map(|message| message.text().to_owned()).collect();
        requests.iter().map(texts).collect()
    }

    /// What was accepted, in order.
    pub(crate) fn accepted(&self) -> Vec<Published> {
        self.shared.accepted.lock().unwrap().clone()
    }

    /// The texts of what was accepted, in order.
    pub(crate) fn texts(&self) -> Vec<String> {
        let accepted = self.accepted();
        accepted.iter().map(|message| message.text().to_owned()).collect()
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Leaves all connections so far open, and reads and writes nothing on them any more.
    pub(crate) fn fall_silent(&self) {
        self.shared.silent.send_replace(self.connections());
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).unwrap();
    stream.set_zero_linger().unwrap();
    let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
    let mut silent = shared.silent.subscribe();
    let (reset, mut is_reset) = watch::channel(false);
    let service = service_fn(move |request| answer(Arc::clone(&shared), request, reset.clone()));
    let server = auto::Builder::new(TokioExecutor::new());
    let connection = server.http2_only();
    let serving = connection.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let falls_silent = tokio::select! {
        _ = &mut serving => false,
        reset = is_reset.wait_for(|reset| *reset) => reset.is_err(),
        silent = silent.wait_for(|last| number <= *last) => silent.is_ok(),
    };
    if falls_silent {
        pending::<()>().await;
    }
}

type Body = BoxBody<Bytes, Infallible>;

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    reset: watch::Sender<bool>,
) -> Result<Response<Body>, Infallible> {
    assert_eq!(request.uri().path(), "/google.pubsub.v1.Publisher/Publish");
    let Ok(body) = request.into_body().collect().await else {
        return pending().await;
    };
    let messages = read_request(&body.to_bytes());
    if shared.record == Record::Everything {
        shared.requests.lock().unwrap().push(messages.clone());
    }
    let reply = (shared.choose)(&messages);
    let accept = || {
        let mut accepted = shared.accepted.lock().unwrap();
        let first = accepted.len();
        if shared.record == Record::Nothing {
            return 0..messages.len();
        }
        accepted.extend(messages.iter().cloned());
        first..accepted.len()
    };
    Ok(match reply {
        Reply::Accept => ids(accept().map(|id| id.to_string())),
        Reply::Refuse(code, text) => status(code, text),
        Reply::Bytes(bytes) => {
            accept();
            success(bytes.into())
        }
        Reply::Spoil(fault, arrives) => {
            if arrives != Arrives::Not {
                accept();
            }
            match fault {
                Fault::Error500 => http_status(StatusCode::INTERNAL_SERVER_ERROR),
                Fault::TooMany429 => http_status(StatusCode::TOO_MANY_REQUESTS),
                Fault::TimeOut => pending().await,
                Fault::Reset | Fault::HalfAnswer => {
                    reset.send_replace(true);
                    pending().await
                }
            }
        }
    })
}

fn http_status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Empty::new().boxed());
    *response.status_mut() = status;
    response
}

/// A response without messages.
fn status(code: u8, text: &str) -> Response<Body> {
    let mut response = Response::new(Empty::new().boxed());
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(u16::from(code)));
    headers.insert("grpc-message", HeaderValue::from_str(text).unwrap());
    response
}

/// A `PublishResponse`.
fn ids(ids: impl Iterator<Item = String>) -> Response<Body> {
    let mut message = Vec::new();
    for id in ids {
        // Field 1, a text.
        message.put_u8(0x0a);
        message.put_u8(u8::try_from(id.len()).unwrap());
        message.put_slice(id.as_bytes());
    }
    let mut frame = Vec::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(&message);
    success(frame.into())
}

/// A success with this body.
fn success(body: Bytes) -> Response<Body> {
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )]);
    let body = Full::new(body).with_trailers(async { Some(Ok(trailers)) });
    let mut response = Response::new(body.boxed());
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    response
}

/// The messages of a `PublishRequest`.
fn read_request(frame: &[u8]) -> Vec<Published> {
    let length = u32::from_be_bytes(frame[1..5].try_into().unwrap()) as usize;
    assert_eq!((frame[0], frame.len()), (0, 5 + length));
    let messages = Fields(&frame[5..]).filter(|(number, _)| *number == 2);
    messages.map(|(_, message)| read_message(message)).collect()
}

fn read_message(message: &[u8]) -> Published {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut published = Published::default();
    for (number, value) in Fields(message) {
        match number {
            1 => published.data = value.to_vec(),
            2 => {
                let entry: BTreeMap<_, _> = Fields(value).collect();
                let of = |number| entry.get(&number).map(|value| text(value)).unwrap_or_default();
                published.attributes.insert(of(1), of(2));
            }
            5 => published.ordering_key = text(value),
            other => panic!("a publisher does not set field {other}"),
        }
    }
    published
}

/// The fields of a protobuf message that has only fields with a length.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn varint(&mut self) -> usize {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.0[0];
            self.0 = &self.0[1..];
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let tag = self.varint();
        assert_eq!(tag & 7, 2, "a field without a length");
        let length = self.varint();
        let (value, rest) = self.0.split_at(length);
        self.0 = rest;
        Some((tag >> 3, value))
    }
}
