//! Reading of a message's attributes into the subscriber's type: the map, or a struct.

mod error;
mod fields;
#[cfg(test)]
mod tests;
mod value;

use std::any::{Any, TypeId};
use std::collections::{BTreeSet, VecDeque};

use serde::de::DeserializeOwned;

use crate::base::{Attributes, json, text};
use error::{Error, Mismatch};
use fields::Fields;

/// How often one message's attributes are read at most. A struct needs one more reading for each number in a flattened
/// part of it, and a message has at most 100 attributes.
const MAX_READINGS: usize = 256;

/// The map itself, or a value that is deserialized from it, with numbers and booleans parsed from their texts.
///
/// Attributes of a push without a wrapper arrive as headers, which lose their case. A field of the struct therefore
/// matches regardless of case, unless there is an exact match. In a flattened struct and in a tagged enum, whose fields serde
/// does not tell, this works for fields that must be there. Errors contain no values.
pub(super) fn read<A: DeserializeOwned + 'static>(attributes: Attributes) -> Result<A, String> {
    if TypeId::of::<A>() == TypeId::of::<Attributes>() {
        let boxed: Box<dyn Any> = Box::new(attributes);
        return boxed
            .downcast::<A>()
            .map(|same| *same)
            .map_err(|_| "attributes: they were not read".to_owned());
    }
    search(&attributes).map_err(|error| describe(&error, &attributes))
}

/// How the attributes are handed over.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Reading {
    /// The keys whose values are handed over as what their text says, a number or a boolean, and not as text.
    typed: BTreeSet<String>,
    /// The fields whose keys are spelled in another case.
    spelled: BTreeSet<&'static str>,
}

/// Reads the attributes, until each value has the type that its field wants.
///
/// Serde buffers the values of a flattened struct and of a tagged or untagged enum before it knows the fields' types, and a
/// buffered text is never read as a number. So they are handed over as texts first, and after a mismatch once more, with
/// this one value as a number or a boolean. An untagged enum that rejected a variant because of such a mismatch is read
/// again as well, since the first variant that fits is the right one.
fn search<A: DeserializeOwned>(attributes: &Attributes) -> Result<A, Error> {
    let mut seen = BTreeSet::from([Reading::default()]);
    let mut states = VecDeque::from([Reading::default()]);
    let mut found: Option<(usize, A)> = None;
    let mut failed = Error::unread();
    for _ in 0..MAX_READINGS {
        let Some(state) = states.pop_front() else { break };
        let (read, mut mismatches) = error::recorded(|| A::deserialize(Fields::new(attributes, &state)));
        // A field that is nowhere is no reason to read again.
        mismatches.retain(|mismatch| match mismatch {
            Mismatch::Missing(field) => fields::is_spelled(attributes, field),
            Mismatch::Text(_) | Mismatch::Literal(_) => true,
        });
        match read {
            Ok(read) if mismatches.is_empty() => return Ok(read),
            // Fewer mismatches: an earlier variant.
            Ok(read) if found.as_ref().is_none_or(|(count, _)| mismatches.len() < *count) => {
                found = Some((mismatches.len(), read));
            }
            Ok(_) => {}
            Err(error) => failed = error,
        }
        let next = mismatches
            .iter()
            .filter_map(|mismatch| toggled(&state, mismatch, attributes))
            .filter(|state| seen.insert(state.clone()));
        states.extend(next);
    }
    found.map(|(_, read)| read).ok_or(failed)
}

/// The next state to try after a mismatch: a text becomes typed, a typed value a text again, or a key is renamed.
fn toggled(state: &Reading, mismatch: &Mismatch, attributes: &Attributes) -> Option<Reading> {
    let mut next = state.clone();
    match mismatch {
        Mismatch::Text(address) => {
            let (key, value) = attributes
                .iter()
                .find(|(_, value)| value.as_ptr().addr() == *address)?;
            (value::Literal::of(value).is_some() && next.typed.insert(key.clone())).then_some(next)
        }
        Mismatch::Literal(literal) => {
            let is_it = |key: &&String| {
                let value = attributes.get(*key).map(String::as_str);
                value
                    .and_then(value::Literal::of)
                    .is_some_and(|own| own == *literal)
            };
            let key = state.typed.iter().find(is_it)?;
            next.typed.remove(key);
            Some(next)
        }
        Mismatch::Missing(field) => next.spelled.insert(field).then_some(next),
    }
}

fn describe(error: &Error, attributes: &Attributes) -> String {
    let key = error.address().and_then(|address| {
        let named = |(_, value): &(&String, &String)| !value.is_empty() && value.as_ptr().addr() == address;
        attributes.iter().find(named).map(|(key, _)| text::excerpt(key))
    });
    match (error.key(), key) {
        (Some(key), _) => format!("attributes.{key}: {error}"),
        (None, Some(key)) => format!("attributes.{key}: {}", json::reason(&error.to_string())),
        (None, None) => format!("attributes: {}", json::reason(&error.to_string())),
    }
}

/// The attribute with this key, or one whose key differs only in case.
pub(super) fn find<'a>(attributes: &'a Attributes, key: &str) -> Option<&'a str> {
    let other = || {
        attributes
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(key))
    };
    attributes
        .get(key)
        .or_else(|| other().map(|(_, value)| value))
        .map(String::as_str)
}
