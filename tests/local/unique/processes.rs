//! Several processes that enqueue the same tasks at once.

use std::collections::HashSet;

use axum::Router;
use cloud_tasks::{Config, Runtime, Task};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::tasks::{Count, Log};
use crate::dependencies::with_dependencies;
use crate::support::child;
use crate::support::server::Port;
use crate::support::wait::within;

const TASKS: u64 = 1000;
/// Where a child waits for the others, in the child.
const GATE: &str = "UNIQUE_GATE";

/// The child's part: enqueues all tasks, and tells the ids of those that it made.
#[tokio::test]
#[ignore = "another test starts it, in a process of its own"]
async fn enqueues_every_task() {
    let Some(_engine) = child::api() else {
        return;
    };
    let runtime = with_dependencies(Runtime::builder())
        .config(Config::from_env().unwrap())
        .build()
        .await
        .unwrap();
    // Its end is the sign to begin.
    let mut gate = TcpStream::connect(std::env::var(GATE).unwrap()).await.unwrap();
    gate.read_to_end(&mut Vec::new()).await.unwrap();

    let made = stream::iter(0..TASKS)
        .map(|number| {
            Count {
                number: 1_000 + number,
            }
            .asap()
            .on(&runtime)
            .into_future()
        })
        .buffer_unordered(16)
        .try_filter_map(
            |enqueued| async move { Ok((!enqueued.duplicate()).then(|| enqueued.id().to_owned())) },
        )
        .try_collect()
        .await;

    child::tell(&made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_same_tasks_of_two_processes_each_runs_once() {
    let port = Port::open().await;
    let endpoint = port.url().to_owned();
    let log = Log::default();
    let (runtime, engine) = with_dependencies(Runtime::local())
        .config(Config::default().with_endpoint(&endpoint))
        .state(log.clone())
        .build()
        .await
        .unwrap();
    let app = Router::new().layer(runtime.layer());
    let _server = port.serve(app);
    // The queue is there before the children, who make none.
    Count { number: 0 }.asap().on(&runtime).await.unwrap();
    let gate = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate_address = gate.local_addr().unwrap().to_string();
    let host = engine.url().trim_start_matches("http://").to_owned();
    let vars = [
        ("CLOUD_TASKS_EMULATOR_HOST", host.as_str()),
        ("CLOUD_TASKS_ENDPOINT", &endpoint),
        (GATE, &gate_address),
    ];
    let child = || child::run("unique::processes::enqueues_every_task", "engine", true, &vars);
    let open = async {
        // Both are ready; dropped together they begin together.
        let _gates = (gate.accept().await.unwrap(), gate.accept().await.unwrap());
    };

    let (one, other, ()) = within(async { tokio::join!(child(), child(), open) }).await;
    within(engine.wait_idle("counts")).await.unwrap();

    let ids = |told: Result<serde_json::Value, String>| -> Vec<String> {
        serde_json::from_value(told.unwrap()).unwrap()
    };
    let made: Vec<String> = [ids(one), ids(other)].concat();
    assert_eq!(made.iter().collect::<HashSet<_>>().len(), 1000);
    let ran = log.numbers();
    let distinct: HashSet<_> = ran.iter().collect();
    assert_eq!((ran.len(), distinct.len()), (1001, 1001));
    engine.stop().await;
}
