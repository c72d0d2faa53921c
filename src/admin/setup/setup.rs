//! The builder of a plan.

use crate::admin::setup::clients::{PubSubAdmin, QueueAdmin, SchedulerAdmin};
use crate::admin::setup::operation::Clients;
use crate::admin::setup::options::Options;
use crate::admin::setup::plan::{Plan, PlanDraft};
use crate::admin::setup::report::SetUpReport;
use crate::admin::setup::{grants, queues, schedules, subscriptions};
use crate::backend::google::metadata;
use crate::base::{Error, ErrorKind};
use crate::registry::Registered;
use crate::runtime::Runtime;

/// A set-up to be planned; returned by [`Runtime::setup`].
#[must_use = "nothing is looked at until `plan()` is called and awaited"]
#[derive(Clone, Debug)]
pub struct Setup {
    runtime: Runtime,
    options: Options,
}

impl Runtime {
    /// Starts a set-up, which compares the cloud with the code and plans the changes.
    ///
    /// It covers topics of publishers, subscribers, dead letters and dead tasks, which only need to exist; the push
    /// subscriptions of subscribers, field by field; the subscriptions that keep dead letters and dead tasks; the IAM
    /// bindings of dead letters and of [publishers](crate::runtime::RuntimeBuilder::allow_publisher) outside of the application; the queues of tasks, as far as [`queue`](crate::runtime::RuntimeBuilder::queue)
    /// specifies them; and the schedules of periodic tasks. Settings that the code does not specify are left as they
    /// are. Another application's resources are never deleted, and nothing is deleted unless you enable it.
    ///
    /// ```no_run
    /// use cloud_tasks::{Config, Runtime};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let runtime = Runtime::builder().config(Config::from_env()?).build().await?;
    /// let plan = runtime.setup().plan().await?;
    /// println!("{plan}");
    /// println!("{}", plan.apply().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn setup(&self) -> Setup {
        Setup {
            runtime: self.clone(),
            options: Options {
                subscribers: true,
                queues: true,
                schedules: true,
                ..Options::default()
            },
        }
    }
}

impl Setup {
    /// Selects only topics, subscriptions and what they need.
    pub fn only_subscribers(mut self) -> Self {
        self.options.queues = false;
        self.options.schedules = false;
        self
    }

    /// Selects only queues.
    pub fn only_queues(mut self) -> Self {
        self.options.subscribers = false;
        self.options.schedules = false;
        self
    }

    /// Selects only the schedules of periodic tasks.
    pub fn only_schedules(mut self) -> Self {
        self.options.subscribers = false;
        self.options.queues = false;
        self
    }

    /// Selects only this publisher, subscriber or task: its topics, its subscriptions and what belongs to them, its
    /// schedule. Further calls add types.
    pub fn only<T: Registered>(mut self) -> Self {
        self.options.queues = false;
        let letters = self.runtime.dead_letters();
        let has_letters = letters
            .iter()
            .any(|letters| letters.tasks.contains(T::__REGISTRATION.declared().name));
        if T::__REGISTRATION.declared().subscriber_options().is_none()
            && !T::__REGISTRATION.declared().is_publisher()
            && !has_letters
        {
            self.options.subscribers = false;
        }
        self.options
            .only
            .get_or_insert_default()
            .insert(T::__REGISTRATION.declared().name.to_owned());
        self
    }

    /// Deletes this application's subscriptions and schedules that its code no longer has. Messages of deleted
    /// subscriptions are lost.
    ///
    /// A resource belongs to the application if its name begins with the application's name and the delimiter and has
    /// no further delimiter, and if its pushes or requests come to this endpoint. Without an application name
    /// ([`Config::app_name`](crate::Config::app_name)) nothing is deleted. Topics and queues are never deleted: others
    /// may subscribe to a topic, and a queue's name would stay blocked for days.
    pub fn prune(mut self) -> Self {
        self.options.prune = true;
        self
    }

    /// Recreates subscriptions whose topic, filter or ordering differs, which cannot be changed in place. Their
    /// unacknowledged messages are lost.
    pub fn allow_data_loss(mut self) -> Self {
        self.options.allow_data_loss = true;
        self
    }

    /// Leaves IAM policies to somebody else: they are neither read nor changed. The plan notes which account needs which
    /// role. A recreated subscription loses its policy.
    pub fn skip_iam(mut self) -> Self {
        self.options.skip_iam = true;
        self
    }

    /// Sets the project's number, which is part of the names of Google's accounts, such as Pub/Sub's. By default it comes from the metadata
    /// server, if this runs in that project.
    pub fn project_number(mut self, number: u64) -> Self {
        self.options.project_number = Some(number);
        self
    }

