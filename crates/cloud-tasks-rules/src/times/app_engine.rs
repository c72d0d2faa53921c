//! App Engine schedule formats: `every 5 minutes`, `every monday 09:00`, `1st,third monday of month 12:00`. Source:
//! <https://cloud.google.com/appengine/docs/standard/scheduling-jobs-with-cron-yaml>.

use super::calendar::{Calendar, Days, bits};

/// A parsed schedule in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// This many minutes after the previous time.
    Interval(u32),
    /// Times of day on some days.
    Calendar(Calendar),
}

const ORDINALS: &[&[&str]] = &[
    &["1st", "first"],
    &["2nd", "second"],
    &["3rd", "third"],
    &["4th", "fourth"],
    &["5th", "fifth"],
];
const WEEKDAYS: &[&[&str]] = &[
    &["sun", "sunday"],
    &["mon", "monday"],
    &["tue", "tuesday"],
    &["wed", "wednesday"],
    &["thu", "thursday"],
    &["fri", "friday"],
    &["sat", "saturday"],
];
const MONTHS: &[&[&str]] = &[
    &["jan", "january"],
    &["feb", "february"],
    &["mar", "march"],
    &["apr", "april"],
    &["may"],
    &["jun", "june"],
    &["jul", "july"],
    &["aug", "august"],
    &["sep", "september"],
    &["oct", "october"],
    &["nov", "november"],
    &["dec", "december"],
];
const FORMS: &str = "`every 5 minutes`, `every 2 hours synchronized`, `every 5 minutes from 10:00 to 14:00`, `every monday \
                     09:00`, `1st,third monday of month 12:00`, `1,15 of jan,july 00:00`";
/// Longer than anybody waits, and short enough to be added to any time without overflow.
const LONGEST_INTERVAL: u32 = 100_000;

impl Words {
    /// Whether a text is in words, and not cron.
    pub(super) fn are_meant(text: &str) -> bool {
        let first = tokens(text).into_iter().next().unwrap_or_default();
        first.starts_with(|first: char| first.is_alphabetic())
            || position(&first, ORDINALS).is_some()
            || tokens(text).iter().any(|token| token == "of")
    }

    /// Parses a schedule in words; an error names the position.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader {
            tokens: tokens(text),
            at: 0,
        };
        reader
            .words()
            .map_err(|expected| format!("{}: expected {expected}; the forms are {FORMS}", reader.place()))
    }
}

