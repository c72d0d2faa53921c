//! Kills and deploys workers while they run idempotent tasks, whose queue gives them up after five attempts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::time::{Duration, Instant};

use cloud_tasks::dead_letters::Dead;
use cloud_tasks::queue::QueueSettings;
use cloud_tasks::{Context, Task, TaskResult, task};
use futures_util::future::try_join;
use futures_util::{StreamExt, TryStreamExt, future, stream};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::stage::{BoxError, LINGER, Record, Stage, Worker};

/// How long a claim lasts after its worker was killed: longer than the first pause of the queue, so that the next delivery may
/// find it.
pub(crate) const LEASE: Duration = Duration::from_secs(3);
const DEPLOYED: &str = "deployed";
/// One in so many signals is a deployment, the others are SIGKILL.
const SIGNALS_PER_DEPLOYMENT: u64 = 3;
/// For how long a load balancer sends requests to a worker that has received SIGTERM.
const LINGER_MILLIS: &str = "250";

/// The settings of the queue: the five attempts take 14 seconds.
pub(crate) fn queue() -> QueueSettings {
    QueueSettings::new(DEPLOYED)
        .with_max_attempts(5)
        .with_min_backoff(Duration::from_secs(2))
        .with_max_backoff(Duration::from_secs(4))
}

/// Runs for up to a tenth of a second, and writes what happens to the file.
#[derive(Serialize, Deserialize)]
struct Settle {
    number: u64,
}

#[task(queue = "deployed", idempotent)]
impl Task for Settle {
    async fn run(self, cx: Context<Record>) -> TaskResult {
        let number = self.number;
        cx.state().append(&format!("began {number}\n"))?;
        tokio::time::sleep(Duration::from_millis(5 + number % 100)).await;
        let process = std::process::id();
        cx.state()
            .append_executed(&format!("effect {number} {process}\n"))?;
        Ok(())
    }

    async fn on_dead(self, dead: Dead, cx: Context<Record>) -> TaskResult {
        let cause = dead.cause();
        cx.state().append(&format!("dead {} {cause:?}\n", self.number))?;
        Ok(())
    }
}

/// A test with two workers behind one address, of which one after the other is killed or replaced.
#[derive(Clone, Copy)]
pub(crate) struct DeployTest {
    /// The number of workers that are killed or replaced; two further ones finish the tasks.
    pub(crate) signals: u64,
    /// The number of executions after which the next one is.
    pub(crate) executions_per_signal: u64,
    /// The timeout of the test.
    pub(crate) timeout: Duration,
}

/// The result of a test.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) tasks: u64,
    pub(crate) kills: u64,
    pub(crate) deployments: u64,
    /// The runs that started.
    pub(crate) runs: u64,
    /// The runs that started and had no effect.
    pub(crate) interrupted: u64,
    /// The tasks that had no effect and were not recorded as dead.
    pub(crate) lost: u64,
    /// The tasks that had no effect and did not even start.
    pub(crate) died_unrun: u64,
    /// The tasks that were recorded as dead after a run, by cause.
    pub(crate) died_after_a_run: BTreeMap<String, u64>,
    /// The effects that happened once more, because a worker was killed between the effect and its record in the store.
    pub(crate) doubled_by_kills: u64,
    /// The effects that happened once more for any other reason.
    pub(crate) doubled_otherwise: u64,
    pub(crate) time: Duration,
}

