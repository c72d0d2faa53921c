use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Order {
    user_id: u64,
    is_paid: Option<bool>,
    level: Option<Level>,
}

#[derive(Debug, Deserialize, PartialEq)]
enum Level {
    High,
    Low,
}

fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn a_field_is_found_without_regard_to_case_and_its_own_spelling_comes_first() {
    for (pairs, user_id) in [
        (&[("userId", "7")][..], 7),
        (&[("userid", "7")], 7),
        (&[("USERID", "6"), ("userId", "7")], 7),
        (&[("userId", "7"), ("userid", "6")], 7),
    ] {
        let order: Order = read(attributes(pairs)).unwrap();

        assert_eq!(
            order,
            Order {
                user_id,
                is_paid: None,
                level: None
            },
            "{pairs:?}"
        );
        assert_eq!(find(&attributes(pairs), "userId"), Some("7"));
    }
    let order = read::<Order>(attributes(&[
        ("userid", "7"),
        ("ispaid", "true"),
        ("LEVEL", "High"),
        ("x", "y"),
    ]));
    assert_eq!(
        order,
        Ok(Order {
            user_id: 7,
            is_paid: Some(true),
            level: Some(Level::High)
        })
    );
}

#[test]
fn what_is_wrong_names_the_attribute_and_no_value() {
    for (pairs, expected) in [
        (&[][..], "attributes: missing field `userId`"),
        (
            &[("userId", "hunter2")],
            "attributes.userId: invalid value: string, expected u64",
        ),
        (
            &[("userId", "1"), ("isPaid", "hunter2")],
            "attributes.isPaid: invalid value: string, expected true or false",
        ),
        (
            &[("userId", "1"), ("level", "hunter2, expected x")],
            "attributes.level: unknown variant, expected `High` or `Low`",
        ),
    ] {
        assert_eq!(read::<Order>(attributes(pairs)).unwrap_err(), expected);
    }
}

#[derive(Debug, Deserialize, PartialEq)]
struct Flat {
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    rest: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[expect(clippy::option_option, reason = "users write it")]
struct Inner {
    user: User,
    paid: Option<bool>,
    share: f64,
    delta: Option<Option<i8>>,
    sign: char,
    name: String,
    level: Level,
}

#[derive(Debug, Deserialize, PartialEq)]
struct User(u64);

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "kind")]
enum Tagged {
    #[serde(rename = "1")]
    Paid {
        amount: u32,
        #[serde(flatten)]
        more: More,
    },
    #[serde(rename = "2")]
    Note { text: String },
}

#[derive(Debug, Deserialize, PartialEq)]
struct More {
    is_late: bool,
    code: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
enum Untagged {
    Both { number: u32, flag: bool },
    Number { number: u32 },
    Text { number: String },
}

#[test]
fn numbers_and_booleans_in_a_flattened_struct_are_read_and_equal_texts_stay_texts() {
    let flat: Flat = read(attributes(&[
        ("user", "7"),
        ("paid", "true"),
        ("share", "7"),
        ("delta", "-7"),
        ("sign", "7"),
        ("name", "7"),
        ("level", "Low"),
        ("a", "7"),
        ("b", "true"),
    ]))
    .unwrap();

    let inner = Inner {
        user: User(7),
        paid: Some(true),
        share: 7.0,
        delta: Some(Some(-7)),
        sign: '7',
        name: "7".into(),
        level: Level::Low,
    };
    let rest = [("a", "7"), ("b", "true")].map(|(key, value)| (key.into(), value.into()));
    assert_eq!(
        flat,
        Flat {
            inner,
            rest: rest.into()
        }
    );
}

#[test]
fn a_tagged_enum_is_read_with_a_tag_that_looks_like_a_number() {
    let paid = Tagged::Paid {
        amount: 1,
        more: More {
            is_late: false,
            code: "1".into(),
        },
    };
    for (pairs, expected) in [
        (
            &[
                ("kind", "1"),
                ("amount", "1"),
                ("is_late", "false"),
                ("code", "1"),
            ][..],
            paid,
        ),
        (&[("kind", "2"), ("text", "2")], Tagged::Note { text: "2".into() }),
    ] {
        assert_eq!(read::<Tagged>(attributes(pairs)), Ok(expected));
    }
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "eventType", rename_all = "camelCase")]
enum Event {
    #[serde(rename_all = "camelCase")]
    Paid { order_id: u64, is_late: bool },
}

