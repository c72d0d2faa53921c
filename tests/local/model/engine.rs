//! The local engine, with a server in front of which the answers are noted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::{Config, Runtime};
use http_body_util::BodyExt;
use serde_json::Value;

use super::play::{Stage, play};
use super::scenario::{Kind, Scenario};
use super::tasks::Journal;
use super::{PROJECT, Played};
use crate::dependencies::with_dependencies;
use crate::support::server::Port;
use crate::support::wait::within;

type Answers = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// Whose request it is: the key in its body, and the subscriber for a push.
fn who(path: &str, body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let Some(data) = body["message"]["data"].as_str() else {
        return Some(body["key"].as_str()?.to_owned());
    };
    let data: Value = serde_json::from_slice(&STANDARD.decode(data).ok()?).ok()?;
    let subscriber = path.rsplit('/').next()?;
    Some(format!("{}>{subscriber}", data["key"].as_str()?))
}

async fn note_answers(State(answers): State<Answers>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let who = who(parts.uri.path(), &body);
    let response = next.run(Request::from_parts(parts, body.into())).await;
    let (parts, body) = response.into_parts();
    let body: Bytes = body.collect().await.unwrap().to_bytes();
    if let Some(who) = who {
        let text = format!("{} {}", parts.status.as_u16(), String::from_utf8_lossy(&body));
        answers.lock().unwrap().entry(who).or_default().push(text);
    }
    Response::from_parts(parts, body.into())
}

/// Plays all scenarios at once, through one engine.
pub(super) async fn play_all(scenarios: &[Scenario]) -> Vec<Played> {
    let port = Port::open().await;
    let endpoint = port.url().to_owned();
    let journal = Journal::default();
    let mut builder = with_dependencies(Runtime::local())
        .config(Config::default().with_endpoint(endpoint).with_project(PROJECT))
        .state(journal.clone());
    for scenario in scenarios {
        builder = builder.queue(scenario.settings.clone());
    }
    let (runtime, engine) = builder.build().await.unwrap();
    let answers = Answers::default();
    let app = Router::new()
        .layer(runtime.layer())
        .layer(middleware::from_fn_with_state(Arc::clone(&answers), note_answers));
    let server = port.serve(app);
    runtime
        .setup()
        .only_queues()
        .plan()
        .await
        .unwrap()
        .apply()
        .await
        .unwrap();
    let stage = Stage {
        runtime: &runtime,
        now: &SystemTime::now,
    };

    let each = scenarios.iter().map(|scenario| async {
        let results = play(&stage, scenario).await;
        if !matches!(scenario.kind, Kind::Messages(_)) {
            within(engine.wait_idle(scenario.queue())).await.unwrap();
        }
        results
    });
    let results = futures_util::future::join_all(each).await;
    within(engine.wait_delivered()).await.unwrap();

    engine.stop().await;
    server.stop().await;
    let answers = answers.lock().unwrap();
    let played = scenarios.iter().zip(results).map(|(scenario, results)| Played {
        results,
        attempts: journal.of(&scenario.name),
        answers: answers
            .iter()
            .filter(|(who, _)| who.starts_with(&scenario.name))
            .map(|(who, answers)| (who.clone(), answers.clone()))
            .collect(),
    });
    played.collect()
}
