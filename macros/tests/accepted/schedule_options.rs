//! Every option of a schedule, as a literal and as a constant.
#![deny(warnings)]

use std::time::Duration;

use cloud_tasks::{Context, PeriodicTask, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Literals {
    limit: u32,
}

#[task(
    every = "0 9 * * 1-5",
    time_zone = "Europe/Paris",
    payload = Self { limit: 10 },
    headers = [("X-Source", "schedule"), ("X-Other", TEXT)],
    schedule_max_retries = 5,
    schedule_min_backoff = "5s",
    schedule_max_backoff = "1h",
    schedule_max_doublings = 0,
    attempt_deadline = "15s",
    description = "",
    schedule_name = "literals",
    oidc = false,
    queue = "slow",
    crate = "cloud_tasks"
)]
impl Task for Literals {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

const TEXT: &str = "UTC";
const HEADERS: &[(&str, &str)] = &[("X-Source", TEXT)];
const FEW: u32 = 2;
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Constants(u32);

impl Constants {
    const OIDC: bool = true;

    fn of_today() -> Self {
        Self(FEW)
    }
}

#[task(
    every = concat!("@", "daily"),
    time_zone = TEXT,
    payload = Self::of_today,
    headers = HEADERS,
    schedule_max_retries = FEW + 1,
    schedule_min_backoff = MINUTE,
    schedule_max_backoff = Duration::from_secs(3600),
    schedule_max_doublings = FEW,
    attempt_deadline = MINUTE,
    description = TEXT,
    absolute_schedule_name = TEXT,
    oidc = Self::OIDC
)]
impl Task for Constants {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Omitted(u32);

#[task(every = "every 5 minutes")]
impl Task for Omitted {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Closure<T>(T);

#[task(name = "Closure", every = "@daily", payload = || Closure(vec![1]))]
impl Task for Closure<Vec<u8>> {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[test]
fn the_payload_of_a_schedule_is_a_value_of_the_task() {
    assert_eq!(Literals::payload(), Literals { limit: 10 });
    assert_eq!(Constants::payload(), Constants(2));
    assert_eq!(Omitted::payload(), Omitted(0));
    assert_eq!(Closure::payload(), Closure(vec![1]));
}
