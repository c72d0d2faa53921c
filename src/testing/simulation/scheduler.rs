//! The simulated Cloud Scheduler.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderValue, header};
use tokio::time::{sleep, sleep_until};

use super::delivery::Delivery;
use super::history::Event;
use super::queue::backoff;
use super::service::ServiceState;
use super::world::World;
use crate::base::job_headers;
use crate::registry::schedule::Schedule;

const USER_AGENT: HeaderValue = HeaderValue::from_static("Google-Cloud-Scheduler");
// The defaults of Cloud Scheduler. Source: `google/cloud/scheduler/v1/job.proto`.
const DEADLINE: Duration = Duration::from_secs(180);
const MIN_BACKOFF: Duration = Duration::from_secs(5);
const MAX_BACKOFF: Duration = Duration::from_secs(3_600);
const DOUBLINGS: u32 = 5;

/// Runs a schedule of a service until the simulation ends.
pub(super) fn start(world: &Arc<World>, service: &Arc<ServiceState>, schedule: &Schedule) {
    let (world, service, schedule) = (Arc::clone(world), Arc::clone(service), schedule.clone());
    tokio::spawn(async move {
        let mut next = schedule.next_after(world.now());
        while let Some(due) = next {
            // At once, if the run before took longer: it is delayed, not left out.
            sleep_until(world.instant(due)).await;
            next = schedule.next_after(due);
            let open = world.begin();
            run(&world, &service, &schedule, due, next).await;
            drop(open);
        }
    });
}

/// Runs a schedule that is due, and tries again until it is due the next time.
///
/// Source: `google/cloud/scheduler/v1/job.proto` (`Job.schedule`).
async fn run(
    world: &Arc<World>,
    service: &Arc<ServiceState>,
    schedule: &Schedule,
    due: SystemTime,
    next: Option<SystemTime>,
) {
    let number = world.next_number(&format!("runs of {}", schedule.task));
    let subject = format!("{}@{number}", schedule.task);
    world.step("scheduler", &subject, Event::Due, "");
    let attempts = schedule.max_retries.unwrap_or(0) + 1;
    for attempt in 1..=attempts {
        let mut headers = schedule.headers.clone();
        headers.extend(job_headers(&schedule.name, due));
        headers.insert(header::USER_AGENT, USER_AGENT);
        if schedule.oidc
            && let Some(token) = world.token(&service.audience(), &service.account())
        {
            headers.insert(header::AUTHORIZATION, token);
        }
        let place = format!("{subject}, attempt {attempt}");
        let answer = world
            .deliver(Delivery {
                url: &schedule.url,
                headers,
                body: schedule.payload.clone(),
                deadline: schedule.attempt_deadline.unwrap_or(DEADLINE),
                key: format!("job {}", schedule.name),
                subject: &subject,
                place,
            })
            .await;
        if answer.status().is_some_and(|status| status.is_success()) {
            world.step("scheduler", &subject, Event::Acknowledged, "");
            return;
        }
        let pause = pause(schedule, attempt);
        let is_over = next.is_some_and(|next| world.now() + pause >= next);
        if attempt == attempts || is_over {
            let text = format!("after attempt {attempt}");
            world.step("scheduler", &subject, Event::GivenUp, &text);
            return;
        }
        sleep(pause).await;
    }
}

/// The pause after this many failed attempts.
fn pause(schedule: &Schedule, attempts: u32) -> Duration {
    let min = schedule.min_backoff.unwrap_or(MIN_BACKOFF);
    let max = schedule.max_backoff.unwrap_or(MAX_BACKOFF);
    let doublings = schedule.max_doublings.unwrap_or(DOUBLINGS);
    backoff(min, max, doublings, attempts)
}
