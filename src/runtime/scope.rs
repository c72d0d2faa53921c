//! Which runtime and which headers belong to the code that runs now.

use std::sync::{Arc, OnceLock};

use http::{HeaderMap, HeaderName};
use tokio::task::futures::TaskLocalFuture;

use crate::base::error::{Error, ErrorKind};
use crate::runtime::Runtime;

tokio::task_local! {
    static SCOPE: Scope;
}

static INSTALLED: OnceLock<Runtime> = OnceLock::new();

/// A future that runs in a scope.
pub(crate) type Scoped<F> = TaskLocalFuture<Scope, F>;

/// What code inside a request, a task or `Runtime::scope` sees.
#[derive(Clone)]
pub(crate) struct Scope {
    pub(crate) runtime: Runtime,
    /// The allow-listed headers of the request or the task that this code works for.
    pub(crate) headers: Option<Arc<HeaderMap>>,
}

impl Scope {
    /// The scope of the code that runs now, else that of the installed runtime.
    pub(crate) fn current() -> Result<Self, Error> {
        SCOPE.try_with(Clone::clone).or_else(|_| {
            let runtime = INSTALLED.get().cloned().ok_or_else(|| {
                Error::new(
                    ErrorKind::NoRuntime,
                    "there is no runtime here: call `runtime.install()` in main, run this inside `runtime.scope(..)` \
                     or a request that passed `runtime.layer()`, or name one with `.on(&runtime)`; \
                     `tokio::spawn` leaves the scope, `runtime.spawn(..)` keeps it",
                )
            })?;
            Ok(Self { runtime, headers: None })
        })
    }

    /// A scope of this runtime, with the headers of the code that runs now.
    pub(crate) fn of(runtime: &Runtime) -> Self {
        Self {
            runtime: runtime.clone(),
            headers: SCOPE.try_with(|scope| scope.headers.clone()).ok().flatten(),
        }
    }

    pub(crate) fn run<F: Future>(self, future: F) -> Scoped<F> {
        SCOPE.scope(self, future)
    }

    pub(crate) fn call<R>(self, function: impl FnOnce() -> R) -> R {
        SCOPE.sync_scope(self, function)
    }
}

/// Makes a runtime the one of code that is in no scope; gives it back where there is one already.
pub(crate) fn install(runtime: Runtime) -> Result<(), Runtime> {
    INSTALLED.set(runtime)
}

/// The headers of an allow-list that a request carries.
pub(crate) fn propagated(allowed: &[HeaderName], headers: &HeaderMap) -> Option<Arc<HeaderMap>> {
    let mut kept = None;
    for name in allowed {
        for value in headers.get_all(name) {
            kept.get_or_insert_with(HeaderMap::new)
                .append(name.clone(), value.clone());
        }
    }
    kept.map(Arc::new)
}
