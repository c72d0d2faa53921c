//! Planning of Cloud Scheduler jobs.

use std::collections::BTreeMap;

use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_scheduler_v1::model::Job;
use google_cloud_scheduler_v1::model::job::State;
use google_cloud_wkt::FieldMask;

use crate::admin::setup::call_error::{changed, deleted, failed, made_by_somebody_else, not_read};
use crate::admin::setup::change::{Action, Change, FieldChange, ResourceKind};
use crate::admin::setup::clients::SchedulerAdmin;
use crate::admin::setup::operation::{Operation, Step};
use crate::admin::setup::options::Options;
use crate::admin::setup::ownership::made_by_us;
use crate::admin::setup::plan::PlanDraft;
use crate::admin::setup::schedule_diff::{changes, job, overlaid};
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
                operation: Operation::ChangeJob(Box::new(overlaid(current, &desired, schedule)), mask),
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
