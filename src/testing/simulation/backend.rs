//! The runtime of an instance: the real one, whose cloud is simulated.

use std::fmt;
use std::sync::Arc;

use super::handler::Observed;
use super::instance::Instance;
use super::store::SimulatedStore;
use super::world::World;
use crate::auth::TrustedCallers;
use crate::backend::{Backend, BackendFuture, Connected, SimulatedGoogle};
use crate::base::{Clock, Config, Envelope, Error, ErrorKind, Publication};
use crate::registry::Around;
use crate::runtime::{Missing, Mode, Parts, Runtime, RuntimeBuilder, access_in_tests};

const PROJECT: &str = "simulated";
const LOCATION: &str = "europe-west1";
const ACCOUNT: &str = "tasks@simulated.iam.gserviceaccount.com";

/// Tasks and messages go to the cloud of a [simulation](crate::testing::simulation).
#[derive(Default)]
pub struct Simulated {
    place: Option<Place>,
}

/// Where a runtime runs.
struct Place {
    service: String,
    instance: Arc<Instance>,
}

impl Simulated {
    pub(super) fn run_in(&mut self, service: String, instance: Arc<Instance>) {
        self.place = Some(Place { service, instance });
    }
}

impl Runtime {
    /// Starts building a runtime whose cloud is simulated; for [`Cloud::service`](crate::testing::simulation::Cloud::service),
    /// which builds one for each instance.
    ///
    /// Where its settings have no endpoint, it gets one from the name of its service. Its callers are verified as in production.
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn simulated() -> RuntimeBuilder<Simulated> {
        RuntimeBuilder::with_mode(Simulated::default())
    }
}

impl Mode for Simulated {
    type Built = Runtime;

    async fn build(self, mut parts: Parts) -> Result<Runtime, Error> {
        let Some(Place { service, instance }) = self.place else {
            return Err(Error::new(
                ErrorKind::Build,
                "`Runtime::simulated()` is built by a simulation: pass its builder to `cloud.service(..)`",
            ));
        };
        let world = Arc::clone(&instance.world);
        parts.set_config(located(parts.config().clone(), &service));
        parts.set_backend_name("a simulation");
        let process = Arc::clone(&instance);
        parts.set_clock(Clock::new(move || crate::base::process::Process::now(&*process)));
        // A database has a clock of its own.
        let clock = Arc::clone(&world);
        parts.wrap_store(&Clock::new(move || clock.now()), |store| {
            let instance = Arc::clone(&instance);
            Arc::new(SimulatedStore { store, instance })
        });
        let observer = Arc::clone(&instance);
        parts.add_state(Around(Box::new(move |_, handler| {
            let instance = Arc::clone(&observer);
            Arc::new(Observed { handler, instance })
        })));
        let callers = TrustedCallers::new().with_key_server(world.key_server());
        let (access, mut errors) = access_in_tests(Some(callers), parts.config());
        let google = SimulatedGoogle::new(parts.config(), world.cloud_tasks());
        let google = google.map_err(|found| errors.extend(found)).ok();
        let connect = google.map(|google| {
            let backend = SimulatedBackend { google, instance };
            Box::new(move |_| Connected::new(backend)) as _
        });
        let settings = parts.queue_settings().to_vec();
        let runtime = parts.finish(connect, access, Missing::Allowed, errors)?;
        world.set_queues(&settings);
        Ok(runtime)
    }
}

/// The settings of a service in a simulation, where its own say nothing.
fn located(config: Config, service: &str) -> Config {
    let is_default = config.endpoint() == Config::default().endpoint();
    let config = if is_default {
        config.with_endpoint(format!("https://{service}.simulated"))
    } else {
        config
    };
    let project = config.project().unwrap_or(PROJECT).to_owned();
    let location = config.location().unwrap_or(LOCATION).to_owned();
    let account = config.service_account().unwrap_or(ACCOUNT).to_owned();
    config
        .with_project(project)
        .with_location(location)
        .with_service_account(account)
}

/// Creates tasks as in production, at a server of the world, and publishes to the world's topics.
pub(super) struct SimulatedBackend {
    google: SimulatedGoogle,
    pub instance: Arc<Instance>,
}

impl SimulatedBackend {
    pub fn world(&self) -> &Arc<World> {
        &self.instance.world
    }
}

impl Backend for SimulatedBackend {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        Box::pin(async move {
            self.instance.alive().await;
            let world = self.world();
            world.calling(Box::pin(self.google.create(envelope))).await
        })
    }

    fn publish(&self, publication: Publication) -> BackendFuture<'_, String> {
        Box::pin(async move {
            self.instance.alive().await;
            let config = self.instance.runtime();
            let project = config.as_ref().and_then(|runtime| runtime.config().project());
            let project = project.unwrap_or(PROJECT).to_owned();
            self.world()
                .publish(&self.instance.name, &project, publication)
                .await
        })
    }
}

impl fmt::Debug for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = self.place.as_ref().map(|place| &place.service);
        f.debug_struct("Simulated").field("service", &service).finish()
    }
}
