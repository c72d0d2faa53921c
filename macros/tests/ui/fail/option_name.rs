//! A name that is written out is checked where it stands.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Slash;

#[task(name = "emails/welcome")]
impl Task for Slash {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Empty;

#[task(name = "")]
impl Task for Empty {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Dots;

#[task(name = "..")]
impl Task for Dots {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Number;

#[task(name = 7)]
impl Task for Number {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Überweisung;

#[task]
impl Task for Überweisung {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Alias;

#[task(aliases = ["Fine", "not fine", 7, b"bytes"])]
impl Task for Alias {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct AliasAlone;

#[task(aliases = "Old")]
impl Task for AliasAlone {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct AliasReference;

#[task(aliases = &["Old"])]
impl Task for AliasReference {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Repeated;

#[task(name = "New", aliases = ["Old", "New", "Old"])]
impl Task for Repeated {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

fn main() {}
