//! The rate-limited log of refused callers.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::auth::Refusal;
use crate::auth::access::Called;

/// The maximum number of log lines per reason and `SPAN`; further refusals are only counted.
const LINES: u32 = 5;
const SPAN: Duration = Duration::from_secs(10);
/// The maximum length of a quoted text, and of a list of texts. Callers choose both.
const QUOTED_BYTES: usize = 200;
const QUOTED_TEXTS: usize = 5;

/// Logs a few refusals per reason, with the number of those that were omitted before.
#[derive(Default)]
pub(crate) struct RefusalLog {
    /// One entry per variant, so its size is bounded.
    spans: Mutex<HashMap<Discriminant<Refusal>, Span>>,
}

struct Span {
    end: Instant,
    lines: u32,
    left_out: u64,
}

/// The account and the audiences of a refused token.
pub(crate) struct Foreign {
    pub account: String,
    pub received: Vec<String>,
    pub accepted: Vec<String>,
}

impl RefusalLog {
    /// Logs a refusal within the limit of its reason; `foreign` reads the token again.
    pub fn write(&self, refusal: Refusal, called: &Called<'_>, foreign: impl FnOnce() -> Option<Foreign>) {
        let Some(left_out) = self.admit(refusal, Instant::now()) else {
            return;
        };
        let path = format!("{}{}", called.endpoint.path(), quoted(called.name));
        let left_out = (left_out > 0).then_some(left_out);
        match foreign().filter(|_| refusal.is_foreign()) {
            Some(foreign) => tracing::warn!(
                reason = %refusal,
                path = ?path,
                account = ?quoted(&foreign.account),
                received = ?quoted_all(&foreign.received),
                accepted = ?quoted_all(&foreign.accepted),
                left_out,
                "a caller was refused"
            ),
            None => tracing::warn!(reason = %refusal, path = ?path, left_out, "a caller was refused"),
        }
    }

    /// Returns the number of refusals omitted since the last logged one; `None` if this one is omitted as well.
    fn admit(&self, refusal: Refusal, now: Instant) -> Option<u64> {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let span = spans.entry(discriminant(&refusal)).or_insert(Span {
            end: now + SPAN,
            lines: 0,
            left_out: 0,
        });
        if now >= span.end {
            (span.end, span.lines) = (now + SPAN, 0);
        }
        if span.lines == LINES {
            span.left_out += 1;
            return None;
        }
        span.lines += 1;
        Some(std::mem::take(&mut span.left_out))
    }
}

/// The beginning of a text; its `Debug` form escapes what would break a line.
fn quoted(text: &str) -> &str {
    &text[..text.floor_char_boundary(QUOTED_BYTES)]
}

fn quoted_all(texts: &[String]) -> Vec<&str> {
    texts.iter().take(QUOTED_TEXTS).map(|text| quoted(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_reason_a_few_are_logged_and_the_others_counted() {
        let log = RefusalLog::default();
        let start = Instant::now();
        let admit = |refusal, after| log.admit(refusal, start + after);
        let soon = Duration::from_secs(1);

        let first: Vec<_> = (0..1000).filter_map(|_| admit(Refusal::NoToken, soon)).collect();
        let another = admit(Refusal::Audience, soon);
        let later: Vec<_> = (0..1000)
            .filter_map(|_| admit(Refusal::NoToken, 2 * SPAN))
            .collect();

        assert_eq!(first, [0; LINES as usize]);
        assert_eq!(another, Some(0));
        assert_eq!(later, [1000 - u64::from(LINES), 0, 0, 0, 0]);
    }

    #[test]
    fn what_a_line_quotes_is_bounded() {
        assert_eq!(quoted(&"é".repeat(1000)).len(), QUOTED_BYTES);
        assert_eq!(quoted_all(&vec![String::new(); 1000]).len(), QUOTED_TEXTS);
    }
}
