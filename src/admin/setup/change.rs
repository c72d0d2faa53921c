//! The changes of a plan.

use std::fmt;

use serde::Serialize;

use crate::base::text::safe;

/// The action on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// The resource is created, `[+]`.
    Add,
    /// The resource is updated, or recreated if its data may be lost, `[~]`.
    Change,
    /// The resource is deleted, `[-]`.
    Delete,
}

impl Action {
    pub(crate) fn sign(self) -> char {
        match self {
            Self::Add => '+',
            Self::Change => '~',
            Self::Delete => '-',
        }
    }
}

/// The kind of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ResourceKind {
    /// A Pub/Sub topic.
    Topic,
    /// The pull subscription that keeps dead letters.
    DeadLetterSubscription,
    /// The push subscription of a subscriber.
    Subscription,
    /// A role of Pub/Sub's own account, which dead letters need.
    IamBinding,
    /// A Cloud Tasks queue.
    Queue,
    /// A Cloud Scheduler job.
    Schedule,
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topic => "topic",
            Self::DeadLetterSubscription => "dead-letter subscription",
            Self::Subscription => "subscription",
            Self::IamBinding => "IAM binding",
            Self::Queue => "queue",
            Self::Schedule => "schedule",
        })
    }
}

/// A field with a different value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FieldChange {
    /// The field's name in Google's API.
    pub field: String,
    /// The value in the cloud; `None` if it has none.
    pub old: Option<String>,
    /// The desired value; `None` if it should have none.
    pub new: Option<String>,
}

impl FieldChange {
    pub(crate) fn new(field: &str, old: Option<String>, new: Option<String>) -> Self {
        Self {
            field: field.to_owned(),
            old,
            new,
        }
    }
}

/// The collected differences.
#[derive(Default)]
pub(crate) struct Differences(Vec<FieldChange>);

impl Differences {
    pub fn push(&mut self, field: &str, old: Option<String>, new: Option<String>) {
        if old != new {
            self.0.push(FieldChange::new(field, old, new));
        }
    }

    /// Only if the code specifies a value.
    pub fn push_asked(&mut self, field: &str, old: Option<String>, new: Option<String>) {
        if new.is_some() {
            self.push(field, old, new);
        }
    }

    pub fn into_fields(self) -> Vec<FieldChange> {
        self.0
    }
}

/// One change of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// The action.
    pub action: Action,
    /// The kind of the resource.
    pub kind: ResourceKind,
    /// The name in the code: the subscriber's name, or the last part of the path.
    pub name: String,
    /// The full path.
    pub resource: String,
    /// The fields that are changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// The data that the change loses, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_loss: Option<String>,
}

impl Change {
    pub(crate) fn new(action: Action, kind: ResourceKind, name: &str, resource: &str) -> Self {
        Self {
            action,
            kind,
            name: name.to_owned(),
            resource: resource.to_owned(),
            fields: Vec::new(),
            data_loss: None,
        }
    }
}

/// `[~] subscription Auditor`, and a line for each field and for lost data.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, kind, name) = (self.action.sign(), self.kind, safe(&self.name));
        write!(f, "[{sign}] {kind} {name}")?;
        // The old value comes from the cloud.
        let text = |value: &Option<String>| {
            let value = value.as_deref().filter(|value| !value.is_empty()).map(safe);
            value.map_or_else(|| "(none)".to_owned(), std::borrow::Cow::into_owned)
        };
        for change in &self.fields {
            let (old, new) = (text(&change.old), text(&change.new));
            write!(f, "\n      {}: {old} -> {new}", safe(&change.field))?;
        }
        if let Some(loss) = &self.data_loss {
            write!(f, "\n      loses: {}", safe(loss))?;
        }
        Ok(())
    }
}
