//! A document of `AsyncAPI`.

use std::collections::BTreeMap;

use schemars::Schema;
use schemars::transform::{RemoveRefSiblings, ReplacePrefixItems, ReplaceUnevaluatedProperties, Transform};
use serde_json::{Map, Value, json};

use crate::admin::schema::contracts::NamedContract;

/// The document, by version 3.0.0 of the specification.
///
/// Source: <https://www.asyncapi.com/docs/reference/specification/v3.0.0>.
pub(super) fn document(title: &str, version: &str, contracts: &BTreeMap<String, NamedContract>) -> Value {
    let (mut channels, mut operations) = (Map::new(), Map::new());
    let (mut messages, mut schemas) = (Map::new(), Map::new());
    for (name, contract) in contracts {
        let Some(schemas_of) = &contract.schemas else {
            continue;
        };
        // What others send here has to be readable; what is sent from here looks as it is written.
        let schema = if contract.sent {
            schemas_of.written()
        } else {
            schemas_of.read()
        };
        let base = format!("#/components/schemas/{name}");
        schemas.insert(name.clone(), with_references(&in_draft_07(schema), &base));
        messages.insert(
            name.clone(),
            json!({
                "name": name,
                "contentType": "application/json",
                "payload": {"$ref": base},
            }),
        );
        channels.insert(
            name.clone(),
            json!({
                "address": contract.channel,
                "messages": {name: {"$ref": format!("#/components/messages/{name}")}},
            }),
        );
        operations.insert(
            name.clone(),
            json!({
                "action": if contract.sent { "send" } else { "receive" },
                "channel": {"$ref": format!("#/channels/{name}")},
                "messages": [{"$ref": format!("#/channels/{name}/messages/{name}")}],
            }),
        );
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    })
}

/// The schema in draft 07, which is what `AsyncAPI` 3 says a schema without a `schemaFormat` is: readers ignore newer keywords,
/// and keywords beside a reference.
///
/// Source: <https://www.asyncapi.com/docs/reference/specification/v3.0.0#schemaObject>.
fn in_draft_07(schema: &Value) -> Value {
    let Ok(mut schema) = Schema::try_from(schema.clone()) else {
        return schema.clone();
    };
    ReplaceUnevaluatedProperties::default().transform(&mut schema);
    RemoveRefSiblings::default().transform(&mut schema);
    ReplacePrefixItems::default().transform(&mut schema);
    schema.into()
}

/// The schema at another place of a document: its references start there.
fn with_references(schema: &Value, base: &str) -> Value {
    match schema {
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| {
                let value = match value {
                    Value::String(reference) if key == "$ref" => {
                        let rest = reference.strip_prefix('#').unwrap_or(reference);
                        Value::String(format!("{base}{rest}"))
                    }
                    value => with_references(value, base),
                };
                (key.clone(), value)
            });
            Value::Object(members.filter(|(key, _)| key != "$schema").collect())
        }
        Value::Array(items) => items.iter().map(|item| with_references(item, base)).collect(),
        value => value.clone(),
    }
}
