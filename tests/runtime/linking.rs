use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use cloud_tasks_linked::Measure;
use serde::{Deserialize, Serialize};

use crate::tasks::{answer, post};

#[derive(Deserialize, Serialize)]
struct Boxed<T> {
    value: T,
}

#[task(name = "BoxedNumber")]
impl Task for Boxed<u32> {
    async fn run(self, _cx: Context) -> TaskResult<u32> {
        Ok(self.value)
    }
}

#[tokio::test]
async fn a_task_of_another_crate_registers_itself_when_the_crate_is_linked() {
    let runtime = Runtime::eager()
        .expect_tasks(["Measure", "MeasureText"])
        .build()
        .await
        .unwrap();

    let by_name = answer(&runtime, post("/tasks/Measure", r#"{"text": "four"}"#)).await;
    let by_alias = answer(&runtime, post("/tasks/MeasureText", r#"{"text": "seven"}"#)).await;

    assert_eq!(by_name.1["result"], 4);
    assert_eq!(by_alias.1["result"], 5);
    assert_eq!(Measure { text: "x".into() }.sync().on(&runtime).await.unwrap(), 1);
}

#[tokio::test]
async fn a_crate_that_is_not_linked_is_caught_by_expect_tasks() {
    let error = Runtime::eager()
        .expect_tasks(["Measure", "Forgotten"])
        .build()
        .await
        .unwrap_err();

    assert!(error.is_build());
    assert_eq!(
        error.to_string(),
        "the runtime was not built: the task \"Forgotten\" is expected but not registered: its crate was not linked, \
         or it has another name; `use the_crate as _;` in the binary makes the linker keep a crate"
    );
}

#[tokio::test]
async fn registering_a_linked_task_by_hand_changes_nothing() {
    let runtime = Runtime::eager()
        .register::<Measure>()
        .register::<Measure>()
        .build()
        .await
        .unwrap();

    assert_eq!(
        Measure { text: "abc".into() }.sync().on(&runtime).await.unwrap(),
        3
    );
}

#[tokio::test]
async fn a_type_with_arguments_is_a_task_under_the_name_that_it_was_given() {
    let runtime = Runtime::eager().build().await.unwrap();

    let (status, body) = answer(&runtime, post("/tasks/BoxedNumber", r#"{"value": 9}"#)).await;

    assert_eq!((status, &body["result"]), (200, &9.into()));
}
