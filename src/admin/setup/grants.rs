//! Planning of IAM bindings: those that dead letters need, and those of publishers outside of the application.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::stream;
use google_cloud_gax::error::rpc::Code;

use crate::admin::setup::call_error::{self, POLICY_READ};
use crate::admin::setup::change::{Action, Change, FieldChange, ResourceKind};
use crate::admin::setup::clients::PubSubAdmin;
use crate::admin::setup::iam::Grant;
use crate::admin::setup::operation::{Operation, Step};
use crate::admin::setup::options::Options;
use crate::admin::setup::plan::{AT_ONCE, PlanDraft};
use crate::backend::google::is;
use crate::base::{Error, names::last_segment};
use crate::registry::subscription::Subscription;
use crate::registry::topic_publisher::TopicPublisher;
use crate::runtime::Runtime;

const PUBLISHER: &str = "roles/pubsub.publisher";
const SUBSCRIBER: &str = "roles/pubsub.subscriber";

/// A role that somebody needs on a topic or a subscription.
struct Need {
    /// The name, or the full path.
    resource: Resource,
    role: &'static str,
    who: TopicPublisher,
}

enum Resource {
    Topic(String),
    Subscription(String),
}

impl Need {
    fn resource(&self, admin: &PubSubAdmin) -> String {
        match &self.resource {
            Resource::Topic(name) => admin.access.topic(name),
            Resource::Subscription(name) => admin.access.subscription(name),
        }
    }
}

/// Whether a grant may need the number of the project.
pub(super) fn need_project_number(runtime: &Runtime, options: &Options) -> bool {
    needs(runtime, options).any(|need| need.who.member(None).is_none())
}

fn needs<'a>(runtime: &'a Runtime, options: &'a Options) -> impl Iterator<Item = Need> + 'a {
    let subscriptions = runtime.subscriptions().iter();
    let dead_letters = subscriptions
        .filter(|subscription| options.takes(subscription.task))
        .filter_map(of_dead_letters)
        .flatten();
    let publishers = publishers(runtime, options).map(|(topic, publisher)| Need {
        resource: Resource::Topic(topic),
        role: PUBLISHER,
        who: publisher.clone(),
    });
    dead_letters.chain(publishers)
}

/// The publishers outside of the application, with the names of their topics.
pub(super) fn publishers<'a>(
    runtime: &'a Runtime,
    options: &Options,
) -> impl Iterator<Item = (String, &'a TopicPublisher)> + use<'a> {
    // They belong to no registered type.
    let all: &[_] = if options.only.is_none() {
        runtime.publishers()
    } else {
        &[]
    };
    let config = runtime.config();
    all.iter()
        .map(|(topic, publisher)| (topic.name(config), publisher))
}

/// Pub/Sub publishes dead letters, and acknowledges the messages that they come from.
fn of_dead_letters(subscription: &Subscription) -> Option<[Need; 2]> {
    let topic = subscription.dead_letter_topic.clone()?;
    let need = |resource, role| Need {
        resource,
        role,
        who: TopicPublisher::pubsub(),
    };
    Some([
        need(Resource::Topic(topic), PUBLISHER),
        need(Resource::Subscription(subscription.name.clone()), SUBSCRIBER),
    ])
}

/// Plans the IAM bindings.
pub(super) async fn find(
    runtime: &Runtime,
    admin: &PubSubAdmin,
    options: &Options,
    found: &mut PlanDraft,
) -> Result<(), Error> {
    let needs: Vec<_> = needs(runtime, options).collect();
    if needs.is_empty() {
        return Ok(());
    }
    if admin.access.signer.is_none() {
        found.notes.push(format!(
            "skipped the IAM bindings of {}: an emulator has no IAM",
            purposes(&needs)
        ));
        return Ok(());
    }
    let (mut desired, mut unknown) = (Vec::<(Grant, Vec<Need>)>::new(), Vec::new());
    for need in needs {
        let resource = need.resource(admin);
        let role = need.role;
        let Some(member) = need.who.member(options.project_number) else {
            unknown.push(need);
            continue;
        };
        if !admin.is_in_project(&resource) {
            found.notes.push(format!(
                "skipped {resource}: it belongs to another project, whose owner must grant {member} {role}"
            ));
            continue;
        }
        if options.skip_iam {
            let note = format!("left to others: {member} needs {role} on {resource}");
            if !found.notes.contains(&note) {
                found.notes.push(note);
            }
            continue;
        }
        // One call per policy: concurrent ones would have to be repeated.
        let of_resource =
            |(grant, _): &&mut (Grant, Vec<Need>)| grant.resource == resource && grant.role == role;
        if let Some((grant, needs)) = desired.iter_mut().find(of_resource) {
            if !grant.members.contains(&member) {
                grant.members.push(member);
                needs.push(need);
            }
        } else {
            let members = vec![member];
            desired.push((
                Grant {
                    resource,
                    role,
                    members,
                },
                vec![need],
            ));
        }
    }
    if !unknown.is_empty() {
        found.notes.push(format!(
            "skipped the IAM bindings of {}: the project's number is unknown; set it with `project_number`, as shown by `gcloud \
             projects describe PROJECT --format='value(projectNumber)'`",
            purposes(&unknown)
        ));
    }
    check(desired, admin, found).await
}

/// Adds the grants that do not exist yet.
async fn check(
    desired: Vec<(Grant, Vec<Need>)>,
    admin: &PubSubAdmin,
    found: &mut PlanDraft,
) -> Result<(), Error> {
    let checked: Vec<_> = stream::iter(desired)
        .map(async |(grant, needs)| (grant.missing(admin).await, grant, needs))
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (mut unreadable, mut denied) = (Vec::new(), None);
    for (missing, grant, needs) in checked {
        let label = format!("{} on {}", grant.role, last_segment(&grant.resource));
        match missing {
            Ok(missing) if missing.is_empty() => {}
            Ok(missing) => {
                let mut change = Change::new(Action::Add, ResourceKind::IamBinding, &label, &grant.resource);
                let members = missing.into_iter();
                change.fields = members
                    .map(|member| FieldChange::new(grant.role, None, Some(member)))
                    .collect();
                found.steps.push(Step {
                    change,
                    operation: Operation::Grant(grant),
                });
            }
            Err(error) if is(&error, Code::PermissionDenied) => {
                unreadable.push((label, needs));
                denied = Some((grant.resource, error));
            }
            Err(error) => return Err(call_error::failed(POLICY_READ, &grant.resource, error)),
        }
    }
    if let Some((resource, error)) = denied {
        let (labels, needs): (Vec<_>, Vec<_>) = unreadable.into_iter().unzip();
        found.notes.push(format!(
            "skipped the IAM bindings of {} ({}): {:#}; or leave them to somebody else with `skip_iam`",
            purposes(needs.iter().flatten()),
            labels.join(", "),
            call_error::failed(POLICY_READ, &resource, error)
        ));
    }
    Ok(())
}

fn purposes<'a>(needs: impl IntoIterator<Item = &'a Need>) -> String {
    let purposes: BTreeSet<_> = needs.into_iter().map(|need| need.who.purpose()).collect();
    Vec::from_iter(purposes).join(", ")
}
