//! The list of registered tasks, compared with a file.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cloud_tasks::Runtime;
use cloud_tasks::testing::assert_registered;

#[tokio::test]
async fn the_registered_tasks_are_those_of_the_file_or_the_difference_is_shown() {
    let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();
    let lines = runtime.registered().into_iter().map(|task| {
        let queue = task
            .queue
            .map(|queue| format!(" queue={queue}"))
            .unwrap_or_default();
        let topic = task
            .topic
            .map(|topic| format!(" topic={topic}"))
            .unwrap_or_default();
        format!("{} {}{queue}{topic}\n", task.kind, task.name)
    });
    let lines: Vec<_> = lines.collect();
    let path = std::env::temp_dir().join(format!("cloud-tasks-registered-{}", std::process::id()));
    fs::write(&path, lines.concat()).unwrap();
    assert_registered(&runtime, &path);

    let (lost, rest) = lines.split_first().unwrap();
    fs::write(&path, format!("task Lost queue=emails\n{}", rest.concat())).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| assert_registered(&runtime, &path))).unwrap_err();
    fs::remove_file(&path).unwrap();

    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.contains(&format!("\n- task Lost queue=emails\n+ {lost}")),
        "{message}"
    );
    let missing = catch_unwind(AssertUnwindSafe(|| assert_registered(&runtime, &path))).unwrap_err();
    let message = missing.downcast_ref::<String>().unwrap();
    assert!(message.contains("UPDATE_EXPECT=1 writes it"), "{message}");
}
