//! The guard of the engine: rejects requests of web pages, and forwards all others to the emulator.
//!
//! Any page in the developer's browser can send requests to a loopback port. The browser adds an `Origin` header, and its
//! `Host` header has the name in the URL: after DNS rebinding that is the page's own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, ORIGIN, UPGRADE};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

use crate::backend::local::instance::ENGINE;
use crate::backend::local::pubsub::PubSub;
use crate::backend::local::{publish_api, pull_api};
use crate::base::http_client::plain_connector;
use crate::base::is_loopback;
use crate::base::text::error_chain;

/// The content types that a page may send to another origin without a preflight. Google's clients send JSON or gRPC.
const OF_FORMS: [&str; 3] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
];

/// The reason to reject a request, if any.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<&'static str> {
    let headers = request.headers();
    if headers.contains_key(ORIGIN) {
        Some("The local engine does not accept requests from web pages (Origin)")
    } else if !names_loopback(request.uri(), headers) {
        Some("The local engine is called by a loopback address or as localhost (Host)")
    } else if request.method() != Method::GET && is_of_form(headers) {
        Some("The local engine does not accept forms or plain text (Content-Type)")
    } else {
        None
    }
}

/// Whether every name that the request calls us is one of this machine's own, and there is one.
fn names_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let of_headers = headers.get_all(HOST).iter().map(|host| {
        let host = host.to_str().ok()?;
        host.parse::<Authority>().ok()
    });
    let mut names = uri
        .authority()
        .cloned()
        .map(Some)
        .into_iter()
        .chain(of_headers)
        .peekable();
    names.peek().is_some()
        && names.all(|name| name.is_some_and(|name| is_loopback(&name) && !name.as_str().contains('@')))
}

fn is_of_form(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_TYPE).iter().any(|value| {
        let value = value.to_str().unwrap_or_default();
        let kind = value.split([';', ',']).next().unwrap_or_default().trim();
        OF_FORMS.iter().any(|form| kind.eq_ignore_ascii_case(form))
    })
}

/// A refusal as an answer.
pub(super) fn refused(reason: &'static str) -> Response<Full<Bytes>> {
    tracing::warn!(reason, "a request to the local engine was refused");
    let mut response = Response::new(Full::from(reason));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

/// Guards the emulator that listens at this address until it is dropped; connections end with the tokio that they run on.
pub(super) async fn serve(
    listener: TcpListener,
    emulator: SocketAddr,
    pubsub: Arc<PubSub>,
    engine: HeaderValue,
) -> Infallible {
    let guard = Guard::new(emulator, pubsub, engine);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Most often too many open files, which passes.
                tracing::error!(error = %error_chain(&error), "the local engine accepts no connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // A failure only adds latency.
        let _ = stream.set_nodelay(true);
        let guard = guard.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| guard.clone().respond(request));
            let http = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(error = %error_chain(&*error), "a connection to the local engine broke");
            }
        });
    }
}

#[derive(Clone)]
struct Guard {
    emulator: Option<Authority>,
    pubsub: Arc<PubSub>,
    http1: Client<HttpConnector, Incoming>,
    http2: Client<HttpConnector, Incoming>,
    /// By which commands recognize the engine.
    engine: HeaderValue,
}

impl Guard {
    fn new(emulator: SocketAddr, pubsub: Arc<PubSub>, engine: HeaderValue) -> Self {
        let connector = plain_connector();
        let mut client = Client::builder(TokioExecutor::new());
        let http1 = client.build(connector.clone());
        Self {
            // An address is always an authority.
            emulator: emulator.to_string().parse().ok(),
            pubsub,
            http1,
            http2: client.http2_only(true).build(connector),
            engine,
        }
    }

    async fn respond(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Either<Incoming, Full<Bytes>>>, Infallible> {
        if let Some(reason) = refusal(&request) {
            return Ok(refused(reason).map(Either::Right));
        }
        if let Some(topic) = publish_api::topic(&request) {
            let published = publish_api::publish(self.pubsub, &topic, request).await;
            return Ok(published.map(Either::Right));
        }
        if let Some(call) = pull_api::call(&request) {
            let answered = pull_api::respond(&self.pubsub.dead_letters, call, request).await;
            return Ok(answered.map(Either::Right));
        }
        Ok(match self.pass_on(request).await {
            Ok(response) => response.map(Either::Left),
            Err(error) => {
                tracing::debug!(error = %error_chain(&error), "the emulator gave no answer");
                let mut response = Response::new(Either::Right(Full::default()));
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }
        })
    }

    async fn pass_on(
        self,
        mut request: Request<Incoming>,
    ) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = self.emulator;
        // Its path came with the request, so the parts fit.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        // Those are of the connection, not of the request.
        request.headers_mut().remove(CONNECTION);
        request.headers_mut().remove(UPGRADE);
        let is_http2 = request.version() == Version::HTTP_2;
        let mut response = if is_http2 {
            self.http2.request(request).await?
        } else {
            self.http1.request(request).await?
        };
        response.headers_mut().remove(CONNECTION);
        response.headers_mut().insert(ENGINE, self.engine);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuses(uri: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::post(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        refusal(&request.body(()).unwrap()).is_some()
    }

    #[test]
    fn only_a_name_of_this_machine_is_answered() {
        for (host, is_refused) in [
            ("127.0.0.1:8123", false),
            ("127.9.8.7", false),
            ("localhost:8123", false),
            ("LocalHost", false),
            ("[::1]:8123", false),
            ("0.0.0.0:8123", false),
            ("evil.example", true),
            ("evil.example:8123", true),
            ("127.0.0.1.evil.example:8123", true),
            ("localhost.evil.example", true),
            ("localhost@evil.example", true),
            ("evil.example@localhost", true),
            ("192.168.0.1:8123", true),
            ("127.0.0.1, evil.example", true),
            ("", true),
        ] {
            assert_eq!(refuses("/v2/x", &[("host", host)]), is_refused, "{host:?}");
        }
        assert!(refuses("/v2/x", &[]));
        assert!(refuses(
            "/v2/x",
            &[("host", "localhost"), ("host", "evil.example")]
        ));
        assert!(refuses("http://evil.example/v2/x", &[("host", "localhost")]));
        assert!(!refuses("http://127.0.0.1:8123/v2/x", &[]));
    }

    #[test]
    fn a_request_with_an_origin_or_of_a_form_is_refused() {
        for (name, value, is_refused) in [
            ("origin", "https://evil.example", true),
            ("origin", "http://127.0.0.1:8123", true),
            ("origin", "null", true),
            ("origin", "", true),
            ("content-type", "text/plain", true),
            ("content-type", "Text/Plain; charset=utf-8", true),
            ("content-type", "text/plain,application/json", true),
            ("content-type", "multipart/form-data; boundary=x", true),
            ("content-type", "application/x-www-form-urlencoded", true),
            ("content-type", "application/json", false),
            ("content-type", "application/grpc+proto", false),
        ] {
            let headers = [("host", "localhost:8123"), (name, value)];
            assert_eq!(refuses("/v2/x", &headers), is_refused, "{name}: {value}");
        }
    }
}
