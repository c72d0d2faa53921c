//! A small shop whose background jobs run in a Cloud Tasks of its own: no account, nothing to install.
//!
//! ```text
//! cargo run --example shop            # PORT=3000 for another port than 8080
//! curl -X POST localhost:8080/signup -d '{"name": "Ada"}'
//! curl -X POST localhost:8080/orders -d '{"id": 1, "express": true}'
//! curl localhost:8080/activity
//! ```
//!
//! Its events go through Google's Pub/Sub emulator where that runs (`gcloud beta emulators pubsub start`):
//!
//! ```text
//! export PUBSUB_EMULATOR_HOST=localhost:8085
//! cargo run --example shop -- initialize-subscribers --yes
//! cargo run --example shop
//! ```
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to the person who starts it"
)]

mod activity;
mod app;
mod orders;
mod tasks;

use std::error::Error;
use std::net::Ipv4Addr;
use std::process::ExitCode;

use cloud_tasks::{Callers, Config, LocalEngine, Runtime};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::activity::Activity;
use crate::app::app;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => serve().await,
        ["initialize-subscribers", "--yes"] => initialize_subscribers().await,
        ["initialize-subscribers"] => Err("it makes topics and subscriptions: say so with --yes".into()),
        _ => Err(
            format!("{arguments:?} is no command; accepted: none, or initialize-subscribers --yes").into(),
        ),
    }
}

/// Serves the shop until it is stopped.
async fn serve() -> Result<(), Box<dyn Error>> {
    let port = port()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("cannot listen on port {port} ({error}); PORT chooses another one"))?;
    let url = format!("http://{}", listener.local_addr()?);

    let activity = Activity::default();
    let config = Config::from_env()?.endpoint(&url);
    let (runtime, engine) = start(config, activity.clone()).await?;
    match &engine {
        Some(engine) => println!(
            "A shop with background jobs; its tasks go through a local Cloud Tasks at {}.",
            engine.url()
        ),
        None => println!(
            "A shop with background jobs; its tasks go through the Cloud Tasks of CLOUD_TASKS_EMULATOR_HOST."
        ),
    }
    if let Ok(host) = std::env::var("PUBSUB_EMULATOR_HOST") {
        println!("Its events go through the Pub/Sub emulator at {host}. What they need is made, once, by");
        println!("  cargo run --example shop -- initialize-subscribers --yes");
        println!(
            "The emulator ignores filters, so all orders are shipped; it does not number deliveries, and repeats after 1 s."
        );
        println!(
            "WARNING: that emulator signs nothing, so pushes are taken from anybody who can reach this port."
        );
    }
    println!("Listening on {url}. Try:");
    println!("  curl -X POST {url}/signup -d '{{\"name\": \"Ada\"}}'");
    println!("  curl -X POST {url}/orders -d '{{\"id\": 1, \"express\": true}}'");
    println!("  curl {url}/activity");
    println!("Ctrl-C stops it.");

    runtime.serve(listener, app(&runtime, activity)).await?;
    if let Some(engine) = engine {
        engine.stop().await;
    }
    println!("Stopped.");
    Ok(())
}

/// A runtime with a Cloud Tasks of its own, unless the environment names an emulator.
async fn start(
    config: Config,
    activity: Activity,
) -> Result<(Runtime, Option<LocalEngine>), cloud_tasks::Error> {
    let unsigned_pushes = std::env::var_os("PUBSUB_EMULATOR_HOST").is_some();
    if let Ok(host) = std::env::var("CLOUD_TASKS_EMULATOR_HOST") {
        // An emulator signs its tokens itself. Said here and not by a setting: in production nothing may loosen the check.
        let issuer = format!("http://{host}");
        let callers = Callers::new().issuer(&issuer, format!("{issuer}/jwks"));
        let mut builder = Runtime::builder().config(config).callers(callers).state(activity);
        if unsigned_pushes {
            builder = builder.allow_unsigned_pushes();
        }
        return Ok((builder.build().await?, None));
    }
    let mut builder = Runtime::local().config(config).state(activity);
    if unsigned_pushes {
        // Google's Pub/Sub emulator sends no token.
        builder = builder.allow_unsigned_pushes();
    }
    let (runtime, engine) = builder.build().await?;
    Ok((runtime, Some(engine)))
}

/// Makes the topics and the subscriptions that the shop's events need, in the Pub/Sub emulator.
async fn initialize_subscribers() -> Result<(), Box<dyn Error>> {
    if std::env::var_os("PUBSUB_EMULATOR_HOST").is_none() {
        return Err(
            "PUBSUB_EMULATOR_HOST is not set; without it the shop needs no topics and no subscriptions"
                .into(),
        );
    }
    let url =
        match port()? {
            0 => return Err(
                "PORT is 0, but the subscriptions push to a port: name the one that the shop will listen on"
                    .into(),
            ),
            port => format!("http://127.0.0.1:{port}"),
        };
    let config = Config::from_env()?.endpoint(url);
    let (runtime, engine) = start(config, Activity::default()).await?;
    let plan = runtime.setup().only_subscribers().plan().await?;
    for left in plan.held_back() {
        eprintln!("left as it is, {}:\n{}", left.because, left.change);
    }
    for note in plan.notes() {
        eprintln!("note: {note}");
    }
    println!("{}", plan.apply().await?);
    if let Some(engine) = engine {
        engine.stop().await;
    }
    Ok(())
}

fn port() -> Result<u16, String> {
    match std::env::var("PORT") {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("PORT is {text:?}, which is not accepted: a number from 0 to 65535")),
        Err(_) => Ok(8080),
    }
}
