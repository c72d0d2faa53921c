//! One change of a plan, and the calls that make it.

use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_pubsub::model::Subscription as PubSubSubscription;
use google_cloud_scheduler_v1::model::Job;
use google_cloud_tasks_v2::model::Queue;
use google_cloud_wkt::FieldMask;

use crate::admin::setup::call_error::{changed, deleted, failed};
use crate::admin::setup::change::{Change, ResourceKind};
use crate::admin::setup::clients::{PubSubAdmin, QueueAdmin, SchedulerAdmin};
use crate::admin::setup::iam::{self, Grant};
use crate::admin::setup::{queues, schedules, subscription_diff};
use crate::backend::google::is;
use crate::base::{Error, ErrorKind};

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
    ReplaceSubscription(Box<PubSubSubscription>),
    DeleteSubscription,
    Grant(Grant),
    /// With the name of the queue to create if its own is blocked.
    MakeQueue(Box<Queue>, String),
    ChangeQueue(Box<Queue>, Vec<String>),
    MakeJob(Box<Job>),
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
            | Operation::ReplaceSubscription(_) => 2,
            Operation::Grant(_) => 3,
            Operation::MakeQueue(..) | Operation::ChangeQueue(..) => 4,
            Operation::MakeJob(_) | Operation::ChangeJob(..) => 5,
            Operation::DeleteSubscription | Operation::DeleteJob => 6,
        }
    }

    /// Makes the change, or returns another change that was made instead.
    pub async fn perform(&self, clients: &Clients) -> Result<Option<Instead>, Error> {
        if let Operation::MakeQueue(queue, backup) = &self.operation {
            return queues::make(clients.queues()?, queue, backup).await;
        }
        self.perform_as_planned(clients).await.map(|()| None)
    }

    async fn perform_as_planned(&self, clients: &Clients) -> Result<(), Error> {
        let path = self.change.resource.as_str();
        match &self.operation {
            Operation::MakeTopic => {
                let request = clients.pubsub()?.topics.create_topic().set_name(path);
                match request.send().await {
                    // Somebody else created it, or an earlier attempt of this call.
                    Err(error) if !is(&error, Code::AlreadyExists) => Err(failed("made", path, error)),
                    _ => Ok(()),
                }
            }
            Operation::MakeSubscription(subscription) => {
                make_subscription(clients.pubsub()?, subscription).await
            }
            Operation::ChangeSubscription(subscription, fields) => {
                let request = clients
                    .pubsub()?
                    .subscriptions
                    .update_subscription()
                    .set_subscription((**subscription).clone())
                    .set_update_mask(FieldMask::default().set_paths(fields));
                changed(path, request.with_idempotency(true).send().await)
            }
            Operation::ReplaceSubscription(subscription) => {
                let pubsub = clients.pubsub()?;
                delete_subscription(pubsub, path).await?;
                make_subscription(pubsub, subscription).await
            }
            Operation::DeleteSubscription => delete_subscription(clients.pubsub()?, path).await,
            Operation::Grant(grant) => iam::give(clients.pubsub()?, grant).await,
            Operation::MakeJob(job) => schedules::make(clients.scheduler()?, job).await,
            Operation::ChangeJob(job, fields) => schedules::update(clients.scheduler()?, job, fields).await,
            Operation::DeleteJob => schedules::delete(clients.scheduler()?, path).await,
            Operation::MakeQueue(queue, _) => queues::make_one(clients.queues()?, queue).await,
            Operation::ChangeQueue(queue, fields) => queues::change(clients.queues()?, queue, fields).await,
        }
    }
}

async fn make_subscription(pubsub: &PubSubAdmin, subscription: &PubSubSubscription) -> Result<(), Error> {
    let request = pubsub
        .subscriptions
        .create_subscription()
        .with_request(subscription.clone());
    let Err(error) = request.send().await else {
        return Ok(());
    };
    if !is(&error, Code::AlreadyExists) {
        return Err(failed("made", &subscription.name, error));
    }
    // An earlier attempt of this call created it, or somebody else did; then it may differ from the desired state.
    let current = pubsub
        .subscriptions
        .get_subscription()
        .set_subscription(&subscription.name);
    let current = current
        .send()
        .await
        .map_err(|error| failed("read", &subscription.name, error))?;
    let same = subscription_diff::changes(&current, subscription).is_empty()
        && subscription_diff::fixed_changes(&current, subscription).is_empty();
    if same {
        Ok(())
    } else {
        Err(Error::rejected(format!(
            "{} was created by somebody else in the meantime, and differs: plan again",
            subscription.name
        )))
    }
}

async fn delete_subscription(pubsub: &PubSubAdmin, path: &str) -> Result<(), Error> {
    let request = pubsub.subscriptions.delete_subscription().set_subscription(path);
    deleted(path, request.with_idempotency(true).send().await)
}
