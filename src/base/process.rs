//! What a simulation replaces for the code of one process: the time, randomness, and what happens to spawned futures.
//!
//! Outside a simulation, and without the feature `testing`, these are the system's clock, the system's randomness and tokio's
//! `spawn`.

use std::time::SystemTime;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use uuid::Uuid;

#[cfg(feature = "testing")]
pub(crate) use simulated::{Inside, Process, current};

/// The current time of this process.
pub(crate) fn now() -> SystemTime {
    #[cfg(feature = "testing")]
    if let Some(process) = current() {
        return process.now();
    }
    SystemTime::now()
}

/// A random id, which nobody else has.
pub(crate) fn random_id() -> Uuid {
    #[cfg(feature = "testing")]
    if let Some(process) = current() {
        let number = u128::from(process.random()) << 64 | u128::from(process.random());
        return uuid::Builder::from_random_bytes(number.to_be_bytes()).into_uuid();
    }
    Uuid::new_v4()
}

/// A random number.
pub(crate) fn random_number() -> u64 {
    #[cfg(feature = "testing")]
    if let Some(process) = current() {
        return process.random();
    }
    // Each half has fixed bits where the other one has random bits.
    let (high, low) = Uuid::new_v4().as_u64_pair();
    high ^ low
}

/// A random number from 0 up to 1, without 1.
pub(crate) fn random_fraction() -> f64 {
    fraction_of(random_number())
}

/// A number from 0 up to 1, without 1, that every bit of the seed changes.
pub(crate) fn fraction_of(seed: u64) -> f64 {
    fraction(mix(seed))
}

/// A number whose every bit depends on all bits of the seed: the next one of `SplitMix64`.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The upper 53 bits of a number, which this type has, as a fraction from 0 up to 1, without 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
pub(crate) fn fraction(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

/// Spawns a future that ends with this process.
///
/// # Panics
///
/// Outside a tokio runtime, like `tokio::spawn`.
pub(crate) fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    #[cfg(feature = "testing")]
    if let Some(process) = current() {
        return simulated::spawn(&process, |future| tokio::spawn(future), future);
    }
    tokio::spawn(future)
}

/// Spawns a future on this runtime of tokio. It ends with this process.
pub(crate) fn spawn_on<F>(tokio: &Handle, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    #[cfg(feature = "testing")]
    if let Some(process) = current() {
        return simulated::spawn(&process, |future| tokio.spawn(future), future);
    }
    tokio.spawn(future)
}

#[cfg(feature = "testing")]
mod simulated {
    use std::cell::RefCell;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};
    use std::time::SystemTime;

    use pin_project_lite::pin_project;
    use tokio::task::{AbortHandle, JoinHandle};

    thread_local! {
        static CURRENT: RefCell<Option<Arc<dyn Process>>> = const { RefCell::new(None) };
    }

    /// A process of a simulation.
    pub(crate) trait Process: Send + Sync {
        /// The time of its clock.
        fn now(&self) -> SystemTime;

        /// The next random number of the simulation.
        fn random(&self) -> u64;

        /// Takes the handle of a future that it has spawned, and aborts it when the process ends.
        fn spawned(&self, future: AbortHandle);
    }

    /// The process whose code runs on this thread.
    pub(crate) fn current() -> Option<Arc<dyn Process>> {
        CURRENT
            .try_with(|current| current.borrow().clone())
            .ok()
            .flatten()
    }

    /// Runs code as that of a process.
    pub(crate) fn enter<R>(process: &Arc<dyn Process>, code: impl FnOnce() -> R) -> R {
        struct Before(Option<Arc<dyn Process>>);
        impl Drop for Before {
            fn drop(&mut self) {
                let before = self.0.take();
                let _ = CURRENT.try_with(|current| current.replace(before));
            }
        }
        let before = CURRENT.try_with(|current| current.replace(Some(Arc::clone(process))));
        let _before = Before(before.ok().flatten());
        code()
    }

    pin_project! {
        /// A future that runs, and is dropped, as code of a process.
        pub(crate) struct Inside<F> {
            process: Arc<dyn Process>,
            #[pin]
            future: Option<F>,
        }

        impl<F> PinnedDrop for Inside<F> {
            fn drop(this: Pin<&mut Self>) {
                let mut this = this.project();
                enter(this.process, || this.future.set(None));
            }
        }
    }

    impl<F> Inside<F> {
        pub fn new(process: Arc<dyn Process>, future: F) -> Self {
            Self {
                process,
                future: Some(future),
            }
        }
    }

    impl<F: Future> Future for Inside<F> {
        type Output = F::Output;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            let this = self.project();
            match this.future.as_pin_mut() {
                Some(future) => enter(this.process, || future.poll(cx)),
                None => Poll::Pending,
            }
        }
    }

    pub(super) fn spawn<F>(
        process: &Arc<dyn Process>,
        spawn: impl FnOnce(Inside<F>) -> JoinHandle<F::Output>,
        future: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future,
    {
        let spawned = spawn(Inside::new(Arc::clone(process), future));
        process.spawned(spawned.abort_handle());
        spawned
    }
}
