//! The calls that make topics and subscriptions.

use std::time::Duration;

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_gax::retry_policy::{Aip194Strict, RetryPolicyExt};
use google_cloud_pubsub::client::{SubscriptionAdmin, TopicAdmin};
use google_cloud_pubsub::model::Subscription as Shape;
use google_cloud_wkt::FieldMask;

use crate::backend::google::PubSubAccess;
use crate::error::Error;

/// How long one call may take.
const ATTEMPT: Duration = Duration::from_secs(30);
/// Somebody waits for the set-up: a Pub/Sub that is out of reach shows soon.
const ATTEMPTS: u32 = 3;

/// Makes and reads topics and subscriptions.
pub(crate) struct Admin {
    topics: TopicAdmin,
    subscriptions: SubscriptionAdmin,
    project: String,
}

impl Admin {
    pub(crate) async fn new(access: &PubSubAccess) -> Result<Self, Error> {
        let mut topics = TopicAdmin::builder()
            .with_credentials(access.credentials.clone())
            .with_attempt_timeout(ATTEMPT)
            .with_retry_policy(Aip194Strict.with_attempt_limit(ATTEMPTS));
        let mut subscriptions = SubscriptionAdmin::builder()
            .with_credentials(access.credentials.clone())
            .with_attempt_timeout(ATTEMPT)
            .with_retry_policy(Aip194Strict.with_attempt_limit(ATTEMPTS));
        if let Some(url) = &access.endpoint {
            topics = topics.with_endpoint(url);
            subscriptions = subscriptions.with_endpoint(url);
        }
        let failed = |error| {
            Error::unavailable("the client of Pub/Sub was not built", false).with_source(Box::new(error))
        };
        Ok(Self {
            topics: topics.build().await.map_err(failed)?,
            subscriptions: subscriptions.build().await.map_err(failed)?,
            project: format!("projects/{}/", access.project),
        })
    }

    /// Makes a topic, and says whether it did: not where there is one, nor in another project, whose owner makes it.
    pub(crate) async fn make_topic(&self, path: &str) -> Result<bool, Error> {
        if !path.starts_with(&self.project) {
            return Ok(false);
        }
        made(path, self.topics.create_topic().set_name(path).send().await)
    }

    /// Makes a subscription, and says whether it did.
    pub(crate) async fn make_subscription(&self, shape: &Shape) -> Result<bool, Error> {
        let request = self
            .subscriptions
            .create_subscription()
            .with_request(shape.clone());
        made(&shape.name, request.send().await)
    }

    pub(crate) async fn subscription(&self, path: &str) -> Result<Shape, Error> {
        let request = self.subscriptions.get_subscription().set_subscription(path);
        request.send().await.map_err(|error| failed(path, "read", error))
    }

    pub(crate) async fn change(&self, shape: Shape, fields: &[&'static str]) -> Result<(), Error> {
        let path = shape.name.clone();
        let request = self
            .subscriptions
            .update_subscription()
            .set_subscription(shape)
            .set_update_mask(FieldMask::default().set_paths(fields.iter().copied()));
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| failed(&path, "changed", error))
    }
}

fn made<T>(path: &str, result: Result<T, GoogleError>) -> Result<bool, Error> {
    match result {
        Ok(_) => Ok(true),
        Err(error)
            if error
                .status()
                .is_some_and(|status| status.code == Code::AlreadyExists) =>
        {
            Ok(false)
        }
        Err(error) => Err(failed(path, "made", error)),
    }
}

fn failed(path: &str, what: &str, error: GoogleError) -> Error {
    let help = match error.status().map(|status| status.code) {
        Some(Code::PermissionDenied) => "; the caller needs roles/pubsub.editor on the project",
        Some(Code::NotFound) => "; is its topic there, and the project right?",
        _ => "",
    };
    let message = format!("{path} was not {what}: {error}{help}");
    let refused = error.http_status_code().is_some_and(|code| code < 500);
    let result = if refused {
        Error::rejected(message)
    } else {
        Error::unavailable(message, true)
    };
    result.with_source(error)
}
