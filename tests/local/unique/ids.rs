//! Equal keys have equal ids, and different ones different ids.

use std::collections::{BTreeMap, HashMap};

use cloud_tasks::task::Enqueue;
use cloud_tasks::{PublisherTask, Runtime, Task};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::tasks::{Customer, Keyed, Plain, Purchase, Shipped};

/// The ids of tasks, each enqueued into a queue of its own so that none is a duplicate of another.
fn ids(tasks: impl IntoIterator<Item = Enqueue>) -> Vec<String> {
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio.block_on(async {
        let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();
        let mut ids = Vec::new();
        for task in tasks {
            ids.push(task.on(&runtime).await.unwrap().id().to_owned());
        }
        ids
    })
}

fn keyed(key: impl Serialize) -> Enqueue {
    Plain { number: 1 }.asap().unique_key(key)
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

/// Fields in one order.
#[derive(Clone, Debug, Serialize)]
struct Forwards {
    id: u64,
    name: String,
    inner: Vec<Inner>,
}

#[derive(Clone, Debug, Serialize)]
struct Inner {
    a: i64,
    b: Option<String>,
}

/// The same fields in another order.
#[derive(Serialize)]
struct Backwards {
    inner: Vec<BackwardsInner>,
    name: String,
    id: u64,
}

#[derive(Serialize)]
struct BackwardsInner {
    b: Option<String>,
    a: i64,
}

impl From<Forwards> for Backwards {
    fn from(other: Forwards) -> Self {
        let inner = other.inner.into_iter();
        Self {
            inner: inner.map(|Inner { a, b }| BackwardsInner { b, a }).collect(),
            name: other.name,
            id: other.id,
        }
    }
}

fn forwards() -> impl Strategy<Value = Forwards> {
    let inner = (any::<i64>(), any::<Option<String>>()).prop_map(|(a, b)| Inner { a, b });
    (any::<u64>(), ".*", prop::collection::vec(inner, 0..4)).prop_map(|(id, name, inner)| Forwards {
        id,
        name,
        inner,
    })
}

/// Any JSON, a few levels deep.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        ".*".prop_map(Value::from),
        "[ab\"]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab\"é]{0,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn equal_maps_have_equal_ids_whatever_the_order_of_their_keys(map in prop::collection::btree_map(".*", json(), 0..8)) {
        // Each map has an order of its own.
        let of = |entries: Vec<(String, Value)>| Keyed { by_key: entries.into_iter().collect::<HashMap<_, _>>() };
        let entries: Vec<_> = map.clone().into_iter().collect();
        let reversed: Vec<_> = map.into_iter().rev().collect();

        let ids = ids([of(entries).asap(), of(reversed.clone()).asap(), of(reversed).asap()]);

        prop_assert_eq!(&ids[0], &ids[1]);
        prop_assert_eq!(&ids[0], &ids[2]);
    }

    #[test]
    fn the_order_in_which_a_struct_is_written_makes_no_difference(one in forwards(), other in forwards()) {
        let backwards: Backwards = one.clone().into();

        let ids = ids([keyed(&one), keyed(backwards), keyed(&other)]);

        prop_assert_eq!(&ids[0], &ids[1]);
        let same = serde_json::to_string(&one).unwrap() == serde_json::to_string(&other).unwrap();
        prop_assert_eq!(ids[0] == ids[2], same);
    }

    #[test]
    fn different_arguments_have_different_ids(one in json(), other in json()) {
        let of = |value: &Value| Keyed { by_key: [("value".to_owned(), value.clone())].into() }.asap();

        let ids = ids([of(&one), of(&other)]);

        prop_assert_eq!(ids[0] == ids[1], one == other);
    }

    #[test]
    fn no_digit_of_a_large_number_is_lost(digits in "[1-9][0-9]{20,60}", last in 0..9_u8) {
        let number = |last: u8| raw(&format!("{digits}{last}"));

        let ids = ids([keyed(number(last)), keyed(number(last)), keyed(number(last + 1))]);

        prop_assert_eq!(&ids[0], &ids[1]);
        prop_assert_ne!(&ids[0], &ids[2]);
    }

    #[test]
    fn only_the_named_fields_count(order_id in any::<u64>(), id in any::<u64>(), names in any::<[String; 2]>(), at in any::<[u64; 2]>()) {
        let [one, other] = [0, 1].map(|n| Purchase {
            order_id,
            customer: Customer { id, name: names[n].clone() },
            at: at[n],
        });
        let of_another_order = Purchase { order_id: order_id.wrapping_add(1), ..one.clone() };
        let of_another_customer = Purchase {
            customer: Customer { id: id.wrapping_add(1), ..one.customer.clone() },
            ..one.clone()
        };

        let ids = ids([one, other, of_another_order, of_another_customer].map(Task::asap));

        prop_assert_eq!(&ids[0], &ids[1]);
        prop_assert_ne!(&ids[0], &ids[2]);
        prop_assert_ne!(&ids[0], &ids[3]);
    }
}

#[test]
fn nothing_is_taken_for_something_else_that_reads_alike() {
    let keys = [
        "null",
        "0",
        "\"0\"",
        "[]",
        "{}",
        "[0]",
        "[[0]]",
        "\"[0]\"",
        "[\"0\"]",
        "{\"0\":0}",
        "{\"a\":{\"b\":1}}",
        "{\"a.b\":1}",
        "{\"a\":1,\"b\":2}",
        "{\"a\":2,\"b\":1}",
        "[{\"a\":1},{\"b\":2}]",
        "1.0",
        "1",
        "true",
        "\"true\"",
        "\"a,b\"",
        "[\"a\",\"b\"]",
        "\"é\"",
        "\"e\u{301}\"",
    ];

    let mut found = ids(keys.iter().map(|key| keyed(raw(key))));

    found.sort();
    found.dedup();
    assert_eq!(found.len(), keys.len());
}

#[test]
fn an_id_belongs_to_a_task_and_to_one_kind_of_key() {
    let number = BTreeMap::from([("number", 7)]);

    let ids = ids([
        Plain { number: 7 }.asap().unique_for(std::time::Duration::MAX),
        Plain { number: 7 }.asap().unique_key(&number),
        super::tasks::Count { number: 7 }.asap(),
        super::tasks::Count { number: 7 }.asap().unique_key(&number),
    ]);

    let mut distinct = ids.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 4, "{ids:?}");
}

#[tokio::test]
async fn an_event_is_unique_by_all_that_belongs_to_its_message() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    let event = || Shipped { order_id: 7 }.asap().on(&runtime);

    let enqueued = [
        event().await.unwrap(),
        event().await.unwrap(),
        event().attribute("priority", "high").await.unwrap(),
        event().ordering_key("7").await.unwrap(),
        event().attribute("priority", "high").await.unwrap(),
    ];

    let duplicates = enqueued.map(|enqueued| enqueued.duplicate());
    assert_eq!(duplicates, [false, true, false, false, true]);
    assert_eq!(recorder.envelopes().len(), 3);
}
