//! The list of registered tasks, compared with a file.

use std::fmt::Write as _;
use std::path::Path;

use crate::runtime::Runtime;

/// Asserts that the registered tasks, publishers and subscribers are those that a file lists.
///
/// The linker drops a crate that the binary never names, with its tasks, and `build()` cannot see what is not there. A list in your
/// repository can: a lost task, a renamed one, and one that moved to another queue are lines of its diff. Set `UPDATE_EXPECT=1` to
/// write the file. A path that is not absolute counts from the root of the package.
///
/// ```no_run
/// use cloud_tasks::Runtime;
/// use cloud_tasks::testing::assert_registered;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, _recorder) = Runtime::recorded().build().await?;
/// assert_registered(&runtime, "tests/tasks.txt");
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// If the list differs from the file, with both; if the file cannot be read or written.
#[track_caller]
#[expect(clippy::panic, reason = "an assertion of a test")]
pub fn assert_registered(runtime: &Runtime, path: impl AsRef<Path>) {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let path = Path::new(&root).join(path);
    let actual = list(runtime);
    if std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value != "0") {
        if let Err(error) = std::fs::write(&path, &actual) {
            panic!(
                "the list of tasks could not be written to {}: {error}",
                path.display()
            );
        }
        return;
    }
    let expected = match std::fs::read_to_string(&path) {
        Ok(expected) => expected.replace("\r\n", "\n"),
        Err(error) => panic!(
            "the list of tasks {} could not be read: {error}; UPDATE_EXPECT=1 writes it",
            path.display()
        ),
    };
    let differences = differences(&expected, &actual);
    assert!(
        differences.is_empty(),
        "the registered tasks are not those of {} (- only there, + only here):\n{differences}a task that is missing here may be of \
         a crate that the linker dropped: `use the_crate as _;` keeps it. UPDATE_EXPECT=1 writes the file",
        path.display()
    );
}

/// One line for each registered type, sorted by name: kind, name, queue and topic.
fn list(runtime: &Runtime) -> String {
    let mut list = String::new();
    for task in runtime.registered() {
        let _ = write!(list, "{} {}", task.kind, task.name);
        if let Some(queue) = &task.queue {
            let _ = write!(list, " queue={queue}");
        }
        if let Some(topic) = &task.topic {
            let _ = write!(list, " topic={topic}");
        }
        list.push('\n');
    }
    list
}

fn differences(expected: &str, actual: &str) -> String {
    let mut text = String::new();
    for line in expected
        .lines()
        .filter(|line| !actual.lines().any(|other| other == *line))
    {
        let _ = writeln!(text, "- {line}");
    }
    for line in actual
        .lines()
        .filter(|line| !expected.lines().any(|other| other == *line))
    {
        let _ = writeln!(text, "+ {line}");
    }
    text
}
