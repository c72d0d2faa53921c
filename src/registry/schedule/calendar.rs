//! Days and times of day, by the wall clock of a time zone.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The 29th of February falls on a given weekday only once in 40 years if a century year without it lies between.
const HORIZON_DAYS: u32 = 41 * 366;

/// The bits from `first` to `last`.
pub(super) const fn bits(first: u8, last: u8) -> u64 {
    let mut set = 0;
    let mut bit = first;
    while bit <= last {
        set |= 1 << bit;
        bit += 1;
    }
    set
}

pub(super) fn has(set: u64, bit: u8) -> bool {
    set & (1 << bit) != 0
}

/// A selection of days: sets of numbers as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Days {
    /// From 1.
    pub months: u64,
    /// From 1.
    pub monthdays: u64,
    /// From Sunday, 0.
    pub weekdays: u64,
    /// The ordinal of the weekday in the month, from 1.
    pub weeks: u64,
    /// Whether a match of either the day of the month or the weekday is enough.
    pub either: bool,
}

impl Days {
    pub const ALL: Self = Self {
        months: bits(1, 12),
        monthdays: bits(1, 31),
        weekdays: bits(0, 6),
        weeks: bits(1, 5),
        either: false,
    };

    pub fn contain(&self, date: Date) -> bool {
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        let weekday = date.weekday().to_sunday_zero_offset().unsigned_abs();
        if !has(self.months, month) {
            return false;
        }
        let by_monthday = has(self.monthdays, day);
        let by_weekday = has(self.weekdays, weekday) && has(self.weeks, (day - 1) / 7 + 1);
        if self.either {
            by_monthday || by_weekday
        } else {
            by_monthday && by_weekday
        }
    }
}

/// Times of day on selected days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Calendar {
    pub days: Days,
    /// Minutes since midnight, in order.
    pub times: Vec<u16>,
}

impl Calendar {
    pub const MINUTES_OF_DAY: u16 = 24 * 60;

    /// Whether any day matches.
    pub fn ever_comes(&self) -> bool {
        self.at_or_after(DateTime::constant(2000, 1, 1, 0, 0, 0, 0))
            .is_some()
    }

    /// The first time at or after this one, on a clock without changes.
    fn at_or_after(&self, from: DateTime) -> Option<DateTime> {
        let mut date = from.date();
        let mut earliest = minute_of_day(from);
        for _ in 0..HORIZON_DAYS {
            if self.days.contain(date)
                && let Some(time) = self.times.iter().find(|time| **time >= earliest)
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

    /// The first time after this one. Times that the clock skips are left out; times that it repeats occur twice.
    pub fn next_after(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let mut offset = zone.to_offset(after);
        let mut from = next_minute(offset.to_datetime(after))?;
        // Between two changes of the clock, times are in order.
        for change in zone.following(after) {
            let found = offset.to_timestamp(self.at_or_after(from)?).ok();
            if found.is_some_and(|found| found < change.timestamp()) {
                return found;
            }
            offset = change.offset();
            from = whole_minute(offset.to_datetime(change.timestamp()))?;
        }
        offset.to_timestamp(self.at_or_after(from)?).ok()
    }
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
