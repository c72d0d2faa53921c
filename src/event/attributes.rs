//! Reading of a message's attributes into the subscriber's type: the map, or a struct.

use std::any::{Any, TypeId};

use serde::Deserializer;
use serde::de::value::{Error, MapDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::base::{Attributes, json, text};

/// The map itself, or a struct that is deserialized from it, with numbers and booleans parsed from their texts.
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
    A::deserialize(Fields(&attributes)).map_err(|error| match error.to_string() {
        text if text.starts_with(TOLD) => format!("attributes{}", &text[TOLD.len()..]),
        text => format!("attributes: {}", json::reason(&text)),
    })
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

/// Marks an error that no longer contains a value.
const TOLD: &str = "\u{0}";

struct Fields<'a>(&'a Attributes);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let pairs = self
            .0
            .iter()
            .map(|(key, value)| (key.as_str(), Value { key, value }));
        visitor.visit_map(MapDeserializer::new(pairs))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let spelled = |key: &str| {
            let same_but_case =
                |field: &&&str| field.eq_ignore_ascii_case(key) && !self.0.contains_key(**field);
            fields.iter().find(same_but_case).copied()
        };
        let pairs = self.0.iter().map(|(key, value)| {
            let name = if fields.contains(&key.as_str()) {
                key
            } else {
                spelled(key).unwrap_or(key)
            };
            (name, Value { key: name, value })
        });
        visitor.visit_map(MapDeserializer::new(pairs))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option seq tuple tuple_struct
        map enum identifier ignored_any
    }
}

/// The value of an attribute.
#[derive(Clone, Copy)]
struct Value<'a> {
    key: &'a str,
    value: &'a str,
}

impl Value<'_> {
    /// The error without its value.
    fn mistake(&self, error: &Error) -> Error {
        let (key, reason) = (text::excerpt(self.key), json::reason(&error.to_string()));
        Error::custom(format!("{TOLD}.{key}: {reason}"))
    }

    fn parse<T: std::str::FromStr>(&self, expected: &str) -> Result<T, Error> {
        let mistake = || Error::custom(format!("invalid value: string, expected {expected}"));
        self.value.parse().map_err(|_| self.mistake(&mistake()))
    }
}

impl IntoDeserializer<'_, Error> for Value<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parse {
    ($($method:ident => $visit:ident: $type:ty, $expected:literal;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor
                .$visit(self.parse::<$type>($expected)?)
                .map_err(|error: Error| self.mistake(&error))
        })*
    };
}

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor
            .visit_str(self.value)
            .map_err(|error: Error| self.mistake(&error))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor
            .visit_enum(StrDeserializer::new(self.value))
            .map_err(|error: Error| self.mistake(&error))
    }

    parse! {
        deserialize_bool => visit_bool: bool, "true or false";
        deserialize_i8 => visit_i8: i8, "i8";
        deserialize_i16 => visit_i16: i16, "i16";
        deserialize_i32 => visit_i32: i32, "i32";
        deserialize_i64 => visit_i64: i64, "i64";
        deserialize_i128 => visit_i128: i128, "i128";
        deserialize_u8 => visit_u8: u8, "u8";
        deserialize_u16 => visit_u16: u16, "u16";
        deserialize_u32 => visit_u32: u32, "u32";
        deserialize_u64 => visit_u64: u64, "u64";
        deserialize_u128 => visit_u128: u128, "u128";
        deserialize_f32 => visit_f32: f32, "f32";
        deserialize_f64 => visit_f64: f64, "f64";
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
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
}
