//! Topics and push subscriptions for everything that is registered.

use std::collections::BTreeSet;

use crate::backend::google::PubSubAccess;
use crate::error::{Error, ErrorKind};
use crate::runtime::Runtime;
use crate::setup::admin::Admin;
use crate::setup::report::SetUpReport;
use crate::setup::shape;
use crate::subscription::Subscription;

impl Runtime {
    /// Makes the topics and the subscriptions that the registered publishers and subscribers need, in Pub/Sub.
    ///
    /// Topics that are there stay as they are; those of other projects are for their owners to make. A subscription that
    /// is there is changed where it differs from what its subscriber says; what the subscriber leaves open stays, and what
    /// Pub/Sub lets nobody change (topic, filter, ordering) is told in [`SetUpReport::left`]. Nothing is deleted. An
    /// emulator signs no pushes, so there they carry no token.
    ///
    /// Dead letters also need `roles/pubsub.publisher` on the dead-letter topic and `roles/pubsub.subscriber` on the
    /// subscription for `service-PROJECT_NUMBER@gcp-sa-pubsub.iam.gserviceaccount.com`, which this does not grant.
    ///
    /// # Errors
    ///
    /// When this runtime reaches no Pub/Sub, or at the first call that fails; what was made before it stays, and the same
    /// call goes on from there.
    ///
    /// ```no_run
    /// use cloud_tasks::{Config, Runtime};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let runtime = Runtime::builder().config(Config::from_env()?).build().await?;
    /// let report = runtime.set_up_subscribers().await?;
    /// println!("{report}");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn set_up_subscribers(&self) -> Result<SetUpReport, Error> {
        let Some(access) = &self.inner().pubsub else {
            return Err(Error::new(
                ErrorKind::Config,
                "the subscribers were not set up: this runtime reaches no Pub/Sub; set PUBSUB_EMULATOR_HOST, or let its \
                 tasks go to Google",
            ));
        };
        let admin = Admin::new(access).await?;
        let mut report = SetUpReport {
            endpoint: self.config().base_url().to_owned(),
            ..SetUpReport::default()
        };
        for topic in self.topics(access) {
            if admin.make_topic(&topic).await? {
                report.made.push(topic);
            }
        }
        for subscription in self.subscriptions() {
            self.set_up(subscription, access, &admin, &mut report).await?;
        }
        for names in [&mut report.added, &mut report.changed, &mut report.unchanged] {
            names.sort_unstable();
        }
        Ok(report)
    }

    /// The full paths of all topics that publishers, subscribers and dead letters need.
    fn topics(&self, access: &PubSubAccess) -> BTreeSet<String> {
        let published = self.inner().registry.published_topics(self.config());
        let subscribed = self
            .subscriptions()
            .iter()
            .flat_map(|subscription| [Some(&subscription.topic), subscription.dead_letter_topic.as_ref()])
            .flatten()
            .cloned();
        published
            .chain(subscribed)
            .map(|name| access.topic(&name))
            .collect()
    }

    async fn set_up(
        &self,
        subscription: &Subscription,
        access: &PubSubAccess,
        admin: &Admin,
        report: &mut SetUpReport,
    ) -> Result<(), Error> {
        // Before the one whose dead letters it keeps: a letter that nobody keeps is lost.
        if let (Some(topic), Some(name)) = (
            &subscription.dead_letter_topic,
            &subscription.dead_letter_subscription,
        ) {
            let path = access.subscription(name);
            let shape = shape::dead_letters(&path, &access.topic(topic));
            if admin.make_subscription(&shape).await? {
                report.made.push(path);
            }
        }
        let wanted = shape::wanted(subscription, access, self.config())?;
        let task = subscription.task.to_owned();
        if admin.make_subscription(&wanted).await? {
            report.added.push(task);
            return Ok(());
        }
        let there = admin.subscription(&wanted.name).await?;
        for difference in shape::fixed_differences(&there, &wanted) {
            report.left.push(format!(
                "the subscription {} was left as it is: {difference}; only deleting it changes that, and its backlog is \
                 lost then",
                wanted.name
            ));
        }
        let fields = shape::changes(&there, &wanted);
        if fields.is_empty() {
            report.unchanged.push(task);
        } else {
            admin.change(wanted, &fields).await?;
            report.changed.push(task);
        }
        Ok(())
    }
}
