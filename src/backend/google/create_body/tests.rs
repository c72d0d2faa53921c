//! The same tasks, as Google's client serializes them.

use std::time::{Duration, SystemTime};

use google_cloud_tasks_v2::model::CreateTaskRequest;
use http::header::{HeaderName, HeaderValue};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::base::{Config, ServiceEndpoint};

fn factory(has_relay: bool) -> TaskFactory {
    let config = Config::default()
        .with_endpoint("https://shop.example")
        .with_project("acme")
        .with_location("europe-west1")
        .with_service_account("tasks@acme.iam.gserviceaccount.com");
    let mut factory = TaskFactory::new(&config).unwrap();
    if has_relay {
        factory.set_relay("http://127.0.0.1:9/relay".to_owned());
    }
    factory
}

/// Any headers that a request may have, also the same name twice, and bytes that are not UTF-8.
fn headers() -> impl Strategy<Value = HeaderMap> {
    let name = prop_oneof![
        Just("content-type".to_owned()),
        "[a-z][a-z0-9_-]{0,12}",
        "x-(a|b)"
    ];
    let value = vec(prop_oneof![0x20..=0x7e_u8, 0x80..=0xff_u8, Just(b'\t')], 0..20);
    vec((name, value), 0..6).prop_map(|headers| {
        let parsed = headers.into_iter().map(|(name, value)| {
            let name = HeaderName::try_from(name).unwrap();
            (name, HeaderValue::from_bytes(&value).unwrap())
        });
        let mut headers = HeaderMap::new();
        for (name, value) in parsed {
            headers.append(name, value);
        }
        headers
    })
}

fn service() -> impl Strategy<Value = Option<ServiceEndpoint>> {
    option::of(
        (any::<String>(), option::of(any::<String>())).prop_map(|(url, account)| {
            let service = ServiceEndpoint::new(url);
            match account {
                Some(account) => service.with_account(account),
                None => service,
            }
        }),
    )
}

fn envelope() -> impl Strategy<Value = Envelope> {
    let url = prop_oneof![
        Just(String::new()),
        any::<String>(),
        "https://[a-z]{1,9}/tasks/[A-Z]{1,9}"
    ];
    let body = prop_oneof![
        vec(any::<u8>(), 0..200),
        any::<String>().prop_map(String::into_bytes)
    ];
    // Also times that Google's format cannot express.
    let time = (any::<bool>(), 0..300_000_000_000_u64, 0..1_000_000_000_u32);
    let timeout = (any::<u64>(), 0..1_000_000_000_u32);
    (
        "[A-Za-z0-9-]{1,20}",
        url,
        body,
        headers(),
        option::of(time),
        option::of(timeout),
        service(),
    )
        .prop_map(|(queue, url, body, headers, time, timeout, service)| Envelope {
            task: "Welcome".into(),
            service: service.map(Into::into),
            queue,
            id: None,
            url,
            body: body.into(),
            headers,
            schedule_time: time.and_then(|(is_past, seconds, nanos)| {
                let distance = Duration::new(seconds, nanos);
                if is_past {
                    SystemTime::UNIX_EPOCH.checked_sub(distance)
                } else {
                    SystemTime::UNIX_EPOCH.checked_add(distance)
                }
            }),
            timeout: timeout.map(|(seconds, nanos)| Duration::new(seconds, nanos)),
        })
}

proptest! {
    #[test]
    fn the_json_is_that_of_googles_client(
        envelope in envelope(),
        id in option::of("[A-Za-z0-9_-]{1,40}"),
        has_relay in any::<bool>(),
    ) {
        let factory = factory(has_relay);
        let queue = factory.queue(&envelope.queue);

        let ours = factory.create_body(&envelope, &queue, id.as_deref()).unwrap();

        let theirs = CreateTaskRequest::new().set_task(factory.task(&envelope, id.as_deref()));
        let ours: Value = serde_json::from_slice(&ours).unwrap();
        prop_assert_eq!(&ours, &serde_json::to_value(&theirs).unwrap());
        // And it means the same.
        let read: CreateTaskRequest = serde_json::from_value(ours).unwrap();
        prop_assert_eq!(read, theirs);
    }

    #[test]
    fn a_response_is_read_as_googles_client_reads_it(
        envelope in envelope(),
        id in option::of("[A-Za-z0-9_-]{1,40}"),
    ) {
        let task = factory(false).task(&envelope, id.as_deref());

        let created = Created::read(&serde_json::to_vec(&task).unwrap()).unwrap();

        prop_assert_eq!(created.name.unwrap_or_default(), task.name);
        prop_assert_eq!(created.schedule_time, task.schedule_time);
    }
}
