//! Values of options as fields of a resource in Google's APIs.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use google_cloud_pubsub::model::ExpirationPolicy;
use google_cloud_wkt::Duration as WktDuration;

use crate::admin::setup::convert;
use crate::base::Error;

/// A field of a resource, or of a policy in it.
macro_rules! field {
    ($resource:expr, $field:ident) => {
        Some(&$resource.$field)
    };
    ($resource:expr, $policy:ident.$field:ident) => {
        $resource.$policy.as_ref().map(|policy| &policy.$field)
    };
}

/// The same, to be changed; a missing policy is created.
macro_rules! field_mut {
    ($resource:expr, $field:ident) => {
        &mut $resource.$field
    };
    ($resource:expr, $policy:ident.$field:ident) => {
        &mut $resource.$policy.get_or_insert_default().$field
    };
}

pub(super) use {field, field_mut};

/// A value that a field of this type holds.
pub(crate) trait ApiField<Field> {
    /// The field with this value.
    fn to_field(&self) -> Result<Field, Error>;

    /// The value of a field as it is shown; `None` if the field has none.
    fn text(field: &Field) -> Option<String>;

    /// Writes a desired field over the current one.
    fn overlay(current: &mut Field, desired: &Field)
    where
        Field: Clone,
    {
        current.clone_from(desired);
    }
}

/// Whole seconds; 0 means none.
impl ApiField<i32> for Duration {
    fn to_field(&self) -> Result<i32, Error> {
        Ok(i32::try_from(self.as_secs()).unwrap_or(i32::MAX))
    }

    fn text(field: &i32) -> Option<String> {
        (*field != 0).then(|| format!("{field}s"))
    }
}

/// 0 means none.
impl ApiField<f64> for f64 {
    fn to_field(&self) -> Result<f64, Error> {
        Ok(*self)
    }

    fn text(field: &f64) -> Option<String> {
        (*field > 0.0).then(|| field.to_string())
    }
}

/// 0 means none.
impl ApiField<i32> for i32 {
    fn to_field(&self) -> Result<i32, Error> {
        Ok(*self)
    }

    fn text(field: &i32) -> Option<String> {
        (*field != 0).then(|| field.to_string())
    }
}

/// 0 means none.
impl ApiField<i32> for u32 {
    fn to_field(&self) -> Result<i32, Error> {
        Ok(convert::number(Some(*self)))
    }

    fn text(field: &i32) -> Option<String> {
        <i32 as ApiField<i32>>::text(field)
    }
}

impl ApiField<Option<WktDuration>> for Duration {
    fn to_field(&self) -> Result<Option<WktDuration>, Error> {
        convert::duration(*self, "Google Cloud").map(Some)
    }

    fn text(field: &Option<WktDuration>) -> Option<String> {
        field.map(String::from)
    }
}

/// [`Duration::MAX`] means never, which is a policy without a time to live.
impl ApiField<Option<ExpirationPolicy>> for Duration {
    fn to_field(&self) -> Result<Option<ExpirationPolicy>, Error> {
        let policy = ExpirationPolicy::new();
        Ok(Some(match *self {
            Self::MAX => policy,
            time => policy.set_ttl(convert::duration(time, "Pub/Sub")?),
        }))
    }

    fn text(field: &Option<ExpirationPolicy>) -> Option<String> {
        let policy = field.as_ref()?;
        Some(policy.ttl.map_or_else(|| "never".to_owned(), String::from))
    }

    fn overlay(current: &mut Option<ExpirationPolicy>, desired: &Option<ExpirationPolicy>) {
        // The other fields of the policy stay.
        let ttl = desired.as_ref().and_then(|policy| policy.ttl);
        current.get_or_insert_default().ttl = ttl;
    }
}

/// Pairs of texts; those that others have set by hand stay.
impl ApiField<HashMap<String, String>> for &[(&str, &str)] {
    fn to_field(&self) -> Result<HashMap<String, String>, Error> {
        let pairs = self.iter();
        Ok(pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect())
    }

    fn text(field: &HashMap<String, String>) -> Option<String> {
        let sorted: BTreeMap<_, _> = field.iter().collect();
        let pairs: Vec<String> = sorted
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join(", "))
    }

    fn overlay(current: &mut HashMap<String, String>, desired: &HashMap<String, String>) {
        current.extend(desired.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}
