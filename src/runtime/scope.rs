//! The runtime and the headers of the calling code.

use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use tokio::task::JoinHandle;
use tokio::task::futures::TaskLocalFuture;

use crate::base::headers::Propagated;
use crate::base::{Error, ErrorKind, TaskMetadata, process};
use crate::runtime::Runtime;

tokio::task_local! {
    static SCOPE: Scope;
    /// Set in futures that a flush waits for: a flush inside would wait for itself.
    static AWAITED: ();
}

static INSTALLED: OnceLock<Runtime> = OnceLock::new();

/// A future that runs in a scope.
pub(crate) type Scoped<F> = TaskLocalFuture<Scope, F>;

/// What code inside a request, a task or `Runtime::scope` sees.
#[derive(Clone)]
pub(crate) struct Scope {
    pub runtime: Runtime,
    /// The allow-listed headers of the current request, and those of a task as soon as they are known.
    propagated: Option<Arc<HeaderMap>>,
    /// The current task. Which of its headers propagate is looked up when something is sent: most tasks send nothing.
    task: Option<TaskMetadata>,
    /// Whether this is inside a future that a flush waits for.
    spawned: bool,
}

impl Scope {
    /// The scope of the calling code, or a scope of the installed runtime.
    pub fn current() -> Result<Self, Error> {
        SCOPE.try_with(Clone::clone).or_else(|_| {
            let runtime = INSTALLED.get().cloned().ok_or_else(|| {
                Error::new(
                    ErrorKind::NoRuntime,
                    "no runtime found: call `runtime.install()` in main, run this inside `runtime.scope(..)` \
                     or a request that passed `runtime.layer()`, or name one with `.on(&runtime)`; \
                     `tokio::spawn` leaves the scope, `runtime.spawn(..)` keeps it",
                )
            })?;
            Ok(Self {
                runtime,
                propagated: None,
                task: None,
                spawned: false,
            })
        })
    }

    /// A scope of the runtime that a builder was given, otherwise that of the calling code.
    pub fn of_or_current(runtime: Option<&Runtime>) -> Result<Self, Error> {
        runtime.map_or_else(Self::current, |runtime| Ok(Self::of(runtime)))
    }

    /// A scope of this runtime, with the headers of the calling code.
    pub fn of(runtime: &Runtime) -> Self {
        let mut scope = SCOPE.try_with(Clone::clone).unwrap_or_else(|_| Self {
            runtime: runtime.clone(),
            propagated: None,
            task: None,
            spawned: is_in_spawned(),
        });
        if !scope.runtime.is(runtime) {
            // What propagates is up to the runtime that received the request.
            scope = scope.with_known_headers();
            scope.runtime = runtime.clone();
        }
        scope
    }

    /// A scope of this runtime, with the allow-listed ones of these headers.
    pub fn with_headers(runtime: &Runtime, headers: &HeaderMap) -> Self {
        let propagated = Propagated::of(&runtime.inner.propagated, headers);
        Self {
            runtime: runtime.clone(),
            propagated: (!propagated.is_empty()).then(|| Arc::new(propagated)),
            task: None,
            spawned: is_in_spawned(),
        }
    }

    /// A scope of this runtime, inside a task with this metadata.
    pub fn in_task(runtime: &Runtime, metadata: &TaskMetadata) -> Self {
        Self {
            runtime: runtime.clone(),
            propagated: None,
            task: Some(metadata.clone()),
            spawned: is_in_spawned(),
        }
    }

    /// The same scope, inside a future that a flush waits for.
    pub fn in_spawned(self) -> Self {
        // It may live for long, and needs not all headers of its request.
        let mut scope = self.with_known_headers();
        scope.task = scope.task.map(|task| task.identity());
        scope.spawned = true;
        scope
    }

    /// The headers that propagate from here: the allow-listed ones of the current request or task.
    pub fn headers(&self) -> HeaderMap {
        match (&self.propagated, &self.task) {
            (Some(propagated), _) => (**propagated).clone(),
            (None, Some(task)) => Propagated::of(&self.runtime.inner.propagated, task.headers()),
            (None, None) => HeaderMap::new(),
        }
    }

    fn with_known_headers(mut self) -> Self {
        if self.propagated.is_none() && self.task.is_some() {
            self.propagated = Some(Arc::new(self.headers()));
        }
        self
    }

    pub fn run<F: Future>(self, future: F) -> Scoped<F> {
        SCOPE.scope(self, future)
    }

    pub fn call<R>(self, function: impl FnOnce() -> R) -> R {
        SCOPE.sync_scope(self, function)
    }
}

impl Runtime {
    /// Installs this runtime for all code in this process that runs outside any scope.
    ///
    /// # Errors
    ///
    /// If a runtime is already installed; it stays installed.
    pub fn install(self) -> Result<(), Error> {
        INSTALLED.set(self).map_err(|_| {
            Error::new(
                ErrorKind::AlreadyInstalled,
                "a runtime is already installed in this process; use `runtime.scope(..)` for another one",
            )
        })
    }

    /// Returns the runtime of the calling code.
    ///
    /// # Errors
    ///
    /// If no runtime is in scope and none is installed.
    pub fn current() -> Result<Self, Error> {
        Scope::current().map(|scope| scope.runtime)
    }

    /// Runs a future in the scope of this runtime, whichever is installed.
    ///
    /// ```
    /// # use cloud_tasks::Runtime;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let runtime = Runtime::eager().build().await?;
    /// assert!(Runtime::current().is_err());
    /// runtime.scope(async { assert!(Runtime::current().is_ok()) }).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Like [`spawn`](Self::spawn), it takes an enqueue as it is: `runtime.scope(task.asap()).await?`.
    pub fn scope<F: IntoFuture>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        Scope::of(self).run(future.into_future())
    }

    /// Spawns a future on tokio that keeps this runtime and the propagated headers of the calling code.
    ///
    /// [`serve`](crate::Runtime#method.serve) waits for it when it stops, within the grace period, and so does [`flush`](Self::flush).
    /// Spawn what never ends with `tokio::spawn(runtime.scope(..))`, which nothing waits for.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, like `tokio::spawn`.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct ChargeTicket { invoice: u64 }
    /// # #[task]
    /// # impl Task for ChargeTicket {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// runtime.spawn(ChargeTicket { invoice: 7 }.asap()).await??;
    /// recorder.assert_enqueued::<ChargeTicket>(|charge| charge.invoice == 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
        F::Output: Send + 'static,
    {
        let scope = Scope::of(self).in_spawned();
        // Counted from now on, and not from its first poll.
        let running = self.inner.spawned.start();
        let future = scope.run(future.into_future());
        process::spawn(async move {
            let _running = running;
            future.await
        })
    }
}

/// Whether a task is the one that the calling code runs in.
pub(crate) fn is_running(queue: &str, id: &str) -> bool {
    let is_it = |task: &TaskMetadata| (task.queue(), task.id()) == (Some(queue), Some(id));
    SCOPE
        .try_with(|scope| scope.task.as_ref().is_some_and(is_it))
        .unwrap_or_default()
}

/// Runs a future that a flush waits for. Unlike that of a scope, the mark is there also for scopes that it has entered before.
pub(crate) fn awaited<F: Future>(future: F) -> impl Future<Output = F::Output> {
    AWAITED.scope((), future)
}

/// Whether the calling code is inside a future that a flush waits for.
pub(crate) fn is_in_spawned() -> bool {
    AWAITED.try_with(|()| ()).is_ok() || SCOPE.try_with(|scope| scope.spawned).unwrap_or_default()
}
