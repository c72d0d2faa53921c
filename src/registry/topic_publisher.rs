//! Publishers outside of this application, such as Google's own services.

use std::borrow::Cow;
use std::fmt;

use crate::base::Invalid;

/// An account outside of your application that publishes to one of your topics, such as that of a Google service.
///
/// Pass it to [`allow_publisher`](crate::runtime::RuntimeBuilder::allow_publisher); set-up then grants the account
/// `roles/pubsub.publisher` on the topic.
///
/// ```
/// use cloud_tasks::event::{Topic, TopicPublisher};
/// use cloud_tasks::Runtime;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager()
///     .allow_publisher(Topic::new("mail"), TopicPublisher::gmail())
///     .allow_publisher(Topic::new("uploads"), TopicPublisher::cloud_storage())
///     .allow_publisher(Topic::new("audit"), TopicPublisher::log_sinks())
///     .build()
///     .await?;
/// # let _ = runtime;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TopicPublisher(Identity);

#[derive(Clone, PartialEq, Eq)]
enum Identity {
    /// An IAM member.
    Member {
        member: Cow<'static, str>,
        purpose: &'static str,
    },
    /// The account `service-{number}@{domain}` that a service has in each project.
    Agent {
        domain: &'static str,
        purpose: &'static str,
        /// `None` for the project that is set up.
        project: Option<u64>,
    },
}

impl TopicPublisher {
    /// Gmail, which publishes changes of a mailbox after a call of `users.watch`.
    ///
    /// Source: <https://developers.google.com/workspace/gmail/api/guides/push>.
    pub const fn gmail() -> Self {
        Self(Identity::Member {
            member: Cow::Borrowed("serviceAccount:gmail-api-push@system.gserviceaccount.com"),
            purpose: "Gmail",
        })
    }

    /// Cloud Storage, which publishes notifications about the objects of the project's buckets.
    ///
    /// For the buckets of another project, name it with [`of_project`](Self::of_project).
    /// Source: <https://cloud.google.com/storage/docs/reporting-changes>.
    pub const fn cloud_storage() -> Self {
        Self::agent("gs-project-accounts.iam.gserviceaccount.com", "Cloud Storage")
    }

    /// The log sinks of the project, which publish log entries.
    ///
    /// Sinks that were created with an identity of their own, and those of folders and organizations, publish as the
    /// account that `gcloud logging sinks describe SINK --format='value(writerIdentity)'` shows: pass it to
    /// [`account`](Self::account).
    /// Source: <https://cloud.google.com/logging/docs/export/configure_export_v2#dest-auth>.
    pub const fn log_sinks() -> Self {
        Self::agent("gcp-sa-logging.iam.gserviceaccount.com", "log sinks")
    }

    /// An account by its e-mail address, or any IAM member with its prefix, such as `group:NAME@example.com`.
    pub fn account(account: impl Into<Cow<'static, str>>) -> Self {
        let account = account.into();
        let member = if account.contains(':') || !account.contains('@') {
            account
        } else {
            format!("serviceAccount:{account}").into()
        };
        Self(Identity::Member {
            member,
            purpose: "other publishers",
        })
    }

    /// The account of Pub/Sub, which publishes dead letters.
    #[cfg(feature = "google")]
    pub(crate) const fn pubsub() -> Self {
        Self::agent("gcp-sa-pubsub.iam.gserviceaccount.com", "dead letters")
    }

    const fn agent(domain: &'static str, purpose: &'static str) -> Self {
        Self(Identity::Agent {
            domain,
            purpose,
            project: None,
        })
    }

    /// Sets the number of the project that the service's account belongs to, if it is not the project that is set up.
    /// Has no effect on [`gmail`](Self::gmail) and [`account`](Self::account).
    #[must_use]
    pub const fn of_project(mut self, number: u64) -> Self {
        if let Identity::Agent { project, .. } = &mut self.0 {
            *project = Some(number);
        }
        self
    }

    /// The IAM member; `None` if the project's number is needed and unknown.
    #[cfg(feature = "google")]
    pub(crate) fn member(&self, project_number: Option<u64>) -> Option<String> {
        match &self.0 {
            Identity::Member { member, .. } => Some(member.clone().into_owned()),
            Identity::Agent { domain, project, .. } => {
                let number = project.or(project_number)?;
                Some(format!("serviceAccount:service-{number}@{domain}"))
            }
        }
    }

    /// What the permission is for.
    #[cfg(feature = "google")]
    pub(crate) fn purpose(&self) -> &'static str {
        match self.0 {
            Identity::Member { purpose, .. } | Identity::Agent { purpose, .. } => purpose,
        }
    }

    /// Checks that IAM would accept the account, for this topic.
    pub(crate) fn validate(&self, topic: &str) -> Result<(), Invalid> {
        let Identity::Member { member, .. } = &self.0 else {
            return Ok(());
        };
        let is_account = match member.split_once(':') {
            Some((kind, name)) => {
                !kind.is_empty() && !name.is_empty() && !member.contains(char::is_whitespace)
            }
            None => false,
        };
        Invalid::unless(is_account, || {
            Invalid::because(format!(
                "the publisher {:?} of the topic {topic:?} is not an account: write its e-mail address, or an IAM member such \
                 as `group:NAME@example.com`",
                member.strip_prefix("serviceAccount:").unwrap_or(member)
            ))
        })
    }
}

impl fmt::Debug for TopicPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.0 {
            Identity::Member { member, .. } => member,
            Identity::Agent { domain, .. } => *domain,
        };
        f.debug_tuple("TopicPublisher").field(&name).finish()
    }
}
