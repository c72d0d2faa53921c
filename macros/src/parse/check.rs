//! Checks of literal texts at compile time. `build()` checks constants, with the same limits (`cloud-tasks-rules`).

use cloud_tasks_rules::{limits, names};

/// Validates a task's name, which becomes one segment of a path.
pub(super) fn task_name(name: &str) -> Result<(), String> {
    accept(names::is_task(name), "task name", name, names::TASK)
}

/// Validates a queue's name, by the rules of Cloud Tasks.
pub(super) fn queue_name(name: &str) -> Result<(), String> {
    accept(names::is_queue(name), "queue", name, names::QUEUE)
}

/// Validates the name of a service, which is part of the name of an environment variable.
pub(super) fn service(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = (1..=63).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(allowed);
    let variable = name.to_ascii_uppercase().replace('-', "_");
    let accepted = if !is_name {
        "1 to 63 lower-case letters, digits and `-`, the first a letter".to_owned()
    } else if name == "host" || name == "port" || name.starts_with("port-") {
        format!(
            "a name other than `host` and `port` that does not start with `port-`, since Kubernetes sets \
             CLOUD_TASKS_SERVICE_{variable} for a service called `cloud-tasks`"
        )
    } else if name == "account" || name.ends_with("-account") {
        format!(
            "a name other than `account` that does not end with `-account`, since CLOUD_TASKS_SERVICE_{variable} names an \
             account"
        )
    } else {
        return Ok(());
    };
    Err(format!("the service {name:?} is not accepted: {accepted}"))
}

/// Validates the base name of a topic, or a full path.
pub(super) fn topic(name: &str) -> Result<(), String> {
    if is_path(name) {
        path("topic", "topics", name)
    } else {
        base("topic", name)
    }
}

/// Validates a topic's absolute name, or a full path.
pub(super) fn absolute_topic(name: &str) -> Result<(), String> {
    name_or_path("topic", "topics", name)
}

/// Validates the base name of a subscription.
pub(super) fn subscription(name: &str) -> Result<(), String> {
    if is_path(name) {
        return Err(format!(
            "the subscription {name:?} is not accepted: a full path is written as `absolute_subscription`"
        ));
    }
    base("subscription", name)
}

/// Validates a subscription's absolute name, or a full path.
pub(super) fn absolute_subscription(name: &str) -> Result<(), String> {
    name_or_path("subscription", "subscriptions", name)
}

/// Validates the base name of a dead-letter subscription.
pub(super) fn dead_letter_subscription(name: &str) -> Result<(), String> {
    base("dead-letter subscription", name)
}

/// Whether a name is a full path, which gets no prefix.
pub(super) fn is_path(name: &str) -> bool {
    name.contains('/')
}

/// A prefix may be added, so neither the minimum length nor `goog` can be checked yet.
fn base(kind: &str, name: &str) -> Result<(), String> {
    let accepted = "at most 255 letters, digits and `-_.~+%`, the first a letter";
    accept(starts_with_letter(name) && is_part(name), kind, name, accepted)
}

/// Says of a text that is not valid what is accepted.
fn accept(is_valid: bool, kind: &str, text: &str, accepted: &str) -> Result<(), String> {
    if is_valid {
        return Ok(());
    }
    Err(format!("the {kind} {text:?} is not accepted: {accepted}"))
}

fn name_or_path(kind: &str, collection: &str, name: &str) -> Result<(), String> {
    if is_path(name) {
        path(kind, collection, name)
    } else {
        accept(names::is_pubsub(name), kind, name, names::PUBSUB)
    }
}

fn path(kind: &str, collection: &str, path: &str) -> Result<(), String> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["projects", project, found, id]
            if !project.is_empty() && *found == collection && names::is_pubsub(id) =>
        {
            Ok(())
        }
        _ => {
            let letter = collection[..1].to_uppercase();
            Err(format!(
                "the {kind} {path:?} is not accepted: a full path is `projects/P/{collection}/{letter}`, where `{letter}` is \
                 {}",
                names::PUBSUB
            ))
        }
    }
}

fn starts_with_letter(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
}

/// Whether this can be a part of the name of a topic or a subscription.
fn is_part(name: &str) -> bool {
    name.len() <= names::MAX_PUBSUB_BYTES && name.bytes().all(names::is_pubsub_byte)
}

/// Validates the name of an application, which becomes the prefix of its topics.
pub(super) fn app(name: &str) -> Result<(), String> {
    let is_valid = !name.is_empty() && name.bytes().all(names::is_pubsub_byte);
    accept(is_valid, "app", name, "one or more letters, digits and `-_.~+%`")
}

/// Validates an app label, the first part of a model's topic.
pub(super) fn app_label(label: &str) -> Result<(), String> {
    let accepted = "it is the first part of a topic's name, at most 255 letters, digits and `-_.~+%`, the first a letter";
    accept(
        starts_with_letter(label) && is_part(label),
        "app label",
        label,
        accepted,
    )
}

/// Validates the name of a model, the second part of its topic.
pub(super) fn model_name(name: &str) -> Result<(), String> {
    let accepted = "it is the second part of a topic's name, 1 to 255 letters, digits and `-_.~+%`";
    accept(!name.is_empty() && is_part(name), "model name", name, accepted)
}

