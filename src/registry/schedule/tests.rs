//! When schedules are due, and the errors of invalid ones.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::DateTime;
use proptest::prelude::*;

use super::timing::Timing;

fn timing(every: &str, zone: &str) -> Timing {
    Timing::parse(every, zone).unwrap_or_else(|errors| panic!("{every}: {errors:?}"))
}

fn at(time: &str) -> SystemTime {
    time.parse::<Timestamp>().unwrap().into()
}

/// The times after an instant, in UTC.
fn times(every: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let timing = timing(every, zone);
    let next = |time: &SystemTime| timing.next_after(*time);
    std::iter::successors(Some(at(after)), next)
        .skip(1)
        .take(count)
        .map(|time| humantime::format_rfc3339(time).to_string())
        .collect()
}

#[track_caller]
fn assert_times(every: &str, zone: &str, after: &str, expected: &[&str]) {
    assert_eq!(times(every, zone, after, expected.len()), expected, "{every}");
}

#[track_caller]
fn assert_refused(every: &str, said: &[&str]) {
    let errors = Timing::parse(every, "UTC").map(drop).unwrap_err();
    let message = errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    for part in said.iter().copied().chain([format!("{every:?}").as_str()]) {
        assert!(message.contains(part), "{every}: {part}: {message}");
    }
}

#[test]
fn cron_is_due_when_its_fields_say() {
    // The 1st of January 2024 was a Monday.
    for (every, expected) in [
        ("* * * * *", ["2024-01-01T00:01:00Z", "2024-01-01T00:02:00Z"]),
        ("*/20 * * * *", ["2024-01-01T00:20:00Z", "2024-01-01T00:40:00Z"]),
        (
            "5,10-11 0 * * *",
            ["2024-01-01T00:05:00Z", "2024-01-01T00:10:00Z"],
        ),
        ("0 9-17/4 * * *", ["2024-01-01T09:00:00Z", "2024-01-01T13:00:00Z"]),
        ("0 0 * * 1-5", ["2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"]),
        (
            "30 6 * * SAT,sun",
            ["2024-01-06T06:30:00Z", "2024-01-07T06:30:00Z"],
        ),
        ("0 0 * * 7", ["2024-01-07T00:00:00Z", "2024-01-14T00:00:00Z"]),
        ("0 0 * * 5-7", ["2024-01-05T00:00:00Z", "2024-01-06T00:00:00Z"]),
        ("0 0 31 * *", ["2024-01-31T00:00:00Z", "2024-03-31T00:00:00Z"]),
        ("0 0 29 2 *", ["2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"]),
        (
            "0 0 1 JAN-MAR/2 *",
            ["2024-03-01T00:00:00Z", "2025-01-01T00:00:00Z"],
        ),
        ("0 0 13 * FRI", ["2024-01-05T00:00:00Z", "2024-01-12T00:00:00Z"]),
        (
            "  0  0\t1 1 *  ",
            ["2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"],
        ),
        ("@hourly", ["2024-01-01T01:00:00Z", "2024-01-01T02:00:00Z"]),
        ("@Daily", ["2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"]),
        ("@weekly", ["2024-01-07T00:00:00Z", "2024-01-14T00:00:00Z"]),
        ("@monthly", ["2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"]),
        ("@yearly", ["2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"]),
    ] {
        assert_times(every, "UTC", "2024-01-01T00:00:00Z", &expected);
    }
}

#[test]
fn where_both_days_are_restricted_one_of_them_is_enough_unless_one_begins_with_a_star() {
    assert_times(
        "0 0 10 * MON",
        "UTC",
        "2024-01-01T00:00:00Z",
        &[
            "2024-01-08T00:00:00Z",
            "2024-01-10T00:00:00Z",
            "2024-01-15T00:00:00Z",
        ],
    );
    assert_times(
        "0 0 */2 * MON",
        "UTC",
        "2024-01-01T00:00:00Z",
        &["2024-01-15T00:00:00Z", "2024-01-29T00:00:00Z"],
    );
}

