//! Validation of the headers of tasks and messages: names, sizes and number.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers that belong to one request, or that Cloud Tasks drops or sets itself. Neither a call nor propagation can set
/// them. Source: `google.cloud.tasks.v2.HttpRequest.headers` in Google's protos; the local engine, which was recorded
/// from the service, knows more of them; RFC 9110, section 7.6.1, for those of a connection.
const RESERVED: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-md5",
    "content-range",
    "cookie",
    "expect",
    "forwarded",
    "from",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-cloud-trace-context",
    "x-forwarded-for",
    "x-serverless-authorization",
];
const RESERVED_PREFIXES: &[&str] = &[OURS, "x-cloudtasks-", "x-google", "x-appengine"];
/// Headers of the body: a call may set them, but they do not propagate.
const OF_THE_BODY: &str = "content-";
/// The prefix of this library's own headers.
const OURS: &str = "x-cloud-tasks-";
/// The header of every response of this library. Nothing else sends it, so that a response without it is known to come
/// from somebody else.
pub(crate) const HANDLED_BY: HeaderName = HeaderName::from_static("x-cloud-tasks-handled-by");
/// Keeps `name: value` and its line break within 8 KiB.
const MAX_HEADER_BYTES: usize = 8188;
/// The maximum size of all propagated headers.
const MAX_PROPAGATED_BYTES: usize = 16 * 1024;

/// If this header is present, Cloud Run verifies it instead of `Authorization` and passes `Authorization` on unverified.
pub(crate) const SERVERLESS: &str = "x-serverless-authorization";
/// This library's own header for the timeout of a call.
pub(crate) const TIMEOUT: &str = "x-cloud-tasks-timeout";

static SERVERLESS_NAME: HeaderName = HeaderName::from_static(SERVERLESS);
static TIMEOUT_NAME: HeaderName = HeaderName::from_static(TIMEOUT);

/// Which headers that every request is asked for it has, found in one pass.
#[derive(Clone, Copy, Default)]
pub(crate) struct SeenHeaders {
    pub authorization: bool,
    pub timeout: bool,
}

impl SeenHeaders {
    /// Looks through the headers of a request. Marks its tokens as sensitive, so that no `Debug` output of the headers shows
    /// them.
    pub fn of(headers: &mut HeaderMap) -> Self {
        let mut seen = Self::default();
        // Names are compared as names: the text of a well-known one would have to be looked up.
        for (name, value) in headers {
            if *name == AUTHORIZATION {
                seen.authorization = true;
                value.set_sensitive(true);
            } else if *name == SERVERLESS_NAME {
                value.set_sensitive(true);
            } else if *name == TIMEOUT_NAME {
                seen.timeout = true;
            }
        }
        seen
    }
}

/// Why a header with this name cannot be set.
fn reserved(name: &HeaderName) -> Option<&'static str> {
    let lower = name.as_str();
    if lower.starts_with(OURS) {
        Some("it is this library's own")
    } else if RESERVED.contains(&lower) || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
        Some("Cloud Tasks sets it or drops it, or it belongs to one request alone")
    } else {
        None
    }
}

/// Parses a caller's header, and rejects it if Cloud Tasks would drop or replace it.
pub(crate) fn own_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed: HeaderName = name
        .parse()
        .map_err(|_| format!("{name:?} is not a valid header name"))?;
    if let Some(reason) = reserved(&parsed) {
        return Err(format!("the header {name:?} cannot be set: {reason}"));
    }
    let bytes = name.len() + value.len();
    if bytes > MAX_HEADER_BYTES {
        return Err(format!(
            "the header {name:?} has {bytes} bytes with its value; Cloud Tasks drops one of more than {MAX_HEADER_BYTES}"
        ));
    }
    HeaderValue::from_str(value)
        .ok()
        .filter(|_| is_printable(value.as_bytes()))
        .map(|value| (parsed, value))
        .ok_or_else(|| format!("the value of the header {name:?} is empty, or not printable ASCII"))
}

/// A header of a task that was sent before, which may be one of our own.
pub(crate) fn sent_header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    if let Some(ours) = name.strip_prefix(OURS) {
        let (_, value) = own_header(ours, value).ok()?;
        return Some((name.parse().ok()?, value));
    }
    own_header(name, value).ok()
}

/// Validates the name of a header to propagate.
pub(crate) fn propagated_name(name: &str) -> Result<HeaderName, String> {
    let parsed: HeaderName = name
        .trim()
        .parse()
        .map_err(|_| "it is not a valid header name".to_owned())?;
    match reserved(&parsed) {
        Some(reason) => Err(reason.to_owned()),
        None if parsed.as_str().starts_with(OF_THE_BODY) => {
            Err("it describes the body of one request".to_owned())
        }
        None => Ok(parsed),
    }
}

