//! A worker that is killed again and again while it runs tasks, and the count of what that does to them.

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

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What the worker's process is told: where the engine is, which address is its own, and which file is the record.
const ENGINE: &str = "CRASH_ENGINE";
const ADDRESS: &str = "CRASH_ADDRESS";
const RECORD: &str = "CRASH_RECORD";
/// What the worker prints after every execution.
const TICK: &str = "executed";
/// What is in the record of every execution that has begun.
const BEGUN: &str = "begun";
const QUEUE: &str = "crash";

/// Works for a few milliseconds, and then says so in the record.
#[derive(Serialize, Deserialize)]
pub(crate) struct Work {
    number: u64,
}

#[task(queue = "crash")]
impl Task for Work {
    async fn run(self, cx: Context<Record>) -> TaskResult {
        cx.state().begin()?;
        // Of different lengths, so that some are always under way.
        tokio::time::sleep(Duration::from_millis(5 + self.number % 20)).await;
        cx.state().end(self.number, cx.metadata().attempt())?;
        Ok(())
    }
}

/// The file of executions. What is written there outlives the process.
#[derive(Clone)]
pub(crate) struct Record(Arc<File>);

impl Record {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self(Arc::new(file)))
    }

    fn begin(&self) -> io::Result<()> {
        self.append(&format!("{BEGUN}\n"))
    }

    fn end(&self, number: u64, attempt: u32) -> io::Result<()> {
        self.append(&format!("{number} {attempt}\n"))?;
        writeln!(io::stdout(), "{TICK}")
    }

    /// Writes a line in one go, so that it is there as a whole or not at all.
    fn append(&self, line: &str) -> io::Result<()> {
        (&*self.0).write_all(line.as_bytes())
    }
}

/// Serves tasks until it is told to stop, where this process is a worker; `false` where it is none.
pub(crate) async fn be_the_worker() -> Result<bool, BoxError> {
    let Ok(engine) = std::env::var(ENGINE) else {
        return Ok(false);
    };
    // Whoever started it holds the other end: the worker does not outlive that process.
    std::thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    // A test harness may have begun a line.
    writeln!(io::stdout())?;
    let address: SocketAddr = std::env::var(ADDRESS)?.parse()?;
    let record = Record::open(Path::new(&std::env::var(RECORD)?))?;
    let config = Config::default()
        .with_endpoint(format!("http://{address}"))
        .with_cloud_tasks_emulator_host(engine.trim_start_matches("http://"));
    let runtime = Runtime::builder()
        .config(config)
        .callers(TrustedCallers::new().issuer(&engine, format!("{engine}/jwks")))
        .state(record)
        .build()
        .await?;
    let listener = socket(address)?.listen(1024)?;
    runtime.serve(listener, runtime.service()).await?;
    Ok(true)
}

/// A socket at an address that the parent keeps for its workers.
fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// What is done to the workers.
#[derive(Clone, Copy)]
pub(crate) struct Storm {
    pub(crate) signal: Signal,
    /// How many workers are sent the signal; one more ends the work.
    pub(crate) signals: u64,
    /// After how many executions.
    pub(crate) every: u32,
    /// When to give up.
    pub(crate) patience: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) tasks: u64,
    pub(crate) signals: u64,
    /// The attempts of the engine: those that found nobody, were cut off or turned away, and those that were executed.
    pub(crate) attempts: u64,
    /// The executions that came to their end.
    pub(crate) executions: u64,
    /// Those that did not.
    pub(crate) cut_off: u64,
    pub(crate) lost: u64,
    pub(crate) duplicates: u64,
    /// Whether the engine got to the end of its queue.
    pub(crate) finished: bool,
    pub(crate) time: Duration,
}