#[test]
fn words_are_due_when_they_say() {
    for (every, expected) in [
        (
            "every 5 minutes",
            ["2024-01-01T00:05:30Z", "2024-01-01T00:10:30Z"],
        ),
        ("every 90 mins", ["2024-01-01T01:30:30Z", "2024-01-01T03:00:30Z"]),
        ("Every 2 Hours", ["2024-01-01T02:00:30Z", "2024-01-01T04:00:30Z"]),
        (
            "every 2 hours synchronized",
            ["2024-01-01T02:00:00Z", "2024-01-01T04:00:00Z"],
        ),
        (
            "every 5 minutes from 10:00 to 10:05",
            ["2024-01-01T10:00:00Z", "2024-01-01T10:05:00Z"],
        ),
        (
            "every 2 hours from 23:00 to 2:00",
            ["2024-01-01T01:00:00Z", "2024-01-01T23:00:00Z"],
        ),
        (
            "every day 00:00",
            ["2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"],
        ),
        (
            "every monday 09:00",
            ["2024-01-01T09:00:00Z", "2024-01-08T09:00:00Z"],
        ),
        (
            "every mon,fri of month 9:05",
            ["2024-01-01T09:05:00Z", "2024-01-05T09:05:00Z"],
        ),
        (
            "1st,third monday of month 12:00",
            ["2024-01-01T12:00:00Z", "2024-01-15T12:00:00Z"],
        ),
        (
            "5th tuesday 12:00",
            ["2024-01-30T12:00:00Z", "2024-04-30T12:00:00Z"],
        ),
        (
            "2nd, third mon, wed, thu of march 17:00",
            ["2024-03-11T17:00:00Z", "2024-03-13T17:00:00Z"],
        ),
        (
            "first day of month 08:00",
            ["2024-01-01T08:00:00Z", "2024-02-01T08:00:00Z"],
        ),
        (
            "1 of jan,april,july,oct 00:00",
            ["2024-04-01T00:00:00Z", "2024-07-01T00:00:00Z"],
        ),
        (
            "1,15 of month 00:00",
            ["2024-01-15T00:00:00Z", "2024-02-01T00:00:00Z"],
        ),
        (
            "1st monday of quarter 00:00",
            ["2024-04-01T00:00:00Z", "2024-07-01T00:00:00Z"],
        ),
        (
            "3 of second month of quarter 00:00",
            ["2024-02-03T00:00:00Z", "2024-05-03T00:00:00Z"],
        ),
    ] {
        assert_times(every, "UTC", "2024-01-01T00:00:30.5Z", &expected);
    }
}

#[test]
fn times_are_those_of_the_wall_clock_of_the_zone() {
    assert_times(
        "0 9 * * *",
        "Europe/Paris",
        "2024-03-30T00:00:00Z",
        &["2024-03-30T08:00:00Z", "2024-03-31T07:00:00Z"],
    );
    assert_times(
        "every day 09:00",
        "America/New_York",
        "2024-07-01T00:00:00Z",
        &["2024-07-01T13:00:00Z"],
    );
    assert_times(
        "@daily",
        "Asia/Kathmandu",
        "2024-07-01T00:00:00Z",
        &["2024-07-01T18:15:00Z"],
    );
}

#[test]
fn what_the_clock_skips_does_not_come_and_what_it_repeats_comes_twice() {
    assert_times(
        "30 2 * * *",
        "Europe/Paris",
        "2024-03-30T12:00:00Z",
        &["2024-04-01T00:30:00Z"],
    );
    assert_times(
        "30 2 * * *",
        "Europe/Paris",
        "2024-10-26T12:00:00Z",
        &[
            "2024-10-27T00:30:00Z",
            "2024-10-27T01:30:00Z",
            "2024-10-28T01:30:00Z",
        ],
    );
    assert_times(
        "*/30 * * * *",
        "Europe/Paris",
        "2024-03-31T00:15:00Z",
        &[
            "2024-03-31T00:30:00Z",
            "2024-03-31T01:00:00Z",
            "2024-03-31T01:30:00Z",
        ],
    );
}

