//! Without a task: the unit tests of this crate link none.

use std::io;
use std::sync::{Arc, Mutex};

use crate::runtime::Runtime;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_runtime_that_has_registered_nothing_says_so() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);

    Runtime::eager().build().await.unwrap();

    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for part in [
        "the runtime is built backend=\"eager\"",
        "queues={} tasks=0 subscribers=0 schedules=0 callers=\"anybody\"",
        "WARN",
        "no task, publisher or subscriber is registered: the linker drops a crate that the binary never names, and `use my_tasks as \
         _;` in the binary keeps it. See https://docs.rs/cloud-tasks/latest/cloud_tasks/guide/troubleshooting/",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}
