//! Whether a new type reads what an old one has written.

use std::fmt;

use serde_json::Value;

use crate::admin::schema::alternatives::alternatives;
use crate::admin::schema::values::{Items, Kind, Object, Others, Text};

/// The extension of a field's schema that lists its older names, as `#[serde(alias)]` does for serde.
const ALIASES: &str = "x-aliases";
/// Deeper than any value that JSON here may have.
const MAX_DEPTH: usize = 128;

/// A difference between two contracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    path: String,
    text: String,
    breaks: bool,
}

impl Change {
    pub(super) fn whole(text: impl Into<String>, breaks: bool) -> Self {
        Self {
            path: String::new(),
            text: text.into(),
            breaks,
        }
    }

    /// Whether some values of the older program do not decode any more.
    pub fn breaks(&self) -> bool {
        self.breaks
    }

    /// What changed, without its path.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The field that changed, such as `customer.name`; empty for the whole value.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.text)
        } else {
            write!(f, "{}: {}", self.path, self.text)
        }
    }
}

/// A comparison of what was written with what is read.
#[derive(Clone)]
pub(super) struct Comparison<'a> {
    written: &'a Value,
    read: &'a Value,
    /// The pairs of references that are being compared: a type that contains itself fits if everything else does.
    open: Vec<(String, String)>,
    path: Vec<String>,
    changes: Vec<Change>,
}

