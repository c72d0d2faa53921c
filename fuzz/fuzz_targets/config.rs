//! Settings: what is refused is named, what is accepted means what it says, and builds.
#![no_main]

mod support;

use std::time::Duration;

use arbitrary::Arbitrary;
use cloud_tasks::backend::RetrySettings;
use cloud_tasks::runtime::RunMode;
use cloud_tasks::{Config, Context, Error, ErrorKind, Runtime, Task, TaskResult, task};
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};
use support::{block_on, post, send};

#[derive(Deserialize, Serialize)]
struct Note {
    text: String,
}

#[task(queue = "notes")]
impl Task for Note {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Arbitrary, Debug)]
enum Input {
    Any(Vec<(Name, Value)>),
    Meant(Meant),
}

#[derive(Arbitrary, Debug)]
enum Name {
    Known(u8),
    Any(String),
}

const NAMES: &[&str] = &[
    "CLOUD_TASKS_ENDPOINT",
    "CLOUD_TASKS_APP_NAME",
    "CLOUD_TASKS_DELIMITER",
    "CLOUD_TASKS_EAGER",
    "CLOUD_TASKS_MAXIMUM_ETA_TASK",
    "CLOUD_TASKS_BACKUP_QUEUE_NAME",
    "CLOUD_TASKS_PROPAGATED_HEADERS",
    "CLOUD_TASKS_PROPAGATED_HEADERS_KEY",
    "CLOUD_TASKS_SUBSCRIBER_MAX_RETRIES",
    "CLOUD_TASKS_SUBSCRIBER_MIN_BACKOFF",
    "CLOUD_TASKS_SUBSCRIBER_MAX_BACKOFF",
    "CLOUD_TASKS_SUBSCRIBER_EXPIRATION",
    "CLOUD_TASKS_ENQUEUE_RETRY_INITIAL",
    "CLOUD_TASKS_ENQUEUE_RETRY_MAXIMUM",
    "CLOUD_TASKS_ENQUEUE_RETRY_MULTIPLIER",
    "CLOUD_TASKS_ENQUEUE_RETRY_DEADLINE",
    "CLOUD_TASKS_PROJECT",
    "CLOUD_TASKS_LOCATION",
    "CLOUD_TASKS_SERVICE_ACCOUNT",
    "CLOUD_TASKS_EMULATOR_HOST",
    "GOOGLE_CLOUD_PROJECT",
    "PUBSUB_EMULATOR_HOST",
];

impl Name {
    fn text(&self) -> &str {
        match self {
            Self::Known(index) => NAMES[usize::from(*index) % NAMES.len()],
            Self::Any(text) => text,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Value {
    Any(String),
    Url { https: bool, rest: String },
    Host { host: String, port: u32 },
    Whole(u64),
    Float(f64),
    Known(u8),
}

const VALUES: &[&str] = &[
    "true",
    "No",
    " t ",
    "1e300",
    "-1",
    "NaN",
    "inf",
    "http://localhost:8080/a/b/",
    "https://[::1]:8080/jobs",
    "a:1",
    "[::1]:8085",
    "traceparent, X-Request-Id,",
    ",",
    "",
    " ",
    "shop",
    "--",
];

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Any(text) => text.clone(),
            Self::Url { https, rest } => format!("http{}://{rest}", if *https { "s" } else { "" }),
            Self::Host { host, port } => format!("{host}:{port}"),
            Self::Whole(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Known(index) => VALUES[usize::from(*index) % VALUES.len()].to_owned(),
        }
    }
}

/// Settings as somebody means them.
#[derive(Arbitrary, Debug)]
struct Meant {
    spaces: bool,
    app: Option<String>,
    delimiter: Option<String>,
    eager: Option<(bool, u8)>,
    maximum_eta: Option<Seconds>,
    min_backoff: Option<Seconds>,
    max_retries: Option<u32>,
    expiration_days: Option<u16>,
    initial: Option<Seconds>,
    multiplier: Option<u16>,
    deadline: Option<Seconds>,
    backup: Option<String>,
    project: Option<String>,
    port: Option<u16>,
}

/// Seconds and milliseconds.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Seconds(u32, Option<u16>);

impl Seconds {
    fn text(self) -> String {
        match self.1 {
            Some(millis) => format!("{}.{:03}", self.0, millis % 1000),
            None => self.0.to_string(),
        }
    }

