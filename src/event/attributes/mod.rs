//! Reading of a message's attributes into the subscriber's type: the map, or a struct.

mod error;
mod fields;
mod value;

use std::any::{Any, TypeId};
use std::collections::{BTreeSet, VecDeque};

use serde::de::DeserializeOwned;

use crate::base::{Attributes, json, text};
use error::{Error, Mismatch};
use fields::Fields;

/// How often one message's attributes are read at most. A struct needs one more reading for each number in a flattened
/// part of it, and a message has at most 100 attributes.
const MAX_READINGS: usize = 256;

/// The map itself, or a value that is deserialized from it, with numbers and booleans parsed from their texts.
///
/// Attributes of a push without a wrapper arrive as headers, which lose their case. A field of the struct therefore
/// matches regardless of case, unless there is an exact match. Errors contain no values.
pub(super) fn read<A: DeserializeOwned + 'static>(attributes: Attributes) -> Result<A, String> {
    if TypeId::of::<A>() == TypeId::of::<Attributes>() {
        let boxed: Box<dyn Any> = Box::new(attributes);
        return boxed
            .downcast::<A>()
            .map(|same| *same)
            .map_err(|_| "attributes: they were not read".to_owned());
    }
    search(&attributes).map_err(|error| describe(&error, &attributes))
}

/// The keys whose values are handed over as what their text says, a number or a boolean, and not as text.
type Typed = BTreeSet<String>;

/// Reads the attributes, until each value has the type that its field wants.
///
/// Serde buffers the values of a flattened struct and of a tagged or untagged enum before it knows the fields' types, and a
/// buffered text is never read as a number. So they are handed over as texts first, and after a mismatch once more, with
/// this one value as a number or a boolean. An untagged enum that rejected a variant because of such a mismatch is read
/// again as well, since the first variant that fits is the right one.
fn search<A: DeserializeOwned>(attributes: &Attributes) -> Result<A, Error> {
    let mut seen = BTreeSet::from([Typed::new()]);
    let mut states = VecDeque::from([Typed::new()]);
    let mut found: Option<(usize, A)> = None;
    let mut failed = Error::unread();
    for _ in 0..MAX_READINGS {
        let Some(typed) = states.pop_front() else { break };
        let (read, mismatches) = error::recorded(|| A::deserialize(Fields::new(attributes, &typed)));
        match read {
            Ok(read) if mismatches.is_empty() => return Ok(read),
            // Fewer mismatches: an earlier variant.
            Ok(read) if found.as_ref().is_none_or(|(count, _)| mismatches.len() < *count) => {
                found = Some((mismatches.len(), read));
            }
            Ok(_) => {}
            Err(error) => failed = error,
        }
        let next = mismatches
            .iter()
            .filter_map(|mismatch| toggled(&typed, mismatch, attributes))
            .filter(|state| seen.insert(state.clone()));
        states.extend(next);
    }
    found.map(|(_, read)| read).ok_or(failed)
}

/// The next state to try after a mismatch: a text becomes typed, or a typed value a text again.
fn toggled(typed: &Typed, mismatch: &Mismatch, attributes: &Attributes) -> Option<Typed> {
    let mut next = typed.clone();
    match mismatch {
        Mismatch::Text(address) => {
            let (key, value) = attributes
                .iter()
                .find(|(_, value)| value.as_ptr().addr() == *address)?;
            (value::Literal::of(value).is_some() && next.insert(key.clone())).then_some(next)
        }
        Mismatch::Literal(literal) => {
            let is_it = |key: &&String| {
                let value = attributes.get(*key).map(String::as_str);
                value
                    .and_then(value::Literal::of)
                    .is_some_and(|own| own == *literal)
            };
            let key = typed.iter().find(is_it)?;
            next.remove(key);
            Some(next)
        }
    }
}

fn describe(error: &Error, attributes: &Attributes) -> String {
    let key = error.address().and_then(|address| {
        let named = |(_, value): &(&String, &String)| !value.is_empty() && value.as_ptr().addr() == address;
        attributes.iter().find(named).map(|(key, _)| text::excerpt(key))
    });
    match (error.key(), key) {
        (Some(key), _) => format!("attributes.{key}: {error}"),
        (None, Some(key)) => format!("attributes.{key}: {}", json::reason(&error.to_string())),
        (None, None) => format!("attributes: {}", json::reason(&error.to_string())),
    }
}

/// The attribute with this key, or one whose key differs only in case.
pub(super) fn find<'a>(attributes: &'a Attributes, key: &str) -> Option<&'a str> {
    let other = || {
        attributes
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(key))
    };
    attributes
        .get(key)
        .or_else(|| other().map(|(_, value)| value))
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
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
}
