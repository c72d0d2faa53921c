//! A timeout that is written out is checked where it stands.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Number;

#[task(timeout = 15)]
impl Task for Number {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Negative;

#[task(timeout = -15)]
impl Task for Negative {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Fraction;

#[task(timeout = 1.5)]
impl Task for Fraction {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct NoQuotes;

#[task(timeout = 15m)]
impl Task for NoQuotes {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct NoQuotesBoth;

#[task(timeout = 1m30s)]
impl Task for NoQuotesBoth {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct NoUnit;

#[task(timeout = "20")]
impl Task for NoUnit {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct NoTime;

#[task(timeout = "15 minutes")]
impl Task for NoTime {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Order;

#[task(timeout = "30s 1m")]
impl Task for Order {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Empty;

#[task(timeout = "")]
impl Task for Empty {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Short;

#[task(timeout = "14s")]
impl Task for Short {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Long;

#[task(timeout = "1h30m")]
impl Task for Long {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Truth;

#[task(timeout = true)]
impl Task for Truth {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

fn main() {}