fn is_printable(value: &[u8]) -> bool {
    // One of spaces alone arrives empty.
    !value.trim_ascii().is_empty() && value.iter().all(|b| *b == b'\t' || (b' '..=b'~').contains(b))
}

/// Propagated headers from any source. Empty, unprintable and oversized values are omitted, so that they cannot make a call
/// fail.
#[derive(Default)]
pub(crate) struct Propagated {
    headers: HeaderMap,
    bytes: usize,
}

impl Propagated {
    /// Adds a header if it is within the limits. Returns whether it was added.
    pub fn add(&mut self, name: &HeaderName, value: &[u8]) -> bool {
        let bytes = name.as_str().len() + value.len();
        let fits = bytes <= MAX_HEADER_BYTES && self.bytes + bytes <= MAX_PROPAGATED_BYTES;
        if !fits || !is_printable(value) {
            return false;
        }
        let Ok(value) = HeaderValue::from_bytes(value) else {
            return false;
        };
        self.bytes += bytes;
        self.headers.append(name.clone(), value);
        true
    }

    /// The allow-listed ones of some headers.
    pub fn of(allowed: &[HeaderName], headers: &HeaderMap) -> HeaderMap {
        let mut propagated = Self::default();
        for name in allowed {
            for value in headers.get_all(name) {
                propagated.add(name, value.as_bytes());
            }
        }
        propagated.headers
    }

    pub fn contains(&self, name: &HeaderName) -> bool {
        self.headers.contains_key(name)
    }

    pub fn into_headers(self) -> HeaderMap {
        self.headers
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Names that neither a call nor propagation can set.
    const REFUSED: &[&str] = &[
        "Authorization",
        "cookie",
        "set-cookie",
        "Host",
        "content-length",
        "Content-Encoding",
        "transfer-encoding",
        "connection",
        "te",
        "trailer",
        "upgrade",
        "x-cloudtasks-taskretrycount",
        "X-CloudTasks-TaskName",
        "x-cloud-tasks-timeout",
        "X-Cloud-Tasks-Message",
        "x-appengine-city",
        "x-google-anything",
        "a b",
        "",
    ];

    #[test]
    fn what_a_call_may_not_set_is_not_propagated() {
        for name in REFUSED {
            assert!(own_header(name, "1").is_err(), "{name}");
            assert!(propagated_name(name).is_err(), "{name}");
        }
        assert!(own_header("content-type", "text/plain").is_ok());
        assert!(propagated_name("content-type").is_err());
        for name in ["traceparent", "tracestate", "baggage", "X-Request-Id"] {
            assert!(
                own_header(name, "1").is_ok() && propagated_name(name).is_ok(),
                "{name}"
            );
        }
    }

    #[test]
    fn a_task_that_is_sent_again_keeps_our_own_headers_and_no_other_reserved_one() {
        assert!(sent_header("x-cloud-tasks-timeout", "60").is_some());
        assert!(sent_header("x-request-id", "60").is_some());
        for (name, value) in [
            ("x-cloud-tasks-timeout", ""),
            ("cookie", "a"),
            ("x-cloudtasks-queuename", "a"),
        ] {
            assert!(sent_header(name, value).is_none(), "{name}");
        }
    }

    #[test]
    fn values_that_no_task_could_carry_are_left_out() {
        let name = HeaderName::from_static("traceparent");
        for (value, kept) in [
            (b"00-1".to_vec(), true),
            (vec![], false),
            (b" ".to_vec(), false),
            (b" \t ".to_vec(), false),
            (b" 00-1 ".to_vec(), true),
            ("ü".into(), false),
            (b"a\x7fb".to_vec(), false),
            (b"a\nb".to_vec(), false),
            (vec![b'a'; 8000], true),
            (vec![b'a'; 8188], false),
            (vec![b'a'; 83_000], false),
        ] {
            assert_eq!(
                Propagated::default().add(&name, &value),
                kept,
                "{} bytes",
                value.len()
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_propagated_stays_within_its_bounds(lengths in prop::collection::vec(0..9000_usize, 0..40)) {
            let mut propagated = Propagated::default();
            for length in lengths {
                propagated.add(&HeaderName::from_static("x"), &vec![b'a'; length]);
            }
            let headers = propagated.into_headers();

            let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
            prop_assert!(bytes <= MAX_PROPAGATED_BYTES);
            prop_assert!(headers.values().all(|value| !value.is_empty() && value.len() <= MAX_HEADER_BYTES));
        }
    }
}