impl<'a> Comparison<'a> {
    pub fn of(written: &'a Value, read: &'a Value) -> Vec<Change> {
        let mut comparison = Self {
            written,
            read,
            open: Vec::new(),
            path: Vec::new(),
            changes: Vec::new(),
        };
        comparison.schemas(&as_arguments(written), &as_arguments(read));
        let mut changes: Vec<Change> = Vec::new();
        for change in comparison.changes {
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
        changes
    }

    fn note(&mut self, text: impl Into<String>, breaks: bool) {
        self.changes.push(Change {
            path: self.path.join("."),
            text: text.into(),
            breaks,
        });
    }

    fn within(&mut self, name: &str, old: &Value, new: &Value) {
        self.path.push(name.to_owned());
        self.schemas(old, new);
        self.path.pop();
    }

    /// Compares a pair of schemas.
    fn schemas(&mut self, old: &Value, new: &Value) {
        let pair = reference(old).zip(reference(new));
        if pair.as_ref().is_some_and(|pair| self.open.contains(pair)) || self.path.len() > MAX_DEPTH {
            return;
        }
        let pushed = pair.map(|pair| self.open.push(pair)).is_some();
        let new = alternatives(new, self.read);
        for old in alternatives(old, self.written) {
            self.alternative(&old, &new);
        }
        if pushed {
            self.open.pop();
        }
    }

    /// Compares one alternative with those that are read.
    fn alternative(&mut self, old: &Kind, new: &[Kind]) {
        let trial = |kind: &Kind| {
            let mut trial = self.clone();
            trial.changes.clear();
            trial.kinds(old, kind);
            trial.changes
        };
        let trials: Vec<_> = new.iter().map(|kind| (kind, trial(kind))).collect();
        let fits = |changes: &[Change]| changes.iter().all(|change| !change.breaks);
        let best = trials
            .iter()
            .filter(|(_, changes)| fits(changes))
            .min_by_key(|(_, changes)| changes.len());
        if let Some((_, changes)) = best {
            self.changes.extend(changes.iter().cloned());
            return;
        }
        let variant = old.variant().filter(|_| new.len() > 1);
        let like = trials.iter().find(|(kind, _)| match &variant {
            Some(variant) => kind.variant().as_ref() == Some(variant),
            None => std::mem::discriminant(*kind) == std::mem::discriminant(old),
        });
        match (like, variant) {
            (Some((_, changes)), _) => self.changes.extend(changes.iter().cloned()),
            (None, Some(variant)) => self.note(format!("the variant {variant} is not read any more"), true),
            (None, None) => {
                let expected: Vec<_> = new.iter().map(Kind::noun).collect();
                let expected = expected.join(" or ");
                self.note(format!("it was {}, and is {expected} now", old.noun()), true);
            }
        }
    }

    fn kinds(&mut self, old: &Kind, new: &Kind) {
        match (old, new) {
            (_, Kind::Anything)
            | (Kind::Null, Kind::Null)
            | (Kind::Boolean, Kind::Boolean)
            | (Kind::Integer(..) | Kind::Number, Kind::Number)
            | (
                Kind::Constant(Value::String(_)),
                Kind::Text(Text {
                    format: None,
                    is_char: false,
                }),
            ) => {}
            (Kind::Integer(min, max), Kind::Integer(least, most)) if least <= min && max <= most => {}
            (Kind::Constant(old), Kind::Constant(new)) if old == new => {}
            (Kind::Text(old), Kind::Text(new)) if reads_text(old, new) => {}
            (Kind::Array(old), Kind::Array(new)) => self.arrays(old, new),
            (Kind::Object(old), Kind::Object(new)) => self.objects(old, new),
            _ => self.note(format!("it was {}, and is {} now", old.noun(), new.noun()), true),
        }
    }

    fn arrays(&mut self, old: &Items, new: &Items) {
        if new.min > old.min || new.max < old.max {
            self.note("its number of items has changed", true);
        }
        let anything = Value::Bool(true);
        for (at, item) in old.prefix.iter().enumerate() {
            let read = new.prefix.get(at).or(new.rest.as_ref()).unwrap_or(&anything);
            self.within(&at.to_string(), item, read);
        }
        if let Some(item) = &old.rest {
            for read in new.prefix.iter().chain(&new.rest) {
                self.within("[]", item, read);
            }
        }
    }

    fn objects(&mut self, old: &Object, new: &Object) {
        let mut by_alias = Vec::new();
        for (name, field) in &old.fields {
            if let Some(read) = new.fields.get(name) {
                self.within(name, field, read);
            } else if let Some((present, read)) = new.fields.iter().find(|(_, read)| has_alias(read, name)) {
                by_alias.push((present.as_str(), name.as_str()));
                self.within(name, field, read);
            } else {
                self.removed(name, field, &new.others);
            }
        }
        for name in &new.required {
            let written = by_alias.iter().find(|(present, _)| present == name);
            let written = written.map_or(name.as_str(), |(_, older)| older);
            if old.required.contains(written) {
                continue;
            }
            self.path.push(name.clone());
            if old.fields.contains_key(written) {
                self.note("it is required, and older values may not have it", true);
            } else {
                self.note(
                    "a new field that is required, and older values do not have it",
                    true,
                );
            }
            self.path.pop();
        }
        for name in new.fields.keys() {
            let is_known =
                old.fields.contains_key(name) || by_alias.iter().any(|(present, _)| present == name);
            if !is_known && !new.required.contains(name) {
                self.path.push(name.clone());
                self.note("a new field that may be missing", false);
                self.path.pop();
            }
        }
        if let Others::Each(values) = &old.others {
            match &new.others {
                Others::Each(read) => self.within("*", values, read),
                Others::Ignored => {}
                Others::Refused => self.note("fields of any name are not read any more", true),
            }
        }
    }

    fn removed(&mut self, name: &str, field: &Value, others: &Others) {
        match others {
            Others::Each(read) => self.within(name, field, read),
            Others::Ignored | Others::Refused => {
                let is_refused = matches!(others, Others::Refused);
                self.path.push(name.to_owned());
                self.note(
                    if is_refused {
                        "the field was removed, and unknown fields are refused"
                    } else {
                        "the field was removed; older values have it, and it is ignored"
                    },
                    is_refused,
                );
                self.path.pop();
            }
        }
    }
}

fn reads_text(old: &Text, new: &Text) -> bool {
    let format = new.format.is_none() || new.format == old.format;
    format && (old.is_char || !new.is_char)
}

fn has_alias(field: &Value, name: &str) -> bool {
    let aliases = field.get(ALIASES).and_then(Value::as_array);
    aliases.is_some_and(|aliases| aliases.iter().any(|alias| alias == name))
}

fn reference(schema: &Value) -> Option<String> {
    schema.get("$ref")?.as_str().map(str::to_owned)
}

/// What has no fields travels as `{}`, and its schema says `null`.
fn as_arguments(schema: &Value) -> Value {
    match schema.get("type").and_then(Value::as_str) {
        Some("null") => serde_json::json!({"type": "object"}),
        _ => schema.clone(),
    }
}
