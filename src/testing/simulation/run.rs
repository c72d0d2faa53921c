//! One run of a simulation.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use tokio::runtime::{Builder, Handle};

use super::choices::{Choice, Weights};
use super::cloud::Cloud;
use super::history::History;
use super::instance::Instance;
use super::world::World;
use crate::base::BoxError;
use crate::base::text::error_chain;
use crate::runtime::panic_message;

/// How a run ended.
pub(super) struct Outcome {
    /// Why it failed.
    pub failure: Option<String>,
    pub faults: Vec<Choice>,
    pub history: History,
}

thread_local! {
    /// Set while a panic is expected, and reported by us.
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// Where the last quiet panic was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a test once, with this seed, without some of its faults.
pub(super) fn run<F>(seed: u64, weights: &Weights, left_out: Vec<Choice>, test: &F) -> Outcome
where
    F: AsyncFn(Cloud) -> Result<(), BoxError>,
{
    assert!(
        Handle::try_current().is_err(),
        "a simulation starts a tokio runtime of its own: call it from a plain `#[test]` function, not from a `#[tokio::test]`"
    );
    let tokio = match Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
    {
        Ok(tokio) => tokio,
        Err(error) => panic!("no tokio runtime could be started: {error}"),
    };
    let mut world = None;
    let ended = quietly(|| {
        tokio.block_on(async {
            let world = world.insert(World::new(seed, weights.clone(), left_out));
            let cloud = Cloud { world: world.clone() };
            let test_process = Instance::new(world, "test".to_owned(), 0);
            let ended = test_process
                .inside(async {
                    let ended = test(cloud.clone()).await;
                    if ended.is_ok() {
                        cloud.settle().await;
                    }
                    ended
                })
                .await;
            ended.map_err(|error| error_chain(&*error))
        })
    });
    // What the services have spawned must not outlive the run.
    quietly(|| drop(tokio)).unwrap_or_default();
    let Some(world) = world else {
        return Outcome {
            failure: Some("the simulation did not start".to_owned()),
            faults: Vec::new(),
            history: History::default(),
        };
    };
    let problems = world.problems();
    let failure = match ended {
        Err(panic) => Some(panic_text(&*panic)),
        Ok(Err(error)) => Some(error),
        Ok(Ok(())) if problems.is_empty() => None,
        Ok(Ok(())) => Some(problems.join("\n")),
    };
    let outcome = Outcome {
        failure,
        faults: world.faults(),
        history: world.history(),
    };
    world.end();
    outcome
}

/// Runs code whose panic is not printed.
fn quietly<T>(code: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if QUIET.with(Cell::get) {
                PLACE.set(panic.location().map(ToString::to_string));
            } else {
                print(panic);
            }
        }));
    });
    let before = QUIET.replace(true);
    let ended = catch_unwind(AssertUnwindSafe(code));
    QUIET.set(before);
    ended
}

/// The message of a panic, and where it was.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let message = panic_message(panic);
    match PLACE.take() {
        Some(place) => format!("{message} ({place})"),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Weak};

    use super::*;
    use crate::runtime::Runtime;

    #[test]
    fn nothing_of_a_run_is_left() {
        let world = RefCell::new(Weak::new());

        let outcome = run(1, &Weights::default(), Vec::new(), &async |cloud: Cloud| {
            *world.borrow_mut() = Arc::downgrade(&cloud.world);
            let shop = cloud.service("shop", Runtime::simulated).instances(2);
            shop.run(async {}).await;
            shop.kill_one();
            Ok(())
        });

        assert_eq!(outcome.failure, None);
        assert!(world.borrow().upgrade().is_none());
    }
}
