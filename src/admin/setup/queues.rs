//! Planning of queues.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_tasks_v2::model::Queue;
use google_cloud_tasks_v2::model::queue::State;
use google_cloud_wkt::FieldMask;

use crate::admin::setup::api_field::{ApiField, field, field_mut};
use crate::admin::setup::call_error::{changed, failed};
use crate::admin::setup::change::{Action, Change, Differences, FieldChange, ResourceKind};
use crate::admin::setup::clients::QueueAdmin;
use crate::admin::setup::operation::{Instead, Operation, Step};
use crate::admin::setup::plan::PlanDraft;
use crate::backend::{google::is, google::is_blocked};
use crate::base::{Error, names};
use crate::registry::queue_settings::{QueueSettings, queue_settings};
use crate::runtime::Runtime;

/// Plans the queues of a runtime's tasks.
pub(crate) async fn find(runtime: &Runtime, admin: &QueueAdmin, found: &mut PlanDraft) -> Result<(), Error> {
    let current: BTreeMap<String, Queue> = admin
        .list_queues()
        .await?
        .into_iter()
        .map(|queue| (queue.name.clone(), queue))
        .collect();
    let settings = runtime.queue_settings();
    let mut names: BTreeSet<&str> = runtime.registry().queues().collect();
    names.insert(runtime.config().default_queue());
    names.extend(settings.iter().map(QueueSettings::name));
    for name in &names {
        let settings = settings.iter().find(|settings| settings.name() == *name);
        let settings = settings.cloned().unwrap_or_else(|| QueueSettings::new(*name));
        let path = format!("{}/queues/{name}", admin.location);
        let desired = queue(&path, &settings.with_known_end())?;
        let Some(current) = current.get(&path) else {
            found.steps.push(Step {
                change: Change::new(Action::Add, ResourceKind::Queue, name, &path),
                operation: Operation::MakeQueue(Box::new(desired), runtime.config().backup_queue(name)),
            });
            continue;
        };
        found.warnings.extend(stopped(name, current, admin));
        let fields = changes(current, &desired);
        if !fields.is_empty() {
            let mask = fields.iter().map(|change| change.field.clone()).collect();
            let mut change = Change::new(Action::Change, ResourceKind::Queue, name, &path);
            change.fields = fields;
            found.steps.push(Step {
                change,
                operation: Operation::ChangeQueue(Box::new(desired), mask),
            });
        }
    }
    found.queues = Some(names.len());
    Ok(())
}

/// Says that a queue dispatches no tasks.
fn stopped(name: &str, queue: &Queue, admin: &QueueAdmin) -> Option<String> {
    let location = names::last_segment(&admin.location);
    match queue.state {
        State::Paused => Some(format!(
            "the queue {name} is paused, so its tasks wait; `gcloud tasks queues resume {name} --location={location}` resumes \
             it"
        )),
        State::Disabled => Some(format!(
            "the queue {name} is disabled, so its tasks wait: Cloud Tasks does this if billing is off, or if a `queue.yaml` \
             without the queue was uploaded; `gcloud tasks queues resume {name} --location={location}` enables it"
        )),
        _ => None,
    }
}

/// Writes and compares each of the [`queue_settings`].
macro_rules! fields {
    ($(
        $(#[$get_doc:meta])* $name:ident: $type:ty,
        $(#[$set_doc:meta])* $set:ident => $policy:ident.$field:ident, $accepts:expr, $accepted:expr;
    )*) => {
        /// The queue as Cloud Tasks accepts it; unset settings stay unset.
        fn queue(path: &str, settings: &QueueSettings) -> Result<Queue, Error> {
            let mut queue = Queue::new().set_name(path);
            $(if let Some(value) = settings.$name() {
                *field_mut!(queue, $policy.$field) = value.to_field()?;
            })*
            Ok(queue)
        }

        /// The differences in the specified settings.
        fn changes(current: &Queue, desired: &Queue) -> Vec<FieldChange> {
            let mut differing = Differences::default();
            $(
                let text = |queue: &Queue| field!(queue, $policy.$field).and_then(<$type as ApiField<_>>::text);
                let (old, new) = (text(current), text(desired));
                // Cloud Tasks omits a zero duration.
                if old.is_some() || new.as_deref() != Some("0s") {
                    differing.push_asked(concat!(stringify!($policy), ".", stringify!($field)), old, new);
                }
            )*
            differing.into_fields()
        }
    };
}

queue_settings!(fields);

impl QueueAdmin {
    /// Creates a queue, or, if its name is blocked, the backup queue that its tasks then go to.
    pub async fn make(&self, queue: &Queue, backup: &str) -> Result<Option<Instead>, Error> {
        let Err(error) = create(self, queue).await else {
            return Ok(None);
        };
        let name = names::last_segment(&queue.name);
        if !is_blocked(&error) || backup == name || names::validate_queue(backup).is_err() {
            return made(self, queue, Err(error)).await.map(|()| None);
        }
        let path = format!("{}/queues/{backup}", self.location);
        self.make_one(&queue.clone().set_name(&path)).await?;
        Ok(Some(Instead {
            change: Change::new(Action::Add, ResourceKind::Queue, backup, &path),
            note: format!(
                "the queue {name} was not created: a queue of this name was deleted recently, and Cloud Tasks blocks the name for up to 7 days; its tasks go to its backup queue {backup} until then"
            ),
        }))
    }

    /// Creates this queue and no other.
    pub async fn make_one(&self, queue: &Queue) -> Result<(), Error> {
        let sent = create(self, queue).await;
        made(self, queue, sent).await
    }

    pub async fn change(&self, queue: &Queue, fields: &[String]) -> Result<(), Error> {
        let request = self
            .client
            .update_queue()
            .set_queue(queue.clone())
            .set_update_mask(FieldMask::default().set_paths(fields));
        changed(&queue.name, request.with_idempotency(true).send().await)
    }
}

async fn create(admin: &QueueAdmin, queue: &Queue) -> Result<(), GoogleError> {
    let request = admin
        .client
        .create_queue()
        .set_parent(&admin.location)
        .set_queue(queue.clone());
    request.with_idempotency(true).send().await.map(drop)
}

/// The outcome of a call that creates a queue.
async fn made(admin: &QueueAdmin, queue: &Queue, sent: Result<(), GoogleError>) -> Result<(), Error> {
    match sent {
        // Somebody else created it, or an earlier attempt of this call: bring it to the desired state.
        Err(error) if is(&error, Code::AlreadyExists) => {
            let asked_for = changes(&Queue::new(), queue);
            let fields: Vec<_> = asked_for.into_iter().map(|change| change.field).collect();
            if fields.is_empty() {
                return Ok(());
            }
            admin.change(queue, &fields).await
        }
        Err(error) => Err(failed("made", &queue.name, error)),
        Ok(()) => Ok(()),
    }
}
