//! One `main` for a laptop and the cloud: the mode of the settings decides.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use cloud_tasks::runtime::{RunMode, RuntimeBuilder};
use cloud_tasks::{Config, Context, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::dependencies::with_dependencies;
use crate::support::logs::Logs;
use crate::support::wait::next;

#[derive(Deserialize, Serialize)]
struct Wave;

#[task]
impl Task for Wave {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

fn local(endpoint: &str) -> RuntimeBuilder {
    let config = Config::from_vars([("CLOUD_TASKS_MODE", "local"), ("CLOUD_TASKS_ENDPOINT", endpoint)]);
    with_dependencies(Runtime::builder()).config(config.unwrap())
}

#[tokio::test]
async fn an_ordinary_runtime_runs_its_tasks_through_a_local_engine_if_the_settings_say_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let runtime = local(&endpoint).build().await.unwrap();
    let (calls, mut called) = mpsc::unbounded_channel();
    let app = Router::new().layer(runtime.layer()).layer(middleware::from_fn(
        move |request: Request, next: Next| {
            let calls = calls.clone();
            async move {
                let path = request.uri().path().to_owned();
                let response = next.run(request).await;
                calls.send((path, response.status().as_u16())).unwrap();
                response
            }
        },
    ));
    let (stop, stopped) = oneshot::channel::<()>();
    let server = runtime
        .serve(listener, app)
        .shutdown(async { drop(stopped.await) });
    let server = tokio::spawn(server.into_future());

    Wave.asap().on(&runtime).await.unwrap();

    // The first call is the check of the server.
    let mut answer = next(&mut called).await;
    while answer.0 != "/tasks/Wave" {
        answer = next(&mut called).await;
    }
    assert_eq!(answer, ("/tasks/Wave".to_owned(), 200));
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_engine_of_a_configured_runtime_stops_with_it() {
    let runtime = local("http://localhost:8080").build().await.unwrap();
    let engine = runtime.config().cloud_tasks_emulator_host().unwrap().to_owned();
    assert!(tokio::net::TcpStream::connect(&engine).await.is_ok());

    drop(runtime);

    // The engine's thread closes its port soon after the signal.
    while tokio::net::TcpStream::connect(&engine).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_local_engine_and_another_emulator_exclude_each_other() {
    let config = Config::default()
        .with_mode(RunMode::Local)
        .with_cloud_tasks_emulator_host("localhost:8123");

    let error = with_dependencies(Runtime::builder())
        .config(config)
        .build()
        .await
        .unwrap_err();

    assert_eq!(
        error.to_string(),
        "the runtime was not built: the mode is local, which has an engine of its own, and CLOUD_TASKS_EMULATOR_HOST names \
         another emulator (localhost:8123): unset one of the two"
    );
}

#[tokio::test]
async fn a_local_runtime_says_that_its_tasks_are_lost_and_warns_of_an_https_endpoint() {
    let logs = Logs::capture();

    let _runtime = local("https://shop.example").build().await.unwrap();

    let text = logs.text();
    for part in [
        "tasks go to a local engine in this process, and what waits in it is lost when the process ends",
        "the local engine calls this https endpoint, which is probably not served by this process",
        "backend=\"the local engine\"",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[tokio::test]
async fn serve_says_where_it_listens_and_warns_if_tasks_go_to_another_port() {
    let served = async |endpoint: &str, listener: TcpListener| {
        let runtime = local(endpoint).build().await.unwrap();
        let logs = Logs::capture();
        let server = runtime.serve(listener, runtime.service()).shutdown(async {});
        server.await.unwrap();
        logs.text()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();

    let right = served(&format!("http://localhost:{own}"), listener).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = listener.local_addr().unwrap().port();
    let wrong = served("http://localhost:1", listener).await;

    assert!(
        right.contains(&format!("serving address=127.0.0.1:{own}")),
        "{right}"
    );
    assert!(!right.contains("WARN"), "{right}");
    let warning = format!(
        "tasks are sent to the endpoint http://localhost:1, and this server listens on port {other}: set CLOUD_TASKS_ENDPOINT to \
         http://localhost:{other}, or listen on port 1"
    );
    assert!(wrong.contains(&warning), "{wrong}");
}
