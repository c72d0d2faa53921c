//! The promises of `RELIABILITY.md` and of the guides, each as a scenario that must hold in every history.
//!
//! The test program runs each with some fixed seeds, and `examples/simulate.rs`, which includes this module, with as many as one
//! likes. A fault is turned off only where the promise excludes it, and the scenario says why.

mod commits;
mod dead;
mod events;
pub mod idempotent;
pub mod ledger;
mod schedules;
pub mod tasks;
mod uniqueness;

use cloud_tasks::testing::simulation::{Failure, Report, Simulation};

/// A promise.
pub struct Promise {
    /// The promise, as the name of a function.
    pub name: &'static str,
    explore: fn(Simulation) -> Result<Report, Box<Failure>>,
}

impl Promise {
    /// Looks for a seed that breaks it.
    pub fn explore(&self, simulation: Simulation) -> Result<Report, Box<Failure>> {
        (self.explore)(simulation)
    }
}

/// Seeds of each promise in the ordinary tests, which run each twice and compare the histories.
#[cfg(test)]
const SEEDS: u64 = 40;

/// The list of all promises, and in the test program a test for each.
macro_rules! promises {
    ($($room:ident: $($name:ident $(without $($fault:ident)+)?),+;)+) => {
        /// All promises.
        pub const PROMISES: &[Promise] = &[$($(Promise {
            name: stringify!($name),
            explore: |simulation| simulation
                $($(.without(cloud_tasks::testing::simulation::Fault::$fault))+)?
                .explore($room::$name),
        }),+),+];

        #[cfg(test)]
        mod promise {
            $($(#[test]
            fn $name() {
                super::check(stringify!($name));
            })+)+
        }
    };
}

promises! {
    tasks:
        every_task_of_two_services_runs,
        a_failed_task_is_retried_until_it_succeeds_or_is_discarded,
        no_task_runs_before_its_time,
        every_task_of_a_bulk_enqueue_that_succeeded_runs,
        stops_kills_and_scaling_lose_nothing,
        a_deployment_neither_cuts_off_nor_doubles_a_run without Kill HangUp LostResponse Duplicate,
        a_concurrency_limit_loses_nothing;
    idempotent:
        a_claim_is_held_by_one_run_at_a_time,
        an_idempotent_task_has_its_effect_once without Kill StoreFails StoreLost StoreSlow,
        an_idempotent_message_has_its_effect_once without Kill StoreFails StoreLost StoreSlow,
        an_effect_with_a_key_happens_once without Kill StoreFails StoreLost StoreSlow,
        a_store_that_fails_doubles_nothing_that_is_answered without Kill Stop HangUp LostResponse Duplicate,
        an_effect_and_its_record_in_one_transaction_happen_once;
    uniqueness:
        of_equal_unique_tasks_one_is_created,
        a_task_that_is_once_only_is_created_once,
        a_chain_of_unique_tasks_has_each_link_once,
        an_id_that_is_free_again_is_another_run without Kill StoreFails StoreLost StoreSlow;
    dead:
        a_task_that_dies_by_its_own_limit_is_recorded_and_its_hook_runs,
        an_idempotent_task_dies_once without Kill StoreFails StoreLost StoreSlow RefusedPublish,
        the_last_delivery_of_a_queue_leaves_a_record
            without Kill Unavailable SlowKeys RotatedKeys StoreFails StoreLost StoreSlow RefusedPublish;
    commits:
        nothing_is_sent_without_its_commit,
        a_client_that_hangs_up_during_a_commit_changes_nothing without Kill Stop RefusedPublish;
    events:
        every_message_reaches_the_subscribers_that_want_it,
        messages_of_a_key_are_handled_in_order,
        a_message_that_always_fails_goes_to_the_dead_letters,
        a_forwarded_message_becomes_one_task_that_runs;
    schedules:
        a_due_run_of_an_idempotent_task_runs_once without Kill StoreFails StoreLost StoreSlow,
        a_schedule_goes_on_whatever_happens;
}

#[cfg(test)]
#[track_caller]
fn check(name: &str) {
    let promise = PROMISES.iter().find(|promise| promise.name == name).unwrap();
    match promise.explore(Simulation::new().seeds(SEEDS).twice()) {
        Ok(report) => assert!(report.faults() > 0, "{report:?}"),
        Err(failure) => panic!("{failure}"),
    }
}
