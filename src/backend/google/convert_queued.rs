//! Conversion of Google's messages to queued tasks and queue information.

use std::time::{Duration, SystemTime};

use google_cloud_tasks_v2::model::task::MessageType;
use google_cloud_tasks_v2::model::{Attempt, HttpRequest, Queue, Task, queue};
use google_cloud_wkt::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::backend::queue_admin::View;
use crate::backend::relay_url;
use crate::base::{LastAttempt, QueueInfo, QueueState, QueuedTask, QueuedTaskParts, names};

/// A task from the service. One of App Engine has neither URL nor arguments.
pub(crate) fn task(task: Task, queue: &str, view: View) -> QueuedTask {
    let request = match task.message_type {
        Some(MessageType::HttpRequest(request)) => *request,
        _ => HttpRequest::new(),
    };
    QueuedTask::new(QueuedTaskParts {
        id: names::last_segment(&task.name).to_owned(),
        queue: queue.to_owned(),
        headers: headers(&request),
        url: relay_url::target(request.url),
        body: (view == View::Full).then_some(request.body),
        schedule_time: task.schedule_time.and_then(time),
        create_time: task.create_time.and_then(time),
        timeout: task
            .dispatch_deadline
            .and_then(|deadline| Duration::try_from(deadline).ok()),
        attempts: number(task.dispatch_count).unwrap_or(0),
        responses: number(task.response_count).unwrap_or(0),
        last_attempt: task.last_attempt.map(last_attempt),
        max_attempts: task.retry_config.and_then(|config| number(config.max_attempts)),
    })
}

/// A queue from the service.
pub(crate) fn info(found: Queue, name: &str) -> QueueInfo {
    let state = match found.state {
        queue::State::Running => QueueState::Running,
        queue::State::Paused => QueueState::Paused,
        queue::State::Disabled => QueueState::Disabled,
        _ => QueueState::Unknown,
    };
    let mut info = QueueInfo::new(name, state);
    if let Some(limits) = found.rate_limits {
        info.max_dispatches_per_second = Some(limits.max_dispatches_per_second).filter(|rate| *rate > 0.0);
        info.max_concurrent_dispatches = number(limits.max_concurrent_dispatches);
    }
    info.max_attempts = found.retry_config.and_then(|config| number(config.max_attempts));
    info.purge_time = found.purge_time.and_then(time);
    info
}

/// Invalid headers are skipped: the service would not have accepted them.
fn headers(request: &HttpRequest) -> HeaderMap {
    let headers = request.headers.iter();
    headers
        .filter_map(|(name, value)| {
            let name: HeaderName = name.parse().ok()?;
            Some((name, HeaderValue::from_str(value).ok()?))
        })
        .collect()
}

fn last_attempt(attempt: Attempt) -> LastAttempt {
    let status = attempt.response_status.map(|status| status.message);
    LastAttempt {
        dispatch_time: attempt.dispatch_time.and_then(time),
        response_time: attempt.response_time.and_then(time),
        status: status.filter(|message| !message.is_empty()),
    }
}

fn time(timestamp: Timestamp) -> Option<SystemTime> {
    SystemTime::try_from(timestamp).ok()
}

/// A positive count: the service writes 0 for none, and -1 for no limit.
fn number(count: i32) -> Option<u32> {
    u32::try_from(count).ok().filter(|count| *count > 0)
}