#[test]
fn a_mistaken_field_is_named_with_what_it_takes() {
    for (every, said) in [
        ("60 * * * *", &["minute \"60\"", "0-59"] as &[_]),
        ("* 24 * * *", &["hour \"24\"", "0-23"]),
        ("* * 0 * *", &["day of the month \"0\"", "1-31"]),
        ("* * * 13 *", &["month \"13\"", "1-12 or JAN-DEC"]),
        ("* * * * 8", &["day of the week \"8\"", "0-7 or SUN-SAT"]),
        ("* * * * monday", &["at \"monday\"", "SUN-SAT"]),
        ("* * * MON *", &["month \"MON\""]),
        ("5-1 * * * *", &["ends before it begins"]),
        ("5/15 * * * *", &["`5-59/15`"]),
        ("*/0 * * * *", &["a step is a whole number from 1"]),
        ("*/x * * * *", &["a step is a whole number from 1"]),
        (
            "*/60 * * * *",
            &[
                "minute \"*/60\"",
                "the step is longer than the range, which leaves 0 alone",
            ],
        ),
        ("*/61 * * * *", &["the step is longer than the range"]),
        ("*/255 * * * *", &["the step is longer than the range"]),
        ("*/256 * * * *", &["a step is a whole number from 1"]),
        ("0 */24 * * *", &["hour \"*/24\"", "leaves 0 alone"]),
        ("0 */25 * * *", &["hour \"*/25\"", "leaves 0 alone"]),
        ("0 0 */31 * *", &["day of the month \"*/31\"", "leaves 1 alone"]),
        ("0 0 1 */12 *", &["month \"*/12\"", "leaves 1 alone"]),
        ("0 0 * * */7", &["day of the week \"*/7\"", "leaves 0 alone"]),
        ("0-29/30 * * * *", &["at \"0-29/30\"", "leaves 0 alone"]),
        ("0,10-19/20 * * * *", &["at \"10-19/20\"", "leaves 10 alone"]),
        ("5-5/2 * * * *", &["leaves 5 alone"]),
        ("0 0 1 MAR-JAN *", &["ends before it begins"]),
        ("0 0 * * FRI-MON", &["ends before it begins"]),
        ("0 17-9 * * *", &["ends before it begins"]),
        (", * * * *", &["minute \",\""]),
        ("1, * * * *", &["minute \"1,\""]),
        ("- * * * *", &["minute \"-\""]),
        ("1- * * * *", &["minute \"1-\""]),
        ("/2 * * * *", &["minute \"/2\""]),
        ("*/ * * * *", &["a step is a whole number from 1"]),
        ("1,,2 * * * *", &["minute \"1,,2\""]),
        ("+1 * * * *", &["minute \"+1\""]),
        ("* * L * *", &["day of the month \"L\""]),
        ("* * ? * *", &["day of the month \"?\""]),
        ("* * * * 5#2", &["day of the week \"5#2\""]),
        ("99 99 * * *", &["minute \"99\"", "hour \"99\""]),
        ("* * * *", &["4 fields", "cron has 5:"]),
        ("0 0 0 * * *", &["6 fields", "no seconds"]),
        ("0 0 30 2 *", &["no such day ever comes"]),
        ("@reboot", &["@reboot", "@daily", "@annually"]),
        ("", &["there are none", "`0 9 * * 1-5`"]),
    ] {
        assert_refused(every, said);
    }
}

#[test]
fn words_that_are_not_understood_are_shown_with_what_was_expected() {
    for (every, said) in [
        (
            "every 5 minute",
            &["at \"minute\"", "`minutes`, `mins` or `hours`"] as &[_],
        ),
        ("every 0 minutes", &["at \"0\"", "from 1"]),
        ("every 5 minutes from 10:00", &["too early", "`to`"]),
        (
            "every 5 minutes from 10 to 12:00",
            &["at \"10\"", "`00:00` to `23:59`"],
        ),
        ("every 5 minutes from 10:00 to 24:00", &["at \"24:00\""]),
        (
            "every 30 minutes from 10:00 to 10:29",
            &["at \"10:29\"", "at least one interval after the start"],
        ),
        ("every 5 minutes from 10:00 to 10:00", &["at least one interval"]),
        ("every 24 hours from 10:00 to 9:59", &["at least one interval"]),
        ("every ,monday 09:00", &["at \",\""]),
        ("every monday, 09:00", &["at \"09:00\""]),
        ("every 7 hours synchronized", &["24 hours without rest"]),
        ("every monday", &["too early", "a time from"]),
        ("every moonday 09:00", &["at \"moonday\"", "a weekday"]),
        ("every monday at 09:00", &["at \"at\""]),
        ("evry 5 minutes", &["at \"evry\"", "`every`"]),
        ("6th monday of month 12:00", &["at \"6th\"", "day of the month"]),
        (
            "1st monday of smarch 12:00",
            &["at \"smarch\"", "a month such as"],
        ),
        ("32 of month 12:00", &["at \"32\"", "1 to 31"]),
        ("every day 09:00 please", &["at \"please\"", "nothing more"]),
        ("1st monday of 4th month of quarter 12:00", &["at \"4th\""]),
        ("31 of feb 12:00", &["no such day ever comes"]),
    ] {
        assert_refused(every, said);
    }
}