/// Checks the length limit of Cloud Scheduler.
pub(super) fn description(text: &str) -> Result<(), String> {
    let (length, max) = (text.chars().count(), limits::DESCRIPTION_CHARS);
    if length <= max {
        return Ok(());
    }
    Err(format!(
        "the description has {length} characters, and Cloud Scheduler accepts at most {max}"
    ))
}

/// Validates the name of a job, by the rules of Cloud Scheduler.
pub(super) fn schedule_name(name: &str) -> Result<(), String> {
    if names::is_id(name) {
        return Ok(());
    }
    Err(format!("the job's name {name:?} is not accepted: {}", names::ID))
}

/// Validates the URL of a push subscription.
pub(super) fn url(url: &str) -> Result<(), String> {
    let host = ["http://", "https://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
        && !url.contains(char::is_whitespace)
    {
        return Ok(());
    }
    Err(format!(
        "the URL {url:?} is not accepted: it begins with `http://` or `https://` and a host, and has no blanks"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_check(check: fn(&str) -> Result<(), String>, accepted: &[&str], refused: &[&str]) {
        for text in accepted {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for text in refused {
            let message = check(text);
            assert!(
                message
                    .as_ref()
                    .is_err_and(|message| message.contains(&format!("{text:?}"))),
                "{text}: {message:?}"
            );
        }
    }

    #[test]
    fn task_names_are_path_segments_of_plain_characters() {
        assert_check(
            task_name,
            &[
                "SendWelcomeEmail",
                "a",
                "sales.Order-2_x",
                "...",
                &"x".repeat(255),
            ],
            &[
                "",
                ".",
                "..",
                "a/b",
                "a b",
                "a%20b",
                "Überweisung",
                &"x".repeat(256),
            ],
        );
    }

    #[test]
    fn queue_names_are_those_of_cloud_tasks() {
        assert_check(
            queue_name,
            &["emails", "slow-2", "A", &"q".repeat(100)],
            &["", "my_queue", "a.b", "a/b", "é", &"q".repeat(101)],
        );
    }

    #[test]
    fn a_service_has_the_name_of_a_variable_in_lower_case() {
        assert_check(
            service,
            &[
                "billing",
                "b",
                "billing-2",
                "my-accounts",
                "account-2",
                "accounting",
                "hosting",
                "my-host",
                "my-port",
                "portal",
                &"s".repeat(63),
            ],
            &[
                "",
                "Billing",
                "2billing",
                "-a",
                "a_b",
                "a.b",
                "account",
                "billing-account",
                "host",
                "port",
                "port-http",
                "é",
                &"s".repeat(64),
            ],
        );
    }

    #[test]
    fn a_base_name_is_judged_by_what_no_prefix_can_mend() {
        let long = "t".repeat(255);
        for check in [topic, subscription, dead_letter_subscription] {
            assert_check(
                check,
                &["a", "ab", "goog", "Orders-1_x.y~z+%20", &long],
                &["", "1a", "-a", "a b", "a:b", "é", &format!("{long}t")],
            );
        }
    }

    #[test]
    fn an_absolute_name_is_one_that_pub_sub_takes() {
        let long = "t".repeat(255);
        for check in [absolute_topic, absolute_subscription] {
            assert_check(
                check,
                &["abc", "Goog", "a-_.~+%", &long],
                &["", "ab", "1ab", "googol", "a b", "abé", &format!("{long}t")],
            );
        }
    }

    #[test]
    fn a_full_path_is_taken_where_no_prefix_comes_in_front() {
        for check in [topic, absolute_topic] {
            assert_check(
                check,
                &["projects/p/topics/orders", "projects/example.com:p/topics/abc"],
                &[
                    "projects/p/topics/",
                    "projects/p/topics/ab",
                    "projects/p/topics/google",
                    "projects//topics/orders",
                    "projects/p/subscriptions/orders",
                    "projects/p/topics/orders/more",
                    "p/topics/orders",
                    "/",
                ],
            );
        }
        let path = "projects/p/subscriptions/orders";
        assert_check(
            absolute_subscription,
            &[path],
            &["projects/p/topics/orders", "subscriptions/orders"],
        );
        assert_check(subscription, &[], &[path]);
        assert_check(dead_letter_subscription, &[], &[path]);
    }

    #[test]
    fn apps_and_models_are_parts_of_a_topics_name() {
        assert_check(app, &["accounts", "1", "goog-1"], &["", "a/b", "a b", "é"]);
        assert_check(
            app_label,
            &["sales", "s", "my_app"],
            &["", "1a", "a/b", "a b", "é", &"a".repeat(256)],
        );
        assert_check(
            model_name,
            &["order", "1", "_x"],
            &["", "a/b", "a b", "é", &"a".repeat(256)],
        );
    }

    #[test]
    fn jobs_are_described_and_called_as_cloud_scheduler_has_it() {
        assert_check(
            schedule_name,
            &["digest", "a_b-C9", &"j".repeat(500)],
            &["", "a.b", "a/b", "a b", "é", &"j".repeat(501)],
        );
        assert_eq!(description(&"é".repeat(500)), Ok(()));
        assert!(description(&"x".repeat(501)).is_err());
    }

    #[test]
    fn a_url_has_a_scheme_and_a_host() {
        assert_check(
            url,
            &["http://localhost:8080/x", "https://example.com"],
            &[
                "",
                "example.com",
                "ftp://example.com",
                "https://",
                "https:///x",
                "https://a b",
                "HTTP:/x",
            ],
        );
    }
}