impl DeployTest {
    /// Enqueues the tasks, kills or replaces one worker after the other, and waits until the queue is empty.
    ///
    /// `worker` returns the command of a process that calls [`run_as_worker`](super::stage::run_as_worker).
    pub(crate) async fn run(
        self,
        worker: impl Fn() -> Result<Command, BoxError>,
    ) -> Result<Report, BoxError> {
        let started = Instant::now();
        let stage = Stage::new().await?;
        let start = async || {
            let mut command = worker()?;
            command.env(LINGER, LINGER_MILLIS);
            let mut worker = stage.start(command)?;
            worker.ready().await?;
            Ok::<_, BoxError>(worker)
        };
        // Tasks are enqueued in portions, so that there are enough of them until the last signal.
        let portion = usize::try_from(self.executions_per_signal)?;
        let allowed = Semaphore::new(2 * portion);
        let mut killed = BTreeSet::new();

        let signals = async {
            // There are always two: a task that finds nobody has lost an attempt.
            let mut workers = VecDeque::from([start().await?, start().await?]);
            for number in 1..=self.signals {
                for _ in 0..self.executions_per_signal {
                    executed(&mut workers).await?;
                }
                if number % SIGNALS_PER_DEPLOYMENT == 0 {
                    workers.push_back(start().await?);
                    oldest(&mut workers)?.end(Signal::TERM).await?;
                } else {
                    let worker = oldest(&mut workers)?;
                    killed.extend(worker.id());
                    worker.end(Signal::KILL).await?;
                    workers.push_back(start().await?);
                }
                allowed.add_permits(portion);
            }
            Ok(workers)
        };
        let enqueued = stream::iter(0..self.tasks())
            .map(|number| {
                let (runtime, allowed) = (&stage.runtime, &allowed);
                async move {
                    allowed.acquire().await?.forget();
                    Settle { number }.asap().on(runtime).await?;
                    Ok::<_, BoxError>(())
                }
            })
            .buffer_unordered(32)
            .try_collect::<()>();
        let all = async {
            let ((), workers) = try_join(enqueued, signals).await?;
            stage.engine.wait_idle(DEPLOYED).await?;
            for worker in workers {
                worker.end(Signal::TERM).await?;
            }
            Ok::<_, BoxError>(())
        };
        tokio::time::timeout(self.timeout, all).await??;
        stage.engine.stop().await;

        let deployments = self.signals / SIGNALS_PER_DEPLOYMENT;
        Ok(Report {
            tasks: self.tasks(),
            kills: self.signals - deployments,
            deployments,
            time: started.elapsed(),
            ..read(&stage.files.record, self.tasks(), &killed)?
        })
    }

    fn tasks(self) -> u64 {
        self.executions_per_signal * (self.signals + 2)
    }
}

/// Waits for the next execution of any worker.
async fn executed(workers: &mut VecDeque<Worker>) -> Result<(), BoxError> {
    let next = workers.iter_mut().map(|worker| Box::pin(worker.executed()));
    future::select_all(next).await.0
}

fn oldest(workers: &mut VecDeque<Worker>) -> Result<Worker, BoxError> {
    workers.pop_front().ok_or_else(|| "there is no worker".into())
}

/// Counts what the workers wrote. `killed` has the ids of the processes that were killed.
fn read(path: &Path, tasks: u64, killed: &BTreeSet<u32>) -> Result<Report, BoxError> {
    let mut report = Report::default();
    let mut ran = BTreeSet::new();
    let mut dead = BTreeMap::new();
    let mut effects: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for line in std::fs::read_to_string(path)?.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["began", number] => {
                ran.insert(number.parse::<u64>()?);
                report.runs += 1;
            }
            ["effect", number, process] => {
                let of_task = effects.entry(number.parse()?).or_default();
                of_task.push(process.parse()?);
            }
            ["dead", number, cause] => {
                dead.insert(number.parse::<u64>()?, cause.to_owned());
            }
            _ => return Err(format!("an incomplete line: {line}").into()),
        }
    }
    for number in (0..tasks).filter(|number| !effects.contains_key(number)) {
        report.died_unrun += u64::from(!ran.contains(&number));
        report.lost += u64::from(!dead.contains_key(&number));
    }
    for (_, cause) in dead.into_iter().filter(|(number, _)| ran.contains(number)) {
        *report.died_after_a_run.entry(cause).or_default() += 1;
    }
    report.interrupted = report.runs;
    for processes in effects.values() {
        report.interrupted -= processes.len() as u64;
        let (_last, before) = processes.split_last().ok_or("there is no effect")?;
        let by_kills = before.iter().filter(|process| killed.contains(process)).count();
        report.doubled_by_kills += by_kills as u64;
        report.doubled_otherwise += (before.len() - by_kills) as u64;
    }
    Ok(report)
}
