//! What a stopping server owes to the attempts that it cuts off.

use std::time::Duration;

use cloud_tasks::dead_letters::Dead;
use cloud_tasks::queue::QueueSettings;
use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::support::log::Log;
use crate::support::wait::within;

/// Delivers the task `a` of a queue over a socket, and stops the server as soon as it runs. The grace period is shorter than the
/// task. Returns when the server has stopped.
pub(crate) async fn cut_off(
    runtime: &Runtime,
    queue: &str,
    task: &str,
    body: &Value,
    is_running: impl Fn() -> bool,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = runtime
        .serve(listener, runtime.service())
        .grace(Duration::from_millis(50))
        .linger(Duration::ZERO)
        .shutdown(async { drop(stopped.await) });
    let server = tokio::spawn(serve.into_future());
    let body = body.to_string();
    let request = format!(
        "POST /tasks/{task} HTTP/1.1\r\nhost: x\r\nx-cloudtasks-queuename: {queue}\r\nx-cloudtasks-taskname: a\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    while !is_running() {
        yield_now().await;
    }

    stop.send(()).unwrap();
    within(server).await.unwrap().unwrap();

    assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or_default(), 0);
}

/// Does not end.
#[derive(Deserialize, Serialize)]
struct Interminable {}

#[task(queue = "interminable", dead_letter_topic = "dead-interminable")]
impl Task for Interminable {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        cx.state().write("began".to_owned());
        std::future::pending().await
    }

    async fn on_dead(self, dead: Dead, cx: Context<Log>) -> TaskResult {
        // More often than the rest of a stop yields.
        for _ in 0..1000 {
            yield_now().await;
        }
        cx.state().write(format!("{:?}", dead.cause()));
        Ok(())
    }
}

#[tokio::test]
async fn a_task_that_is_cut_off_in_its_queues_last_delivery_is_buried_before_the_server_has_stopped() {
    for (max_attempts, expected) in [(1, &["began", "Interrupted"][..]), (2, &["began"])] {
        let log = Log::default();
        let (runtime, recorder) = Runtime::recorded()
            .state(log.clone())
            .queue(QueueSettings::new("interminable").with_max_attempts(max_attempts))
            .build()
            .await
            .unwrap();

        cut_off(&runtime, "interminable", "Interminable", &json!({}), || {
            !log.lines().is_empty()
        })
        .await;

        assert_eq!(log.lines(), expected);
        let records: Vec<Value> = recorder
            .publications()
            .iter()
            .map(|message| serde_json::from_slice(message.data()).unwrap())
            .collect();
        assert_eq!(records.len(), expected.len() - 1);
        assert!(records.iter().all(|record| record["cause"] == "interrupted"));
    }
}
