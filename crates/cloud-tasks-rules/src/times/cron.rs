//! Cron schedules as Cloud Scheduler accepts them: five fields of unix-cron. Source:
//! <https://cloud.google.com/scheduler/docs/configuring/cron-job-schedules>.

use super::calendar::{Calendar, Days, bits, has};

/// A field of a cron schedule.
struct Field {
    name: &'static str,
    min: u8,
    max: u8,
    /// Names of values, starting with the smallest.
    names: &'static [&'static str],
    /// The accepted values, in words.
    accepted: &'static str,
}

const MINUTE: Field = Field {
    name: "minute",
    min: 0,
    max: 59,
    names: &[],
    accepted: "0-59",
};
const HOUR: Field = Field {
    name: "hour",
    min: 0,
    max: 23,
    names: &[],
    accepted: "0-23",
};
const MONTHDAY: Field = Field {
    name: "day of the month",
    min: 1,
    max: 31,
    names: &[],
    accepted: "1-31",
};
const MONTH: Field = Field {
    name: "month",
    min: 1,
    max: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
    accepted: "1-12 or JAN-DEC",
};
const WEEKDAY: Field = Field {
    name: "day of the week",
    min: 0,
    max: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    accepted: "0-7 or SUN-SAT, where 0 and 7 are Sunday",
};

const SHORTHANDS: &[(&str, &str)] = &[
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

impl Calendar {
    /// The cron schedule of `@daily` and similar names.
    pub(super) fn cron_of(shorthand: &str) -> Result<&'static str, String> {
        let known = SHORTHANDS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(shorthand));
        known.map(|(_, cron)| *cron).ok_or_else(|| {
            let names: Vec<_> = SHORTHANDS.iter().map(|(name, _)| *name).collect();
            format!("there is no {shorthand:?}: {} are known", names.join(", "))
        })
    }

    /// Parses five fields; every error is reported.
    pub(super) fn from_cron(text: &str) -> Result<Self, Vec<String>> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, monthday, month, weekday] = parts[..] else {
            let fields = match parts.len() {
                1 => "one field".to_owned(),
                count => format!("{count} fields"),
            };
            let seconds = if parts.len() == 6 { ", and no seconds" } else { "" };
            return Err(vec![format!(
                "it has {fields}; cron has 5{seconds}: minute, hour, day of the month, month, day of the week, as in `0 9 * * 1-5`; in words it is `every 5 minutes`"
            )]);
        };
        let fields = [
            (&MINUTE, minute),
            (&HOUR, hour),
            (&MONTHDAY, monthday),
            (&MONTH, month),
            (&WEEKDAY, weekday),
        ];
        let mut errors = Vec::new();
        let [minutes, hours, monthdays, months, weekdays] = fields.map(|(field, text)| {
            field.parse(text).unwrap_or_else(|error| {
                errors.push(error);
                0
            })
        });
        if !errors.is_empty() {
            return Err(errors);
        }
        let sunday = u64::from(has(weekdays, 7));
        let times = (0..24).filter(|hour| has(hours, *hour)).flat_map(|hour| {
            let of_hour = (0..60).filter(|minute| has(minutes, *minute));
            of_hour.map(move |minute| u16::from(hour) * 60 + u16::from(minute))
        });
        let days = Days {
            months,
            monthdays,
            weekdays: (weekdays | sunday) & bits(0, 6),
            // The rule of Vixie cron: if both are restricted, a match of either is enough.
            either: !monthday.starts_with('*') && !weekday.starts_with('*'),
            ..Days::ALL
        };
        Ok(Self {
            days,
            times: times.collect(),
        })
    }
}

impl Field {
    /// The values of a field, as bits.
    fn parse(&self, text: &str) -> Result<u64, String> {
        let mut set = 0;
        for part in text.split(',') {
            set |= self.part(part).map_err(|why| {
                let Self { name, accepted, .. } = self;
                let article = if *name == "hour" { "an" } else { "a" };
                format!(
                    "its {name} {text:?} is not accepted{why}; {article} {name} is {accepted}, a range such as {}, `*`, either with \
                     a step such as `*/2`, or a list of them with commas",
                    self.range()
                )
            })?;
        }
        Ok(set)
    }

    /// A range as messages show it.
    fn range(&self) -> &'static str {
        match self.name {
            "minute" => "`0-29`",
            "hour" => "`9-17`",
            "month" => "`1-6`",
            "day of the week" => "`1-5`",
            _ => "`1-15`",
        }
    }

    fn part(&self, part: &str) -> Result<u64, String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.min, self.max.min(self.last_of_star())),
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            None if step.is_some() => {
                return Err(format!(
                    " at {part:?}: a step follows a range, as in `{range}-{}/{}`",
                    self.max,
                    step.unwrap_or_default()
                ));
            }
            None => {
                let value = self.value(range)?;
                (value, value)
            }
        };
        if first > last {
            return Err(format!(" at {part:?}: it ends before it begins"));
        }
        let step = match step {
            None => 1,
            Some(step) => number(step)
                .filter(|step| *step > 0)
                .ok_or_else(|| format!(" at {part:?}: a step is a whole number from 1"))?,
        };
        if step > 1 && step > last - first {
            return Err(format!(
                " at {part:?}: the step is longer than the range, which leaves {first} alone"
            ));
        }
        let values = (first..=last).step_by(usize::from(step));
        Ok(values.fold(0, |set, value| set | 1 << value))
    }

    /// Day 7 of the week is day 0 again.
    fn last_of_star(&self) -> u8 {
        if self.names.len() == 7 { 6 } else { self.max }
    }

    fn value(&self, text: &str) -> Result<u8, String> {
        let named = self
            .names
            .iter()
            .zip(self.min..)
            .find(|(name, _)| name.eq_ignore_ascii_case(text));
        named
            .map(|(_, value)| value)
            .or_else(|| number(text).filter(|value| (self.min..=self.max).contains(value)))
            .ok_or_else(|| format!(" at {text:?}"))
    }
}

/// Digits only: no sign.
fn number(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
