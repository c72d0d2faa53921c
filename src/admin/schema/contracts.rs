//! The contracts of every task and event of a service.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::admin::schema::asyncapi;
use crate::admin::schema::compare::Change;
use crate::admin::schema::contract::Contract;
use crate::base::BoxError;
use crate::registry::Kind;
use crate::runtime::Runtime;

/// The schemas of every task and event of a service, by name.
///
/// As JSON (`serde`) they are a file that stands in the repository; a check in CI compares it with the code.
///
/// ```
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// use schemars::JsonSchema;
///
/// #[derive(Serialize, Deserialize, JsonSchema)]
/// struct PrintLabel { parcel: u64 }
///
/// #[task]
/// impl Task for PrintLabel {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, _recorder) = Runtime::recorded().build().await?;
/// let contracts = runtime.contracts();
/// let label = contracts.get("PrintLabel").and_then(|contract| contract.schemas.as_ref());
/// assert!(label.is_some_and(|schemas| schemas.read()["properties"]["parcel"]["type"] == "integer"));
/// assert!(contracts.changes_to(&runtime.contracts()).is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contracts(BTreeMap<String, NamedContract>);

/// The contract of one task, event or subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NamedContract {
    /// Where it travels: the path of a task, or the topic of an event.
    pub channel: String,
    /// Whether this service sends it, and does not receive it.
    pub sent: bool,
    /// Further names that it answers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The schemas, unless the type has none.
    pub schemas: Option<Contract>,
}

impl Runtime {
    /// The schemas of every registered type.
    pub fn contracts(&self) -> Contracts {
        let config = self.config();
        let all = self.registry().registrations().into_iter();
        let named = all.map(|registration| {
            let (channel, sent) = match &registration.kind {
                Kind::Task => (format!("/tasks/{}", registration.name), !registration.runs_here()),
                Kind::Publisher { topic } => (topic().name(config), true),
                Kind::Subscriber(options) => ((options.topic)().name(config), false),
            };
            let contract = NamedContract {
                channel,
                sent,
                aliases: registration
                    .aliases
                    .iter()
                    .map(|&alias| alias.to_owned())
                    .collect(),
                schemas: Contract::from_source(registration.schema),
            };
            (registration.name.to_owned(), contract)
        });
        Contracts(named.collect())
    }
}

impl Contracts {
    /// Reads a file that an earlier program has written.
    ///
    /// # Errors
    ///
    /// If it is not the JSON of contracts.
    pub fn from_json(json: &[u8]) -> Result<Self, BoxError> {
        Ok(serde_json::from_slice(json)?)
    }

    /// The contract of a name.
    pub fn get(&self, name: &str) -> Option<&NamedContract> {
        self.0.get(name)
    }

    /// The names of the types without a schema: those that do not derive `JsonSchema`.
    pub fn without_schema(&self) -> Vec<&str> {
        let without = self.0.iter().filter(|(_, contract)| contract.schemas.is_none());
        without.map(|(name, _)| name.as_str()).collect()
    }

    /// What changed since these contracts were written, each with the name that it is about.
    pub fn changes_to(&self, newer: &Self) -> Vec<(String, Change)> {
        let mut changes = Vec::new();
        for (name, old) in &self.0 {
            for change in newer.changes_of(name, old) {
                changes.push((name.clone(), change));
            }
        }
        for name in newer.0.keys().filter(|name| !self.has(name)) {
            let is_renamed = newer.0[name].aliases.iter().any(|alias| self.has(alias));
            if !is_renamed {
                changes.push((name.clone(), Change::whole("it is new", false)));
            }
        }
        changes
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn changes_of(&self, name: &str, old: &NamedContract) -> Vec<Change> {
        let by_alias = || {
            self.0
                .values()
                .find(|new| new.aliases.iter().any(|alias| alias == name))
        };
        let Some(new) = self.0.get(name).or_else(by_alias) else {
            let text =
                "it was removed: what waits under this name is answered 404; keep the name in `aliases`";
            return vec![Change::whole(text, true)];
        };
        match (&old.schemas, &new.schemas) {
            (Some(old), Some(new)) => old.changes_to(new),
            (Some(_), None) => vec![Change::whole(
                "its schema is gone, so nothing is known of what still decodes: derive `JsonSchema`",
                true,
            )],
            (None, Some(_)) => vec![Change::whole("it has a schema now", false)],
            (None, None) => Vec::new(),
        }
    }

    /// An `AsyncAPI` 3 document with every type that has a schema.
    pub fn asyncapi(&self, title: &str, version: &str) -> Value {
        asyncapi::document(title, version, &self.0)
    }
}
