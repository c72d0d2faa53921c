//! A task owns what it carries.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::Serialize;

#[derive(Serialize)]
struct Borrows<'a>(&'a str);

#[task]
impl<'a> Task for Borrows<'a> {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize)]
struct Elided<'a>(&'a str);

#[task]
impl Task for Elided<'_> {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[task]
impl Task for &'static str {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[task]
impl Task for (u8, u16) {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

fn main() {}
