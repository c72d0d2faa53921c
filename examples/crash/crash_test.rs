//! Kills workers while they run tasks, and counts lost, interrupted and duplicate executions.

use std::collections::HashMap;
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use cloud_tasks::backend::LocalEngine;
use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use futures_util::{StreamExt, TryStreamExt, stream};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::stage::{BoxError, QUEUE, Record, Stage, Worker};

/// The line in the file for each execution that has started.
const STARTED: &str = "started";

/// Runs for a few milliseconds, and writes its start and its end to the file.
#[derive(Serialize, Deserialize)]
pub(crate) struct Work {
    number: u64,
}

#[task(queue = "crash")]
impl Task for Work {
    async fn run(self, cx: Context<Record>) -> TaskResult {
        cx.state().append(&format!("{STARTED}\n"))?;
        // The durations differ, so that some tasks are always in progress.
        tokio::time::sleep(Duration::from_millis(5 + self.number % 20)).await;
        let attempt = cx.metadata().attempt();
        cx.state()
            .append_executed(&format!("{} {attempt}\n", self.number))?;
        Ok(())
    }
}

/// A test with workers that are sent a signal.
#[derive(Clone, Copy)]
pub(crate) struct CrashTest {
    pub(crate) signal: Signal,
    /// The number of workers that are sent the signal; one further worker finishes the tasks.
    pub(crate) signals: u64,
    /// The number of executions after which a worker is sent the signal.
    pub(crate) executions_per_worker: u32,
    /// The timeout of the test.
    pub(crate) timeout: Duration,
}

/// The result of a test.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) tasks: u64,
    pub(crate) signals: u64,
    /// The attempts of the engine, including those that reached no worker, were interrupted or were rejected.
    pub(crate) attempts: u64,
    /// The executions that finished.
    pub(crate) executions: u64,
    /// The executions that started and did not finish.
    pub(crate) interrupted: u64,
    pub(crate) lost: u64,
    pub(crate) duplicates: u64,
    /// Whether the queue was empty before the timeout.
    pub(crate) finished: bool,
    pub(crate) time: Duration,
}

impl CrashTest {
    /// Enqueues the tasks, sends the signal to one worker after the other, and waits until all tasks are done.
    ///
    /// `worker` returns the command of a process that calls [`run_as_worker`](super::stage::run_as_worker).
    pub(crate) async fn run(
        self,
        worker: impl Fn() -> Result<Command, BoxError>,
    ) -> Result<Report, BoxError> {
        let started = Instant::now();
        let stage = Stage::new().await?;
        let start = || stage.start(worker()?);

        let mut worker = start()?;
        let mut signals = 0;
        // Tasks are enqueued in portions, so that every worker has enough of them to reach its signal.
        let allowed = Semaphore::new(2 * self.executions_per_worker as usize);
        let finished = {
            let all_run = self.run_all(&stage.runtime, &stage.engine, &allowed);
            let mut end = pin!(tokio::time::timeout(self.timeout, all_run));
            loop {
                tokio::select! {
                    ended = &mut end => break ended.map_or(Ok(false), |run| run.map(|()| true))?,
                    executed = executions(&mut worker, self.executions_per_worker), if signals < self.signals => executed?,
                }
                worker.end(self.signal).await?;
                signals += 1;
                worker = start()?;
                allowed.add_permits(self.executions_per_worker as usize);
            }
        };
        // The last worker has no tasks left, and may not have started yet.
        worker.end(Signal::KILL).await?;
        stage.engine.stop().await;
        report(
            &stage.files.record,
            self.tasks(),
            signals,
            finished,
            started.elapsed(),
        )
    }

    fn tasks(self) -> u64 {
        u64::from(self.executions_per_worker) * (self.signals + 2)
    }

    /// Enqueues the tasks as permits become available, and waits until the queue is empty.
    async fn run_all(
        self,
        runtime: &Runtime,
        engine: &LocalEngine,
        allowed: &Semaphore,
    ) -> Result<(), BoxError> {
        stream::iter(0..self.tasks())
            .map(|number| async move {
                allowed.acquire().await?.forget();
                Work { number }.asap().on(runtime).await?;
                Ok::<_, BoxError>(())
            })
            .buffer_unordered(32)
            .try_collect::<()>()
            .await?;
        engine.wait_idle(QUEUE).await
    }
}

/// Waits for this number of executions.
async fn executions(worker: &mut Worker, count: u32) -> Result<(), BoxError> {
    for _ in 0..count {
        worker.executed().await?;
    }
    Ok(())
}

fn report(
    record: &Path,
    tasks: u64,
    signals: u64,
    finished: bool,
    time: Duration,
) -> Result<Report, BoxError> {
    let (mut started, mut executions) = (0, 0);
    let mut last_attempts = HashMap::new();
    for line in std::fs::read_to_string(record)?.lines() {
        if line == STARTED {
            started += 1;
            continue;
        }
        let (number, attempt) = line
            .split_once(' ')
            .ok_or("the file of executions has an incomplete line")?;
        let (number, attempt): (u64, u64) = (number.parse()?, attempt.parse()?);
        let last = last_attempts.entry(number).or_insert(attempt);
        *last = attempt.max(*last);
        executions += 1;
    }
    let done = last_attempts.len() as u64;
    Ok(Report {
        tasks,
        signals,
        // The attempt that succeeds is the last.
        attempts: last_attempts.values().sum(),
        executions,
        interrupted: started - executions,
        lost: tasks - done,
        duplicates: executions - done,
        finished,
        time,
    })
}
