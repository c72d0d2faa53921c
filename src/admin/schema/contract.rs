//! The schemas of one type.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::admin::schema::compare::{Change, Comparison};
use crate::registry::schema::{SchemaSource, SchemaWriter};

/// The JSON Schemas of one type: what is written, and what is read.
///
/// ```
/// use cloud_tasks::schema::Contract;
/// use schemars::JsonSchema;
///
/// #[derive(JsonSchema)]
/// struct Old { invoice: u64 }
///
/// #[derive(JsonSchema)]
/// struct New { invoice: u64, currency: String }
///
/// let changes = Contract::of::<Old>().changes_to(&Contract::of::<New>());
/// assert!(changes[0].breaks());
/// assert_eq!(changes[0].to_string(), "currency: a new field that is required, and older values do not have it");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// The form that this program writes.
    written: Value,
    /// The form that this program reads, which may be wider: fields with a default may be missing.
    read: Value,
}

impl Contract {
    /// The schemas of a type.
    pub fn of<T: JsonSchema>() -> Self {
        let written = SchemaSettings::draft2020_12().for_serialize();
        let read = SchemaSettings::draft2020_12().for_deserialize();
        Self {
            written: written.into_generator().into_root_schema_for::<T>().into(),
            read: read.into_generator().into_root_schema_for::<T>().into(),
        }
    }

    /// The schemas of a registered type; `None` if it has none.
    pub(super) fn from_source(source: SchemaSource) -> Option<Self> {
        let of = |settings: SchemaSettings| {
            let mut writer = SchemaWriter(settings.into_generator());
            let schema = source(&mut writer)?;
            let definitions = writer.0.take_definitions(true);
            Some(whole(schema, definitions.into_iter().collect()))
        };
        Some(Self {
            written: of(SchemaSettings::draft2020_12().for_serialize())?,
            read: of(SchemaSettings::draft2020_12().for_deserialize())?,
        })
    }

    /// The schema of what this program writes.
    pub fn written(&self) -> &Value {
        &self.written
    }

    /// The schema of what this program reads.
    pub fn read(&self) -> &Value {
        &self.read
    }

    /// What changes if values of this contract are read by another one: the queue holds values of the older program.
    pub fn changes_to(&self, newer: &Self) -> Vec<Change> {
        Comparison::of(&self.written, &newer.read)
    }
}

/// A schema with its definitions. A reference alone is replaced by what it refers to.
fn whole(schema: Value, mut definitions: Map<String, Value>) -> Value {
    let Value::Object(mut schema) = schema else {
        return schema;
    };
    let reference = schema.get("$ref").and_then(Value::as_str).map(str::to_owned);
    if let (Some(reference), 1) = (reference, schema.len())
        && let Some(name) = reference.strip_prefix("#/$defs/").map(str::to_owned)
        && let Some(Value::Object(root)) = definitions.get(&name).cloned()
    {
        schema = root;
        let uses = |value: &Value| value.to_string().contains(&format!("\"{reference}\""));
        if !schema.values().chain(definitions.values()).any(uses) {
            definitions.remove(&name);
        }
    }
    if !definitions.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Value::Object(schema)
}
