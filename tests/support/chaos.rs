//! A proxy that spoils every fourth request or more, as networks, load balancers and services do now and then.
//!
//! Which ones, and how, depends on a seed, on the number in a request and on how often that number came, but not on the
//! order in which requests of different numbers come.

use std::collections::{BTreeMap, HashMap};
use std::error::Error as _;
use std::fmt;
use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fastrand::Rng;
use futures_util::{StreamExt, stream};
use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// What the caller sees of a request that is spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// An answer that says that something broke.
    Error500,
    /// Nothing, until it gives up or is told that somebody else did.
    TimeOut,
    /// The end of the connection.
    Reset,
    /// An answer that says that it comes too often.
    TooMany429,
    /// The receiver's own answer, which breaks off in the middle of its body.
    HalfAnswer,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] = [
        Self::Error500,
        Self::TimeOut,
        Self::Reset,
        Self::TooMany429,
        Self::HalfAnswer,
    ];
}

/// Whether a request that is spoilt arrives all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Arrives {
    Not,
    /// It does, and its answer is lost.
    Yes,
    /// It does after its caller was told that it failed, or has given up.
    Late,
}

/// Whose requests these are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Side {
    /// Those of a client of Cloud Tasks, who gives up by itself. A 429 of Cloud Tasks means that nothing was done.
    Enqueue,
    /// Those of Cloud Tasks, for whom a load balancer gives up, with a 504: it has at least 15 seconds itself.
    Callback,
    /// Those of Pub/Sub, which are spoilt as those of Cloud Tasks, and whose answers also break off.
    Push,
}

/// The faults so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) requests: usize,
    counts: BTreeMap<(Fault, Arrives), usize>,
}

impl Faults {
    pub(crate) fn count(&self, of: impl Fn(Fault, Arrives) -> bool) -> usize {
        let counted = self
            .counts
            .iter()
            .filter(|((fault, arrives), _)| of(*fault, *arrives));
        counted.map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests", self.requests)?;
        for fault in Fault::ALL {
            let all = self.count(|of, _| of == fault);
            let arrived = self.count(|of, arrives| of == fault && arrives != Arrives::Not);
            write!(f, ", {all} {fault:?} ({arrived} arrived)")?;
        }
        Ok(())
    }
}

/// The proxy; it stops when it is dropped.
pub(crate) struct Chaos {
    address: SocketAddr,
    shared: Arc<Shared>,
    _connections: JoinSet<()>,
}

struct Shared {
    target: SocketAddr,
    side: Side,
    seed: u64,
    /// The number in the body of a request.
    number: fn(&[u8]) -> u64,
    seen: Mutex<HashMap<u64, u64>>,
    faults: Mutex<Faults>,
    client: Client<HttpConnector, Full<Bytes>>,
    /// What is under way, or may yet be sent.
    open: TaskTracker,
    tokio: Handle,
}

