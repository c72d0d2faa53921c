//! The clients that read and change the cloud during set-up.

use std::collections::BTreeSet;
use std::time::Duration;

use google_cloud_gax::paginator::ItemPaginator;
use google_cloud_pubsub::client::{SchemaService, SubscriptionAdmin, TopicAdmin};
use google_cloud_pubsub::model::Subscription as PubSubSubscription;
use google_cloud_scheduler_v1::client::CloudScheduler;
use google_cloud_scheduler_v1::model::Job;
use google_cloud_tasks_v2::client::CloudTasks;
use google_cloud_tasks_v2::model::Queue;

use crate::admin::setup::call_error::not_read;
use crate::backend::google::{PubSubAccess, QueueAccess, RetryTransient, SchedulerAccess, backoff};
use crate::base::Error;

/// The timeout of one call.
const ATTEMPT: Duration = Duration::from_secs(30);
/// The maximum page size of Pub/Sub.
const PAGE: i32 = 1000;

/// Builds a client with the timeout and the retry policy of set-up.
macro_rules! build {
    ($client:ty, $access:expr) => {{
        let mut builder = <$client>::builder()
            .with_credentials($access.credentials.clone())
            .with_attempt_timeout(ATTEMPT)
            .with_retry_policy(RetryTransient)
            .with_backoff_policy(backoff());
        if let Some(url) = &$access.endpoint {
            builder = builder.with_endpoint(url);
        }
        builder.build().await.map_err(|error| {
            let message = concat!("the client ", stringify!($client), " was not built");
            Error::unreachable(message).with_source(Box::new(error))
        })?
    }};
}

/// Reads a list to its end, page by page.
macro_rules! all {
    ($request:expr, $path:expr) => {{
        let mut items = $request.set_page_size(PAGE).by_item();
        let mut all = Vec::new();
        while let Some(item) = items.next().await {
            all.push(item.map_err(|error| not_read(&$path, error))?);
        }
        all
    }};
}

/// A resource's name for the path of a request. Google's client escapes nothing there, and the names of topics and of
/// subscriptions may have a `%`: as it is, `a%2Db` would be the name of another one, `a-b`.
pub(super) fn in_path(name: &str) -> String {
    name.replace('%', "%25")
}

/// The clients of Pub/Sub.
pub(crate) struct PubSubAdmin {
    pub topics: TopicAdmin,
    pub subscriptions: SubscriptionAdmin,
    /// The only client that also has the policies of topics and subscriptions.
    pub policies: SchemaService,
    pub access: PubSubAccess,
}

impl PubSubAdmin {
    pub async fn new(access: PubSubAccess) -> Result<Self, Error> {
        Ok(Self {
            topics: build!(TopicAdmin, access),
            subscriptions: build!(SubscriptionAdmin, access),
            policies: build!(SchemaService, access),
            access,
        })
    }

    /// `projects/P`.
    fn project(&self) -> String {
        format!("projects/{}", self.access.project)
    }

    /// Whether this full path is in the project that is set up.
    pub fn is_in_project(&self, path: &str) -> bool {
        path.starts_with(&format!("{}/", self.project()))
    }

    /// The full paths of all topics of the project.
    pub async fn list_topics(&self) -> Result<BTreeSet<String>, Error> {
        let request = self.topics.list_topics().set_project(self.project());
        let topics = all!(request, format!("{}/topics", self.project()));
        Ok(topics.into_iter().map(|topic| topic.name).collect())
    }

    /// All subscriptions of the project.
    pub async fn list_subscriptions(&self) -> Result<Vec<PubSubSubscription>, Error> {
        let request = self
            .subscriptions
            .list_subscriptions()
            .set_project(self.project());
        Ok(all!(request, format!("{}/subscriptions", self.project())))
    }
}

/// The client of Cloud Scheduler.
pub(crate) struct SchedulerAdmin {
    pub client: CloudScheduler,
    pub access: SchedulerAccess,
}

impl SchedulerAdmin {
    pub async fn new(access: SchedulerAccess) -> Result<Self, Error> {
        let client = build!(CloudScheduler, access);
        Ok(Self { client, access })
    }

    /// All jobs of the location.
    pub async fn list_jobs(&self) -> Result<Vec<Job>, Error> {
        let location = &self.access.location;
        Ok(all!(
            self.client.list_jobs().set_parent(location),
            format!("{location}/jobs")
        ))
    }
}

/// The client of Cloud Tasks' queues.
pub(crate) struct QueueAdmin {
    pub client: CloudTasks,
    pub location: String,
}

impl QueueAdmin {
    pub async fn new(access: QueueAccess) -> Result<Self, Error> {
        let client = build!(CloudTasks, access);
        Ok(Self {
            client,
            location: access.location,
        })
    }

    /// All queues of the location.
    pub async fn list_queues(&self) -> Result<Vec<Queue>, Error> {
        let location = &self.location;
        Ok(all!(
            self.client.list_queues().set_parent(location),
            format!("{location}/queues")
        ))
    }
}
