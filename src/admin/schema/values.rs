//! Kinds of values that a schema describes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// One alternative of a schema.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Anything,
    Null,
    Boolean,
    /// Whole numbers in a range; the bounds are those of a type, such as `u8`.
    Integer(i128, i128),
    Number,
    Text(Text),
    Constant(Value),
    Array(Items),
    Object(Object),
}

/// A text and what its type requires of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    /// Such as `uuid`; a type that reads only this form.
    pub format: Option<String>,
    pub is_char: bool,
}

/// The items of an array.
#[derive(Clone, Debug)]
pub(super) struct Items {
    /// The items of a tuple.
    pub prefix: Vec<Value>,
    /// The further items, if there may be any.
    pub rest: Option<Value>,
    pub min: u64,
    pub max: u64,
}

/// The fields of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    pub fields: BTreeMap<String, Value>,
    pub required: BTreeSet<String>,
    pub others: Others,
}

/// Fields without a name in the schema.
#[derive(Clone, Debug, Default)]
pub(super) enum Others {
    /// A struct: it writes none, and ignores them when it reads.
    #[default]
    Ignored,
    Refused,
    /// A map.
    Each(Value),
}

/// The kind of a schema with at most one type and without combinations.
pub(super) fn kind(schema: &Value) -> Kind {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    let number = |key: &str| schema.get(key).and_then(Value::as_u64);
    if let Some(constant) = schema.get("const") {
        return Kind::Constant(constant.clone());
    }
    match text("type") {
        Some("null") => Kind::Null,
        Some("boolean") => Kind::Boolean,
        Some("integer") => integer(schema),
        Some("number") => Kind::Number,
        Some("string") => Kind::Text(Text {
            format: text("format").map(str::to_owned),
            is_char: number("minLength") == Some(1) && number("maxLength") == Some(1),
        }),
        Some("array") => {
            let prefix = schema.get("prefixItems").and_then(Value::as_array).cloned();
            let items = schema.get("items").cloned();
            Kind::Array(Items {
                prefix: prefix.unwrap_or_default(),
                rest: items.filter(|items| *items != Value::Bool(false)),
                min: number("minItems").unwrap_or(0),
                max: number("maxItems").unwrap_or(u64::MAX),
            })
        }
        Some("object") => Kind::Object(object(schema)),
        _ if schema.get("properties").is_some() => Kind::Object(object(schema)),
        _ => Kind::Anything,
    }
}

fn integer(schema: &Value) -> Kind {
    let bound = |key: &str| schema.get(key).and_then(Value::as_number)?.as_i128();
    let (min, max) = match schema.get("format").and_then(Value::as_str) {
        Some("int32") => (i32::MIN.into(), i32::MAX.into()),
        Some("uint32") => (0, u32::MAX.into()),
        Some("int64" | "int") => (i64::MIN.into(), i64::MAX.into()),
        Some("uint64" | "uint") => (0, u64::MAX.into()),
        Some("uint128") => (0, i128::MAX),
        _ => (i128::MIN, i128::MAX),
    };
    // Bounds narrow a type only for the small ones: serde does not know about validation.
    let is_small = schema
        .get("format")
        .and_then(Value::as_str)
        .is_some_and(|format| ["int8", "uint8", "int16", "uint16"].contains(&format));
    if is_small || schema.get("format").is_none() {
        return Kind::Integer(bound("minimum").unwrap_or(min), bound("maximum").unwrap_or(max));
    }
    let min = if bound("minimum") == Some(1) { 1 } else { min };
    Kind::Integer(min, max)
}

fn object(schema: &Value) -> Object {
    let fields = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let others = ["additionalProperties", "unevaluatedProperties"]
        .iter()
        .find_map(|key| schema.get(key));
    Object {
        fields: fields
            .into_iter()
            .flatten()
            .map(|(name, schema)| (name.clone(), schema.clone()))
            .collect(),
        required: required
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
        others: match others {
            None => Others::Ignored,
            Some(Value::Bool(false)) => Others::Refused,
            Some(schema) => Others::Each(schema.clone()),
        },
    }
}

impl Kind {
    /// What the values are called in a message.
    pub fn noun(&self) -> String {
        match self {
            Self::Anything => "any value".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Boolean => "a boolean".to_owned(),
            Self::Integer(min, max) if *min == i128::MIN || *max == i128::MAX => "an integer".to_owned(),
            Self::Integer(min, max) => format!("an integer from {min} to {max}"),
            Self::Number => "a number".to_owned(),
            Self::Text(text) if text.is_char => "a single character".to_owned(),
            Self::Text(Text {
                format: Some(format), ..
            }) => format!("a string of the format {format}"),
            Self::Text(_) => "a string".to_owned(),
            Self::Constant(value) => format!("{value}"),
            Self::Array(_) => "an array".to_owned(),
            Self::Object(_) => match self.variant() {
                Some(variant) => format!("the variant {variant}"),
                None => "an object".to_owned(),
            },
        }
    }

    /// The name of an enum's variant, if it looks like one.
    pub fn variant(&self) -> Option<String> {
        match self {
            Self::Constant(Value::String(name)) => Some(name.clone()),
            Self::Object(object) => {
                let mut fields = object.fields.values();
                let tag = fields.find_map(|field| field.get("const")?.as_str().map(str::to_owned));
                let alone = || match object.required.iter().collect::<Vec<_>>()[..] {
                    [name] if object.fields.len() == 1 => Some(name.clone()),
                    _ => None,
                };
                tag.or_else(alone)
            }
            _ => None,
        }
    }
}
