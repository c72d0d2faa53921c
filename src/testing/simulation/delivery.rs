//! Delivering a request to an instance of a service.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tower_service::Service as _;

use super::history::Event;
use super::instance::Instance;
use super::plans::{Interruption, Plan};
use super::service::ServiceState;
use super::world::World;
use crate::testing::simulation::Fault;

/// How long a request and its response are on their way, in milliseconds.
const LATENCY: std::ops::Range<u64> = 1..20;
/// The most awaits before which an attempt is interrupted.
const MOST_POLLS: u32 = 8;

/// The most milliseconds between an answer and the end of the process that gave it.
const MOST_AFTER: u64 = 1_000;

/// A request to a service.
pub(super) struct Delivery<'a> {
    pub url: &'a str,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub deadline: Duration,
    /// What identifies the attempt to its handler.
    pub key: String,
    pub subject: &'a str,
    /// The place of the choices, such as `Charge-1, attempt 2`.
    pub place: String,
}

/// How an attempt ended for its sender.
pub(super) enum Answer {
    Response(StatusCode, Bytes),
    /// From what is in front of a service, which the handler does not see.
    Front(StatusCode),
    /// Nothing came within the deadline.
    TimedOut,
    /// Nothing came.
    None(&'static str),
}

impl Answer {
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Response(status, _) | Self::Front(status) => Some(*status),
            Self::TimedOut | Self::None(_) => None,
        }
    }

    /// The code by which Cloud Tasks reports it: 504 when the deadline passed, 0 if the service could not be reached.
    pub fn code(&self) -> u16 {
        match self {
            Self::Response(status, _) | Self::Front(status) => status.as_u16(),
            Self::TimedOut => 504,
            Self::None(_) => 0,
        }
    }
}

impl World {
    /// Sends a request, and waits for the response up to its deadline.
    pub async fn deliver(self: &Arc<Self>, delivery: Delivery<'_>) -> Answer {
        let (subject, place) = (delivery.subject, delivery.place.clone());
        let latency = |way: &str| Duration::from_millis(self.number_at(&format!("{place}, {way}"), LATENCY));
        sleep(latency("there")).await;
        let answer = match self.service_at(delivery.url) {
            Some(service) => self.deliver_to(&service, delivery).await,
            None => Answer::None("no service has this URL"),
        };
        sleep(latency("back")).await;
        let answer = match answer.status() {
            Some(_) if self.fault(Fault::LostResponse, &place, subject).is_some() => Answer::None("lost"),
            _ => answer,
        };
        match &answer {
            Answer::Response(status, body) => {
                let text = format!("{} {}", status.as_u16(), String::from_utf8_lossy(body));
                self.step("cloud", subject, Event::Answered, text.trim_end());
            }
            Answer::Front(status) => {
                let text = format!("{} by the front", status.as_u16());
                self.step("cloud", subject, Event::Answered, &text);
            }
            Answer::TimedOut => {
                self.step("cloud", subject, Event::NotAnswered, "its deadline has passed");
            }
            Answer::None(why) => self.step("cloud", subject, Event::NotAnswered, why),
        }
        answer
    }

    async fn deliver_to(self: &Arc<Self>, service: &Arc<ServiceState>, delivery: Delivery<'_>) -> Answer {
        let Delivery {
            url,
            headers,
            body,
            deadline,
            key,
            subject,
            place,
        } = delivery;
        if let Some(mut details) = self.fault(Fault::Unavailable, &place, subject) {
            service.make_unavailable(Duration::from_secs(details.u64(1..20)));
        }
        if service.is_unavailable() {
            let statuses = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
            let which = self.number_at(&format!("{place}, status"), 0..2);
            return Answer::Front(statuses[usize::from(which == 1)]);
        }
        let (Some(instance), Ok(mut request)) = (
            service.pick(&format!("{place}, instance")),
            Request::post(url).body(Full::new(body)),
        ) else {
            return Answer::Front(StatusCode::SERVICE_UNAVAILABLE);
        };
        let Some(runtime) = instance.runtime() else {
            return Answer::Front(StatusCode::SERVICE_UNAVAILABLE);
        };
        *request.headers_mut() = headers;
        let plan = self.plan(&place, subject);
        self.plans.put(key, subject, plan.clone());
        self.step(
            &instance.name,
            subject,
            Event::Attempt,
            place.rsplit(", ").next().unwrap_or_default(),
        );
        let handling = instance.handle(async move {
            let Ok(response) = runtime.service().call(request).await;
            response
        });
        if let Some(mut details) = self.fault(Fault::Stop, &place, subject) {
            let (service, stopped) = (Arc::clone(service), Arc::clone(&instance));
            let pause = Duration::from_millis(details.u64(0..2_000));
            tokio::spawn(async move {
                sleep(pause).await;
                service.stop(stopped);
            });
        }
        let abort = handling.abort_handle();
        let answer = tokio::select! {
            biased;
            () = hung_up(plan.as_deref()) => Answer::None("the connection broke"),
            handled = timeout(deadline, handling) => match handled {
                Ok(Ok(response)) => received(response).await,
                Ok(Err(_)) => Answer::None("the connection was reset"),
                Err(_) => Answer::TimedOut,
            },
        };
        // As a server does when its client hangs up.
        abort.abort();
        self.kill_later(service, &instance, &place, subject);
        answer
    }

    /// Ends the process some time after it has answered, if the seed says so.
    fn kill_later(&self, service: &Arc<ServiceState>, instance: &Arc<Instance>, place: &str, subject: &str) {
        if instance.has_ended() {
            return;
        }
        let place = format!("after {place}");
        let Some(mut details) = self.fault(Fault::Kill, &place, subject) else {
            return;
        };
        let pause = Duration::from_millis(details.u64(0..MOST_AFTER));
        let (service, instance) = (Arc::clone(service), Arc::clone(instance));
        tokio::spawn(async move {
            sleep(pause).await;
            service.kill(&instance, &format!("killed {place}"));
        });
    }

    /// Whether and when the attempt is interrupted.
    pub fn plan(&self, place: &str, subject: &str) -> Option<Arc<Plan>> {
        let planned = [
            (Fault::Kill, Interruption::Kill),
            (Fault::HangUp, Interruption::HangUp),
        ];
        planned.into_iter().find_map(|(fault, how)| {
            let mut details = self.fault(fault, place, subject)?;
            Some(Arc::new(Plan {
                how,
                polls: details.u32(0..=MOST_POLLS),
                cut: Notify::new(),
            }))
        })
    }
}

/// Waits until the connection breaks, if that is planned.
pub(super) async fn hung_up(plan: Option<&Plan>) {
    match plan {
        Some(plan) if plan.how == Interruption::HangUp => plan.cut.notified().await,
        _ => std::future::pending().await,
    }
}

async fn received(response: Response<Full<Bytes>>) -> Answer {
    let status = response.status();
    match response.into_body().collect().await {
        Ok(body) => Answer::Response(status, body.to_bytes()),
        Err(never) => match never {},
    }
}
