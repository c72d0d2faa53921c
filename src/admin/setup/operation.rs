//! One change of a plan, and the calls that make it.

use std::collections::BTreeSet;

use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_pubsub::model::Subscription as PubSubSubscription;
use google_cloud_scheduler_v1::model::Job;
use google_cloud_tasks_v2::model::Queue;
use google_cloud_wkt::FieldMask;

use crate::admin::setup::call_error::{changed, deleted, failed, made_by_somebody_else, not_read};
use crate::admin::setup::change::{Change, ResourceKind};
use crate::admin::setup::clients::{PubSubAdmin, QueueAdmin, SchedulerAdmin, in_path};
use crate::admin::setup::iam::Grant;
use crate::admin::setup::recreate::Replacement;
use crate::admin::setup::subscription_diff;
use crate::admin::setup::visibility::Visibility;
use crate::backend::google::is;
use crate::base::{Error, ErrorKind};
use crate::registry::schedule::Schedule;

/// A change and its operation.
pub(crate) struct Step {
    pub change: Change,
    pub operation: Operation,
}

/// A change that was made instead of the planned one.
pub(crate) struct Instead {
    pub change: Change,
    /// The reason, in one sentence.
    pub note: String,
}

pub(crate) enum Operation {
    MakeTopic,
    MakeSubscription(Box<PubSubSubscription>),
    ChangeSubscription(Box<PubSubSubscription>, Vec<String>),
    /// Deletes and recreates it.
    ReplaceSubscription(Box<Replacement>),
    DeleteSubscription,
    Grant(Grant),
    /// With the name of the queue to create if its own is blocked.
    MakeQueue(Box<Queue>, String),
    ChangeQueue(Box<Queue>, Vec<String>),
    MakeJob(Box<Job>, Box<Schedule>),
    ChangeJob(Box<Job>, Vec<String>),
    DeleteJob,
}

/// All clients of a plan.
pub(crate) struct Clients {
    pub pubsub: Option<PubSubAdmin>,
    pub queues: Option<QueueAdmin>,
    pub scheduler: Option<SchedulerAdmin>,
}

impl Clients {
    fn pubsub(&self) -> Result<&PubSubAdmin, Error> {
        self.pubsub
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Config, "this runtime has no Pub/Sub"))
    }

    fn queues(&self) -> Result<&QueueAdmin, Error> {
        self.queues
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Config, "this runtime has no Cloud Tasks"))
    }

    fn scheduler(&self) -> Result<&SchedulerAdmin, Error> {
        self.scheduler
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Config, "this runtime has no Cloud Scheduler"))
    }
}

impl Step {
    /// The order of the changes: dependencies first, deletions last.
    pub fn phase(&self) -> u8 {
        match self.operation {
            Operation::MakeTopic => 0,
            // Before the subscription that its dead letters come from: a dead letter without a subscription is lost.
            Operation::MakeSubscription(_) if self.change.kind == ResourceKind::DeadLetterSubscription => 1,
            Operation::MakeSubscription(_)
            | Operation::ChangeSubscription(..)
            | Operation::ReplaceSubscription(..) => 2,
            Operation::Grant(_) => 3,
            Operation::MakeQueue(..) | Operation::ChangeQueue(..) => 4,
            Operation::MakeJob(..) | Operation::ChangeJob(..) => 5,
            Operation::DeleteSubscription | Operation::DeleteJob => 6,
        }
    }

    /// What must exist before, as full paths.
    fn depends_on(&self) -> Vec<&str> {
        match &self.operation {
            Operation::MakeSubscription(subscription) | Operation::ChangeSubscription(subscription, _) => {
                let letters = subscription.dead_letter_policy.as_ref();
                let letters = letters.map(|policy| policy.dead_letter_topic.as_str());
                letters.into_iter().chain([subscription.topic.as_str()]).collect()
            }
            Operation::Grant(grant) => vec![&grant.resource],
            _ => Vec::new(),
        }
    }

