//! The probe: a request that asks who answers for tasks. `Runtime::serve` sends one before it accepts others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;

/// No task can have this name: `~` is not accepted in one.
pub(crate) const PROBED_NAME: &str = "~probe";

/// What makes a request a probe. It is not in the bytes of a request, so no client can send one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    arrived: Arc<AtomicBool>,
}

impl Probe {
    /// Notes that a request has reached this library. Returns `true` if it is a probe.
    pub fn note<B>(request: &Request<B>) -> bool {
        let probe = request.extensions().get::<Self>();
        if let Some(probe) = probe {
            probe.arrived.store(true, Ordering::Relaxed);
        }
        probe.is_some()
    }

    /// Whether the request is a probe.
    pub fn is_in<B>(request: &Request<B>) -> bool {
        request.extensions().get::<Self>().is_some()
    }

    /// Whether it has reached this library.
    #[cfg(feature = "serve")]
    pub fn has_arrived(&self) -> bool {
        self.arrived.load(Ordering::Relaxed)
    }
}
