//! Recreating a subscription, with everything on it that others have made.

use bytes::Bytes;
use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_iam_v1::model::Policy;
use google_cloud_pubsub::model::Subscription as PubSubSubscription;
use google_cloud_pubsub::model::subscription::State;
use serde_json::{Value, json};

use crate::admin::setup::call_error::{POLICY_READ, failed};
use crate::admin::setup::clients::{PubSubAdmin, in_path};
use crate::admin::setup::visibility::Visibility;
use crate::admin::setup::{iam, trial};
use crate::backend::google::{PubSubAccess, is};
use crate::base::Error;

/// What happens to the IAM policy of a recreated subscription.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PolicyCopy {
    /// It is read before and written after.
    Copied,
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
    /// Tries the new settings out, deletes the subscription, creates it again and gives it its IAM policy back.
    pub async fn perform(&self, pubsub: &PubSubAdmin) -> Result<(), Error> {
        let name = &self.desired.name;
        self.check_unchanged(pubsub).await?;
        let policy = match self.policy {
            PolicyCopy::Copied => found(iam::read(pubsub, name).await)
                .map_err(|error| failed(POLICY_READ, name, error))?
                .filter(|policy| !is_blank(policy)),
            PolicyCopy::Lost | PolicyCopy::None => None,
        };
        // An emulator may ignore the trial's filter, and would push.
        if self.policy != PolicyCopy::None {
            trial::try_out(pubsub, &self.desired).await?;
        }
        pubsub.delete_subscription(name).await?;
        pubsub
            .make_subscription(&self.desired, Visibility::Recent)
            .await
            .map_err(|error| {
                let topic = &self.desired.topic;
                let message = format!(
                    "{name} was deleted and not made again: its messages are lost, and those that are published to {topic} until \
                     it exists"
                );
                let help = [
                    make_again("PUT", &pubsub.access, name, serde_json::to_value(&self.desired).ok()),
                    policy.as_ref().and_then(|policy| restore_policy(pubsub, name, policy)),
                ];
                with_commands(message, help, error)
            })?;
        let Some(policy) = policy else {
            return Ok(());
        };
        iam::restore(pubsub, name, &policy).await.map_err(|error| {
            let message = format!("{name} was recreated without its IAM policy");
            with_commands(message, [restore_policy(pubsub, name, &policy), None], error)
        })
    }

    /// Fails if somebody has changed the subscription since the plan: the copy would undo that.
    async fn check_unchanged(&self, pubsub: &PubSubAdmin) -> Result<(), Error> {
        let name = &self.desired.name;
        let request = pubsub
            .subscriptions
            .get_subscription()
            .set_subscription(in_path(name));
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

/// The command that writes the IAM policy again.
fn restore_policy(pubsub: &PubSubAdmin, name: &str, policy: &Policy) -> Option<String> {
    // As it replaces the whole policy, an etag would only be in the way.
    let policy = serde_json::to_value(policy.clone().set_etag(Bytes::new())).ok()?;
    let resource = format!("{name}:setIamPolicy");
    make_again("POST", &pubsub.access, &resource, Some(json!({"policy": policy})))
}

/// A command with everything that was lost: nothing else has it any more.
fn make_again(method: &str, access: &PubSubAccess, resource: &str, body: Option<Value>) -> Option<String> {
    let body = body?.to_string().replace('\'', r"'\''");
    let endpoint = access
        .endpoint
        .as_deref()
        .unwrap_or("https://pubsub.googleapis.com");
    let url = format!("{}/v1/{}", endpoint.trim_end_matches('/'), in_path(resource));
    Some(format!(
        "`curl -X {method} -H \"Authorization: Bearer $(gcloud auth print-access-token)\" -H 'Content-Type: application/json' -d \
         '{body}' '{url}'`"
    ))
}

/// An error with the commands that make up for it.
fn with_commands(message: String, commands: [Option<String>; 2], error: Error) -> Error {
    let commands: Vec<_> = commands.into_iter().flatten().collect();
    Error::rejected(message)
        .with_source(error)
        .with_help(&format!("make it again: {}", commands.join(" and ")))
}
