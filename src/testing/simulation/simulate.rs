//! Running a test with many seeds, and reporting the first that fails.

use std::collections::BTreeMap;
use std::env;
use std::fmt;

use super::choices::{Choice, Fault, Weights};
use super::cloud::Cloud;
use super::history::History;
use super::run::{Outcome, run};
use crate::base::BoxError;

/// The variable with the seed of a single run.
const SEED: &str = "CLOUD_TASKS_SEED";
/// How often a failing run is repeated to find out which of its faults matter.
const MOST_REPEATS: usize = 200;
/// Every so many seeds, one is run twice.
const CHECKED: u64 = 16;

/// Runs a test with this many seeds, and panics with the first that fails: its seed, the faults that matter, and its history.
///
/// See the [module](crate::testing::simulation). `CLOUD_TASKS_SEED=0x5f3a cargo test ..` runs that seed alone.
///
/// # Panics
///
/// If the test fails or panics, if something happens that must not happen in any history, or if two runs of a seed differ.
#[track_caller]
pub fn simulate<F>(seeds: u64, test: F)
where
    F: AsyncFn(Cloud) -> Result<(), BoxError>,
{
    Simulation::new().seeds(seeds).run(test);
}

/// The settings of a simulation.
///
/// ```
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// use cloud_tasks::testing::simulation::{Fault, Simulation};
///
/// # #[derive(Serialize, Deserialize)]
/// # struct ChargeCalmShop { invoice: u64 }
/// # #[task]
/// # impl Task for ChargeCalmShop {
/// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// # }
/// let report = Simulation::new().seeds(20).without(Fault::Kill).weight(Fault::Duplicate, 0.5).run(async |cloud| {
///     let shop = cloud.service("shop", Runtime::simulated);
///     shop.run(ChargeCalmShop { invoice: 7 }.asap()).await?;
///     Ok(())
/// });
/// assert_eq!(report.seeds(), 20);
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing runs until `run` is called"]
pub struct Simulation {
    from: u64,
    seeds: u64,
    weights: Weights,
    twice: bool,
}

impl Default for Simulation {
    fn default() -> Self {
        Self::new()
    }
}

impl Simulation {
    /// 100 seeds, with all faults.
    pub fn new() -> Self {
        Self {
            from: 0,
            seeds: 100,
            weights: Weights::default(),
            twice: false,
        }
    }

    /// Sets how many seeds are run; default 100.
    pub fn seeds(mut self, seeds: u64) -> Self {
        self.seeds = seeds;
        self
    }

    /// Sets the first seed; default 0, which has no faults.
    pub fn from_seed(mut self, seed: u64) -> Self {
        self.from = seed;
        self
    }

    /// Turns a fault off.
    pub fn without(self, fault: Fault) -> Self {
        self.weight(fault, 0.0)
    }

    /// Turns all other faults off.
    pub fn only(mut self, faults: &[Fault]) -> Self {
        self.weights.keep_only(faults);
        self
    }

    /// Turns all faults off: the run is the ordinary case.
    pub fn without_faults(mut self) -> Self {
        self.weights = Weights::none();
        self
    }

    /// Sets how likely a fault is where it can happen, from 0 to 1.
    pub fn weight(mut self, fault: Fault, weight: f64) -> Self {
        self.weights.set(fault, weight);
        self
    }

    /// Runs every seed twice, and fails if the histories differ. By default every 16th seed is run twice.
    pub fn twice(mut self) -> Self {
        self.twice = true;
        self
    }

    /// Runs the test with each seed, and returns the figures.
    ///
    /// # Panics
    ///
    /// As [`simulate`] does.
    #[track_caller]
    pub fn run<F>(self, test: F) -> Report
    where
        F: AsyncFn(Cloud) -> Result<(), BoxError>,
    {
        match self.explore(test) {
            Ok(report) => report,
            Err(failure) => panic!("{failure}"),
        }
    }

    /// Runs the test with each seed until one fails.
    ///
    /// # Errors
    ///
    /// With the first seed that fails, whose faults and history are shortened to what matters.
    pub fn explore<F>(self, test: F) -> Result<Report, Box<Failure>>
    where
        F: AsyncFn(Cloud) -> Result<(), BoxError>,
    {
        if let Some(seed) = seed_of_environment() {
            let outcome = run(seed, &self.weights, Vec::new(), &test);
            return match outcome.failure {
                Some(_) => Err(Box::new(self.shrink(seed, outcome, &test))),
                None => {
                    let mut report = Report::default();
                    report.add(&outcome.history, &outcome.faults);
                    Ok(report)
                }
            };
        }
        let mut report = Report::default();
        for seed in self.from..self.from.saturating_add(self.seeds) {
            let outcome = run(seed, &self.weights, Vec::new(), &test);
            report.add(&outcome.history, &outcome.faults);
            if outcome.failure.is_some() {
                return Err(Box::new(self.shrink(seed, outcome, &test)));
            }
            if self.twice || seed % CHECKED == 0 {
                let again = run(seed, &self.weights, Vec::new(), &test);
                if let Some(step) = outcome.history.first_difference(&again.history) {
                    return Err(Box::new(Failure::of_difference(
                        seed,
                        step,
                        &outcome.history,
                        again,
                    )));
                }
            }
        }
        Ok(report)
    }

