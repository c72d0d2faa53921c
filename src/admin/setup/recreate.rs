//! Recreating a subscription, with everything on it that others have made.

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_iam_v1::model::Policy;
use google_cloud_pubsub::model::Subscription as PubSubSubscription;
use google_cloud_pubsub::model::subscription::State;
use serde_json::Value;

use crate::admin::setup::call_error::{POLICY_READ, failed};
use crate::admin::setup::clients::PubSubAdmin;
use crate::admin::setup::iam;
use crate::admin::setup::visibility::Visibility;
use crate::backend::google::is;
use crate::base::Error;

/// What happens to the IAM policy of a recreated subscription.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PolicyCopy {
    /// It is read before and written after.
    Kept,
    /// It is left to others, who lose it.
    Lost,
    /// The emulator has neither policies nor tags.
    None,
}

/// The data that recreating a subscription loses.
pub(super) fn data_loss(current: &PubSubSubscription, policy: PolicyCopy) -> String {
    let mut losses = vec!["unacknowledged messages, since the subscription is recreated".to_owned()];
    if current.retain_acked_messages {
        losses.push("the acknowledged messages that it retains".to_owned());
    }
    // The API takes them when a subscription is created, and does not return them.
    if current.tags.is_empty() && policy != PolicyCopy::None {
        losses.push(format!(
            "its tags, which Pub/Sub does not return (`gcloud resource-manager tags bindings list \
             --parent=//pubsub.googleapis.com/{}` lists them)",
            current.name
        ));
    }
    if let Some(info) = &current.analytics_hub_subscription_info {
        losses.push(format!("its link to the Analytics Hub listing {}", info.listing));
    }
    if policy == PolicyCopy::Lost {
        losses.push("its IAM policy".to_owned());
    }
    losses.join("; ")
}

/// A subscription that is deleted and created again.
pub(crate) struct Replacement {
    /// As it was when the plan was made.
    pub current: PubSubSubscription,
    /// The one that takes its place.
    pub desired: PubSubSubscription,
    pub policy: PolicyCopy,
}

impl Replacement {
    /// Deletes the subscription, creates it again and gives it its IAM policy back.
    pub async fn perform(&self, pubsub: &PubSubAdmin) -> Result<(), Error> {
        let name = &self.desired.name;
        self.check_unchanged(pubsub).await?;
        let policy = match self.policy {
            PolicyCopy::Kept => found(iam::read(pubsub, name).await)
                .map_err(|error| failed(POLICY_READ, name, error))?
                .filter(|policy| !is_blank(policy)),
            PolicyCopy::Lost | PolicyCopy::None => None,
        };
        pubsub.delete_subscription(name).await?;
        pubsub
            .make_subscription(&self.desired, Visibility::Recent)
            .await
            .map_err(|error| {
                let message = format!("{name} was deleted and not made again");
                with_resources(message, Some(&self.desired), policy.as_ref(), error)
            })?;
        let Some(policy) = policy else {
            return Ok(());
        };
        iam::restore(pubsub, name, &policy).await.map_err(|error| {
            let message = format!("{name} was recreated without its IAM policy");
            with_resources(message, None, Some(&policy), error)
        })
    }

    /// Fails if somebody has changed the subscription since the plan: the copy would undo that.
    async fn check_unchanged(&self, pubsub: &PubSubAdmin) -> Result<(), Error> {
        let name = &self.desired.name;
        let request = pubsub.subscriptions.get_subscription().set_subscription(name);
        let current = found(request.send().await).map_err(|error| failed("read", name, error))?;
        let without_state =
            |subscription: &PubSubSubscription| subscription.clone().set_state(State::default());
        if current.is_none_or(|current| without_state(&current) == without_state(&self.current)) {
            return Ok(());
        }
        Err(Error::rejected(format!(
            "{name} was not recreated: somebody else has changed it since the plan; plan again"
        )))
    }
}

/// What was read; `None` if somebody has deleted it since the plan.
fn found<T>(read: Result<T, GoogleError>) -> Result<Option<T>, GoogleError> {
    match read {
        Ok(resource) => Ok(Some(resource)),
        Err(error) if is(&error, Code::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_blank(policy: &Policy) -> bool {
    policy.bindings.is_empty() && policy.audit_configs.is_empty()
}

/// An error with everything that was lost, so that somebody can restore it: nothing else has it any more.
fn with_resources(
    message: String,
    subscription: Option<&PubSubSubscription>,
    policy: Option<&Policy>,
    error: Error,
) -> Error {
    let json = |value: Option<Result<Value, serde_json::Error>>| value?.ok();
    let settings = json(subscription.map(serde_json::to_value));
    let settings = settings.map(|json| format!("its settings: {json}"));
    let policy = json(policy.map(serde_json::to_value));
    let policy = policy.map(|json| format!("its IAM policy: {json}"));
    let lost: Vec<_> = settings.into_iter().chain(policy).collect();
    Error::rejected(message)
        .with_source(error)
        .with_help(&lost.join("; "))
}
