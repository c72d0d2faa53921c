//! What is logged while a test runs, captured for its thread.
//!
//! `tracing` caches for each place in the code whether a subscriber wants its events, and asks the subscriber of the thread that
//! comes there first. A subscriber of one thread can therefore miss events that another test met before. So one subscriber
//! serves the whole process, and hands everything to the capture of the current thread.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::{self, Debug};
use std::io;
use std::sync::{Arc, Mutex, Once, OnceLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{DynFilterFn, EnvFilter, FilterExt};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::console::Pipe;

thread_local! {
    static CURRENT: RefCell<Option<Captured>> = const { RefCell::new(None) };
}

/// What threads log that are captured by no test of their own.
static OTHERS: OnceLock<Captured> = OnceLock::new();

#[derive(Clone, Default)]
struct Captured {
    text: Pipe,
    lines: Arc<Mutex<Vec<String>>>,
    raw: Arc<Mutex<Vec<String>>>,
}

/// Captures what this thread logs, until it is dropped.
pub(crate) struct Logs(Captured);

impl Logs {
    pub(crate) fn capture() -> Self {
        set_up();
        let captured = Captured::default();
        let before = CURRENT.replace(Some(captured.clone()));
        assert!(before.is_none(), "this thread is captured already");
        Self(captured)
    }

    /// Captures what threads log that a test did not start, such as the local engine's, as long as the process runs. Tests
    /// share this capture: each looks for what only it causes.
    pub(crate) fn of_other_threads() -> Pipe {
        set_up();
        OTHERS.get_or_init(Captured::default).text.clone()
    }

    /// The log as it is printed: all of this library, and of others what is shown by default.
    pub(crate) fn text(&self) -> String {
        self.0.text.text()
    }

    /// A line per span, per record of a span, and per event of this library down to the level of debugging.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lines.lock().unwrap().clone()
    }

    /// The same with every text as a subscriber gets it: not quoted, as `Debug` does.
    pub(crate) fn raw_lines(&self) -> Vec<String> {
        self.0.raw.lock().unwrap().clone()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        CURRENT.take();
    }
}

fn set_up() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(install);
    // For places that were met while the subscriber was being installed.
    tracing::callsite::rebuild_interest_cache();
}

/// The capture of this thread.
fn current() -> Option<Captured> {
    CURRENT
        .with_borrow(Clone::clone)
        .or_else(|| OTHERS.get().cloned())
}

fn install() {
    let printed = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(|| Printer(current().map(|to| to.text)))
        .with_filter(EnvFilter::new("info,cloud_tasks=trace").and(is_captured()));
    tracing_subscriber::registry()
        .with(printed)
        .with(ByLine.with_filter(is_captured()))
        .init();
}

fn is_captured<S>() -> DynFilterFn<S> {
    DynFilterFn::new(|_, _| current().is_some())
}

/// Writes to the capture of a thread, if there is one.
struct Printer(Option<Pipe>);

impl io::Write for Printer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Some(pipe) => pipe.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct ByLine;

struct Line {
    text: String,
    raw: String,
}

impl Line {
    fn new(start: impl Into<String>) -> Self {
        let text = start.into();
        Self {
            raw: text.clone(),
            text,
        }
    }

    fn write(self) {
        if let Some(current) = current() {
            current.lines.lock().unwrap().push(self.text);
            current.raw.lock().unwrap().push(self.raw);
        }
    }

    fn add(&mut self, text: fmt::Arguments<'_>, raw: fmt::Arguments<'_>) {
        fmt::write(&mut self.text, text).unwrap();
        fmt::write(&mut self.raw, raw).unwrap();
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(
            format_args!(" {field}={value:?}"),
            format_args!(" {field}={value}"),
        );
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.add(format_args!(" {field}={value}"), format_args!(" {field}={value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(
            format_args!(" {field}={value:?}"),
            format_args!(" {field}={value:?}"),
        );
    }
}

impl<S: Subscriber> Layer<S> for ByLine {
    fn on_new_span(&self, attributes: &Attributes<'_>, _id: &Id, _cx: Context<'_, S>) {
        let mut line = Line::new(format!("span {}", attributes.metadata().name()));
        attributes.record(&mut line);
        line.write();
    }

    fn on_record(&self, _id: &Id, values: &Record<'_>, _cx: Context<'_, S>) {
        let mut line = Line::new("record");
        values.record(&mut line);
        line.write();
    }

    fn on_event(&self, event: &Event<'_>, _cx: Context<'_, S>) {
        if event.metadata().target().starts_with("cloud_tasks") && *event.metadata().level() <= Level::DEBUG {
            let mut line = Line::new(event.metadata().level().to_string());
            event.record(&mut line);
            line.write();
        }
    }
}