#[derive(Debug, Deserialize, PartialEq)]
struct Whole {
    #[serde(flatten)]
    event: Event,
    #[serde(flatten)]
    order: Flattened,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Flattened {
    user_id: u64,
    user_name: String,
}

#[test]
fn keys_that_lost_their_case_are_found_in_flattened_and_tagged_parts() {
    let expected = || {
        Ok(Whole {
            event: Event::Paid {
                order_id: 7,
                is_late: true,
            },
            order: Flattened {
                user_id: 8,
                user_name: "9".into(),
            },
        })
    };
    for keys in [
        ["eventType", "orderId", "isLate", "userId", "userName"],
        ["eventtype", "orderid", "islate", "userid", "username"],
        ["EVENTTYPE", "orderId", "ISLATE", "userid", "userName"],
    ] {
        let pairs: Vec<_> = keys.into_iter().zip(["paid", "7", "true", "8", "9"]).collect();

        assert_eq!(read::<Whole>(attributes(&pairs)), expected(), "{keys:?}");
    }
    let without = attributes(&[
        ("eventtype", "paid"),
        ("orderid", "7"),
        ("islate", "true"),
        ("userid", "8"),
    ]);
    assert_eq!(
        read::<Whole>(without).unwrap_err(),
        "attributes: missing field `userName`"
    );
}

#[test]
fn an_untagged_enum_is_the_first_variant_that_fits() {
    for (pairs, expected) in [
        (
            &[("number", "7"), ("flag", "true")][..],
            Untagged::Both {
                number: 7,
                flag: true,
            },
        ),
        (&[("number", "7")], Untagged::Number { number: 7 }),
        (&[("number", "7"), ("flag", "7")], Untagged::Number { number: 7 }),
        (
            &[("number", "x"), ("flag", "true")],
            Untagged::Text { number: "x".into() },
        ),
    ] {
        assert_eq!(read::<Untagged>(attributes(pairs)), Ok(expected), "{pairs:?}");
    }
}

#[test]
fn what_is_wrong_in_a_flattened_or_tagged_struct_names_the_attribute_and_no_value() {
    for (pairs, expected) in [
        (&[][..], "attributes: missing field `kind`"),
        (
            &[("kind", "hunter2")],
            "attributes.kind: unknown variant, expected `1` or `2`",
        ),
        (
            &[("kind", "1"), ("amount", "hunter2")],
            "attributes.amount: invalid type: string, expected u32",
        ),
        (
            &[("kind", "1"), ("amount", "-1")],
            "attributes: invalid value: integer, expected u32",
        ),
        (
            &[
                ("kind", "1"),
                ("amount", "1"),
                ("is_late", "hunter2"),
                ("code", ""),
            ],
            "attributes.is_late: invalid type: string, expected a boolean",
        ),
    ] {
        assert_eq!(read::<Tagged>(attributes(pairs)).unwrap_err(), expected);
    }
    assert_eq!(
        read::<Untagged>(attributes(&[("flag", "hunter2")])).unwrap_err(),
        "attributes: a value that is not accepted"
    );
}

/// A number in each of a hundred attributes: one more reading for each.
#[test]
fn a_hundred_numbers_are_read() {
    #[derive(Deserialize)]
    struct Numbers {
        #[serde(flatten)]
        all: std::collections::BTreeMap<String, u64>,
    }

    let hundred = (0..100_u64).map(|number| (format!("n{number:03}"), number.to_string()));

    let read: Numbers = read(hundred.collect()).unwrap();

    assert!(read.all.into_values().eq(0..100));
}
