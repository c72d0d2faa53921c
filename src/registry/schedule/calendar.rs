//! When a calendar comes, by the wall clock of a time zone.

use cloud_tasks_rules::times::{Calendar, Days};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The 29th of February falls on a given weekday only once in 40 years if a century year without it lies between.
const HORIZON_DAYS: u32 = 41 * 366;

/// The first time at or after this one, on a clock without changes.
fn at_or_after(calendar: &Calendar, from: DateTime) -> Option<DateTime> {
    let mut date = from.date();
    let mut earliest = minute_of_day(from);
    for _ in 0..HORIZON_DAYS {
        if contain(&calendar.days, date)
            && let Some(time) = calendar.times.iter().find(|time| **time >= earliest)
        {
            let hour = i8::try_from(time / 60).ok()?;
            let minute = i8::try_from(time % 60).ok()?;
            return Some(date.at(hour, minute, 0, 0));
        }
        earliest = 0;
        date = date.tomorrow().ok()?;
    }
    None
}

fn contain(days: &Days, date: Date) -> bool {
    let weekday = date.weekday().to_sunday_zero_offset().unsigned_abs();
    days.contain(date.month().unsigned_abs(), date.day().unsigned_abs(), weekday)
}

/// The first time after this one. Times that the clock skips are left out; times that it repeats occur twice.
pub(super) fn next_after(calendar: &Calendar, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let mut offset = zone.to_offset(after);
    let mut from = next_minute(offset.to_datetime(after))?;
    // Between two changes of the clock, times are in order.
    for change in zone.following(after) {
        let found = offset.to_timestamp(at_or_after(calendar, from)?).ok();
        if found.is_some_and(|found| found < change.timestamp()) {
            return found;
        }
        offset = change.offset();
        from = whole_minute(offset.to_datetime(change.timestamp()))?;
    }
    offset.to_timestamp(at_or_after(calendar, from)?).ok()
}

fn minute_of_day(time: DateTime) -> u16 {
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

/// The first whole minute after a time.
fn next_minute(time: DateTime) -> Option<DateTime> {
    let started = time.with().second(0).subsec_nanosecond(0).build().ok()?;
    started.checked_add(jiff::SignedDuration::from_mins(1)).ok()
}

/// The time itself if it is a whole minute, otherwise the next whole minute.
fn whole_minute(time: DateTime) -> Option<DateTime> {
    if time.second() == 0 && time.subsec_nanosecond() == 0 {
        Some(time)
    } else {
        next_minute(time)
    }
}
