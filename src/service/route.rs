//! Routing by path.

use std::borrow::Cow;

use crate::base::names;

/// The target of a path.
#[derive(Debug, PartialEq)]
pub(crate) enum Route<'a> {
    /// `{endpoint}/tasks/{name}`.
    Task(Cow<'a, str>),
    /// `{endpoint}/subscriptions/{name}`.
    Subscription(Cow<'a, str>),
    /// Not a path of ours.
    Other,
}

/// Parses a path, given the path of the endpoint.
pub(crate) fn route<'a>(path: &'a str, base_path: &str) -> Route<'a> {
    let Some(path) = path.strip_prefix(base_path) else {
        return Route::Other;
    };
    if let Some(name) = path.strip_prefix("/tasks/").and_then(name) {
        Route::Task(name)
    } else if let Some(name) = path.strip_prefix("/subscriptions/").and_then(name) {
        Route::Subscription(name)
    } else {
        Route::Other
    }
}

/// Parses a path that may lack the path of the endpoint: a proxy, or a router that nests the service, strips it.
pub(crate) fn nested_route<'a>(path: &'a str, base_path: &str) -> Route<'a> {
    match route(path, base_path) {
        Route::Other if !base_path.is_empty() => route(path, ""),
        found => found,
    }
}

fn name(segment: &str) -> Option<Cow<'_, str>> {
    // Without a branch on any byte, so that the compiler compares sixteen of them at once.
    let has = |wanted: u8| {
        let found = segment
            .bytes()
            .fold(0, |found, byte| found | u8::from(byte == wanted));
        found != 0
    };
    if has(b'/') {
        return None;
    }
    if !has(b'%') {
        return (!segment.is_empty()).then_some(Cow::Borrowed(segment));
    }
    // A name that is not UTF-8 is unknown, and the response quotes it as received.
    Some(names::decode_segment(segment).unwrap_or(Cow::Borrowed(segment)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str) -> Route<'_> {
        Route::Task(Cow::Borrowed(name))
    }

    #[test]
    fn only_one_segment_under_tasks_is_ours() {
        for (path, base, expected) in [
            ("/tasks/Send", "", task("Send")),
            ("/jobs/tasks/Send", "/jobs", task("Send")),
            ("/tasks/a%2Fb", "", task("a/b")),
            ("/tasks/a%252Fb", "", task("a%2Fb")),
            ("/tasks/%FF", "", task("%FF")),
            (
                "/subscriptions/Audit",
                "",
                Route::Subscription(Cow::Borrowed("Audit")),
            ),
            (
                "/jobs/subscriptions/Audit",
                "/jobs",
                Route::Subscription(Cow::Borrowed("Audit")),
            ),
            ("/subscriptions/", "", Route::Other),
            ("/tasks/", "", Route::Other),
            ("/tasks", "", Route::Other),
            ("/tasks/Send/", "", Route::Other),
            ("/tasks/a/b", "", Route::Other),
            ("/tasksSend", "", Route::Other),
            ("/tasks/Send", "/jobs", Route::Other),
            ("/jobstasks/Send", "/jobs", Route::Other),
            ("", "", Route::Other),
        ] {
            assert_eq!(route(path, base), expected, "{path} under {base:?}");
        }
    }
}
