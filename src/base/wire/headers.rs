//! Headers that a task can carry.

use http::{HeaderName, HeaderValue};

/// Headers that Cloud Tasks drops, or sets itself.
/// Source: `google.cloud.tasks.v2.HttpRequest.headers` in Google's protos; the local engine, which was recorded from the
/// service, knows more of them.
const RESERVED: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "from",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-for",
];
const RESERVED_PREFIXES: &[&str] = &["x-cloudtasks-", "x-google", "x-appengine"];
/// `name: value` and its line break stay within 8 KiB.
const MAX_HEADER_BYTES: usize = 8188;

/// A header of the caller's, unless Cloud Tasks would drop or replace it.
pub(crate) fn own_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed: HeaderName = name
        .parse()
        .map_err(|_| format!("{name:?} is no name of a header"))?;
    let lower = parsed.as_str();
    if RESERVED.contains(&lower) || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
        return Err(format!(
            "the header {name:?} cannot be set: Cloud Tasks sets it or drops it"
        ));
    }
    if lower.len() + value.len() > MAX_HEADER_BYTES {
        return Err(format!(
            "the header {name:?} has {} bytes with its value; Cloud Tasks drops one of more than {MAX_HEADER_BYTES}",
            lower.len() + value.len()
        ));
    }
    let printable = value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b));
    HeaderValue::from_str(value)
        .ok()
        .filter(|_| printable && !value.is_empty())
        .map(|value| (parsed, value))
        .ok_or_else(|| format!("the value of the header {name:?} is empty, or not printable ASCII"))
}
