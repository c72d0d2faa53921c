//! A client that costs its server nothing: kept connections, whole requests in one write, and responses of a known length.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::subjects::ANSWER;

/// The request of `subjects::request`, as Cloud Tasks writes it.
const HEAD: &str = "POST /tasks/SendWelcomeEmail HTTP/1.1\r\n\
    host: shop.example\r\n\
    content-type: application/json\r\n\
    x-cloudtasks-queuename: emails\r\n\
    x-cloudtasks-taskname: 5f9e3c0a7b6d4e2f8a1c0b9d8e7f6a5b\r\n\
    x-cloudtasks-taskretrycount: 2\r\n\
    x-cloudtasks-taskexecutioncount: 1\r\n\
    x-cloudtasks-tasketa: 1767225600.123456\r\n\
    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
    user-agent: Google-Cloud-Tasks\r\n\
    accept: */*\r\n\
    content-length: 34\r\n";
const BODY: &str = r#"{"user_id":7,"template":"welcome"}"#;

/// The bytes of a request, with a token if there is one.
pub(crate) fn request(token: Option<&str>) -> Vec<u8> {
    let authorization = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    format!("{HEAD}{authorization}\r\n{BODY}").into_bytes()
}

/// Connections to one server, which take turns.
pub(crate) struct Client {
    connections: Vec<TcpStream>,
    requests: Vec<Vec<u8>>,
    /// The length of a response; all are of the same length.
    response: Option<usize>,
    next: usize,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, connections: usize, requests: &[Vec<u8>]) -> Self {
        let connect = |_| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            stream
        };
        Self {
            connections: (0..connections).map(connect).collect(),
            requests: requests.to_vec(),
            response: None,
            next: 0,
        }
    }

    /// Sends so many requests: one on each connection, then reads the responses, and so on.
    pub(crate) fn send(&mut self, count: usize) {
        for start in (0..count).step_by(self.connections.len()) {
            let round = (count - start).min(self.connections.len());
            for mut connection in self.connections.iter().take(round) {
                connection.write_all(&self.requests[self.next]).unwrap();
                self.next = (self.next + 1) % self.requests.len();
            }
            for mut connection in self.connections.iter().take(round) {
                self.response = Some(read(&mut connection, self.response));
            }
        }
    }
}

/// Reads one response, and returns its length.
fn read(connection: &mut impl Read, expected: Option<usize>) -> usize {
    let mut buffer = [0; 1024];
    let mut filled = 0;
    loop {
        let count = connection.read(&mut buffer[filled..]).unwrap();
        assert!(count > 0, "the server hung up");
        filled += count;
        let is_whole = expected.map_or_else(
            || buffer[..filled].ends_with(ANSWER.as_bytes()),
            |length| filled >= length,
        );
        if is_whole {
            break;
        }
    }
    let response = &buffer[..filled];
    assert!(expected.is_none_or(|length| length == filled));
    assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n") && response.ends_with(ANSWER.as_bytes()));
    filled
}
