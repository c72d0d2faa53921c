//! The runtime and the headers of the calling code.

use std::sync::{Arc, OnceLock};

use http::{HeaderMap, HeaderName};
use tokio::task::JoinHandle;
use tokio::task::futures::TaskLocalFuture;

use crate::base::headers::Propagated;
use crate::base::{Error, ErrorKind, TaskMetadata};
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
    /// The allow-listed headers of the current request or task.
    pub headers: Option<Arc<HeaderMap>>,
    /// The queue and the id of the current task, as [`task_path`] writes them.
    running: Option<Arc<str>>,
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
                headers: None,
                running: None,
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
        let (headers, running, spawned) = SCOPE
            .try_with(|scope| (scope.headers.clone(), scope.running.clone(), scope.spawned))
            .unwrap_or_else(|_| (None, None, is_in_spawned()));
        Self {
            runtime: runtime.clone(),
            headers,
            running,
            spawned,
        }
    }

    /// A scope of this runtime, with the allow-listed ones of these headers.
    pub fn with_headers(runtime: &Runtime, headers: &HeaderMap) -> Self {
        Self {
            runtime: runtime.clone(),
            headers: propagated(&runtime.inner.propagated, headers),
            running: None,
            spawned: is_in_spawned(),
        }
    }

    /// The same scope, inside a task with this metadata.
    pub fn in_task(mut self, metadata: &TaskMetadata) -> Self {
        self.running = metadata
            .queue()
            .zip(metadata.id())
            .map(|(queue, id)| task_path(queue, id).into());
        self
    }

    /// The same scope, inside a future that a flush waits for.
    pub fn in_spawned(mut self) -> Self {
        self.spawned = true;
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
        tokio::spawn(async move {
            let _running = running;
            future.await
        })
    }
}

/// A task, by its queue and its id.
fn task_path(queue: &str, id: &str) -> String {
    format!("{queue}/{id}")
}

/// Whether a task is the one that the calling code runs in.
pub(crate) fn is_running(queue: &str, id: &str) -> bool {
    let path = task_path(queue, id);
    SCOPE
        .try_with(|scope| scope.running.as_deref() == Some(path.as_str()))
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

/// The allow-listed headers of a request, within limits.
fn propagated(allowed: &[HeaderName], headers: &HeaderMap) -> Option<Arc<HeaderMap>> {
    let propagated = Propagated::of(allowed, headers);
    (!propagated.is_empty()).then(|| Arc::new(propagated))
}
