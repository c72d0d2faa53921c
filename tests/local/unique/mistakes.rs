//! What cannot be unique says so.

use std::collections::HashMap;
use std::time::Duration;

use cloud_tasks::{Context, ErrorKind, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize, Serializer};

use super::tasks::Plain;

/// Never serializes.
#[derive(Default, Deserialize)]
struct Never;

impl Serialize for Never {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it never does"))
    }
}

/// A field that is left out of the arguments, and is what they are unique by.
#[derive(Serialize, Deserialize)]
struct Hidden {
    #[serde(skip_serializing, default)]
    never: Never,
}

#[task(unique(by = ["never"]))]
impl Task for Hidden {
    async fn run(self, _cx: Context) -> TaskResult {
        let Never = self.never;
        Ok(())
    }
}

#[tokio::test]
async fn a_key_that_json_cannot_hold_comes_out_of_the_await() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    let by_pair = HashMap::from([((1, 2), 3)]);

    let of_call = Plain { number: 1 }
        .asap()
        .unique_key(&by_pair)
        .on(&runtime)
        .await
        .unwrap_err();
    let of_type = Hidden { never: Never }.asap().on(&runtime).await.unwrap_err();

    assert_eq!(
        format!("{of_call:#}"),
        "what makes task Plain unique does not serialize to JSON: key must be a string"
    );
    assert_eq!(
        format!("{of_type:#}"),
        "what makes task Hidden unique does not serialize to JSON: it never does"
    );
    for error in [of_call, of_type] {
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert!(!error.may_have_taken_effect());
    }
    assert!(recorder.envelopes().is_empty());
}

#[tokio::test]
async fn a_window_of_no_length_is_refused() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();

    let error = Plain { number: 1 }
        .asap()
        .unique_for(Duration::ZERO)
        .on(&runtime)
        .await
        .unwrap_err();

    assert!(error.is_invalid_request());
    assert_eq!(
        error.to_string(),
        "task Plain was not enqueued: the window 0s is not accepted: it must be longer than zero"
    );
    assert!(recorder.envelopes().is_empty());
}

#[tokio::test]
async fn a_key_that_nests_without_end_is_refused() {
    let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();
    let mut key = serde_json::Value::Null;
    for _ in 0..200 {
        key = serde_json::Value::Array(vec![key]);
    }

    let error = Plain { number: 1 }
        .asap()
        .unique_key(&key)
        .on(&runtime)
        .await
        .unwrap_err();

    assert_eq!(
        error.to_string(),
        "task Plain was not enqueued: its unique values nest deeper than 128 levels"
    );
}
