use std::time::Duration;

use cloud_tasks::backend::RetrySettings;
use cloud_tasks::runtime::RunMode;
use cloud_tasks::{Config, ErrorKind, Runtime};
use proptest::prelude::*;

#[test]
fn without_variables_the_settings_are_the_documented_defaults() {
    let config = Config::from_vars::<&str, &str>([]).unwrap();

    assert_eq!(config, Config::default());
    assert_eq!(config.default_queue(), "tasks");
}

#[test]
fn every_setting_can_be_read() {
    let config = Config::default()
        .with_endpoint("https://shop.example")
        .with_app_name("shop")
        .with_delimiter("__")
        .with_mode(RunMode::Eager)
        .with_maximum_eta(Duration::from_secs(1))
        .with_backup_queue_name("spare")
        .with_propagated_headers(["baggage"])
        .with_propagated_headers_key("_h")
        .with_subscriber_max_retries(2)
        .with_subscriber_min_backoff(Duration::from_secs(3))
        .with_subscriber_max_backoff(Duration::from_secs(4))
        .with_subscriber_expiration(Duration::from_secs(5))
        .with_enqueue_retry(RetrySettings::off())
        .with_project("acme")
        .with_location("europe-west1")
        .with_service_account("a@b")
        .with_pubsub_emulator_host("localhost:6")
        .with_cloud_tasks_emulator_host("localhost:7")
        .with_local_engine_port(8);

    assert_eq!(config.endpoint(), "https://shop.example");
    assert_eq!(config.app_name(), Some("shop"));
    assert_eq!(config.delimiter(), "__");
    assert_eq!(config.mode(), RunMode::Eager);
    assert_eq!(config.maximum_eta(), Some(Duration::from_secs(1)));
    assert_eq!(config.backup_queue_name(), Some("spare"));
    assert_eq!(config.propagated_headers(), ["baggage"]);
    assert_eq!(config.propagated_headers_key(), "_h");
    assert_eq!(config.subscriber_max_retries(), Some(2));
    assert_eq!(config.subscriber_min_backoff(), Some(Duration::from_secs(3)));
    assert_eq!(config.subscriber_max_backoff(), Some(Duration::from_secs(4)));
    assert_eq!(config.subscriber_expiration(), Some(Duration::from_secs(5)));
    assert_eq!(config.enqueue_retry(), RetrySettings::off());
    assert_eq!(config.project(), Some("acme"));
    assert_eq!(config.location(), Some("europe-west1"));
    assert_eq!(config.service_account(), Some("a@b"));
    assert_eq!(config.pubsub_emulator_host(), Some("localhost:6"));
    assert_eq!(config.cloud_tasks_emulator_host(), Some("localhost:7"));
    assert_eq!(config.local_engine_port(), Some(8));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_variable_sets_what_its_setter_sets() {
    let retry = RetrySettings {
        initial: Duration::from_millis(500),
        maximum: Duration::from_secs(30),
        multiplier: 1.5,
        deadline: Duration::from_secs(90),
    };
    for (name, value, expected) in [
        (
            "CLOUD_TASKS_ENDPOINT",
            "https://shop.example/jobs",
            Config::default().with_endpoint("https://shop.example/jobs"),
        ),
        (
            "CLOUD_TASKS_APP_NAME",
            "shop",
            Config::default().with_app_name("shop"),
        ),
        (
            "CLOUD_TASKS_DELIMITER",
            "__",
            Config::default().with_delimiter("__"),
        ),
        (
            "CLOUD_TASKS_EAGER",
            "YES",
            Config::default().with_mode(RunMode::Eager),
        ),
        ("CLOUD_TASKS_EAGER", "0", Config::default()),
        ("CLOUD_TASKS_MODE", "google", Config::default()),
        (
            "CLOUD_TASKS_MODE",
            "Local",
            Config::default().with_mode(RunMode::Local),
        ),
        (
            "CLOUD_TASKS_MODE",
            "eager",
            Config::default().with_mode(RunMode::Eager),
        ),
        (
            "CLOUD_TASKS_MAXIMUM_ETA_TASK",
            "3600",
            Config::default().with_maximum_eta(Duration::from_secs(3600)),
        ),
        (
            "CLOUD_TASKS_BACKUP_QUEUE_NAME",
            "spare",
            Config::default().with_backup_queue_name("spare"),
        ),
        (
            "CLOUD_TASKS_PROPAGATED_HEADERS",
            " Traceparent ,X-Request-Id",
            Config::default().with_propagated_headers(["traceparent", "x-request-id"]),
        ),
        (
            "CLOUD_TASKS_PROPAGATED_HEADERS",
            "",
            Config::default().with_propagated_headers::<&str>([]),
        ),
        (
            "CLOUD_TASKS_PROPAGATED_HEADERS_KEY",
            "_h",
            Config::default().with_propagated_headers_key("_h"),
        ),
        (
            "CLOUD_TASKS_SUBSCRIBER_MAX_RETRIES",
            "0",
            Config::default().with_subscriber_max_retries(0),
        ),
        (
            "CLOUD_TASKS_SUBSCRIBER_MIN_BACKOFF",
            "5",
            Config::default().with_subscriber_min_backoff(Duration::from_secs(5)),
        ),
        (
            "CLOUD_TASKS_SUBSCRIBER_MAX_BACKOFF",
            "60",
            Config::default().with_subscriber_max_backoff(Duration::from_secs(60)),
        ),
        (
            "CLOUD_TASKS_SUBSCRIBER_EXPIRATION",
            "2",
            Config::default().with_subscriber_expiration(Duration::from_secs(2 * 24 * 60 * 60)),
        ),
        ("CLOUD_TASKS_PROJECT", "p", Config::default().with_project("p")),
        ("GOOGLE_CLOUD_PROJECT", "p", Config::default().with_project("p")),
        (
            "CLOUD_TASKS_LOCATION",
            "europe-west1",
            Config::default().with_location("europe-west1"),
        ),
        (
            "CLOUD_TASKS_SERVICE_ACCOUNT",
            "a@b",
            Config::default().with_service_account("a@b"),
        ),
        (
            "PUBSUB_EMULATOR_HOST",
            "localhost:8085",
            Config::default().with_pubsub_emulator_host("localhost:8085"),
        ),
        (
            "CLOUD_TASKS_LOCAL_ENGINE_PORT",
            "8123",
            Config::default().with_local_engine_port(8123),
        ),
        (
            "CLOUD_TASKS_EMULATOR_HOST",
            "[::1]:8123",
            Config::default().with_cloud_tasks_emulator_host("[::1]:8123"),
        ),
    ] {
        assert_eq!(
            Config::from_vars([(name, value)]).unwrap(),
            expected,
            "{name}={value}"
        );
    }

    let patient = Config::from_vars([
        ("CLOUD_TASKS_ENQUEUE_RETRY_INITIAL", "0.5"),
        ("CLOUD_TASKS_ENQUEUE_RETRY_MAXIMUM", "30"),
        ("CLOUD_TASKS_ENQUEUE_RETRY_MULTIPLIER", "1.5"),
        ("CLOUD_TASKS_ENQUEUE_RETRY_DEADLINE", "90"),
    ]);
    assert_eq!(patient.unwrap(), Config::default().with_enqueue_retry(retry));
}

#[test]
fn a_bad_value_is_an_error_that_names_variable_value_and_what_is_accepted() {
    for (name, value, accepted) in [
        (
            "CLOUD_TASKS_ENDPOINT",
            "shop.example",
            "a URL that starts with http:// or https:// and has no query, user or password, such as https://shop.example/jobs",
        ),
        (
            "CLOUD_TASKS_ENDPOINT",
            "https://shop.example?a=b",
            "a URL that starts with http:// or https:// and has no query, user or password, such as https://shop.example/jobs",
        ),
        (
            "CLOUD_TASKS_EAGER",
            "perhaps",
            "true, 1, t, y or yes; false, 0, f, n or no",
        ),
        (
            "CLOUD_TASKS_MAXIMUM_ETA_TASK",
            "-1",
            "a number of seconds, 0 or more",
        ),
        (
            "CLOUD_TASKS_MAXIMUM_ETA_TASK",
            "inf",
            "a number of seconds, 0 or more",
        ),
        (
            "CLOUD_TASKS_PROPAGATED_HEADERS",
            "a b",
            "header names separated by commas, such as traceparent,x-request-id",
        ),
        (
            "CLOUD_TASKS_SUBSCRIBER_MAX_RETRIES",
            "many",
            "a whole number, 0 or more",
        ),
        (
            "CLOUD_TASKS_SUBSCRIBER_MIN_BACKOFF",
            "5s",
            "a number of seconds, 0 or more",
        ),
        (
            "CLOUD_TASKS_SUBSCRIBER_EXPIRATION",
            "soon",
            "a number of days, 0 or more",
        ),
        (
            "CLOUD_TASKS_ENQUEUE_RETRY_MULTIPLIER",
            "0.5",
            "a number, 1 or more",
        ),
        (
            "PUBSUB_EMULATOR_HOST",
            "http://localhost:8085",
            "host:port, such as localhost:8123",
        ),
        ("CLOUD_TASKS_LOCAL_ENGINE_PORT", "0", "a port, 1 to 65535"),
        ("CLOUD_TASKS_LOCAL_ENGINE_PORT", "65536", "a port, 1 to 65535"),
        (
            "CLOUD_TASKS_EMULATOR_HOST",
            "localhost",
            "host:port, such as localhost:8123",
        ),
    ] {
        let error = Config::from_vars([(name, value)]).unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(
            error.to_string(),
            format!("{name} is {value:?}, which is not accepted: {accepted}")
        );
    }
}

#[test]
fn hosts_and_urls_that_say_more_than_a_place_are_refused_and_no_password_is_shown() {
    const HOSTS: [&str; 2] = ["CLOUD_TASKS_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"];
    let hosts = [
        "user:secret@localhost:8123",
        "user@localhost:8123",
        "a\r\nb:80",
        "a b:80",
        "a\tb:80",
        "localhost:8123/path",
        "localhost:8123?x",
        "localhost:8123#x",
        "localhost:",
        ":8123",
        "localhost:65536",
        "localhost:80:80",
        "héte:80",
    ];
    let endpoints = [
        "https://user:secret@shop.example",
        "https://user@shop.example/jobs",
        "https://shop.example@evil.example",
        "https://shop.example\r\n/jobs",
        "https://shop .example",
    ];
    let hosts = HOSTS.iter().flat_map(|name| hosts.map(|host| (*name, host)));
    for (name, value) in hosts.chain(endpoints.map(|url| ("CLOUD_TASKS_ENDPOINT", url))) {
        let error = Config::from_vars([(name, value)]).unwrap_err().to_string();

        assert!(error.starts_with(&format!("{name} is ")), "{error}");
        assert!(!error.contains("secret"), "{error}");
        assert!(!error.contains(char::is_control), "{error:?}");
    }
}

#[test]
fn a_variable_that_is_set_to_nothing_counts_as_not_set() {
    let config = Config::from_vars([
        ("CLOUD_TASKS_APP_NAME", ""),
        ("CLOUD_TASKS_PROJECT", " "),
        ("GOOGLE_CLOUD_PROJECT", "p"),
    ]);

    assert_eq!(config.unwrap(), Config::default().with_project("p"));
}

#[test]
fn a_value_set_in_code_wins_over_the_environment() {
    let config = Config::from_vars([("CLOUD_TASKS_APP_NAME", "from-env")])
        .unwrap()
        .with_app_name("from-code");

    assert_eq!(config.default_queue(), "from-code");
}

#[tokio::test]
async fn values_set_in_code_are_checked_by_build_all_at_once() {
    let config = Config::default()
        .with_endpoint("shop")
        .with_delimiter("")
        .with_app_name("no_underscores")
        .with_propagated_headers(["a b"])
        .with_propagated_headers_key("")
        .with_cloud_tasks_emulator_host("nowhere")
        .with_pubsub_emulator_host("user:secret@localhost:8085");

    let error = Runtime::eager().config(config).build().await.unwrap_err();

    assert!(error.is_build());
    let text = error.to_string();
    for error in [
        "the endpoint \"shop\" is not accepted",
        "the delimiter \"\" is not accepted",
        "the propagated header \"a b\" is not accepted",
        "the key of propagated headers \"\" is not accepted",
        "the emulator host \"nowhere\" is not accepted",
        "the emulator host \"***@localhost:8085\" is not accepted",
        "the queue \"no_underscores\" is not accepted",
    ] {
        assert!(text.contains(error), "{error} is not in:\n{text}");
    }
}

#[test]
fn a_mode_that_contradicts_the_environment_is_refused() {
    for (vars, expected) in [
        (
            vec![("CLOUD_TASKS_MODE", "cloud")],
            "CLOUD_TASKS_MODE is \"cloud\", which is not accepted: google, local or eager",
        ),
        (
            vec![("CLOUD_TASKS_MODE", "google"), ("CLOUD_TASKS_EAGER", "true")],
            "CLOUD_TASKS_MODE is \"google\", which is not accepted: eager, or CLOUD_TASKS_EAGER must not be true",
        ),
        (
            vec![("CLOUD_TASKS_MODE", "local"), ("K_SERVICE", "shop")],
            "CLOUD_TASKS_MODE is \"local\", which is not accepted: google on Cloud Run (K_SERVICE is set), where the local engine \
             would lose its tasks with the instance",
        ),
        (
            vec![("CLOUD_TASKS_MODE", "local"), ("CLOUD_RUN_JOB", "nightly")],
            "CLOUD_TASKS_MODE is \"local\", which is not accepted: google on Cloud Run (CLOUD_RUN_JOB is set), where the local engine \
             would lose its tasks with the instance",
        ),
    ] {
        let error = Config::from_vars(vars).unwrap_err();

        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_runtime_without_an_account_is_told_of_the_local_mode() {
    let config = Config::default().with_project("p").with_service_account("a@b");
    let google = cloud_tasks::backend::Google::new()
        .credentials(google_cloud_auth::credentials::anonymous::Builder::new().build());

    let error = Runtime::builder()
        .config(config)
        .google(google)
        .build()
        .await
        .unwrap_err();

    let text = error.to_string();
    let last = text.lines().last().unwrap();
    assert_eq!(
        last,
        "To run without a Google account, set CLOUD_TASKS_MODE=local: tasks then go to an engine in this process."
    );
}

#[tokio::test]
async fn the_eager_variable_makes_an_ordinary_runtime_run_everything_here() {
    let config = Config::from_vars([("CLOUD_TASKS_EAGER", "true")]).unwrap();

    let runtime = Runtime::builder().config(config).build().await.unwrap();

    assert!(runtime.config() == &Config::default().with_mode(RunMode::Eager));
}

#[test]
fn an_endpoint_with_an_invalid_port_is_refused() {
    for url in [
        "http://shop.example:",
        "http://shop.example:70000/jobs",
        "https://[::1]:",
    ] {
        let error = Config::from_vars([("CLOUD_TASKS_ENDPOINT", url)]).unwrap_err();

        assert!(
            error.to_string().starts_with("CLOUD_TASKS_ENDPOINT is "),
            "{error}"
        );
    }
    assert!(Config::from_vars([("CLOUD_TASKS_ENDPOINT", "https://[::1]:8080/jobs")]).is_ok());
}

proptest! {
    #[test]
    fn no_value_makes_reading_the_settings_panic(name in 0..4_usize, value in "\\PC*") {
        let name = [
            "CLOUD_TASKS_ENDPOINT",
            "CLOUD_TASKS_MAXIMUM_ETA_TASK",
            "CLOUD_TASKS_SUBSCRIBER_EXPIRATION",
            "CLOUD_TASKS_PROPAGATED_HEADERS",
        ][name];
        if let Err(error) = Config::from_vars([(name, value)]) {
            prop_assert!(error.to_string().starts_with(name));
        }
    }
}
