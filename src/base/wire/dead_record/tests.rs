//! Encoding and decoding of records.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::base::metadata::TaskMetadata;
use crate::base::text::safe;
use crate::base::wire::dead::DeadCause;
use crate::base::wire::dead_task::DeadTask;

fn written(body: &[u8], error: &str, headers: &HeaderMap) -> Vec<u8> {
    let metadata = TaskMetadata::new().with_queue("billing").with_retry_count(4);
    let dead = Dead::new(DeadCause::Failed, error, &metadata);
    encode("Charge", &dead, body, headers, SystemTime::UNIX_EPOCH)
}

#[test]
fn a_body_of_null_is_a_body() {
    let record = written(b"null", "", &HeaderMap::new());

    let task = DeadTask::decode(&record).unwrap();

    assert_eq!(task.body(), b"null");
    assert_eq!(
        (task.queue(), task.id(), task.attempts()),
        (Some("billing"), None, 5)
    );
    assert_eq!(task.died_at(), Some(SystemTime::UNIX_EPOCH));
    assert_eq!(serde_json::to_vec(&task).unwrap(), record);
}

#[test]
fn what_is_no_record_is_told_and_why() {
    let rest = r#""queue": null, "id": null, "attempts": 1, "error": "", "headers": {}, "died_at": """#;
    for (record, reason) in [
        ("{}".to_owned(), "missing field `task` at line 1 column 2"),
        (
            format!(r#"{{"task": "T", {rest}}}"#),
            "expected either `body` or, in base64, `data`",
        ),
        (
            format!(r#"{{"task": "T", "body": 1, "data": "", {rest}}}"#),
            "expected either `body` or, in base64, `data`",
        ),
        (
            format!(r#"{{"task": "T", "data": "?", {rest}}}"#),
            "data: it is not base64",
        ),
    ] {
        assert_eq!(DeadTask::decode(record.as_bytes()), Err(reason.to_owned()));
    }
}

proptest! {
    #[test]
    fn what_is_written_down_is_read_again(
        body in proptest::collection::vec(any::<u8>(), 0..60),
        error in any::<String>(),
        value in "[!-~]{1,20}",
    ) {
        let name = HeaderName::from_static("x-request-id");
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_str(&value).unwrap())]);

        let task = DeadTask::decode(&written(&body, &error, &headers)).unwrap();

        prop_assert_eq!(task.body(), &body[..]);
        prop_assert_eq!(task.error(), safe(&error));
        prop_assert_eq!(&task.headers()["x-request-id"], &value);
    }

    #[test]
    fn json_stays_to_the_letter(number in "-?[1-9][0-9]{0,40}", text in "[a-z]{0,9}") {
        let body = format!(r#"{{ "n":{number},  "t": "{text}\u00e9" }}"#);

        let record = written(body.as_bytes(), "", &HeaderMap::new());

        prop_assert!(record.windows(body.len()).any(|window| window == body.as_bytes()));
        let task = DeadTask::decode(&record).unwrap();
        prop_assert_eq!(task.body(), body.as_bytes());
    }

    #[test]
    fn no_bytes_make_reading_panic(data in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = DeadTask::decode(&data);
    }
}