#[test]
fn a_zone_is_a_name_as_the_database_has_it() {
    for zone in [
        "UTC",
        "Etc/UTC",
        "Europe/Paris",
        "America/Argentina/Buenos_Aires",
        "Etc/GMT+1",
    ] {
        assert!(Timing::parse("@daily", zone).is_ok(), "{zone}");
    }
    for (zone, said) in [
        ("Europe/Pariss", "a name of the tz database"),
        ("europe/paris", "did you mean \"Europe/Paris\"?"),
        ("", "a name of the tz database"),
        ("+01:00", "a name of the tz database"),
        ("../etc/passwd", "a name of the tz database"),
    ] {
        let errors = Timing::parse("@daily", zone).map(drop).unwrap_err();
        assert!(errors[0].to_string().contains(said), "{zone}: {errors:?}");
    }
    assert_eq!(
        Timing::parse("60 24 * * *", "Nowhere")
            .map(drop)
            .unwrap_err()
            .len(),
        3
    );
}

#[test]
fn the_end_of_time_is_no_panic() {
    let end: SystemTime = Timestamp::MAX.into();
    for every in ["* * * * *", "every 5 minutes", "0 0 29 2 *"] {
        assert_eq!(timing(every, "UTC").next_after(end), None);
        assert_eq!(timing(every, "Europe/Paris").next_after(end), None);
        assert!(timing(every, "UTC").next_after(Timestamp::MIN.into()).is_some());
    }
}

/// A field of numbers, and the numbers that it means.
fn field(min: u8, max: u8) -> impl Strategy<Value = (String, Vec<u8>)> {
    let range = (min..=max, min..=max, 1..=max).prop_map(|(one, other, step)| {
        let (from, to) = (one.min(other), one.max(other));
        let step = step.min(to - from).max(1);
        let values = (from..=to).step_by(step.into()).collect();
        (format!("{from}-{to}/{step}"), values)
    });
    let one = (min..=max).prop_map(|value| (value.to_string(), vec![value]));
    let all = Just(("*".to_owned(), (min..=max).collect()));
    prop_oneof![all, one, range]
}

proptest! {
    #[test]
    fn no_text_makes_the_parsers_panic(every in "\\PC*", zone in "\\PC*") {
        let _ = Timing::parse(&every, &zone);
    }

    #[test]
    fn no_text_that_looks_right_makes_the_parsers_panic(
        every in "(every |1st |1 of |@|[*]/)?([0-9*/,-]{1,4} ?|monday |of |month |from |to |1?2:00 |hours |minutes ){0,7}"
    ) {
        let _ = Timing::parse(&every, "UTC");
    }

    #[test]
    fn cron_is_next_due_at_a_later_minute_that_its_fields_name(
        minute in field(0, 59), hour in field(0, 23), month in field(1, 12), weekday in field(0, 6),
        after in 0_u32.., nanos in 0_u32..1_000_000_000,
    ) {
        let every = format!("{} {} * {} {}", minute.0, hour.0, month.0, weekday.0);
        let after = SystemTime::UNIX_EPOCH + Duration::new(after.into(), nanos);

        let next = timing(&every, "UTC").next_after(after).unwrap();

        prop_assert!(next > after);
        let time: DateTime = Timestamp::try_from(next).unwrap().to_zoned(jiff::tz::TimeZone::UTC).datetime();
        prop_assert_eq!((time.second(), time.subsec_nanosecond()), (0, 0));
        prop_assert!(minute.1.contains(&time.minute().unsigned_abs()));
        prop_assert!(hour.1.contains(&time.hour().unsigned_abs()));
        prop_assert!(month.1.contains(&time.month().unsigned_abs()));
        prop_assert!(weekday.1.contains(&time.weekday().to_sunday_zero_offset().unsigned_abs()));
    }

    #[test]
    fn nothing_is_left_out_between_two_times(
        minute in field(0, 59), hour in field(0, 23), start in 0_u32.., ahead in 1_u64..200_000,
        zone in prop::sample::select(vec!["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe"]),
    ) {
        let timing = timing(&format!("{} {} * * *", minute.0, hour.0), zone);
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(start.into());
        let next = timing.next_after(start).unwrap();
        let between = start + Duration::from_secs(ahead);

        let seen_from_between = timing.next_after(between).unwrap();

        // From an earlier time, that time is the next; from a later time, the next one is later.
        if between < next {
            prop_assert_eq!(seen_from_between, next);
        } else {
            prop_assert!(seen_from_between > next);
        }
    }
}
