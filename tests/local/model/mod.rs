//! The model of the simulator against the engine: both play the same random scenarios, and differ in nothing that the services
//! do not leave open.
//!
//! Times are compared where they are announced: the state of a task has its schedule time and the time of its last response, and
//! their difference is the pause that the service has chosen. How long anything takes is not compared.

mod engine;
mod play;
mod scenario;
pub(crate) mod tasks;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use cloud_tasks::testing::simulation::{Event, History, Simulation};
use cloud_tasks::{Config, Runtime};
use serde_json::{Value, json};

use crate::dependencies::with_dependencies;
use play::{Stage, play};
use scenario::{Kind, Scenario};
use tasks::{Attempt, Journal};

const SCENARIOS: u64 = 200;
/// Dead letters name it.
const PROJECT: &str = "model";

/// What came of a scenario.
struct Played {
    results: Vec<Value>,
    attempts: Vec<(String, Attempt)>,
    answers: BTreeMap<String, Vec<String>>,
}

/// Plays a scenario through the model, in virtual time and without faults.
fn model(scenario: &Scenario) -> Played {
    let played = Mutex::new(None);
    Simulation::new()
        .from_seed(1)
        .seeds(1)
        .without_faults()
        .run(async |cloud| {
            let journal = Journal::default();
            let (noted, settings) = (journal.clone(), scenario.settings.clone());
            let service = cloud.service("shop", move || {
                with_dependencies(Runtime::simulated())
                    .config(Config::default().with_project(PROJECT))
                    .state(noted.clone())
                    .queue(settings.clone())
            });
            let runtime = service.runtime().await;
            let now = || cloud.now();
            let stage = Stage {
                runtime: &runtime,
                now: &now,
            };
            let results = service.run(play(&stage, scenario)).await;
            cloud.settle().await;
            *played.lock().unwrap() = Some(Played {
                results,
                attempts: journal.of(&scenario.name),
                answers: answers(&cloud.history()),
            });
            tasks::forget_decoded();
            Ok(())
        });
    played.into_inner().unwrap().unwrap()
}

/// The answers to each task and each delivery, by their keys.
fn answers(history: &History) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    let mut answers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for step in history.steps() {
        match step.event {
            Event::Created | Event::Published => {
                let (_, rest) = step.detail.split_once(r#""key":""#).unwrap();
                let key = rest.split('"').next().unwrap().to_owned();
                keys.insert(step.subject.clone(), key);
            }
            Event::Answered => {
                let (label, subscriber) = step.subject.split_once('>').unwrap_or((&step.subject, ""));
                let Some(key) = keys.get(label) else {
                    continue;
                };
                let who = if subscriber.is_empty() {
                    key.clone()
                } else {
                    format!("{key}>{subscriber}")
                };
                answers.entry(who).or_default().push(step.detail.clone());
            }
            _ => {}
        }
    }
    answers
}

impl Played {
    /// What the model and the engine must have in common.
    fn comparable(&self, scenario: &Scenario) -> Value {
        let mut attempts: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for (who, attempt) in &self.attempts {
            attempts.entry(who).or_default().push(&attempt.told);
        }
        json!({
            "results": self.results,
            "attempts": attempts,
            "answers": self.answers,
            "order": self.order(scenario),
        })
    }

    /// The order of what must not overtake: the first attempts in a queue that runs one task at a time, and all deliveries of an
    /// ordering key.
    fn order(&self, scenario: &Scenario) -> BTreeMap<String, Vec<&str>> {
        let mut order: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (who, attempt) in &self.attempts {
            let line = match &scenario.kind {
                // What a task enqueues comes whenever its task has run.
                Kind::InLine(_) if attempt.told["attempt"] == 1 && !who.ends_with("-child") => {
                    "first attempts".to_owned()
                }
                Kind::Messages(_) if who.contains("Order") => {
                    let Some(key) = attempt.told["ordering_key"].as_str() else {
                        continue;
                    };
                    let subscriber = who.split('>').nth(1).unwrap();
                    format!("{subscriber} {key}")
                }
                _ => continue,
            };
            order.entry(line).or_default().push(who);
        }
        order
    }

