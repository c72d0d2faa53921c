//! What makes tasks the same one is checked where it stands.

use cloud_tasks::{Context, PublisherTask, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

macro_rules! types {
    ($($name:ident),*) => {
        $(#[derive(Default, Serialize, Deserialize)]
        struct $name { id: u64 })*
    };
}

types!(Value, List, Field, Empty, Window, Unit, Inner, Both, Dot, Event);

#[task(unique = true)]
impl Task for Value {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(unique(by = "id"))]
impl Task for List {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(unique(by = ["id", "the id", id]))]
impl Task for Field {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(unique(by = []))]
impl Task for Empty {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(unique(window = "0s"))]
impl Task for Window {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(unique(window = 5))]
impl Task for Unit {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(unique(every = "5m"))]
impl Task for Inner {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(unique(by = ["id"]), only_once)]
impl Task for Both {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(name = "the.dot", only_once)]
impl Task for Dot {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(uniqe)]
impl PublisherTask for Event {}

fn main() {}
