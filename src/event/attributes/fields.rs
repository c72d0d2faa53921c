//! The attributes as the fields of a struct.

use serde::Deserializer;
use serde::de::Visitor;
use serde::de::value::MapDeserializer;
use serde::forward_to_deserialize_any;

use crate::base::Attributes;
use crate::event::attributes::Reading;
use crate::event::attributes::error::Error;
use crate::event::attributes::value::{Literal, Value};

/// The attributes, as the fields of a struct.
pub(super) struct Fields<'a> {
    attributes: &'a Attributes,
    state: &'a Reading,
}

impl<'a> Fields<'a> {
    pub fn new(attributes: &'a Attributes, state: &'a Reading) -> Self {
        Self { attributes, state }
    }

    /// The attributes, with the names of these fields where they differ only in case.
    fn pairs(self, fields: &'static [&'static str]) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let Self { attributes, state } = self;
        attributes.iter().map(move |(key, value)| {
            let known = || fields.iter().chain(&state.spelled).copied();
            let name = if known().any(|field| field == key) {
                key
            } else {
                let is_it = |field: &&str| is_spelling(key, field, attributes);
                known().find(is_it).unwrap_or(key)
            };
            let literal = state.typed.contains(key).then(|| Literal::of(value)).flatten();
            (name, Value::new(name, value, literal))
        })
    }
}

/// Whether one of the keys is this field in another case.
pub(super) fn is_spelled(attributes: &Attributes, field: &str) -> bool {
    attributes.keys().any(|key| is_spelling(key, field, attributes))
}

/// Whether a key is a field in another case. A key that is the field to the letter comes first.
fn is_spelling(key: &str, field: &str, attributes: &Attributes) -> bool {
    field.eq_ignore_ascii_case(key) && !attributes.contains_key(field)
}

impl<'de> Deserializer<'de> for Fields<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(MapDeserializer::new(self.pairs(&[])))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(MapDeserializer::new(self.pairs(fields)))
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