impl Storm {
    /// Enqueues the tasks, ends one worker after the other, and waits until all tasks are done. `worker` makes the command of a process that comes to
    /// [`be_the_worker`].
    pub(crate) async fn rage(
        self,
        worker: impl Fn() -> Result<Command, BoxError>,
    ) -> Result<Report, BoxError> {
        let started = Instant::now();
        // Held without listening while there is no worker: nobody else gets the port, and callers are refused.
        let place = socket("127.0.0.1:0".parse()?)?;
        let address = place.local_addr()?;
        let record = RecordFile::new(address);
        let config = Config::default().with_endpoint(format!("http://{address}"));
        // It only enqueues; the state is what every runtime with this task has.
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
        // After each signal there are as many more, so that every worker has enough to do to get its own.
        let allowed = Semaphore::new(2 * self.every as usize);
        let finished = {
            let all_run = self.run_all(&runtime, &engine, &allowed);
            let mut end = pin!(tokio::time::timeout(self.patience, all_run));
            loop {
                tokio::select! {
                    ended = &mut end => break ended.map_or(Ok(false), |run| run.map(|()| true))?,
                    ticked = worker.ticks(self.every), if signals < self.signals => ticked?,
                }
                worker.end(self.signal).await?;
                signals += 1;
                worker = start()?;
                allowed.add_permits(self.every as usize);
            }
        };
        // It has nothing to do any more, and may not even have begun.
        worker.end(Signal::KILL).await?;
        engine.stop().await;
        record.report(self.tasks(), signals, finished, started.elapsed())
    }

    fn tasks(self) -> u64 {
        u64::from(self.every) * (self.signals + 2)
    }

    /// Enqueues the tasks, as fast as is allowed, and waits until none is left.
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

/// A worker's process; it is killed when this is dropped.
struct Worker {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(mut command: Command) -> Result<Self, BoxError> {
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

    /// Waits until it has executed so many tasks.
    async fn ticks(&mut self, count: u32) -> Result<(), BoxError> {
        let mut left = count;
        while left > 0 {
            match self.output.next_line().await? {
                Some(line) => left -= u32::from(line == TICK),
                None => return Err("the worker ended by itself".into()),
            }
        }
        Ok(())
    }

    /// Sends it a signal and waits for its end, which has to be a success where the signal can be handled.
    async fn end(mut self, signal: Signal) -> Result<(), BoxError> {
        let id = self
            .process
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()))
            .ok_or("the worker ended by itself")?;
        kill_process(id, signal)?;
        // A full pipe would hold it up.
        while self.output.next_line().await?.is_some() {}
        let status = self.process.wait().await?;
        if signal == Signal::KILL || status.success() {
            Ok(())
        } else {
            Err(format!("a worker that was told to stop ended with {status}").into())
        }
    }
}

/// The record on the side that reads it; it is removed when this is dropped.
struct RecordFile(PathBuf);

impl RecordFile {
    fn new(address: SocketAddr) -> Self {
        let name = format!("cloud-tasks-crash-{}-{}", std::process::id(), address.port());
        Self(std::env::temp_dir().join(name))
    }

    fn report(&self, tasks: u64, signals: u64, finished: bool, time: Duration) -> Result<Report, BoxError> {
        let (mut begun, mut executions) = (0, 0);
        let mut last_attempts = HashMap::new();
        for line in std::fs::read_to_string(&self.0)?.lines() {
            if line == BEGUN {
                begun += 1;
                continue;
            }
            let (number, attempt) = line.split_once(' ').ok_or("half a line in the record")?;
            let (number, attempt): (u64, u64) = (number.parse()?, attempt.parse()?);
            let last = last_attempts.entry(number).or_insert(attempt);
            *last = attempt.max(*last);
            executions += 1;
        }
        let done = last_attempts.len() as u64;
        Ok(Report {
            tasks,
            signals,
            // No attempt follows the one that succeeds.
            attempts: last_attempts.values().sum(),
            executions,
            cut_off: begun - executions,
            lost: tasks - done,
            duplicates: executions - done,
            finished,
            time,
        })
    }
}

impl Drop for RecordFile {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_file(&self.0);
    }
}
