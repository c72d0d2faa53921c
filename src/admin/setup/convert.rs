//! Conversion of our numbers and durations to those of Google's APIs.

use std::time::Duration;

use google_cloud_wkt::Duration as WktDuration;

use crate::base::Error;

/// Converts a duration.
pub(crate) fn duration(duration: Duration, service: &str) -> Result<WktDuration, Error> {
    duration.try_into().map_err(|error| {
        Error::invalid(format!("{duration:?} is longer than {service} takes")).with_source(Box::new(error))
    })
}

/// Converts a number; `None` becomes 0.
pub(crate) fn number(number: Option<u32>) -> i32 {
    number.map_or(0, |number| i32::try_from(number).unwrap_or(i32::MAX))
}
