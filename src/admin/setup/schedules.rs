//! Planning of Cloud Scheduler jobs.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_scheduler_v1::model::http_target::AuthorizationHeader;
use google_cloud_scheduler_v1::model::job::State;
use google_cloud_scheduler_v1::model::{HttpMethod, HttpTarget, Job, OidcToken, RetryConfig};
use google_cloud_wkt::{Duration as WktDuration, FieldMask};

use crate::admin::setup::call_error::{changed, deleted, failed, made_by_somebody_else, not_read};
use crate::admin::setup::change::{Action, Change, Differences, FieldChange, ResourceKind};
use crate::admin::setup::clients::SchedulerAdmin;
use crate::admin::setup::convert;
use crate::admin::setup::operation::{Operation, Step};
use crate::admin::setup::options::Options;
use crate::admin::setup::ownership::made_by_us;
use crate::admin::setup::plan::PlanDraft;
use crate::admin::setup::subscription_diff;
use crate::backend::google::is;
use crate::base::{Error, names::last_segment};
use crate::registry::schedule::Schedule;
use crate::runtime::Runtime;

/// Plans the jobs of periodic tasks.
pub(crate) async fn find(
    runtime: &Runtime,
    admin: &SchedulerAdmin,
    options: &Options,
    found: &mut PlanDraft,
) -> Result<(), Error> {
    let current: BTreeMap<String, Job> = admin
        .list_jobs()
        .await?
        .into_iter()
        .map(|job| (job.name.clone(), job))
        .collect();
    let path = |schedule: &Schedule| format!("{}/jobs/{}", admin.access.location, schedule.name);
    for schedule in runtime
        .schedules()
        .iter()
        .filter(|schedule| options.takes(schedule.task))
    {
        let path = path(schedule);
        let desired = job(&path, schedule, admin)?;
        let change = |action| Change::new(action, ResourceKind::Schedule, schedule.task, &path);
        let Some(current) = current.get(&path) else {
            found.steps.push(Step {
                change: change(Action::Add),
                operation: Operation::MakeJob(Box::new(desired), Box::new(schedule.clone())),
            });
            continue;
        };
        found.warnings.extend(stopped(current, admin));
        let mut fields = changes(current, &desired, schedule);
        let mut mask = subscription_diff::mask(&fields);
        if current.state == State::UpdateFailed {
            // Only a successful update takes the job out of this state.
            let (old, new) = ("UPDATE_FAILED".to_owned(), "ENABLED".to_owned());
            fields.push(FieldChange::new("state", Some(old), Some(new)));
            mask = asked_for(&desired);
        }
        if !fields.is_empty() {
            let mut change = change(Action::Change);
            change.fields = fields;
            found.steps.push(Step {
                change,
                operation: Operation::ChangeJob(Box::new(overlaid(current, desired, schedule)), mask),
            });
        }
    }
    if options.only.is_none() {
        let desired: Vec<_> = runtime.schedules().iter().map(path).collect();
        leftovers(runtime, &current, &desired, options, found);
    }
    Ok(())
}

/// Says that a job does not run.
fn stopped(job: &Job, admin: &SchedulerAdmin) -> Option<String> {
    let (name, location) = (last_segment(&job.name), last_segment(&admin.access.location));
    match job.state {
        State::Paused => Some(format!(
            "the schedule {name} is paused, so its task does not run; `gcloud scheduler jobs resume {name} \
             --location={location}` resumes it"
        )),
        State::Disabled => Some(format!(
            "the schedule {name} is disabled, so its task does not run: Cloud Scheduler does this after an error, which \
             `gcloud scheduler jobs describe {name} --location={location}` shows"
        )),
        _ => None,
    }
}

/// Jobs of this application whose periodic tasks no longer exist.
fn leftovers(
    runtime: &Runtime,
    current: &BTreeMap<String, Job>,
    desired: &[String],
    options: &Options,
    found: &mut PlanDraft,
) {
    for (path, job) in current {
        let url = job.http_target().map_or("", |target| target.uri.as_str());
        let Some(base) = made_by_us(runtime.config(), path, url, "tasks") else {
            continue;
        };
        if !desired.contains(path) {
            let change = Change::new(Action::Delete, ResourceKind::Schedule, base, path);
            found.delete(change, Operation::DeleteJob, options);
        }
    }
}

/// The job as Cloud Scheduler accepts it; unset settings stay unset.
fn job(path: &str, schedule: &Schedule, admin: &SchedulerAdmin) -> Result<Job, Error> {
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

/// The differences; settings that are unset in the desired state are ignored.
fn changes(current: &Job, desired: &Job, schedule: &Schedule) -> Vec<FieldChange> {
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
    if schedule.max_retries.is_some() {
        push(
            "retry_config.retry_count",
            number(old.retry_count),
            number(new.retry_count),
        );
    }
    let time = |time: Option<WktDuration>| time.map(String::from);
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
fn overlaid(current: &Job, desired: Job, schedule: &Schedule) -> Job {
    let mut job = current.clone();
    job.schedule = desired.schedule.clone();
    job.time_zone = desired.time_zone.clone();
    if !desired.description.is_empty() {
        job.description = desired.description.clone();
    }
    job.attempt_deadline = desired.attempt_deadline.or(job.attempt_deadline);
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

/// The fields of a job with a value.
fn asked_for(job: &Job) -> Vec<String> {
    let mut fields = vec!["schedule", "time_zone", "http_target"];
    if !job.description.is_empty() {
        fields.push("description");
    }
    if job.attempt_deadline.is_some() {
        fields.push("attempt_deadline");
    }
    if job.retry_config.is_some() {
        fields.push("retry_config");
    }
    fields.into_iter().map(str::to_owned).collect()
}

impl SchedulerAdmin {
    pub async fn make(&self, job: &Job, schedule: &Schedule) -> Result<(), Error> {
        let request = self
            .client
            .create_job()
            .set_parent(&self.access.location)
            .set_job(job.clone());
        let Err(error) = request.with_idempotency(true).send().await else {
            return Ok(());
        };
        if !is(&error, Code::AlreadyExists) {
            return Err(failed("made", &job.name, error));
        }
        // An earlier attempt of this call created it, or somebody else did; then it may differ from the desired state.
        let current = self.client.get_job().set_name(&job.name).send().await;
        let current = current.map_err(|error| not_read(&job.name, error))?;
        if changes(&current, job, schedule).is_empty() {
            Ok(())
        } else {
            Err(made_by_somebody_else(&job.name))
        }
    }

    pub async fn update(&self, job: &Job, fields: &[String]) -> Result<(), Error> {
        let request = self
            .client
            .update_job()
            .set_job(job.clone())
            .set_update_mask(FieldMask::default().set_paths(fields));
        changed(&job.name, request.with_idempotency(true).send().await)
    }

    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        let request = self.client.delete_job().set_name(path);
        deleted(path, request.with_idempotency(true).send().await)
    }
}