/// Words and commas, in lower case.
fn tokens(text: &str) -> Vec<String> {
    let spaced = text.to_lowercase().replace(',', " , ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

fn position(token: &str, names: &[&[&str]]) -> Option<u8> {
    let found = names.iter().position(|names| names.contains(&token))?;
    u8::try_from(found).ok()
}

struct Reader {
    tokens: Vec<String>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    /// The current position, for a message.
    fn place(&self) -> String {
        match self.peek() {
            "" => "it ends too early".to_owned(),
            token => format!("not understood at {token:?}"),
        }
    }

    /// Advances if the next token is this word.
    fn eat(&mut self, word: &str) -> bool {
        let here = self.peek() == word;
        self.at += usize::from(here);
        here
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.eat(word) {
            Ok(())
        } else {
            Err(format!("`{word}`"))
        }
    }

    fn words(&mut self) -> Result<Words, String> {
        let every = self.eat("every");
        let words = if every && self.peek().starts_with(|first: char| first.is_ascii_digit()) {
            self.interval()?
        } else {
            Words::Calendar(self.calendar(every)?)
        };
        if self.at < self.tokens.len() {
            return Err("nothing more".to_owned());
        }
        Ok(words)
    }

    /// `5 minutes`, and optionally a part of the day.
    fn interval(&mut self) -> Result<Words, String> {
        let number: Option<u32> = self.peek().parse().ok();
        let Some(number) = number.filter(|number| (1..=LONGEST_INTERVAL).contains(number)) else {
            return Err(format!("a whole number from 1 to {LONGEST_INTERVAL}"));
        };
        self.at += 1;
        let minutes = match self.peek() {
            "minutes" | "mins" => number,
            "hours" => number * 60,
            _ => return Err("`minutes`, `mins` or `hours`".to_owned()),
        };
        self.at += 1;
        if self.eat("synchronized") {
            return self.synchronized(minutes);
        }
        if !self.eat("from") {
            return Ok(Words::Interval(minutes));
        }
        let start = self.time()?;
        self.expect("to")?;
        let end = self.time()?;
        if u32::from(length(start, end)) < minutes {
            self.at -= 1;
            return Err("an end at least one interval after the start".to_owned());
        }
        Ok(Words::Calendar(between(start, end, minutes)))
    }

    fn synchronized(&mut self, minutes: u32) -> Result<Words, String> {
        if u32::from(Calendar::MINUTES_OF_DAY).is_multiple_of(minutes) {
            return Ok(Words::Calendar(between(0, Calendar::MINUTES_OF_DAY - 1, minutes)));
        }
        self.at -= 1;
        Err("a time that goes into 24 hours without rest before `synchronized`".to_owned())
    }

    /// Days and a time of day; the word `every` was already read.
    fn calendar(&mut self, every: bool) -> Result<Calendar, String> {
        let mut days = Days::ALL;
        let by_number = !every && self.peek().bytes().all(|byte| byte.is_ascii_digit()) && self.peek() != "";
        if by_number {
            days.monthdays = self
                .list(|token| token.parse().ok().filter(|day| (1..=31).contains(day)))
                .ok_or("a day of the month, 1 to 31")?;
            self.expect("of")?;
            days.months = self.months()?;
        } else {
            if !every {
                days.weeks = self
                    .list(|token| position(token, ORDINALS).map(|at| at + 1))
                    .ok_or("`every`, `1st` to `5th`, `first` to `fifth`, or a day of the month")?;
            }
            if !self.eat("day") {
                days.weekdays = self
                    .list(|token| position(token, WEEKDAYS))
                    .ok_or("a number of minutes or hours, a weekday such as `monday` or `mon`, or `day`")?;
            } else if !every {
                // The first day of a month is the first, not the first of each weekday.
                days.monthdays = days.weeks;
                days.weeks = Days::ALL.weeks;
            }
            if self.eat("of") {
                days.months = self.months()?;
            }
        }
        let times = vec![self.time()?];
        Ok(Calendar { days, times })
    }

    fn months(&mut self) -> Result<u64, String> {
        if self.eat("month") {
            return Ok(Days::ALL.months);
        }
        if self.eat("quarter") {
            return Ok(of_quarters(bits(1, 1)));
        }
        if let Some(ordinals) = self.list(|token| position(token, &ORDINALS[..3]).map(|at| at + 1)) {
            self.expect("month")?;
            self.expect("of")?;
            self.expect("quarter")?;
            return Ok(of_quarters(ordinals));
        }
        self.list(|token| position(token, MONTHS).map(|at| at + 1))
            .ok_or_else(|| "a month such as `january` or `jan`, `month` for each, or `quarter`".to_owned())
    }

    /// Values between commas as bits; `None` if one is unknown, which is then the current position.
    fn list(&mut self, read: impl Fn(&str) -> Option<u8>) -> Option<u64> {
        let mut set = 0;
        loop {
            set |= 1 << read(self.peek())?;
            self.at += 1;
            if !self.eat(",") {
                return Some(set);
            }
        }
    }

    /// `9:00` or `09:00`, in minutes since midnight.
    fn time(&mut self) -> Result<u16, String> {
        let time = self.peek().split_once(':').and_then(|(hour, minute)| {
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let fits = (1..=2).contains(&hour.len()) && minute.len() == 2 && digits(hour) && digits(minute);
            let hour: u16 = hour.parse().ok().filter(|hour| fits && *hour < 24)?;
            let minute: u16 = minute.parse().ok().filter(|minute| *minute < 60)?;
            Some(hour * 60 + minute)
        });
        let time = time.ok_or("a time from `00:00` to `23:59`")?;
        self.at += 1;
        Ok(time)
    }
}

/// The months that are the first, second or third of their quarter.
fn of_quarters(ordinals: u64) -> u64 {
    ordinals | ordinals << 3 | ordinals << 6 | ordinals << 9
}

/// The minutes from one time of day to another, which is on the next day if it is earlier.
fn length(start: u16, end: u16) -> u16 {
    (end + Calendar::MINUTES_OF_DAY - start) % Calendar::MINUTES_OF_DAY
}

/// Every `minutes` from one time of day to another, which is on the next day if it is earlier.
fn between(start: u16, end: u16, minutes: u32) -> Calendar {
    let length = length(start, end);
    let step = usize::try_from(minutes).unwrap_or(usize::MAX);
    let mut times: Vec<u16> = (0..=length)
        .step_by(step)
        .map(|since| (start + since) % Calendar::MINUTES_OF_DAY)
        .collect();
    times.sort_unstable();
    Calendar {
        days: Days::ALL,
        times,
    }
}
