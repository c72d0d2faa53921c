//! What a plan changes.

use std::fmt;

use serde::Serialize;

use crate::base::text::safe;

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// It is made, `[+]`.
    Add,
    /// It is changed in place, or made anew where its data may be lost, `[~]`.
    Change,
    /// It is deleted, `[-]`.
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

/// What kind of thing a resource is.
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
    /// What Pub/Sub's own account may do, which dead letters need.
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

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FieldChange {
    /// Its name in Google's API.
    pub field: String,
    /// Its value in the cloud; `None` where it has none.
    pub old: Option<String>,
    /// The value that the code asks for; `None` where it is to have none.
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

/// The fields that differ, as they are found.
#[derive(Default)]
pub(crate) struct Differences(Vec<FieldChange>);

impl Differences {
    pub(crate) fn push(&mut self, field: &str, old: Option<String>, new: Option<String>) {
        if old != new {
            self.0.push(FieldChange::new(field, old, new));
        }
    }

    /// Only where the code asks for a value.
    pub(crate) fn push_asked(&mut self, field: &str, old: Option<String>, new: Option<String>) {
        if new.is_some() {
            self.push(field, old, new);
        }
    }

    pub(crate) fn into_fields(self) -> Vec<FieldChange> {
        self.0
    }
}

/// One thing that a plan does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// What is done.
    pub action: Action,
    /// To what kind of thing.
    pub kind: ResourceKind,
    /// What the code calls it: the subscriber's name, else the last part of the path.
    pub name: String,
    /// Its full path.
    pub resource: String,
    /// What differs, where it is changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// What is lost by it, where something is.
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

/// `[~] subscription Auditor`, and a line for each field and for what is lost.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, kind, name) = (self.action.sign(), self.kind, safe(&self.name));
        write!(f, "[{sign}] {kind} {name}")?;
        // The old value is whatever stands in the cloud.
        let text = |value: &Option<String>| {
            let value = value.as_deref().map(safe);
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
