//! An enqueue as one would write it with hyper and serde alone: the same request, a time limit, and the response read.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::api::{ACCOUNT, ENDPOINT, LOCATION, email};

#[derive(Clone)]
pub(crate) struct ByHand {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

#[derive(Serialize)]
struct Create<'a> {
    task: NewTask<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewTask<'a> {
    name: &'a str,
    http_request: NewRequest<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewRequest<'a> {
    url: &'a str,
    http_method: u8,
    headers: Headers<'a>,
    body: &'a str,
    oidc_token: Token<'a>,
}

#[derive(Serialize)]
struct Headers<'a> {
    #[serde(rename = "content-type")]
    content_type: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Token<'a> {
    service_account_email: &'a str,
    audience: &'a str,
}

#[derive(Deserialize)]
struct Created {
    name: String,
}

impl ByHand {
    pub(crate) fn new(server: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            url: format!("{server}/v2/{LOCATION}/queues/emails/tasks?%24alt=json%3Benum-encoding%3Dint"),
        }
    }

    pub(crate) async fn send(&self) {
        let arguments = STANDARD.encode(serde_json::to_vec(&email()).unwrap());
        let create = Create {
            task: NewTask {
                name: &format!("{LOCATION}/queues/emails/tasks/{}", Uuid::new_v4().simple()),
                http_request: NewRequest {
                    url: &format!("{ENDPOINT}/tasks/SendWelcomeEmail"),
                    http_method: 1,
                    headers: Headers {
                        content_type: "application/json",
                    },
                    body: &arguments,
                    oidc_token: Token {
                        service_account_email: ACCOUNT,
                        audience: ENDPOINT,
                    },
                },
            },
        };
        let request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header("accept", "*/*")
            .header("x-goog-api-client", "by-hand/1.0")
            .body(Full::from(serde_json::to_vec(&create).unwrap()))
            .unwrap();
        let answered = async {
            let response = self.client.request(request).await.unwrap();
            assert!(response.status().is_success());
            response.into_body().collect().await.unwrap().to_bytes()
        };
        let body = tokio::time::timeout(Duration::from_secs(10), answered)
            .await
            .unwrap();
        let created: Created = serde_json::from_slice(&body).unwrap();
        assert!(created.name.starts_with(LOCATION));
    }
}
