//! Starts both services, and ends when `billing` has charged the invoice and heard of the order.
#![allow(clippy::print_stdout, reason = "the lines are for the person at the terminal")]

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use cloud_tasks::BoxError;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

const DONE: [&str; 2] = ["billing: charged invoice 7", "billing: heard of order 7"];

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let Ok(ran) = tokio::time::timeout(Duration::from_secs(60), run()).await else {
        println!("The services were not done after a minute.");
        return Ok(ExitCode::FAILURE);
    };
    ran.map(|()| ExitCode::SUCCESS)
}

async fn run() -> Result<(), BoxError> {
    let mut billing = Command::new(program("billing")?)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = billing.stdout.take().ok_or("its output is not piped")?;
    let mut lines = BufReader::new(output).lines();
    let mut done = Vec::new();
    while done.len() < DONE.len() {
        let line = lines.next_line().await?.ok_or("billing has ended")?;
        println!("{line}");
        if let Some(addresses) = line.strip_prefix("listening ") {
            let (endpoint, engine) = addresses.split_once(' ').ok_or("billing named no engine")?;
            println!("without a token: {}", call_without_token(endpoint).await?);
            shop(endpoint, engine.trim_start_matches("http://")).await?;
        }
        done.extend(DONE.into_iter().filter(|expected| line == *expected));
    }
    billing.kill().await?;
    Ok(())
}

/// Runs the shop to its end, against the engine of `billing`.
async fn shop(billing: &str, engine: &str) -> Result<(), BoxError> {
    let status = Command::new(program("shop")?)
        .env("CLOUD_TASKS_EMULATOR_HOST", engine)
        .env("CLOUD_TASKS_SERVICE_BILLING", billing)
        .kill_on_drop(true)
        .status()
        .await?;
    if status.success() {
        Ok(())
    } else {
        Err("the shop failed".into())
    }
}

/// What `billing` answers to somebody who is not the engine: its callers are verified.
async fn call_without_token(billing: &str) -> Result<String, BoxError> {
    let host = billing.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await?;
    let request = format!(
        "POST /tasks/Charge HTTP/1.1\r\nhost: {host}\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{{\"invoice\":8}}"
    );
    stream.write_all(request.as_bytes()).await?;
    let status = BufReader::new(stream).lines().next_line().await?;
    Ok(status.unwrap_or_default())
}

/// Another program of this crate, which stands beside this one.
fn program(name: &str) -> Result<PathBuf, BoxError> {
    let here = std::env::current_exe()?;
    Ok(here.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX)))
}
