//! The options of a schedule are checked where they stand.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

macro_rules! tasks {
    ($($name:ident),*) => {
        $(#[derive(Default, Serialize, Deserialize)]
        struct $name;)*
    };
}

tasks!(Empty, Number, Zone, Retries, Backoffs, Order, Doublings, Deadline, Name, Names, Headers, Alone, Typo, Oidc);

#[task(every = "")]
impl Task for Empty {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(every = 5)]
impl Task for Number {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(every = "@daily", time_zone = "Central European Time")]
impl Task for Zone {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(every = "@daily", schedule_max_retries = 6)]
impl Task for Retries {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(every = "@daily", schedule_min_backoff = "4s", schedule_max_backoff = "2h")]
impl Task for Backoffs {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(every = "@daily", schedule_min_backoff = "1m", schedule_max_backoff = "5s")]
impl Task for Order {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(every = "@daily", schedule_max_doublings = "5")]
impl Task for Doublings {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(every = "@daily", attempt_deadline = "31m")]
impl Task for Deadline {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(every = "@daily", schedule_name = "my digest")]
impl Task for Name {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(every = "@daily", schedule_name = "digest", absolute_schedule_name = "digest")]
impl Task for Names {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(every = "@daily", headers = "X-Source: schedule")]
impl Task for Headers {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(time_zone = "UTC", payload = Self, description = "nothing")]
impl Task for Alone {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(evry = "@daily", timezone = "UTC", time_zone = "UTC")]
impl Task for Typo {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task(every = "@daily", oidc)]
impl Task for Oidc {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

fn main() {}
