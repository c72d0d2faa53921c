//! What needs the clock of a test.

use std::sync::Mutex;

use google_cloud_auth::credentials::anonymous;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::*;
use crate::registry::topic::Topic;

/// Pub/Sub, which delivers these messages by and by: one list per pull.
struct Service(Mutex<Vec<Vec<(&'static str, &'static str)>>>);

impl Respond for Service {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut answer = json!({});
        if request.url.path().ends_with(":pull")
            && let Some(batch) = self.0.lock().unwrap().pop()
        {
            let received = batch
                .into_iter()
                .map(|(ack_id, id)| json!({"ackId": ack_id, "message": {"messageId": id, "data": ""}}));
            answer = json!({"receivedMessages": received.collect::<Vec<_>>()});
        }
        ResponseTemplate::new(200).set_body_json(answer)
    }
}

async fn reader(server: &MockServer) -> Box<dyn DeadLetterReader> {
    let store = PubSubDeadLetters::new(PubSubAccess {
        endpoint: Some(server.uri()),
        credentials: anonymous::Builder::new().build(),
        project: "acme".to_owned(),
        signer: None,
        attempt_timeout: Duration::from_secs(60),
    });
    let letters = DeadLetters::of(Topic::new("dead").name(&crate::base::Config::default()));
    store.open(&letters).await.unwrap()
}

async fn leased(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    let leases = requests
        .iter()
        .filter(|request| request.url.path().ends_with(":modifyAckDeadline"));
    leases
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect()
}

/// Moves the clock, and lets it go on: sockets need the real one.
async fn advance(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_lease_is_renewed_in_time_and_a_message_that_comes_again_is_not_read_twice() {
    let server = MockServer::start().await;
    let batches = vec![vec![("b1", "m1"), ("b2", "m2")], vec![("a1", "m1")]];
    Mock::given(any())
        .respond_with(Service(Mutex::new(batches)))
        .mount(&server)
        .await;
    let mut reader = reader(&server).await;
    let next = async |reader: &mut Box<dyn DeadLetterReader>| match reader.next(10).await.unwrap() {
        NextLetter::Letter(letter) => Some(letter),
        _ => None,
    };

    let first = next(&mut reader).await.unwrap();
    advance(LEASE / 2).await;
    let second = next(&mut reader).await.unwrap();
    let none = next(&mut reader).await;

    assert_eq!((&*first.id, &*second.id, none.is_none()), ("m1", "m2", true));
    assert_eq!(
        leased(&server).await,
        [
            json!({"ackIds": ["a1"], "ackDeadlineSeconds": 600}),
            json!({"ackIds": ["a1"], "ackDeadlineSeconds": 600}),
            json!({"ackIds": ["b1", "b2"], "ackDeadlineSeconds": 600}),
        ]
    );
    first.claim.acknowledge();
    reader.close(vec![second.claim]).await;
    let requests = server.received_requests().await.unwrap();
    let acknowledged = requests
        .iter()
        .find(|request| request.url.path().ends_with(":acknowledge"));
    let acknowledged: Value = serde_json::from_slice(&acknowledged.unwrap().body).unwrap();
    assert_eq!(acknowledged, json!({"ackIds": ["b1"]}));
    assert_eq!(
        leased(&server).await.last().unwrap(),
        &json!({"ackIds": ["b2"], "ackDeadlineSeconds": 0})
    );
}
