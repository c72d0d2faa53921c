//! Kills workers while they run tasks, and counts lost, interrupted and duplicate executions.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloud_tasks::backend::LocalEngine;
use cloud_tasks::service::TrustedCallers;
use cloud_tasks::{Config, Context, Runtime, Task, TaskResult, task};
use futures_util::{StreamExt, TryStreamExt, stream};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpSocket;
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Semaphore;

use super::hang_up_test;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The environment of a worker: the URL of the engine, its own address, and the file of executions.
pub(crate) const ENGINE: &str = "CRASH_ENGINE";
pub(crate) const ADDRESS: &str = "CRASH_ADDRESS";
pub(crate) const RECORD: &str = "CRASH_RECORD";
/// The line that a worker prints after each execution.
const EXECUTED: &str = "executed";
/// The line in the file for each execution that has started.
const STARTED: &str = "started";
pub(crate) const QUEUE: &str = "crash";

/// Runs for a few milliseconds, and writes its start and its end to the file.
#[derive(Serialize, Deserialize)]
pub(crate) struct Work {
    number: u64,
}

#[task(queue = "crash")]
impl Task for Work {
    async fn run(self, cx: Context<Record>) -> TaskResult {
        cx.state().begin()?;
        // The durations differ, so that some tasks are always in progress.
        tokio::time::sleep(Duration::from_millis(5 + self.number % 20)).await;
        cx.state().end(self.number, cx.metadata().attempt())?;
        Ok(())
    }
}

/// The file of executions, which outlives the process.
#[derive(Clone)]
pub(crate) struct Record(Arc<File>);

impl Record {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self(Arc::new(file)))
    }

    fn begin(&self) -> io::Result<()> {
        self.append(&format!("{STARTED}\n"))
    }

    fn end(&self, number: u64, attempt: u32) -> io::Result<()> {
        self.append(&format!("{number} {attempt}\n"))?;
        writeln!(io::stdout(), "{EXECUTED}")
    }

    /// Appends a line with a single write, so that it is never written in part.
    pub(crate) fn append(&self, line: &str) -> io::Result<()> {
        (&*self.0).write_all(line.as_bytes())
    }
}

/// Serves tasks until a signal arrives, if this process is a worker; otherwise returns `false`.
pub(crate) async fn run_as_worker() -> Result<bool, BoxError> {
    let Ok(engine) = std::env::var(ENGINE) else {
        return Ok(false);
    };
    // The parent holds the other end of the pipe, so the worker ends with it.
    std::thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    // The test harness may have left an unfinished line.
    writeln!(io::stdout())?;
    let address: SocketAddr = std::env::var(ADDRESS)?.parse()?;
    let record = Record::open(Path::new(&std::env::var(RECORD)?))?;
    let config = Config::default()
        .with_endpoint(format!("http://{address}"))
        .with_cloud_tasks_emulator_host(engine.trim_start_matches("http://"));
    let runtime = Runtime::builder()
        .config(config)
        .callers(TrustedCallers::new().issuer(&engine, format!("{engine}/jwks")))
        .state(record.clone())
        .build()
        .await?;
    let listener = socket(address)?.listen(1024)?;
    let app = hang_up_test::app(&runtime, record);
    runtime
        .serve(listener, app)
        // No load balancer sends anything here.
        .linger(Duration::ZERO)
        .await?;
    Ok(true)
}

/// A socket bound to the address that the parent reserves for its workers.
pub(crate) fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
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
    /// `worker` returns the command of a process that calls [`run_as_worker`].
    pub(crate) async fn run(
        self,
        worker: impl Fn() -> Result<Command, BoxError>,
    ) -> Result<Report, BoxError> {
        let started = Instant::now();
        // Bound, but not listening: between two workers no other process gets the port, and connections are refused.
        let reserved = socket("127.0.0.1:0".parse()?)?;
        let address = reserved.local_addr()?;
        let record = RecordFile::new(address);
        let config = Config::default().with_endpoint(format!("http://{address}"));
        // This runtime only enqueues, but `build()` requires the state of the task.
        let (runtime, engine) = Runtime::local()
            .config(config)
            .state(Record::open(&record.0)?)
            .build()
            .await?;
        let start = || {
            let mut command = worker()?;
            command
                .env(ENGINE, engine.url())
                .env(ADDRESS, address.to_string())
                .env(RECORD, &record.0);
            Worker::start(command)
        };

        let mut worker = start()?;
        let mut signals = 0;
        // Tasks are enqueued in portions, so that every worker has enough of them to reach its signal.
        let allowed = Semaphore::new(2 * self.executions_per_worker as usize);
        let finished = {
            let all_run = self.run_all(&runtime, &engine, &allowed);
            let mut end = pin!(tokio::time::timeout(self.timeout, all_run));
            loop {
                tokio::select! {
                    ended = &mut end => break ended.map_or(Ok(false), |run| run.map(|()| true))?,
                    executed = worker.wait_for_executions(self.executions_per_worker), if signals < self.signals => executed?,
                }
                worker.end(self.signal).await?;
                signals += 1;
                worker = start()?;
                allowed.add_permits(self.executions_per_worker as usize);
            }
        };
        // The last worker has no tasks left, and may not have started yet.
        worker.end(Signal::KILL).await?;
        engine.stop().await;
        record.report(self.tasks(), signals, finished, started.elapsed())
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

/// The process of a worker; dropping this kills it.
pub(crate) struct Worker {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    pub(crate) fn start(mut command: Command) -> Result<Self, BoxError> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().ok_or("the worker has no output")?;
        Ok(Self {
            process,
            output: BufReader::new(output).lines(),
        })
    }

    /// Waits for this number of executions.
    async fn wait_for_executions(&mut self, count: u32) -> Result<(), BoxError> {
        let mut left = count;
        while left > 0 {
            match self.output.next_line().await? {
                Some(line) => left -= u32::from(line == EXECUTED),
                None => return Err("the worker exited before it was sent a signal".into()),
            }
        }
        Ok(())
    }

    /// Sends a signal and waits for the exit, which must be a success if the signal can be handled.
    pub(crate) async fn end(mut self, signal: Signal) -> Result<(), BoxError> {
        let id = self
            .process
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()))
            .ok_or("the worker exited before it was sent a signal")?;
        kill_process(id, signal)?;
        // A full pipe would block the worker.
        while self.output.next_line().await?.is_some() {}
        let status = self.process.wait().await?;
        if signal == Signal::KILL || status.success() {
            Ok(())
        } else {
            Err(format!("a worker exited with {status} after the signal").into())
        }
    }
}

/// The file of executions, as the parent reads it; dropping this removes the file.
pub(crate) struct RecordFile(pub(crate) PathBuf);

impl RecordFile {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let name = format!("cloud-tasks-crash-{}-{}", std::process::id(), address.port());
        Self(std::env::temp_dir().join(name))
    }

    fn report(&self, tasks: u64, signals: u64, finished: bool, time: Duration) -> Result<Report, BoxError> {
        let (mut started, mut executions) = (0, 0);
        let mut last_attempts = HashMap::new();
        for line in std::fs::read_to_string(&self.0)?.lines() {
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
}

impl Drop for RecordFile {
    fn drop(&mut self) {
        // The file may not exist.
        let _ = std::fs::remove_file(&self.0);
    }
}
