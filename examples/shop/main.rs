//! A small shop with background jobs and the local engine: no account and nothing to install.
//!
//! ```text
//! cargo run --example shop            # PORT=3000 for another port than 8080
//! curl -X POST localhost:8080/signup -d '{"name": "Ada"}'
//! curl -X POST localhost:8080/orders -d '{"id": 1, "express": true}'
//! curl localhost:8080/activity
//! ```
//!
//! Its events go through Google's Pub/Sub emulator if one runs (`gcloud beta emulators pubsub start`):
//!
//! ```text
//! export PUBSUB_EMULATOR_HOST=localhost:8085
//! cargo run --example shop -- initialize-subscribers --yes
//! cargo run --example shop -- --dev
//! ```
//!
//! The emulator does not sign its pushes, so they are rejected without `--dev`. The option that relaxes access control is a
//! flag, not an environment variable, because a variable may be set in production too.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the messages are for the person at the terminal"
)]

mod activity;
mod app;
mod orders;
mod tasks;

use std::error::Error;
use std::io::IsTerminal;
use std::net::Ipv4Addr;
use std::process::ExitCode;

use clap::Parser;
use cloud_tasks::backend::LocalEngine;
use cloud_tasks::cli::Command;
use cloud_tasks::service::TrustedCallers;
use cloud_tasks::{Config, Runtime};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::activity::Activity;
use crate::app::app;

/// A small shop with background jobs; serves it unless there is a command.
#[derive(Parser)]
struct Args {
    /// Trust the emulators in the environment: tokens of the Cloud Tasks emulator, and all pushes of the Pub/Sub emulator
    #[arg(long)]
    dev: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The accepted callers.
#[derive(Clone, Copy, PartialEq)]
enum Trust {
    /// Google, and the local engine.
    Google,
    /// Emulators as well.
    Emulators,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode, Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let args = Args::parse();
    let trust = if args.dev { Trust::Emulators } else { Trust::Google };
    match args.command {
        None => serve(trust).await.map(|()| ExitCode::SUCCESS),
        Some(command) => set_up(command, trust).await,
    }
}

/// Serves the shop until it is stopped.
async fn serve(trust: Trust) -> Result<(), Box<dyn Error>> {
    let port = port()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("cannot listen on port {port} ({error}); set PORT to use another one"))?;
    let url = format!("http://{}", listener.local_addr()?);

    let activity = Activity::default();
    let config = Config::from_env()?.with_endpoint(&url);
    let (runtime, engine) = start(config, activity.clone(), trust).await?;
    match &engine {
        Some(engine) => println!(
            "A shop with background jobs. Its tasks go through the local engine at {}.",
            engine.url()
        ),
        None => println!(
            "A shop with background jobs. Its tasks go through the emulator of CLOUD_TASKS_EMULATOR_HOST."
        ),
    }
    if let Ok(host) = std::env::var("PUBSUB_EMULATOR_HOST") {
        println!(
            "Its events go through the Pub/Sub emulator at {host}. Create the topics and subscriptions once:"
        );
        println!("  cargo run --example shop -- initialize-subscribers --yes");
        println!(
            "The emulator ignores filters, so all orders are shipped. It does not number deliveries, and redelivers after 1 s."
        );
        match trust {
            Trust::Emulators => println!(
                "WARNING: the emulator does not sign, so pushes are accepted from anybody who can reach this port."
            ),
            Trust::Google => {
                println!("It does not sign, so its pushes are rejected: start the shop with --dev.");
            }
        }
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

/// Builds a runtime with the local engine, unless the environment names an emulator.
async fn start(
    config: Config,
    activity: Activity,
    trust: Trust,
) -> Result<(Runtime, Option<LocalEngine>), cloud_tasks::Error> {
    if let Ok(host) = std::env::var("CLOUD_TASKS_EMULATOR_HOST") {
        let mut builder = Runtime::builder().config(config).state(activity);
        if trust == Trust::Emulators {
            // The emulator signs its tokens with its own key.
            let issuer = format!("http://{host}");
            let callers = TrustedCallers::new().issuer(&issuer, format!("{issuer}/jwks"));
            builder = builder.callers(callers).allow_emulator_pushes();
        }
        return Ok((builder.build().await?, None));
    }
    let mut builder = Runtime::local().config(config).state(activity);
    if trust == Trust::Emulators {
        // Google's Pub/Sub emulator sends no tokens.
        builder = builder.allow_emulator_pushes();
    }
    let (runtime, engine) = builder.build().await?;
    Ok((runtime, Some(engine)))
}

/// Runs a command, for the topics and subscriptions in the Pub/Sub emulator.
async fn set_up(command: Command, trust: Trust) -> Result<ExitCode, Box<dyn Error>> {
    let url = match port()? {
        0 if !matches!(command, Command::List(_)) => {
            return Err(
                "PORT is 0 (any free port), but subscriptions push to a fixed port: set PORT to the one that the shop will listen on".into(),
            );
        }
        port => format!("http://127.0.0.1:{port}"),
    };
    let config = Config::from_env()?.with_endpoint(url);
    let (runtime, engine) = start(config, Activity::default(), trust).await?;
    let code = command.run(&runtime).await;
    if let Some(engine) = engine {
        engine.stop().await;
    }
    Ok(code)
}

fn port() -> Result<u16, String> {
    match std::env::var("PORT") {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("PORT is {text:?}; expected a number from 0 to 65535")),
        Err(_) => Ok(8080),
    }
}