    /// What came before the time that was announced, and what was announced before its backoff was over.
    fn early(&self, scenario: &Scenario) -> impl Iterator<Item = String> {
        let mut attempts: BTreeMap<&str, Vec<&Attempt>> = BTreeMap::new();
        for (who, attempt) in &self.attempts {
            attempts.entry(who).or_default().push(attempt);
        }
        // The ETA is a floating-point number on the wire.
        let slack = Duration::from_micros(1);
        let mut early = Vec::new();
        for (who, attempts) in attempts {
            for attempt in &attempts {
                // A task of a paused queue runs earlier when it is asked for.
                let may_be = matches!(scenario.kind, Kind::Stepped(_));
                if !may_be && attempt.eta.is_some_and(|eta| eta > attempt.began + slack) {
                    early.push(format!("{who} came early: {attempt:?}"));
                }
            }
            for pair in attempts.windows(2) {
                let numbers = (pair[0].told["attempt"].as_u64(), pair[1].told["attempt"].as_u64());
                let pause = match numbers {
                    (Some(first), Some(second)) if second == first + 1 => backoff(scenario, first),
                    // Attempts in which no handler ran lie between.
                    (Some(_), Some(_)) => continue,
                    _ => Duration::from_millis(20),
                };
                let next = pair[1].eta.unwrap_or(pair[1].began);
                if next + slack < pair[0].ended + pause {
                    early.push(format!(
                        "{who} was announced before {pause:?} were over: {pair:?}"
                    ));
                }
            }
        }
        early.into_iter()
    }
}

/// The pause of a queue after this attempt, by the documentation: it doubles, and then grows linearly.
fn backoff(scenario: &Scenario, attempt: u64) -> Duration {
    let settings = &scenario.settings;
    let (min, max) = (settings.min_backoff().unwrap(), settings.max_backoff().unwrap());
    let doublings = settings.max_doublings().unwrap();
    let mut pause = min;
    let mut step = min;
    for retry in 1..u32::try_from(attempt).unwrap() {
        if retry <= doublings {
            step = pause;
            pause *= 2;
            if retry == doublings {
                step = pause;
            }
        } else {
            pause += step;
        }
    }
    pause.min(max)
}

#[test]
fn the_model_does_what_the_engine_does_in_two_hundred_scenarios() {
    let scenarios: Vec<_> = (0..SCENARIOS).map(Scenario::random).collect();

    let modelled: Vec<_> = scenarios.iter().map(model).collect();
    // A simulation has a tokio runtime of its own.
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let played = tokio.unwrap().block_on(engine::play_all(&scenarios));

    let mut differences = Vec::new();
    let mut everything = String::new();
    for (scenario, (model, engine)) in scenarios.iter().zip(modelled.iter().zip(&played)) {
        let early = [("model", model), ("engine", engine)]
            .into_iter()
            .flat_map(|(name, played)| {
                played
                    .early(scenario)
                    .map(move |text| format!("the {name}: {text}"))
            });
        differences.extend(early.map(|text| format!("{} {text}", scenario.name)));
        let (model, engine) = (model.comparable(scenario), engine.comparable(scenario));
        if model != engine {
            let text = difference("", &model, &engine);
            differences.push(format!("{} {:?}\n{text}", scenario.name, scenario.settings));
        }
        everything += &engine.to_string();
    }
    assert!(
        differences.is_empty(),
        "{} of {SCENARIOS} scenarios differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
    // The scenarios are worth comparing: each of these happened often.
    for (what, least) in [
        (r#""attempt":"#, 500),
        (r#""delivery":"#, 300),
        (r#""duplicate":true"#, 20),
        (r#""cancelled":true"#, 5),
        (r#""removed":true"#, 20),
        (r#""purged":true"#, 5),
        (r#""pause":""#, 100),
        (r#""as_asked":true"#, 10),
        (r#""last":true"#, 50),
        (r#""previous":400"#, 10),
        (r#""previous":503"#, 10),
        (r#"["200 "#, 100),
        (r#""202 {"#, 20),
        (r#""400 {"#, 20),
        (r#""500 {"#, 100),
        (r#""503 {"#, 20),
        ("-child", 20),
        (r#""first attempts":"#, 10),
        ("ModelOrdered a", 10),
        ("DeadLetterSourceDeliveryCount", 20),
    ] {
        let count = everything.matches(what).count();
        assert!(count >= least, "{what}: only {count}");
    }
}

/// Where two values differ.
fn difference(path: &str, model: &Value, engine: &Value) -> String {
    match (model, engine) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            let parts = keys.into_iter().map(|key| {
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                difference(&format!("{path}/{key}"), &of(a), &of(b))
            });
            parts.collect()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let parts = a.iter().zip(b).enumerate();
            parts
                .map(|(at, (a, b))| difference(&format!("{path}/{at}"), a, b))
                .collect()
        }
        _ if model == engine => String::new(),
        _ => format!("  {path}\n    model:  {model}\n    engine: {engine}\n"),
    }
}
