//! The value of one attribute.

use std::str::FromStr;

use serde::de::value::StrDeserializer;
use serde::de::{Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use crate::event::attributes::error::Error;

/// The number or the boolean that a text says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Literal {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl Literal {
    pub fn of(text: &str) -> Option<Self> {
        None.or_else(|| text.parse().ok().map(Self::Bool))
            .or_else(|| text.parse().ok().map(Self::Unsigned))
            .or_else(|| text.parse().ok().map(Self::Signed))
            .or_else(|| text.parse().ok().map(Self::Float))
    }

    /// The literal that a visitor did not expect.
    pub fn unexpected(unexpected: Unexpected<'_>) -> Option<Self> {
        match unexpected {
            Unexpected::Bool(value) => Some(Self::Bool(value)),
            Unexpected::Unsigned(value) => Some(Self::Unsigned(value)),
            Unexpected::Signed(value) => Some(Self::Signed(value)),
            Unexpected::Float(value) => Some(Self::Float(value)),
            _ => None,
        }
    }

    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Unsigned(value) => visitor.visit_u64(value),
            Self::Signed(value) => visitor.visit_i64(value),
            Self::Float(value) => visitor.visit_f64(value),
        }
    }
}

/// The value of an attribute: a text, which is parsed if the field has a type that is not a text.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    key: &'a str,
    text: &'a str,
    /// What a field of unknown type gets instead of the text.
    literal: Option<Literal>,
}

impl<'a> Value<'a> {
    pub fn new(key: &'a str, text: &'a str, literal: Option<Literal>) -> Self {
        Self { key, text, literal }
    }

    fn parse<T: FromStr>(&self, expected: &str) -> Result<T, Error> {
        let error = || Error::custom(format_args!("invalid value: string, expected {expected}"));
        self.text.parse().map_err(|_| error().of_attribute(self.key))
    }
}

impl<'de> IntoDeserializer<'de, Error> for Value<'de> {
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
                .map_err(|error: Error| error.of_attribute(self.key))
        })*
    };
}

macro_rules! text {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor
                .visit_borrowed_str(self.text)
                .map_err(|error: Error| error.of_attribute(self.key))
        })*
    };
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.literal {
            Some(literal) => literal
                .visit(visitor)
                .map_err(|error| error.of_attribute(self.key)),
            None => self.deserialize_str(visitor),
        }
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
            .visit_enum(StrDeserializer::new(self.text))
            .map_err(|error: Error| error.of_attribute(self.key))
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

    text! {
        deserialize_char deserialize_str deserialize_string deserialize_identifier deserialize_bytes
        deserialize_byte_buf
    }

    forward_to_deserialize_any! {
        unit unit_struct seq tuple tuple_struct map struct ignored_any
    }
}
