//! The desired state of a job of Cloud Scheduler, and its differences from the current state.

use std::collections::HashMap;
use std::time::Duration;

use google_cloud_scheduler_v1::model::http_target::AuthorizationHeader;
use google_cloud_scheduler_v1::model::{HttpMethod, HttpTarget, Job, OidcToken, RetryConfig};
use google_cloud_wkt::Duration as WktDuration;

use crate::admin::setup::change::{Differences, FieldChange};
use crate::admin::setup::clients::SchedulerAdmin;
use crate::admin::setup::convert;
use crate::base::Error;
use crate::registry::schedule::Schedule;

/// The job as Cloud Scheduler accepts it; unset settings stay unset.
pub(super) fn job(path: &str, schedule: &Schedule, admin: &SchedulerAdmin) -> Result<Job, Error> {
    let headers = schedule.headers.iter().map(|(name, value)| {
        (
            name.as_str(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    });
    let mut target = HttpTarget::new()
        .set_uri(&schedule.url)
        .set_http_method(HttpMethod::Post)
        .set_headers(headers)
        .set_body(schedule.payload.clone());
    if schedule.oidc {
        let token = OidcToken::new()
            .set_service_account_email(&admin.access.account)
            .set_audience(&admin.access.audience);
        target = target.set_oidc_token(token);
    }
    let retries = RetryConfig::new()
        .set_retry_count(convert::number(schedule.max_retries))
        .set_or_clear_min_backoff_duration(duration(schedule.min_backoff)?)
        .set_or_clear_max_backoff_duration(duration(schedule.max_backoff)?)
        .set_max_doublings(convert::number(schedule.max_doublings));
    let asks_for_retries = schedule.max_retries.is_some()
        || schedule.min_backoff.is_some()
        || schedule.max_backoff.is_some()
        || schedule.max_doublings.is_some();
    Ok(Job::new()
        .set_name(path)
        .set_description(schedule.description.unwrap_or_default())
        .set_schedule(&schedule.every)
        .set_time_zone(&schedule.time_zone)
        .set_or_clear_attempt_deadline(duration(schedule.attempt_deadline)?)
        .set_or_clear_retry_config(asks_for_retries.then_some(retries))
        .set_http_target(target))
}

fn duration(duration: Option<Duration>) -> Result<Option<WktDuration>, Error> {
    duration
        .map(|duration| convert::duration(duration, "Cloud Scheduler"))
        .transpose()
}

/// Whether a run has no retries, so that its first attempt is the last one. Cloud Scheduler retries until both the number of
/// retries and the time for them are used up, so a time that was set by hand would add attempts.
fn has_one_attempt(schedule: &Schedule) -> bool {
    schedule.max_retries.unwrap_or(0) == 0
}

/// The differences; settings that are unset in the desired state are ignored.
pub(super) fn changes(current: &Job, desired: &Job, schedule: &Schedule) -> Vec<FieldChange> {
    let mut differing = Differences::default();
    let mut push = |field, old, new| differing.push(field, old, new);
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    push("schedule", text(&current.schedule), text(&desired.schedule));
    push("time_zone", text(&current.time_zone), text(&desired.time_zone));
    if !desired.description.is_empty() {
        push(
            "description",
            text(&current.description),
            text(&desired.description),
        );
    }
    if desired.attempt_deadline.is_some() {
        let deadline = |job: &Job| job.attempt_deadline.map(String::from);
        push("attempt_deadline", deadline(current), deadline(desired));
    }
    let retries = |job: &Job| job.retry_config.clone().unwrap_or_default();
    let (old, new) = (retries(current), retries(desired));
    let number = |number: i32| Some(number.to_string());
    // Compared even if the code says nothing: the runtime takes the only attempt for the last one, and runs its hook.
    push(
        "retry_config.retry_count",
        number(old.retry_count),
        number(new.retry_count),
    );
    let time = |time: Option<WktDuration>| time.map(String::from);
    if has_one_attempt(schedule) {
        let limit = old
            .max_retry_duration
            .filter(|limit| *limit != WktDuration::default());
        push("retry_config.max_retry_duration", time(limit), None);
    }
    if schedule.min_backoff.is_some() {
        let (old, new) = (time(old.min_backoff_duration), time(new.min_backoff_duration));
        push("retry_config.min_backoff_duration", old, new);
    }
    if schedule.max_backoff.is_some() {
        let (old, new) = (time(old.max_backoff_duration), time(new.max_backoff_duration));
        push("retry_config.max_backoff_duration", old, new);
    }
    // Cloud Scheduler does not distinguish 0 from unset.
    if schedule.max_doublings.is_some_and(|doublings| doublings > 0) {
        push(
            "retry_config.max_doublings",
            number(old.max_doublings),
            number(new.max_doublings),
        );
    }
    let target = |job: &Job| {
        job.http_target()
            .map(|target| (**target).clone())
            .unwrap_or_default()
    };
    let (old, new) = (target(current), target(desired));
    push("http_target.uri", text(&old.uri), text(&new.uri));
    push(
        "http_target.http_method",
        old.http_method.name().map(str::to_owned),
        new.http_method.name().map(str::to_owned),
    );
    push("http_target.body", body(&old), body(&new));
    push(
        "http_target.headers",
        headers(&old.headers),
        headers(&new.headers),
    );
    push("http_target.oidc_token", token(&old), token(&new));
    differing.into_fields()
}

fn body(target: &HttpTarget) -> Option<String> {
    (!target.body.is_empty()).then(|| String::from_utf8_lossy(&target.body).into_owned())
}

/// The headers that are not the service's own, sorted.
fn headers(headers: &HashMap<String, String>) -> Option<String> {
    let mut lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| !["user-agent", "content-length", "host"].contains(&name.as_str()))
        .filter(|(name, _)| !name.starts_with("x-cloudscheduler"))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    lines.sort_unstable();
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn token(target: &HttpTarget) -> Option<String> {
    match target.authorization_header.as_ref()? {
        AuthorizationHeader::OidcToken(token) => {
            Some(format!("{} for {}", token.service_account_email, token.audience))
        }
        _ => Some("a token of another kind".to_owned()),
    }
}

/// The current job with the desired settings written over it; everything else stays as it is, also fields that this
/// version does not know.
pub(super) fn overlaid(current: &Job, desired: &Job, schedule: &Schedule) -> Job {
    let mut job = current.clone();
    job.schedule.clone_from(&desired.schedule);
    job.time_zone.clone_from(&desired.time_zone);
    if !desired.description.is_empty() {
        job.description.clone_from(&desired.description);
    }
    job.attempt_deadline = desired.attempt_deadline.or(job.attempt_deadline);
    if let Some(retries) = &mut job.retry_config
        && has_one_attempt(schedule)
    {
        retries.retry_count = 0;
        retries.max_retry_duration = None;
    }
    if let Some(desired) = &desired.retry_config {
        let retries = job.retry_config.get_or_insert_default();
        if schedule.max_retries.is_some() {
            retries.retry_count = desired.retry_count;
        }
        retries.min_backoff_duration = desired.min_backoff_duration.or(retries.min_backoff_duration);
        retries.max_backoff_duration = desired.max_backoff_duration.or(retries.max_backoff_duration);
        if schedule.max_doublings.is_some() {
            retries.max_doublings = desired.max_doublings;
        }
    }
    let Some(desired) = desired.http_target() else {
        return job;
    };
    let target = job.http_target().map(|target| (**target).clone());
    let mut target = target.unwrap_or_default();
    target.uri.clone_from(&desired.uri);
    target.http_method.clone_from(&desired.http_method);
    target.body.clone_from(&desired.body);
    target.headers.clone_from(&desired.headers);
    target
        .authorization_header
        .clone_from(&desired.authorization_header);
    job.set_http_target(target)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::Config;
    use crate::registry::schedule::{Periodic, ScheduleOptions};

    /// The plan of a job that somebody has given these retries, and the retries after it.
    fn planned(options: &'static ScheduleOptions, by_hand: RetryConfig) -> (Vec<String>, RetryConfig) {
        let config = Config::default().with_endpoint("https://shop.example");
        let payload = || Ok(Bytes::from_static(b"{}"));
        let periodic = Periodic { options, payload };
        let schedule = Schedule::new("Digest", "here", &periodic, None, &config).unwrap();
        let desired = Job::new()
            .set_schedule(&schedule.every)
            .set_time_zone(&schedule.time_zone);
        let current = desired.clone().set_retry_config(by_hand);
        let changes = changes(&current, &desired, &schedule);
        let changes = changes.into_iter().map(|change| {
            let text = |value: Option<String>| value.unwrap_or_default();
            format!("{}: {} -> {}", change.field, text(change.old), text(change.new))
        });
        let after = overlaid(&current, &desired, &schedule).retry_config.unwrap();
        (changes.collect(), after)
    }

    fn by_hand() -> RetryConfig {
        RetryConfig::new()
            .set_retry_count(3)
            .set_max_retry_duration(WktDuration::clamp(600, 0))
            .set_min_backoff_duration(WktDuration::clamp(7, 0))
    }

    #[test]
    fn retries_that_were_set_by_hand_are_taken_away_because_the_hook_relies_on_one_attempt() {
        static PLAIN: ScheduleOptions = ScheduleOptions::new("0 9 * * *");

        let (changes, after) = planned(&PLAIN, by_hand());

        assert_eq!(
            changes,
            [
                "retry_config.retry_count: 3 -> 0",
                "retry_config.max_retry_duration: 600s -> "
            ]
        );
        assert_eq!((after.retry_count, after.max_retry_duration), (0, None));
        // Of no weight for the hook.
        assert_eq!(after.min_backoff_duration, Some(WktDuration::clamp(7, 0)));
        let (again, _) = planned(&PLAIN, after);
        assert_eq!(again, [""; 0]);
    }
}
