//! Looks for a seed that breaks a promise of the library, for as long as one likes.
//!
//! ```text
//! cargo run --release --all-features --example simulate -- --minutes 60
//! cargo run --release --all-features --example simulate -- --histories 10000 --promise an_idempotent_task_dies_once
//! ```
//!
//! It explores the promises in turn, on one core, and prints the figures each minute. A seed that fails is printed with its
//! history, and the exploration goes on behind it. `--from` sets the first seed; the tests run the first seeds from 0.
#![allow(
    clippy::print_stdout,
    reason = "the figures are for the person at the terminal"
)]
#![allow(
    clippy::unwrap_used,
    clippy::missing_docs_in_private_items,
    reason = "the scenarios are those of the tests"
)]

#[path = "../tests/simulation/scenarios/mod.rs"]
mod scenarios;

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cloud_tasks::BoxError;
use cloud_tasks::testing::simulation::{Fault, Simulation};

use self::scenarios::{PROMISES, Promise};

/// How many seeds of a promise are explored before the next one.
const ROUND: u64 = 100;
/// How often the figures are printed.
const PRINTED: Duration = Duration::from_secs(60);

/// What the command line asks for.
struct Options {
    time: Duration,
    histories: u64,
    from: u64,
    promise: Option<String>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, BoxError> {
        let mut options = Self {
            time: Duration::MAX,
            histories: u64::MAX,
            from: 0,
            promise: None,
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--minutes" => options.time = Duration::from_secs_f64(value.parse::<f64>()? * 60.0),
                "--histories" => options.histories = value.parse()?,
                "--from" => options.from = value.parse()?,
                "--promise" => options.promise = Some(value),
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(options)
    }
}

/// What was explored.
#[derive(Default)]
struct Figures {
    histories: u64,
    steps: u64,
    faults: BTreeMap<Fault, u64>,
    /// The promise and the seed of each failure.
    failures: Vec<(&'static str, u64)>,
}

impl Figures {
    /// Explores some seeds of a promise.
    fn explore(&mut self, promise: &Promise, from: u64, seeds: u64) {
        let mut next = from;
        let end = from + seeds;
        while next < end {
            let simulation = Simulation::new().from_seed(next).seeds(end - next);
            match promise.explore(simulation) {
                Ok(report) => {
                    self.histories += report.seeds();
                    self.steps += report.steps();
                    for fault in Fault::ALL {
                        *self.faults.entry(fault).or_default() += report.faults_of(fault);
                    }
                    return;
                }
                Err(failure) => {
                    println!("{}: {failure}", promise.name);
                    self.histories += failure.seed() - next + 1;
                    self.failures.push((promise.name, failure.seed()));
                    next = failure.seed() + 1;
                }
            }
        }
    }

    fn print(&self, began: Instant) {
        let seconds = began.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate to be read")]
        let rate = self.histories as f64 / seconds;
        println!(
            "{} histories in {seconds:.0} s, {rate:.0} a second; {} steps; {} seeds failed",
            self.histories,
            self.steps,
            self.failures.len()
        );
    }

    fn print_all(&self, began: Instant) {
        self.print(began);
        println!("\nfaults:");
        for (fault, count) in &self.faults {
            println!("  {fault:<16} {count}");
        }
        for (promise, seed) in &self.failures {
            println!("failed: {promise} with seed {seed:#x}");
        }
    }
}

fn main() -> Result<ExitCode, BoxError> {
    let options = Options::read(env::args().skip(1))?;
    let promises: Vec<_> = PROMISES
        .iter()
        .filter(|promise| options.promise.as_deref().is_none_or(|name| name == promise.name))
        .collect();
    if promises.is_empty() {
        return Err("there is no such promise".into());
    }
    let (began, mut printed) = (Instant::now(), Instant::now());
    let (mut figures, mut from) = (Figures::default(), options.from);
    'rounds: loop {
        for promise in &promises {
            let left = options.histories.saturating_sub(figures.histories);
            if left == 0 || began.elapsed() >= options.time {
                break 'rounds;
            }
            figures.explore(promise, from, ROUND.min(left));
            if printed.elapsed() >= PRINTED {
                figures.print(began);
                printed = Instant::now();
            }
        }
        from += ROUND;
    }
    figures.print_all(began);
    Ok(if figures.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
