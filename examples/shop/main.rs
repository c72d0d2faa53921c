//! A small shop whose background jobs run in a Cloud Tasks of its own: no account, nothing to install.
//!
//! ```text
//! cargo run --example shop            # PORT=3000 for another port than 8080
//! curl -X POST localhost:8080/signup -d '{"name": "Ada"}'
//! curl localhost:8080/activity
//! ```
#![allow(clippy::print_stdout, reason = "it talks to the person who starts it")]

mod activity;
mod app;
mod tasks;

use std::error::Error;
use std::net::Ipv4Addr;

use cloud_tasks::{Config, Runtime};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::activity::Activity;
use crate::app::app;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();
    let port = port()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("cannot listen on port {port} ({error}); PORT chooses another one"))?;
    let url = format!("http://{}", listener.local_addr()?);

    let activity = Activity::default();
    let (runtime, engine) = Runtime::local()
        .config(Config::from_env()?.endpoint(&url))
        .state(activity.clone())
        .build()
        .await?;
    println!(
        "A shop with background jobs; its tasks go through a local Cloud Tasks at {}.",
        engine.url()
    );
    println!("Listening on {url}. Try:");
    println!("  curl -X POST {url}/signup -d '{{\"name\": \"Ada\"}}'");
    println!("  curl {url}/activity");
    println!("Ctrl-C stops it.");

    axum::serve(listener, app(&runtime, activity))
        .with_graceful_shutdown(stopped())
        .await?;
    engine.stop().await;
    println!("Stopped.");
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

/// Completes on Ctrl-C, or when the process is told to end.
async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = interrupted.await;
}
