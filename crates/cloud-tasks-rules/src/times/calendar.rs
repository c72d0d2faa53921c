//! Days and times of day.

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

/// Whether a number is in a set.
pub fn has(set: u64, bit: u8) -> bool {
    set & (1 << bit) != 0
}

/// A selection of days: sets of numbers as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
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
    /// Every day.
    pub const ALL: Self = Self {
        months: bits(1, 12),
        monthdays: bits(1, 31),
        weekdays: bits(0, 6),
        weeks: bits(1, 5),
        either: false,
    };

    /// Whether a day is selected: its month and its number from 1, its weekday from Sunday, 0.
    pub fn contain(&self, month: u8, day: u8, weekday: u8) -> bool {
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
pub struct Calendar {
    /// The days.
    pub days: Days,
    /// Minutes since midnight, in order.
    pub times: Vec<u16>,
}

impl Calendar {
    /// The minutes of a day.
    pub const MINUTES_OF_DAY: u16 = 24 * 60;

    /// Whether any day matches. Each day of a month falls on each weekday in some year, the 29th of February too.
    pub(super) fn ever_comes(&self) -> bool {
        let days_of = |month| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        !self.times.is_empty()
            && (1..=12).any(|month| {
                (1..=days_of(month)).any(|day| (0..=6).any(|weekday| self.days.contain(month, day, weekday)))
            })
    }
}
