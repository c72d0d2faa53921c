//! The alternatives of a schema: its references, combinations and lists of types resolved.

use serde_json::{Map, Value};

use crate::admin::schema::values::{Kind, kind};

/// More references than a type has that is not endless.
const MAX_DEPTH: usize = 64;

/// Every alternative of a schema in its document.
pub(super) fn alternatives(schema: &Value, root: &Value) -> Vec<Kind> {
    let mut found = Vec::new();
    collect(schema.clone(), root, MAX_DEPTH, &mut found);
    found
}

fn collect(schema: Value, root: &Value, depth: usize, found: &mut Vec<Kind>) {
    let Value::Object(mut schema) = schema else {
        found.extend((schema != Value::Bool(false)).then_some(Kind::Anything));
        return;
    };
    if depth == 0 {
        found.push(Kind::Anything);
        return;
    }
    if let Some(Value::String(reference)) = schema.remove("$ref") {
        let target = resolve(&reference, root);
        return collect(merged(schema, target), root, depth - 1, found);
    }
    if let Some(Value::Array(parts)) = schema.remove("allOf") {
        let whole = parts
            .into_iter()
            .fold(schema, |whole, part| match merged(whole, part) {
                Value::Object(whole) => whole,
                _ => Map::new(),
            });
        return collect(Value::Object(whole), root, depth - 1, found);
    }
    for combination in ["anyOf", "oneOf"] {
        if let Some(Value::Array(parts)) = schema.remove(combination) {
            for part in parts {
                collect(merged(schema.clone(), part), root, depth - 1, found);
            }
            return;
        }
    }
    if let Some(Value::Array(values)) = schema.remove("enum") {
        found.extend(values.into_iter().map(Kind::Constant));
        return;
    }
    match schema.get("type").cloned() {
        Some(Value::Array(types)) => {
            for one in types {
                schema.insert("type".to_owned(), one);
                found.push(kind(&Value::Object(schema.clone())));
            }
        }
        _ => found.push(kind(&Value::Object(schema))),
    }
}

/// The schema behind a reference; anything goes behind one that leads nowhere.
fn resolve(reference: &str, root: &Value) -> Value {
    let found = reference
        .strip_prefix('#')
        .and_then(|pointer| root.pointer(pointer));
    found.cloned().unwrap_or(Value::Bool(true))
}

/// Two schemas of the same value as one: the fields of both.
fn merged(mut one: Map<String, Value>, other: Value) -> Value {
    let other = match other {
        Value::Object(other) => other,
        other if is_bare(&one) => return other,
        _ => return Value::Object(one),
    };
    for (key, value) in other {
        match (one.get_mut(&key), value) {
            (Some(Value::Object(fields)), Value::Object(more)) => fields.extend(more),
            (Some(Value::Array(list)), Value::Array(more)) if key == "required" => list.extend(more),
            (_, value) => {
                one.insert(key, value);
            }
        }
    }
    Value::Object(one)
}

/// Whether a schema only describes.
fn is_bare(schema: &Map<String, Value>) -> bool {
    let only_says = [
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "$defs",
        "$schema",
    ];
    schema.keys().all(|key| only_says.contains(&key.as_str()))
}
