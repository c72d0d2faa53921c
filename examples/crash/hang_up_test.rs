//! Clients that hang up while their orders are committed, and a deployment now and then: what is committed must be sent.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path as FilePath;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::post;
use cloud_tasks::commit::CommitHooks;
use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use futures_util::{StreamExt, stream};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::sleep;

use super::stage::{BoxError, QUEUE, Record, Stage};

/// The tasks that each order sends.
const PARTS: u64 = 3;
/// The time of a `COMMIT` before and after it takes effect.
const HALF_A_COMMIT: Duration = Duration::from_millis(40);
const CLIENTS: usize = 20;

/// One of the tasks of an order.
#[derive(Serialize, Deserialize)]
struct Ship {
    order: u64,
    part: u64,
}

#[task(queue = "crash")]
impl Task for Ship {
    async fn run(self, cx: Context<Record>) -> TaskResult {
        let Self { order, part } = self;
        cx.state().append(&format!("shipped {order} {part}\n"))?;
        Ok(())
    }
}

/// The service of a worker: its tasks, and orders whose database is the file of executions.
pub(crate) fn app(runtime: &Runtime, record: Record) -> Router {
    let order = |Path(order): Path<u64>| async move {
        let commit = commit(order, record).await;
        commit.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
    };
    Router::new()
        .route("/orders/{order}", post(order))
        .layer(runtime.layer())
}

async fn commit(order: u64, record: Record) -> Result<(), BoxError> {
    let mut hooks = CommitHooks::new();
    for part in 0..PARTS {
        Ship { order, part }.asap().on_commit(&mut hooks)?;
    }
    let commit = hooks.commit_with(|hooks| async move {
        sleep(HALF_A_COMMIT).await;
        record.append(&format!("committed {order}\n"))?;
        sleep(HALF_A_COMMIT).await;
        hooks.run().await?;
        Ok(())
    });
    commit.await
}

/// A test with clients that hang up, and workers that are told to stop.
#[derive(Clone, Copy)]
pub(crate) struct HangUpTest {
    pub(crate) orders: u64,
    /// The number of orders after which a worker is told to stop, and another one is started.
    pub(crate) orders_per_worker: u64,
    /// The timeout for the tasks at the end.
    pub(crate) timeout: Duration,
}

/// The result of a test.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) orders: u64,
    pub(crate) signals: u64,
    /// The clients that left before they had an answer.
    pub(crate) hung_up: u64,
    /// The tasks of the orders that were committed.
    pub(crate) committed: u64,
    /// The tasks that arrived.
    pub(crate) sent: u64,
    /// The tasks of committed orders that did not arrive.
    pub(crate) lost: u64,
    /// The tasks of orders that were not committed.
    pub(crate) phantoms: u64,
    pub(crate) time: Duration,
}

impl HangUpTest {
    /// `worker` returns the command of a process that calls [`run_as_worker`](super::stage::run_as_worker).
    pub(crate) async fn run(
        self,
        worker: impl Fn() -> Result<Command, BoxError>,
    ) -> Result<Report, BoxError> {
        let started = Instant::now();
        let stage = Stage::new().await?;
        // The queue is paused until the last worker runs: the engine retries a task that finds no worker after longer and longer
        // pauses.
        stage.runtime.queue(QUEUE).pause().await?;
        let start = || stage.start(worker()?);

        let (mut signals, mut hung_up) = (0, 0);
        let mut first = 0;
        while first < self.orders {
            let last = (first + self.orders_per_worker).min(self.orders);
            let worker = start()?;
            // The signal meets the last clients while they hang up.
            let mut clients = stream::iter(first..last)
                .map(|order| client(stage.address, order))
                .buffer_unordered(CLIENTS);
            while let Some(left) = clients.next().await {
                hung_up += u64::from(left?);
            }
            worker.end(Signal::TERM).await?;
            signals += 1;
            first = last;
        }
        let worker = start()?;
        stage.runtime.queue(QUEUE).resume().await?;
        tokio::time::timeout(self.timeout, stage.engine.wait_idle(QUEUE)).await??;
        // It may have nothing to do, and not have started yet.
        worker.end(Signal::KILL).await?;
        stage.engine.stop().await;

        let (committed, shipped) = read(&stage.files.record)?;
        Ok(Report {
            orders: self.orders,
            signals,
            hung_up,
            committed: committed.len() as u64,
            sent: shipped.len() as u64,
            lost: committed.difference(&shipped).count() as u64,
            phantoms: shipped.difference(&committed).count() as u64,
            time: started.elapsed(),
        })
    }
}

/// Sends an order and leaves after 15 to 200 ms, answer or not. Returns whether there was none.
async fn client(address: SocketAddr, order: u64) -> Result<bool, BoxError> {
    let mut stream = loop {
        match TcpStream::connect(address).await {
            Ok(stream) => break stream,
            // The worker is still starting.
            Err(_) => sleep(Duration::from_millis(5)).await,
        }
    };
    let request = format!("POST /orders/{order} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let patience = Duration::from_millis(15 + order * 37 % 186);
    let answer = tokio::time::timeout(patience, stream.read(&mut [0; 1024])).await;
    Ok(!matches!(answer, Ok(Ok(length)) if length > 0))
}

type Parts = BTreeSet<(u64, u64)>;

/// The tasks that were committed, and those that arrived.
fn read(path: &FilePath) -> Result<(Parts, Parts), BoxError> {
    let (mut committed, mut shipped) = (Parts::new(), Parts::new());
    for line in std::fs::read_to_string(path)?.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["committed", order] => {
                let order = order.parse()?;
                committed.extend((0..PARTS).map(|part| (order, part)));
            }
            ["shipped", order, part] => {
                shipped.insert((order.parse()?, part.parse()?));
            }
            _ => return Err(format!("an incomplete line: {line}").into()),
        }
    }
    Ok((committed, shipped))
}
