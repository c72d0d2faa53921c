//! The URLs of tasks that the local engine calls through its relay, which sees the responses.

/// The start of the relay's paths for tasks; no queue of a subscription or a schedule has such a name.
#[cfg(feature = "local")]
pub(crate) const PATH: &str = "/.tasks/";

/// The URL that calls another one through the relay at this base URL, whose last segment only the engine knows. Only
/// `http` URLs are relayed.
pub(crate) fn through(relay: &str, url: &str) -> Option<String> {
    let target = url.strip_prefix("http://")?;
    Some(format!("{relay}/{target}"))
}

/// The URL that a task calls in the end.
pub(crate) fn target(url: String) -> String {
    let relayed = url.strip_prefix("http://127.0.0.1:").and_then(|rest| {
        let (_, path) = rest.split_once("/.tasks/")?;
        let (_, target) = path.split_once('/')?;
        Some(format!("http://{target}"))
    });
    relayed.unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: &str = "http://127.0.0.1:4000/.tasks/secret";

    #[test]
    fn a_relayed_url_is_read_back() {
        for url in [
            "http://127.0.0.1:8080/tasks/Add",
            "http://localhost:8080/jobs/tasks/a%2Fb?key=1",
            "http://shop.example/tasks/Add",
        ] {
            let relayed = through(RELAY, url).unwrap();

            assert!(relayed.starts_with(RELAY), "{relayed}");
            assert_eq!(target(relayed), url);
        }
    }

    #[test]
    fn other_urls_stay_as_they_are() {
        assert_eq!(through(RELAY, "https://shop.example/tasks/Add"), None);
        for url in [
            "https://shop.example/tasks/Add",
            "http://shop.example/.tasks/secret/other.example/tasks/Add",
            "",
        ] {
            assert_eq!(target(url.to_owned()), url);
        }
    }
}
