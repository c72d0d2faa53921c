//! IAM policies of topics and subscriptions.

use bytes::Bytes;
use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_iam_v1::model::{Binding, GetPolicyOptions, Policy};

use crate::admin::setup::call_error::{POLICY_CHANGED, POLICY_READ, failed};
use crate::admin::setup::clients::{PubSubAdmin, in_path};
use crate::admin::setup::visibility::Visibility;
use crate::backend::google::is;
use crate::base::Error;

/// How often a policy is read and written again if somebody else has changed it in between.
const ATTEMPTS: usize = 5;

/// The policy version with conditions.
const WITH_CONDITIONS: i32 = 3;

/// A role of some members on a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub resource: String,
    pub role: &'static str,
    pub members: Vec<String>,
}

impl Grant {
    /// The members that do not have the role yet.
    fn missing_in<'a>(&'a self, policy: &'a Policy) -> impl Iterator<Item = &'a String> {
        let bindings = policy.bindings.iter().filter(|binding| self.fits(binding));
        let given: Vec<_> = bindings.flat_map(|binding| &binding.members).collect();
        self.members.iter().filter(move |member| !given.contains(member))
    }

    /// Whether the members belong in this binding. A binding with a condition is a different one.
    fn fits(&self, binding: &Binding) -> bool {
        binding.role == self.role && binding.condition.is_none()
    }

    fn add_to(&self, policy: &mut Policy) {
        let missing: Vec<String> = self.missing_in(policy).cloned().collect();
        match policy.bindings.iter_mut().find(|binding| self.fits(binding)) {
            Some(binding) => binding.members.extend(missing),
            None => policy
                .bindings
                .push(Binding::new().set_role(self.role).set_members(missing)),
        }
    }
}

impl Grant {
    /// The members that do not have the role yet: all of them on a resource that is yet to be created.
    pub async fn missing(&self, pubsub: &PubSubAdmin) -> Result<Vec<String>, GoogleError> {
        match read(pubsub, &self.resource).await {
            Ok(policy) => Ok(self.missing_in(&policy).cloned().collect()),
            Err(error) if is(&error, Code::NotFound) => Ok(self.members.clone()),
            Err(error) => Err(error),
        }
    }

    /// Adds the grant to the policy and changes nothing else in it.
    pub async fn give(&self, pubsub: &PubSubAdmin, visibility: Visibility) -> Result<(), Error> {
        let mut attempt = 1;
        loop {
            let mut policy = visibility
                .wait_for(|| read(pubsub, &self.resource))
                .await
                .map_err(|error| failed(POLICY_READ, &self.resource, error))?;
            if self.missing_in(&policy).next().is_none() {
                return Ok(());
            }
            self.add_to(&mut policy);
            match write(pubsub, &self.resource, policy).await {
                Ok(()) => return Ok(()),
                Err(error) if is(&error, Code::Aborted) && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(failed(POLICY_CHANGED, &self.resource, error)),
            }
        }
    }
}

/// Gives a recreated resource its former policy.
pub(super) async fn restore(pubsub: &PubSubAdmin, resource: &str, policy: &Policy) -> Result<(), Error> {
    // The etag is that of the deleted resource.
    let policy = policy.clone().set_etag(Bytes::new());
    Visibility::Recent
        .wait_for(|| write(pubsub, resource, policy.clone()))
        .await
        .map_err(|error| failed(POLICY_CHANGED, resource, error))
}

pub(super) async fn read(pubsub: &PubSubAdmin, resource: &str) -> Result<Policy, GoogleError> {
    let request = pubsub
        .policies
        .get_iam_policy()
        .set_resource(in_path(resource))
        // Otherwise bindings with conditions arrive without them.
        .set_options(GetPolicyOptions::new().set_requested_policy_version(WITH_CONDITIONS));
    request.with_idempotency(true).send().await
}

async fn write(pubsub: &PubSubAdmin, resource: &str, mut policy: Policy) -> Result<(), GoogleError> {
    if policy.bindings.iter().any(|binding| binding.condition.is_some()) {
        policy.version = WITH_CONDITIONS;
    }
    let request = pubsub
        .policies
        .set_iam_policy()
        .set_resource(in_path(resource))
        .set_policy(policy);
    // A repeated write has the same result, and the etag keeps it from undoing somebody else's.
    request.with_idempotency(true).send().await.map(drop)
}