    /// Leaves out faults, many at once and then one by one, as long as the test still fails.
    fn shrink<F>(&self, seed: u64, outcome: Outcome, test: &F) -> Failure
    where
        F: AsyncFn(Cloud) -> Result<(), BoxError>,
    {
        let all = outcome.faults.len();
        let mut smallest = outcome;
        let mut left_out: Vec<Choice> = Vec::new();
        let mut repeats = 0;
        let mut part = smallest.faults.len();
        while part > 0 && repeats < MOST_REPEATS {
            let mut start = 0;
            while start < smallest.faults.len() && repeats < MOST_REPEATS {
                let end = (start + part).min(smallest.faults.len());
                let mut without = left_out.clone();
                without.extend_from_slice(&smallest.faults[start..end]);
                let again = run(seed, &self.weights, without.clone(), test);
                repeats += 1;
                // A run without some faults may meet new ones, which must not make it longer.
                if again.failure.is_some() && again.faults.len() < smallest.faults.len() {
                    (smallest, left_out) = (again, without);
                } else {
                    start = end;
                }
            }
            part /= 2;
        }
        Failure {
            seed,
            all,
            reason: smallest.failure.unwrap_or_default(),
            faults: smallest.faults,
            history: smallest.history,
        }
    }
}

/// The seed that the environment asks for.
fn seed_of_environment() -> Option<u64> {
    let text = env::var(SEED).ok()?;
    let digits = text.trim().trim_start_matches("0x");
    match u64::from_str_radix(digits, 16) {
        Ok(seed) => Some(seed),
        Err(error) => panic!("{SEED} is {text:?} ({error}): expected a hexadecimal number, such as 0x5f3a"),
    }
}

/// The figures of a simulation.
#[derive(Clone, Debug, Default)]
pub struct Report {
    seeds: u64,
    faults: BTreeMap<Fault, u64>,
    steps: u64,
}

impl Report {
    fn add(&mut self, history: &History, faults: &[Choice]) {
        self.seeds += 1;
        for choice in faults {
            *self.faults.entry(choice.fault).or_default() += 1;
        }
        self.steps += history.steps().len() as u64;
    }

    /// How many seeds were run.
    pub fn seeds(&self) -> u64 {
        self.seeds
    }

    /// How many faults happened.
    pub fn faults(&self) -> u64 {
        self.faults.values().sum()
    }

    /// How often this fault happened.
    pub fn faults_of(&self, fault: Fault) -> u64 {
        self.faults.get(&fault).copied().unwrap_or_default()
    }

    /// How many steps the histories have.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

/// A run that failed. Its `Display` has the seed, the command that repeats it, the faults and the history.
#[derive(Clone, Debug)]
pub struct Failure {
    seed: u64,
    /// How many faults there were before those that do not matter were left out.
    all: usize,
    reason: String,
    faults: Vec<Choice>,
    history: History,
}

impl Failure {
    fn of_difference(seed: u64, step: usize, first: &History, again: Outcome) -> Self {
        let line = |history: &History| {
            let step = history.steps().get(step);
            step.map_or_else(|| "(the end)".to_owned(), ToString::to_string)
        };
        Self {
            seed,
            all: again.faults.len(),
            reason: format!(
                "two runs of the seed differ from step {} on:\n  {}\n  {}\nSomething depends on real time, on a thread, or on \
                 randomness that is not the simulation's: use `cx.now()`, `cx.random()` and `biased;` in `tokio::select!`",
                step + 1,
                line(first),
                line(&again.history)
            ),
            faults: again.faults,
            history: again.history,
        }
    }

    /// Returns the seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns why it failed.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the faults without which it does not fail.
    pub fn faults(&self) -> Vec<Fault> {
        self.faults.iter().map(|choice| choice.fault).collect()
    }

    /// Returns the history with these faults.
    pub fn history(&self) -> &History {
        &self.history
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thread = std::thread::current();
        let test = thread.name().filter(|name| *name != "main").unwrap_or_default();
        writeln!(
            f,
            "the simulation fails with seed {:#x}: {}",
            self.seed, self.reason
        )?;
        writeln!(f, "\nto repeat it: {SEED}={:#x} cargo test {test}", self.seed)?;
        writeln!(f, "\n{} of {} faults are enough:", self.faults.len(), self.all)?;
        for choice in &self.faults {
            writeln!(f, "  {choice}")?;
        }
        write!(
            f,
            "\nhistory ({} steps):\n{}",
            self.history.steps().len(),
            self.history
        )
    }
}

impl std::error::Error for Failure {}
