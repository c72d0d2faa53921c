//! When a schedule is due: its text and its time zone.

use std::time::SystemTime;

use cloud_tasks_rules::times::{self, Words};
use jiff::tz::TimeZone;
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};

use super::calendar;
use crate::base::Invalid;

/// The times of a schedule.
#[derive(Clone, Debug)]
pub(super) struct Timing {
    text: String,
    zone: TimeZone,
    rule: Words,
}

impl Timing {
    /// Parses the times and the zone, or returns every error.
    pub fn parse(every: &str, zone: &str) -> Result<Self, Vec<Invalid>> {
        let parsed = times::parse(every).map_err(|reasons| {
            let error = |reason| Invalid::because(format!("the times {every:?} are not accepted: {reason}"));
            reasons.into_iter().map(error).collect::<Vec<_>>()
        });
        match (parsed, time_zone(zone)) {
            (Ok((text, rule)), Ok(zone)) => Ok(Self { text, zone, rule }),
            (parsed, zone) => Err(parsed.err().into_iter().flatten().chain(zone.err()).collect()),
        }
    }

    /// The schedule as Cloud Scheduler accepts it.
    pub fn text(&self) -> String {
        self.text.clone()
    }

    pub fn next_after(&self, after: SystemTime) -> Option<SystemTime> {
        let after = Timestamp::try_from(after).ok()?;
        let next = match &self.rule {
            Words::Interval(minutes) => {
                let step = SignedDuration::from_mins(i64::from(*minutes));
                whole_second(after)?.checked_add(step).ok()?
            }
            Words::Calendar(calendar) => calendar::next_after(calendar, &self.zone, after)?,
        };
        Some(next.into())
    }
}

/// Looks up a time zone; its name must be spelled as in the database.
fn time_zone(name: &str) -> Result<TimeZone, Invalid> {
    let unknown = |known| Invalid::because(times::unknown_time_zone(name, known));
    let zone = TimeZone::get(name).map_err(|_| unknown(None))?;
    match zone.iana_name() {
        Some(known) if known == name => Ok(zone),
        known => Err(unknown(known.filter(|known| *known != "Etc/Unknown"))),
    }
}

/// A time without its fraction of a second.
fn whole_second(time: Timestamp) -> Option<Timestamp> {
    let down = TimestampRound::new()
        .smallest(Unit::Second)
        .mode(RoundMode::Floor);
    time.round(down).ok()
}
