//! The times of a schedule, in cron or in words.

mod app_engine;
mod calendar;
mod cron;

pub use app_engine::Words;
pub use calendar::{Calendar, Days, has};

/// Reads the times of a schedule: the text that Cloud Scheduler accepts, and its meaning.
///
/// # Errors
///
/// Every reason why the service would not accept them, or would never run the schedule.
pub fn parse(every: &str) -> Result<(String, Words), Vec<String>> {
    let text = every.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return Err(vec![
            "there are none; write cron such as `0 9 * * 1-5`, or `every 5 minutes`".to_owned(),
        ]);
    }
    if Words::are_meant(&text) {
        let rule = Words::parse(&text).map_err(|reason| vec![reason])?;
        if let Words::Calendar(calendar) = &rule {
            comes(calendar)?;
        }
        return Ok((text, rule));
    }
    let text = if text.starts_with('@') {
        Calendar::cron_of(&text)
            .map_err(|reason| vec![reason])?
            .to_owned()
    } else {
        text
    };
    let calendar = Calendar::from_cron(&text)?;
    comes(&calendar)?;
    Ok((text, Words::Calendar(calendar)))
}

/// Why a name is not that of a time zone. `known` is the name of a zone that differs from it by capital letters alone.
#[must_use]
pub fn unknown_time_zone(name: &str, known: Option<&str>) -> String {
    let help = known.map_or_else(
        || "a name of the tz database, such as `Europe/Paris` or `UTC`".to_owned(),
        |known| format!("did you mean {known:?}?"),
    );
    format!("there is no time zone {name:?}: {help}")
}

fn comes(calendar: &Calendar) -> Result<(), Vec<String>> {
    if calendar.ever_comes() {
        Ok(())
    } else {
        Err(vec!["no such day ever comes".to_owned()])
    }
}
