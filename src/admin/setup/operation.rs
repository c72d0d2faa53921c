//! One call, or a few that belong together, and the change that it makes.

use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_pubsub::model::Subscription as Shape;
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

/// A change and how it is made.
pub(crate) struct Step {
    pub(crate) change: Change,
    pub(crate) operation: Operation,
}

/// A change that was made in the place of the one that was planned.
pub(crate) struct Instead {
    pub(crate) change: Change,
    /// Why, in a sentence.
    pub(crate) note: String,
}

pub(crate) enum Operation {
    MakeTopic,
    MakeSubscription(Box<Shape>),
    ChangeSubscription(Box<Shape>, Vec<String>),
    /// Deletes it and makes it anew.
    ReplaceSubscription(Box<Shape>),
    DeleteSubscription,
    Grant(Grant),
    /// And the name of the queue that is made instead, where its own is blocked.
    MakeQueue(Box<Queue>, String),
    ChangeQueue(Box<Queue>, Vec<String>),
    MakeJob(Box<Job>),
    ChangeJob(Box<Job>, Vec<String>),
    DeleteJob,
}

/// Everything that a plan calls.
pub(crate) struct Clients {
    pub(crate) pubsub: Option<PubSubAdmin>,
    pub(crate) queues: Option<QueueAdmin>,
    pub(crate) scheduler: Option<SchedulerAdmin>,
}

impl Clients {
    fn pubsub(&self) -> Result<&PubSubAdmin, Error> {
        self.pubsub
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Config, "this runtime reaches no Pub/Sub"))
    }

    fn queues(&self) -> Result<&QueueAdmin, Error> {
        self.queues
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Config, "this runtime reaches no Cloud Tasks"))
    }

    fn scheduler(&self) -> Result<&SchedulerAdmin, Error> {
        self.scheduler
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Config, "this runtime reaches no Cloud Scheduler"))
    }
}

impl Step {
    /// The order in which things are made: what others need comes first, and what is deleted last.
    pub(crate) fn phase(&self) -> u8 {
        match self.operation {
            Operation::MakeTopic => 0,
            // A dead letter that nobody keeps is lost: before the subscription that it comes from.
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

    /// Makes the change, or gives back another one that was made instead.
    pub(crate) async fn perform(&self, clients: &Clients) -> Result<Option<Instead>, Error> {
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
                    // Somebody else was quicker, or a repeated call.
                    Err(error) if !is(&error, Code::AlreadyExists) => Err(failed("made", path, error)),
                    _ => Ok(()),
                }
            }
            Operation::MakeSubscription(shape) => make_subscription(clients.pubsub()?, shape).await,
            Operation::ChangeSubscription(shape, fields) => {
                let request = clients
                    .pubsub()?
                    .subscriptions
                    .update_subscription()
                    .set_subscription((**shape).clone())
                    .set_update_mask(FieldMask::default().set_paths(fields));
                changed(path, request.with_idempotency(true).send().await)
            }
            Operation::ReplaceSubscription(shape) => {
                let pubsub = clients.pubsub()?;
                delete_subscription(pubsub, path).await?;
                make_subscription(pubsub, shape).await
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

async fn make_subscription(pubsub: &PubSubAdmin, shape: &Shape) -> Result<(), Error> {
    let request = pubsub
        .subscriptions
        .create_subscription()
        .with_request(shape.clone());
    let Err(error) = request.send().await else {
        return Ok(());
    };
    if !is(&error, Code::AlreadyExists) {
        return Err(failed("made", &shape.name, error));
    }
    // A repeated call that had landed, or somebody else's: then it need not be as we want it.
    let there = pubsub
        .subscriptions
        .get_subscription()
        .set_subscription(&shape.name);
    let there = there
        .send()
        .await
        .map_err(|error| failed("read", &shape.name, error))?;
    let same = subscription_diff::changes(&there, shape).is_empty()
        && subscription_diff::fixed_changes(&there, shape).is_empty();
    if same {
        Ok(())
    } else {
        Err(Error::rejected(format!(
            "{} was made by somebody else in the meantime, and differs: plan anew",
            shape.name
        )))
    }
}

async fn delete_subscription(pubsub: &PubSubAdmin, path: &str) -> Result<(), Error> {
    let request = pubsub.subscriptions.delete_subscription().set_subscription(path);
    deleted(path, request.with_idempotency(true).send().await)
}