    fn is(self) -> Duration {
        Duration::try_from_secs_f64(self.text().parse().unwrap()).unwrap()
    }
}

fuzz_target!(|input: Input| match input {
    Input::Any(vars) => any(&vars
        .iter()
        .map(|(name, value)| (name.text(), value.text()))
        .collect::<Vec<_>>()),
    Input::Meant(meant) => meant.check(),
});

fn any(vars: &[(&str, String)]) {
    let read = Config::from_vars(vars.iter().cloned());
    let config = match read {
        Ok(config) => config,
        Err(error) => return refused(vars, &error),
    };
    // The last one of a name counts, and the order of different names does not.
    let mut last: Vec<_> = vars.iter().rev().cloned().collect();
    let mut seen = std::collections::HashSet::new();
    last.retain(|(name, _)| seen.insert(*name));
    assert_eq!(Config::from_vars(last.clone()).unwrap(), config);

    let value = |name: &str| {
        let text = last.iter().find(|(found, _)| *found == name)?.1.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let queue = config.default_queue();
    assert_eq!(queue, value("CLOUD_TASKS_APP_NAME").as_deref().unwrap_or("tasks"));
    let good_queue = (1..=100).contains(&queue.len())
        && queue
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let endpoint = value("CLOUD_TASKS_ENDPOINT").unwrap_or("http://localhost:8080".to_owned());
    let built = block_on(async { Runtime::recorded().config(config.clone()).build().await });
    let (runtime, recorder) = match built {
        Ok(built) => built,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Build);
            assert!(!good_queue, "{error}");
            assert!(
                error
                    .to_string()
                    .contains("the default queue is the application's name"),
                "{error}"
            );
            return;
        }
    };
    assert!(good_queue, "{queue:?}");
    block_on(async {
        let enqueued = Note { text: String::new() }.asap().on(&runtime).await;
        if let Err(error) = &enqueued {
            assert!(
                error.is_invalid_request() && endpoint.len() > 2000 || last.len() > 100,
                "{error}"
            );
            return;
        }
        // A task comes back to the URL that it was sent with.
        let url = recorder.envelopes()[0].url().to_owned();
        let uri: http::Uri = url.parse().expect("a task's URL is one");
        assert!(uri.host().is_some_and(|host| !host.is_empty()), "{url}");
        let authority = uri.authority().unwrap().as_str();
        assert!(
            uri.port_u16().is_some() || authority.ends_with(uri.host().unwrap()),
            "{url} has no port"
        );
        let request = post(
            uri.path(),
            [("content-type", "application/json")],
            r#"{"text": ""}"#,
        )
        .unwrap();
        let answer = send(&runtime, request).await;
        assert_eq!(answer.status, 200, "{url}: {}", answer.text);
    });
}

/// An error names a variable that was given, its value, and what it takes instead.
fn refused(vars: &[(&str, String)], error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(text.contains(", which is not accepted: "), "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
    let named = vars.iter().any(|(name, value)| {
        NAMES.contains(name)
            && (text.starts_with(&format!("{name} is {value:?}"))
                || text.starts_with(&format!("{name} is {:?}", value.trim())))
    });
    assert!(named, "{text}");
}

impl Meant {
    fn check(self) {
        let mut vars: Vec<(&str, String)> = Vec::new();
        let mut config = Config::default();
        let spaces = self.spaces;
        let mut set = |name, value: String| {
            vars.push((name, if spaces { format!(" {value}\n") } else { value }));
        };
        let plain = |text: Option<String>| text.filter(|text| !text.is_empty() && text.trim() == text);
        if let Some(app) = plain(self.app) {
            set("CLOUD_TASKS_APP_NAME", app.clone());
            config = config.with_app_name(app);
        }
        if let Some(delimiter) = plain(self.delimiter) {
            set("CLOUD_TASKS_DELIMITER", delimiter.clone());
            config = config.with_delimiter(delimiter);
        }
        if let Some((eager, word)) = self.eager {
            let words = if eager {
                ["true", "1", "T", "y", "YES"]
            } else {
                ["false", "0", "F", "n", "No"]
            };
            set(
                "CLOUD_TASKS_EAGER",
                words[usize::from(word) % words.len()].to_owned(),
            );
            config = config.with_mode(if eager { RunMode::Eager } else { RunMode::Google });
        }
        if let Some(seconds) = self.maximum_eta {
            set("CLOUD_TASKS_MAXIMUM_ETA_TASK", seconds.text());
            config = config.with_maximum_eta(seconds.is());
        }
        if let Some(seconds) = self.min_backoff {
            set("CLOUD_TASKS_SUBSCRIBER_MIN_BACKOFF", seconds.text());
            config = config.with_subscriber_min_backoff(seconds.is());
        }
        if let Some(retries) = self.max_retries {
            set("CLOUD_TASKS_SUBSCRIBER_MAX_RETRIES", retries.to_string());
            config = config.with_subscriber_max_retries(retries);
        }
        if let Some(days) = self.expiration_days {
            set("CLOUD_TASKS_SUBSCRIBER_EXPIRATION", days.to_string());
            config = config.with_subscriber_expiration(Duration::from_secs(u64::from(days) * 86400));
        }
        let mut retry = RetrySettings::default();
        if let Some(seconds) = self.initial {
            set("CLOUD_TASKS_ENQUEUE_RETRY_INITIAL", seconds.text());
            retry.initial = seconds.is();
        }
        if let Some(multiplier) = self.multiplier.filter(|multiplier| *multiplier > 0) {
            set("CLOUD_TASKS_ENQUEUE_RETRY_MULTIPLIER", multiplier.to_string());
            retry.multiplier = multiplier.into();
        }
        if let Some(seconds) = self.deadline {
            set("CLOUD_TASKS_ENQUEUE_RETRY_DEADLINE", seconds.text());
            retry.deadline = seconds.is();
        }
        config = config.with_enqueue_retry(retry);
        if let Some(backup) = plain(self.backup) {
            set("CLOUD_TASKS_BACKUP_QUEUE_NAME", backup.clone());
            config = config.with_backup_queue_name(backup);
        }
        if let Some(project) = plain(self.project) {
            set("GOOGLE_CLOUD_PROJECT", project.clone());
            config = config.with_project(project);
        }
        if let Some(port) = self.port {
            let (url, host) = (
                format!("https://shop.example:{port}/jobs"),
                format!("localhost:{port}"),
            );
            set("CLOUD_TASKS_ENDPOINT", url.clone());
            set("PUBSUB_EMULATOR_HOST", host.clone());
            config = config.with_endpoint(url).with_pubsub_emulator_host(host);
        }
        assert_eq!(Config::from_vars(vars).unwrap(), config);
    }
}