    /// Makes the change, or returns another change that was made instead. `made` has the full paths of what the same run
    /// has made before.
    pub async fn perform(
        &self,
        clients: &Clients,
        made: &BTreeSet<String>,
    ) -> Result<Option<Instead>, Error> {
        if let Operation::MakeQueue(queue, backup) = &self.operation {
            return clients.queues()?.make(queue, backup).await;
        }
        let visibility = if self.depends_on().into_iter().any(|path| made.contains(path)) {
            Visibility::Recent
        } else {
            Visibility::Settled
        };
        self.perform_as_planned(clients, visibility).await.map(|()| None)
    }

    async fn perform_as_planned(&self, clients: &Clients, visibility: Visibility) -> Result<(), Error> {
        let path = self.change.resource.as_str();
        match &self.operation {
            Operation::MakeTopic => {
                let request = clients.pubsub()?.topics.create_topic().set_name(in_path(path));
                match request.send().await {
                    // Somebody else created it, or an earlier attempt of this call.
                    Err(error) if !is(&error, Code::AlreadyExists) => Err(failed("made", path, error)),
                    _ => Ok(()),
                }
            }
            Operation::MakeSubscription(subscription) => {
                clients
                    .pubsub()?
                    .make_subscription(subscription, visibility)
                    .await
            }
            Operation::ChangeSubscription(subscription, fields) => {
                let pubsub = clients.pubsub()?;
                let update = || {
                    let request = pubsub
                        .subscriptions
                        .update_subscription()
                        .set_subscription(subscription.as_ref().clone().set_name(in_path(path)))
                        .set_update_mask(FieldMask::default().set_paths(fields));
                    request.with_idempotency(true).send()
                };
                changed(path, visibility.wait_for(update).await)
            }
            Operation::ReplaceSubscription(replacement) => replacement.perform(clients.pubsub()?).await,
            Operation::DeleteSubscription => clients.pubsub()?.delete_subscription(path).await,
            Operation::Grant(grant) => grant.give(clients.pubsub()?, visibility).await,
            Operation::MakeJob(job, schedule) => clients.scheduler()?.make(job, schedule).await,
            Operation::ChangeJob(job, fields) => clients.scheduler()?.update(job, fields).await,
            Operation::DeleteJob => clients.scheduler()?.delete(path).await,
            Operation::MakeQueue(queue, _) => clients.queues()?.make_one(queue).await,
            Operation::ChangeQueue(queue, fields) => clients.queues()?.change(queue, fields).await,
        }
    }
}

impl PubSubAdmin {
    pub async fn make_subscription(
        &self,
        subscription: &PubSubSubscription,
        visibility: Visibility,
    ) -> Result<(), Error> {
        let create = || {
            let request = self
                .subscriptions
                .create_subscription()
                .with_request(subscription.clone().set_name(in_path(&subscription.name)));
            // The answer to a repeated call is ALREADY_EXISTS, which is looked into below.
            request.with_idempotency(true).send()
        };
        let Err(error) = visibility.wait_for(create).await else {
            return Ok(());
        };
        if !is(&error, Code::AlreadyExists) {
            return Err(failed("made", &subscription.name, error));
        }
        // An earlier attempt of this call created it, or somebody else did; then it may differ from the desired state.
        let current = self
            .subscriptions
            .get_subscription()
            .set_subscription(in_path(&subscription.name));
        let current = current
            .send()
            .await
            .map_err(|error| not_read(&subscription.name, error))?;
        let same = subscription_diff::changes(&current, subscription).is_empty()
            && subscription_diff::fixed_changes(&current, subscription).is_empty();
        if same {
            Ok(())
        } else {
            Err(made_by_somebody_else(&subscription.name))
        }
    }

    pub async fn delete_subscription(&self, path: &str) -> Result<(), Error> {
        let request = self
            .subscriptions
            .delete_subscription()
            .set_subscription(in_path(path));
        deleted(path, request.with_idempotency(true).send().await)
    }
}
