//! The roles that Pub/Sub's own account needs to deliver dead letters.

use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::options::RequestOptionsBuilder;
use google_cloud_iam_v1::model::{Binding, GetPolicyOptions, Policy};

use crate::admin::setup::call_error::failed;
use crate::admin::setup::clients::PubSubAdmin;
use crate::backend::google::is;
use crate::base::Error;

/// How often a policy is read and written again if somebody else has changed it in between.
const ATTEMPTS: usize = 5;

/// The policy version with conditions.
const WITH_CONDITIONS: i32 = 3;

/// A role of a member on a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub resource: String,
    pub role: &'static str,
    pub member: String,
}

impl Grant {
    fn is_in(&self, policy: &Policy) -> bool {
        policy
            .bindings
            .iter()
            .any(|binding| self.fits(binding) && binding.members.contains(&self.member))
    }

    /// Whether the member belongs in this binding. A binding with a condition is a different one.
    fn fits(&self, binding: &Binding) -> bool {
        binding.role == self.role && binding.condition.is_none()
    }

    fn add_to(&self, policy: &mut Policy) {
        match policy.bindings.iter_mut().find(|binding| self.fits(binding)) {
            Some(binding) => binding.members.push(self.member.clone()),
            None => policy
                .bindings
                .push(Binding::new().set_role(self.role).set_members([&self.member])),
        }
    }
}

/// Whether a grant exists. A resource that is yet to be created has none.
pub(crate) async fn is_given(pubsub: &PubSubAdmin, grant: &Grant) -> Result<bool, Error> {
    match read(pubsub, &grant.resource).await {
        Ok(policy) => Ok(grant.is_in(&policy)),
        Err(error) if is(&error, Code::NotFound) => Ok(false),
        Err(error) => Err(failed(
            "read (its IAM policy, getIamPolicy)",
            &grant.resource,
            error,
        )),
    }
}

/// Adds the grant to the policy and changes nothing else in it.
pub(crate) async fn give(pubsub: &PubSubAdmin, grant: &Grant) -> Result<(), Error> {
    let mut attempt = 1;
    loop {
        let mut policy = read(pubsub, &grant.resource)
            .await
            .map_err(|error| failed("read (its IAM policy, getIamPolicy)", &grant.resource, error))?;
        if grant.is_in(&policy) {
            return Ok(());
        }
        grant.add_to(&mut policy);
        if policy.bindings.iter().any(|binding| binding.condition.is_some()) {
            policy.version = WITH_CONDITIONS;
        }
        let write = pubsub
            .policies
            .set_iam_policy()
            .set_resource(&grant.resource)
            .set_policy(policy);
        // The etag makes a retried write harmless.
        match write.with_idempotency(true).send().await {
            Ok(_) => return Ok(()),
            Err(error) if is(&error, Code::Aborted) && attempt < ATTEMPTS => attempt += 1,
            Err(error) => {
                return Err(failed(
                    "changed (its IAM policy, setIamPolicy)",
                    &grant.resource,
                    error,
                ));
            }
        }
    }
}

async fn read(pubsub: &PubSubAdmin, resource: &str) -> Result<Policy, google_cloud_gax::error::Error> {
    let request = pubsub
        .policies
        .get_iam_policy()
        .set_resource(resource)
        // Otherwise bindings with conditions arrive without them.
        .set_options(GetPolicyOptions::new().set_requested_policy_version(WITH_CONDITIONS));
    request.with_idempotency(true).send().await
}