    /// Compares the cloud with the code, and plans the changes. Nothing is changed.
    ///
    /// # Errors
    ///
    /// If this runtime reaches neither Pub/Sub nor Cloud Tasks, or if a call fails; the error names the missing
    /// permission and how to grant it.
    pub async fn plan(mut self) -> Result<Plan, Error> {
        if self.options.prune && self.runtime.only_enqueues() {
            return Err(Error::new(
                ErrorKind::Config,
                "nothing was looked at: this runtime only enqueues and knows no subscribers and no schedules, so everything \
                 would be a leftover; prune with the service that runs the tasks",
            ));
        }
        let mut clients = Clients {
            pubsub: None,
            queues: None,
            scheduler: None,
        };
        let mut found = PlanDraft::default();
        if self.options.subscribers {
            self.look_at_pubsub(&mut clients, &mut found).await?;
        }
        #[cfg(feature = "local")]
        if let Some(url) = self.runtime.services().local_engine() {
            found.notes.push(format!(
                "looked at the local engine at {url}, which loses everything when its process ends"
            ));
        }
        if self.options.queues {
            self.look_at_queues(&mut clients, &mut found).await?;
        }
        if self.options.schedules {
            self.look_at_schedules(&mut clients, &mut found).await?;
        }
        let endpoint = self.runtime.config().base_url().to_owned();
        Ok(Plan::new(clients, found, endpoint))
    }

    async fn look_at_pubsub(&mut self, clients: &mut Clients, found: &mut PlanDraft) -> Result<(), Error> {
        let runtime = &self.runtime;
        let Some(access) = runtime.services().pubsub().cloned() else {
            let reason = "skipped publishers and subscribers: this runtime has no Pub/Sub; set PUBSUB_EMULATOR_HOST, or send its tasks to Google Cloud";
            if self.options.queues {
                found.notes.push(reason.to_owned());
                return Ok(());
            }
            return Err(Error::new(ErrorKind::Config, reason));
        };
        let needs_number =
            self.options.project_number.is_none() && grants::need_project_number(runtime, &self.options);
        if needs_number && access.signer.is_some() {
            // The set-up may run in another project than the one that it sets up.
            if metadata("project/project-id").await.as_deref() == Some(access.project.as_str()) {
                let number = metadata("project/numeric-project-id").await;
                self.options.project_number = number.and_then(|number| number.parse().ok());
            }
        }
        let admin = PubSubAdmin::new(access).await?;
        subscriptions::find(runtime, &admin, &self.options, found).await?;
        let subscribers = runtime
            .subscriptions()
            .iter()
            .filter(|subscription| self.options.takes(subscription.task));
        found.subscribers = Some(subscribers.count());
        clients.pubsub = Some(admin);
        Ok(())
    }

    async fn look_at_queues(&self, clients: &mut Clients, found: &mut PlanDraft) -> Result<(), Error> {
        let access = self.runtime.services().queues().cloned().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "skipped queues: this runtime has no Cloud Tasks",
            )
        })?;
        let admin = QueueAdmin::new(access).await?;
        queues::find(&self.runtime, &admin, found).await?;
        clients.queues = Some(admin);
        Ok(())
    }

    async fn look_at_schedules(&self, clients: &mut Clients, found: &mut PlanDraft) -> Result<(), Error> {
        let schedules = self.runtime.schedules().iter();
        let count = schedules
            .filter(|schedule| self.options.takes(schedule.task))
            .count();
        let asked_for = !self.options.subscribers && !self.options.queues && self.options.only.is_none();
        // A project without periodic tasks need not enable Cloud Scheduler.
        if count == 0 && !self.options.prune && !asked_for {
            return Ok(());
        }
        let Some(access) = self.runtime.services().scheduler().cloned() else {
            found.notes.push(
                "skipped schedules: this runtime has no Cloud Scheduler, and the local engine runs them itself"
                    .to_owned(),
            );
            return Ok(());
        };
        let admin = SchedulerAdmin::new(access).await?;
        if let Err(error) = schedules::find(&self.runtime, &admin, &self.options, found).await {
            // Leftovers alone are no reason to enable Cloud Scheduler.
            if count > 0 || asked_for {
                return Err(error);
            }
            found.notes.push(format!("skipped leftover schedules: {error:#}"));
            return Ok(());
        }
        found.schedules = Some(count);
        clients.scheduler = Some(admin);
        Ok(())
    }
}

/// Set-up of a single publisher, subscriber or task; implemented for every registered type.
///
/// ```no_run
/// use cloud_tasks::setup::SetupExt;
/// use cloud_tasks::{PublisherTask, Runtime, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct ParcelSent { parcel: u64 }
///
/// #[task]
/// impl PublisherTask for ParcelSent {}
///
/// # async fn set_up(runtime: Runtime) -> Result<(), cloud_tasks::Error> {
/// let report = runtime.scope(ParcelSent::set_up()).await?;
/// println!("{report}");
/// # Ok(())
/// # }
/// ```
pub trait SetupExt: Registered {
    /// Creates or changes the topics, subscriptions and schedules that this type needs, in the project of the
    /// [current](Runtime::current) runtime.
    ///
    /// [`Setup::only`] shows the changes first.
    ///
    /// # Errors
    ///
    /// If there is no runtime, if it cannot reach Google, or if a call fails. Earlier changes stay.
    fn set_up() -> impl Future<Output = Result<SetUpReport, Error>> + Send {
        async {
            let plan = Runtime::current()?.setup().only::<Self>().plan().await?;
            plan.apply().await.map_err(|error| {
                let name = Self::__REGISTRATION.declared().name;
                Error::unavailable(format!("{name} was not set up completely")).with_source(error)
            })
        }
    }
}

impl<T: Registered> SetupExt for T {}
