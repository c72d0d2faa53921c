//! Validation of names and ids, and their encoding in paths.

use std::borrow::Cow;

use cloud_tasks_rules::names as rules;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::base::invalid::Invalid;
use crate::base::process;

/// The characters that RFC 3986 does not call unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Validates a task's name.
pub(crate) fn validate_task_name(name: &str) -> Result<(), Invalid> {
    Invalid::unless(rules::is_task(name), || {
        Invalid::new(format_args!("the task name {name:?}"), rules::TASK)
    })
}

/// Validates a queue's id.
pub(crate) fn validate_queue(queue: &str) -> Result<(), Invalid> {
    Invalid::unless(rules::is_queue(queue), || {
        Invalid::new(format_args!("the queue {queue:?}"), rules::QUEUE)
    })
}

/// Validates a task's id.
pub(crate) fn validate_task_id(id: &str) -> Result<(), Invalid> {
    Invalid::unless(rules::is_id(id), || {
        let start: String = id.chars().take(60).collect();
        Invalid::new(
            format_args!("the task id {start:?} ({} bytes)", id.len()),
            rules::ID,
        )
    })
}

/// The last segment of a full path, or the name itself.
pub(crate) fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Validates the name or the full path of a topic or a subscription.
pub(crate) fn validate_pubsub_name(kind: &str, name: &str) -> Result<(), Invalid> {
    let id = match name.strip_prefix("projects/") {
        Some(path) => {
            let mut parts = path.split('/');
            let collection = if kind.ends_with("topic") {
                "topics"
            } else {
                "subscriptions"
            };
            match (parts.next(), parts.next(), parts.next(), parts.next()) {
                (Some(project), Some(found), Some(id), None)
                    if found == collection && is_project(project) =>
                {
                    id
                }
                _ => {
                    return Err(Invalid::new(
                        format_args!("the {kind} {name:?}"),
                        format_args!("a full path is projects/PROJECT/{collection}/NAME"),
                    ));
                }
            }
        }
        None => name,
    };
    Invalid::unless(rules::is_pubsub(id), || {
        Invalid::new(format_args!("the {kind} {name:?}"), rules::PUBSUB)
    })
}

/// Whether this can be a project's id or number, optionally with a domain in front. The service decides which exist.
fn is_project(project: &str) -> bool {
    !project.is_empty()
        && project
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b))
}

/// The full path of a topic or a subscription, from its name or its full path.
pub(crate) fn pubsub_path<'a>(project: &str, collection: &str, name: &'a str) -> Cow<'a, str> {
    if name.starts_with("projects/") {
        name.into()
    } else {
        format!("projects/{project}/{collection}/{name}").into()
    }
}

/// A unique id. It is random because sequential ids slow a queue down.
pub(crate) fn random_task_id() -> String {
    process::random_id().simple().to_string()
}

/// Encodes a name as one segment of a path.
pub(crate) fn encode_segment(name: &str) -> Cow<'_, str> {
    utf8_percent_encode(name, SEGMENT).into()
}

/// Decodes a segment of a path once; `None` if it is not UTF-8.
pub(crate) fn decode_segment(segment: &str) -> Option<Cow<'_, str>> {
    if segment.contains('%') {
        percent_decode_str(segment).decode_utf8().ok()
    } else {
        Some(Cow::Borrowed(segment))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_name_survives_the_way_through_a_path(name in ".*") {
            let segment = encode_segment(&name);

            prop_assert!(segment.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b'?'));
            let decoded = decode_segment(&segment);
            prop_assert_eq!(decoded.as_deref(), Some(name.as_str()));
        }

        #[test]
        fn accepted_names_need_no_encoding(name in "[A-Za-z0-9_.-]{1,255}") {
            prop_assume!(name != "." && name != "..");
            prop_assert_eq!(validate_task_name(&name), Ok(()));
            prop_assert_eq!(encode_segment(&name), name.as_str());
        }

        #[test]
        fn no_text_makes_a_check_panic(text in "\\PC*") {
            let _ = (validate_task_name(&text), validate_queue(&text), validate_task_id(&text), decode_segment(&text));
        }
    }

    #[test]
    fn a_name_is_decoded_once_and_not_twice() {
        assert_eq!(decode_segment("a%252Fb").as_deref(), Some("a%2Fb"));
        assert_eq!(decode_segment("a%2Fb").as_deref(), Some("a/b"));
        assert_eq!(decode_segment("%FF"), None);
    }

    #[test]
    fn ids_are_bounded_as_the_service_bounds_them() {
        for (validated, accepted) in [
            (validate_queue("a-Z9"), true),
            (validate_queue(&"q".repeat(100)), true),
            (validate_queue(&"q".repeat(101)), false),
            (validate_queue("under_score"), false),
            (validate_queue(""), false),
            (validate_task_id(&"t".repeat(500)), true),
            (validate_task_id(&"t".repeat(501)), false),
            (validate_task_id("a b"), false),
            (validate_task_id("a_b-C"), true),
            (validate_task_name("Send.Email_v-2"), true),
            (validate_task_name(".."), false),
            (validate_task_name("a/b"), false),
        ] {
            assert_eq!(validated.is_ok(), accepted, "{validated:?}");
        }
    }
}