impl Chaos {
    /// Stands in front of `target`.
    pub(crate) async fn before(target: SocketAddr, side: Side, seed: u64, number: fn(&[u8]) -> u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target,
            side,
            seed,
            number,
            seen: Mutex::default(),
            faults: Mutex::default(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            open: TaskTracker::new(),
            tokio: Handle::current(),
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

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn side(&self) -> Side {
        self.shared.side
    }

    /// Waits until nothing is under way, also what arrives late; nobody may call any more.
    pub(crate) async fn settle(&self) -> Faults {
        self.shared.open.close();
        self.shared.open.wait().await;
        self.shared.faults.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).unwrap();
    let service = service_fn(move |request| Box::pin(answer(Arc::clone(&shared), request)));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let is_reset = |error: hyper::Error| {
        error
            .source()
            .is_some_and(|cause| matches!(cause.downcast_ref(), Some(Break::Reset)))
    };
    if ended.is_err_and(is_reset) {
        let stream = connection.into_parts().io.into_inner();
        // Closing resets the connection then; fails where the caller was faster.
        let _ = stream.set_zero_linger();
    }
}

/// Ends a connection.
#[derive(Debug)]
enum Break {
    Reset,
    HalfWay,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Break {}

type Body = UnsyncBoxBody<Bytes, Break>;

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Break> {
    let token = shared.open.token();
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Break::Reset)?.to_bytes();
    let fault = shared.fault((shared.number)(&body));
    let request = shared.redirect(parts, body);
    let Some((fault, arrives)) = fault else {
        return shared.send(request, token).await.map(whole).ok_or(Break::Reset);
    };
    if fault == Fault::HalfAnswer {
        return shared.send(request, token).await.map(half).ok_or(Break::Reset);
    }
    match arrives {
        Arrives::Not => {}
        Arrives::Yes => drop(shared.send(request, token).await),
        Arrives::Late if shared.side == Side::Enqueue => {
            let _late = Late {
                shared: Arc::clone(&shared),
                request: Some((request, token)),
            };
            return pending().await;
        }
        Arrives::Late => shared.send_behind(request, token),
    }
    match fault {
        Fault::Error500 => Ok(status(StatusCode::INTERNAL_SERVER_ERROR)),
        Fault::TimeOut if shared.side == Side::Enqueue => pending().await,
        Fault::TimeOut => Ok(status(StatusCode::GATEWAY_TIMEOUT)),
        Fault::Reset | Fault::HalfAnswer => Err(Break::Reset),
        Fault::TooMany429 => Ok(status(StatusCode::TOO_MANY_REQUESTS)),
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = whole(Response::default());
    *response.status_mut() = status;
    response
}

fn whole(response: Response<Full<Bytes>>) -> Response<Body> {
    response.map(|body| body.map_err(|never| match never {}).boxed_unsync())
}

/// The answer with its status and its headers, and half of its body.
fn half(response: Response<Full<Bytes>>) -> Response<Body> {
    response.map(|body| {
        let half = body.into_inner().unwrap_or_default();
        let half = half.slice(..half.len() / 2);
        let frames = stream::once(async { Ok(Frame::data(half)) }).chain(stream::once(async {
            // The half is sent meanwhile.
            tokio::task::yield_now().await;
            Err(Break::HalfWay)
        }));
        StreamBody::new(frames).boxed_unsync()
    })
}

impl Shared {
    /// What happens to a request: of a hundred, 10 get a 500, 5 time out, 5 are reset, 5 get a 429, and of pushes 5 get
    /// half an answer.
    fn fault(&self, number: u64) -> Option<(Fault, Arrives)> {
        let before = {
            let mut seen = self.seen.lock().unwrap();
            let count = seen.entry(number).or_default();
            *count += 1;
            *count
        };
        let mut faults = self.faults.lock().unwrap();
        faults.requests += 1;
        let seed = self.seed.wrapping_add((number << 16) | before);
        // The first numbers of seeds that are close are close too.
        let mut rng = Rng::with_seed(seed).fork();
        let fault = match rng.u8(0..100) {
            0..10 => Fault::Error500,
            10..15 => Fault::TimeOut,
            15..20 => Fault::Reset,
            20..25 => Fault::TooMany429,
            25..30 if self.side == Side::Push => Fault::HalfAnswer,
            _ => return None,
        };
        let arrives = match (rng.u8(0..4), fault) {
            (_, Fault::TooMany429) if self.side == Side::Enqueue => Arrives::Not,
            (_, Fault::HalfAnswer) => Arrives::Yes,
            (0 | 1, _) => Arrives::Not,
            (2, Fault::TimeOut) => Arrives::Late,
            _ => Arrives::Yes,
        };
        *faults.counts.entry((fault, arrives)).or_default() += 1;
        Some((fault, arrives))
    }

    fn redirect(&self, parts: Parts, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::from_parts(parts, Full::new(body));
        let path = request.uri().path_and_query().unwrap().as_str();
        *request.uri_mut() = Uri::builder()
            .scheme("http")
            .authority(self.target.to_string())
            .path_and_query(path)
            .build()
            .unwrap();
        request
    }

    /// Sends a request on, to its end also where nobody waits for it any more.
    async fn send(
        self: &Arc<Self>,
        request: Request<Full<Bytes>>,
        token: TaskTrackerToken,
    ) -> Option<Response<Full<Bytes>>> {
        let shared = Arc::clone(self);
        let sent = self.tokio.spawn(async move {
            let _token = token;
            let (mut parts, body) = shared.client.request(request).await.ok()?.into_parts();
            let body = body.collect().await.ok()?.to_bytes();
            // They are of the other connection.
            parts.headers.remove(CONNECTION);
            parts.headers.remove(TRANSFER_ENCODING);
            Some(Response::from_parts(parts, Full::new(body)))
        });
        sent.await.unwrap()
    }

    fn send_behind(self: &Arc<Self>, request: Request<Full<Bytes>>, token: TaskTrackerToken) {
        let shared = Arc::clone(self);
        self.tokio.spawn(async move { shared.send(request, token).await });
    }
}

/// A request that is sent on when its caller is gone.
struct Late {
    shared: Arc<Shared>,
    request: Option<(Request<Full<Bytes>>, TaskTrackerToken)>,
}

impl Drop for Late {
    fn drop(&mut self) {
        if let Some((request, token)) = self.request.take() {
            self.shared.send_behind(request, token);
        }
    }
}
