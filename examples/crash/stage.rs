//! What the tests have in common: an engine in this process, workers in others, and a file in which workers write what they did.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use cloud_tasks::backend::LocalEngine;
use cloud_tasks::runtime::RuntimeBuilder;
use cloud_tasks::service::TrustedCallers;
use cloud_tasks::{Config, Runtime};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpSocket;
use tokio::process::{Child, ChildStdout, Command};

use super::file_store::FileStore;
use super::{deploy_test, hang_up_test};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The environment of a worker: the URL of the engine, its own address, the file of executions, and for how many milliseconds
/// it lingers.
const ENGINE: &str = "CRASH_ENGINE";
const ADDRESS: &str = "CRASH_ADDRESS";
const RECORD: &str = "CRASH_RECORD";
pub(crate) const LINGER: &str = "CRASH_LINGER";
/// The line that a worker prints when signals stop it gracefully and connections are accepted.
const READY: &str = "ready";
/// The line that a worker prints after each execution.
const EXECUTED: &str = "executed";
/// The queue of the tests that say nothing about attempts.
pub(crate) const QUEUE: &str = "crash";

/// The file of executions, which outlives the process.
#[derive(Clone)]
pub(crate) struct Record(Arc<File>);

impl Record {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self(Arc::new(file)))
    }

    /// Appends a line with a single write, so that it is never written in part.
    pub(crate) fn append(&self, line: &str) -> io::Result<()> {
        (&*self.0).write_all(line.as_bytes())
    }

    /// Appends the line of an execution that has ended, and tells the parent.
    pub(crate) fn append_executed(&self, line: &str) -> io::Result<()> {
        self.append(line)?;
        writeln!(io::stdout(), "{EXECUTED}")
    }
}

/// The files of a test, which this removes when it is dropped.
pub(crate) struct Files {
    pub(crate) record: PathBuf,
    store: PathBuf,
}

impl Files {
    fn new(address: SocketAddr) -> Self {
        let name = format!("cloud-tasks-crash-{}-{}", std::process::id(), address.port());
        let record = std::env::temp_dir().join(name);
        let store = store_of(&record);
        Self { record, store }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // They may not exist.
        let _ = std::fs::remove_file(&self.record);
        let _ = std::fs::remove_file(&self.store);
    }
}

/// The idempotency store beside a file of executions.
fn store_of(record: &Path) -> PathBuf {
    let mut path = OsString::from(record);
    path.push(".store");
    path.into()
}

/// The engine, the address of the workers, and their files.
pub(crate) struct Stage {
    /// Only enqueues, but `build()` requires what the tasks need.
    pub(crate) runtime: Runtime,
    pub(crate) engine: LocalEngine,
    pub(crate) address: SocketAddr,
    pub(crate) files: Files,
    /// Bound, but not listening: between two workers no other process gets the port, and connections are refused.
    _reserved: TcpSocket,
}

impl Stage {
    pub(crate) async fn new() -> Result<Self, BoxError> {
        let reserved = socket("127.0.0.1:0".parse()?)?;
        let address = reserved.local_addr()?;
        let files = Files::new(address);
        let config = Config::default().with_endpoint(format!("http://{address}"));
        let builder = Runtime::local().config(config);
        let (runtime, engine) = equip(builder, &files.record, &Record::open(&files.record)?)?
            .build()
            .await?;
        // The engine makes a missing queue by itself, but without its settings.
        let plan = runtime.setup().only_queues().plan().await?;
        plan.apply().await?;
        Ok(Self {
            runtime,
            engine,
            address,
            files,
            _reserved: reserved,
        })
    }

    /// Starts a worker by the command of a process that calls [`run_as_worker`].
    pub(crate) fn start(&self, mut command: Command) -> Result<Worker, BoxError> {
        command
            .env(ENGINE, self.engine.url())
            .env(ADDRESS, self.address.to_string())
            .env(RECORD, &self.files.record);
        Worker::start(command)
    }
}

/// Gives a runtime what the tasks need.
fn equip<M>(builder: RuntimeBuilder<M>, path: &Path, record: &Record) -> Result<RuntimeBuilder<M>, BoxError> {
    let store = FileStore::open(&store_of(path))?;
    Ok(builder
        .state(record.clone())
        .idempotency(store)
        .idempotency_lease(deploy_test::LEASE)
        .queue(deploy_test::queue()))
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
    let path = PathBuf::from(std::env::var(RECORD)?);
    // No load balancer sends anything here, unless a test says so.
    let linger = std::env::var(LINGER).map_or(Ok(0), |linger| linger.parse())?;
    let record = Record::open(&path)?;
    let config = Config::default()
        .with_endpoint(format!("http://{address}"))
        .with_cloud_tasks_emulator_host(engine.trim_start_matches("http://"));
    let builder = Runtime::builder()
        .config(config)
        .callers(TrustedCallers::new().issuer(&engine, format!("{engine}/jwks")));
    let runtime = equip(builder, &path, &record)?.build().await?;
    let listener = socket(address)?.listen(1024)?;
    let app = hang_up_test::app(&runtime, record);
    let serve = runtime.serve(listener, app).linger(Duration::from_millis(linger));
    let mut serve = pin!(serve.into_future());
    // The first poll installs the handlers of signals.
    if futures_util::poll!(&mut serve).is_pending() {
        writeln!(io::stdout(), "{READY}")?;
        serve.await?;
    }
    Ok(true)
}

/// A socket bound to the address that the parent reserves for its workers.
fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// The process of a worker; dropping this kills it.
pub(crate) struct Worker {
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

    /// The id of the process, unless it has exited.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits until the worker can be stopped by a signal and accepts connections.
    pub(crate) async fn ready(&mut self) -> Result<(), BoxError> {
        self.wait_for(READY).await
    }

    /// Waits for the next execution. May be cancelled.
    pub(crate) async fn executed(&mut self) -> Result<(), BoxError> {
        self.wait_for(EXECUTED).await
    }

    async fn wait_for(&mut self, expected: &str) -> Result<(), BoxError> {
        loop {
            match self.output.next_line().await? {
                Some(line) if line == expected => return Ok(()),
                Some(_) => {}
                None => return Err(format!("the worker exited before it was {expected}").into()),
            }
        }
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
