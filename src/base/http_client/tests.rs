//! The limits of the HTTP client, against real sockets.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::base::text::error_chain;

async fn server(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    server
}

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn a_response_is_read_up_to_the_limit_and_not_further() {
    let server = server(ResponseTemplate::new(200).set_body_string("12345")).await;
    let url = server.uri();

    for connections in [Connections::Closed, Connections::Pooled] {
        let client = HttpClient::plain(connections);
        let fits = client.clone().max_bytes(5).send(get(&url)).await.unwrap();
        let too_large = client.clone().max_bytes(4).send(get(&url)).await.unwrap_err();
        let status = client.max_bytes(4).status(get(&url)).await.unwrap();

        assert_eq!(&fits.body()[..], b"12345");
        assert_eq!(too_large.to_string(), "the response has more than 4 bytes");
        assert_eq!(status, 200);
    }
}

#[tokio::test]
async fn a_redirect_is_an_error_that_names_its_target_and_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let server =
            server(ResponseTemplate::new(status).insert_header("location", "https://elsewhere.example/keys"))
                .await;
        let client = HttpClient::plain(Connections::Closed);

        let of_send = client.send(get(&server.uri())).await.unwrap_err();
        let of_status = client.status(get(&server.uri())).await.unwrap_err();

        for error in [of_send, of_status] {
            let text = error.to_string();
            assert!(text.starts_with(&format!("the answer is {status} ")), "{text}");
            assert!(
                text.ends_with("a redirect to https://elsewhere.example/keys, which is not followed"),
                "{text}"
            );
        }
        assert_eq!(server.received_requests().await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_server_without_a_response_is_left_after_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let limit = Duration::from_millis(20);
    let client = HttpClient::plain(Connections::Closed).timeout(limit);

    for error in [
        client.send(get(&url)).await.unwrap_err(),
        client.status(get(&url)).await.unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "no complete response within 20ms");
    }
}

#[tokio::test]
async fn a_response_that_stops_in_its_middle_is_left_after_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let slow = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // A response before its request would be an error of its own.
        let _ = stream.read(&mut [0; 1024]).await.unwrap();
        let part = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234";
        // On a busy machine the client may have left already.
        stream.write_all(part).await.unwrap_or_default();
        // Until the client has left.
        stream.read_to_end(&mut Vec::new()).await.unwrap_or_default();
    };
    let client = HttpClient::plain(Connections::Closed).timeout(Duration::from_millis(300));

    let (outcome, ()) = tokio::join!(client.send(get(&url)), slow);

    assert!(matches!(outcome, Err(HttpError::TimedOut(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_from_one_that_was_not_made() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = HttpClient::plain(Connections::Closed);
    let broken = async { drop(listener.accept().await.unwrap()) };

    let (after, ()) = tokio::join!(client.send(get(&url)), broken);
    drop(listener);
    let before = client.send(get(&url)).await.unwrap_err();

    assert!(matches!(after, Err(HttpError::Failed(_))), "{after:?}");
    assert!(matches!(before, HttpError::Connect(_)), "{before:?}");
    let text = error_chain(&before);
    assert!(text.starts_with("the connection was not made: "), "{text}");
    assert!(text.contains("refused"), "{text}");
}

#[tokio::test]
async fn only_a_url_without_tls_needs_no_certificates() {
    for (url, is_plain) in [
        ("http://127.0.0.1:1", true),
        ("HTTP://localhost", true),
        ("https://www.googleapis.com/oauth2/v3/certs", false),
    ] {
        let client = HttpClient::for_url(url, Connections::Closed);

        match client {
            Ok(client) => assert_eq!(matches!(client.transport, Transport::Plain(_)), is_plain, "{url}"),
            Err(error) => assert!(
                !is_plain && matches!(error, HttpError::Roots(_)),
                "{url}: {error}"
            ),
        }
    }
}
