//! Requests of Pub/Sub.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::Full;
use serde::Serialize;

use super::signer::Signer;
use super::token::{Signature, Token, token_options};
use crate::base::{Error, ErrorKind, Push, json, names::pubsub_path};
use crate::event::message::Message;
use crate::event::subscriber::SubscriberTask;
use crate::registry::subscription::Subscription;
use crate::runtime::{Runtime, encode_error};

const USER_AGENT: HeaderValue =
    HeaderValue::from_static("APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)");
/// The number of digits of Pub/Sub's ids.
const ID_DIGITS: u32 = 16;

/// The request that Pub/Sub makes for a message; see [`Signer::push`].
#[derive(Clone)]
#[must_use = "it becomes a request with `request()`"]
pub struct PushRequest {
    signer: Signer,
    token: Token,
    url: String,
    push: Push,
    wrapped: bool,
}

token_options!(PushRequest);

impl Signer {
    /// Creates the request that pushes a message to a subscriber, with its content as JSON.
    ///
    /// A message without an id gets one. The number of the delivery is sent if the message has it, or if the
    /// subscription has a dead-letter topic. The subscription's filter is ignored.
    ///
    /// ```
    /// use cloud_tasks::testing::Signer;
    /// use cloud_tasks::{Context, Message, Runtime, SubscriberTask, TaskResult, task};
    /// use serde::{Deserialize, Serialize};
    /// use tower::ServiceExt;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct UserAction { user_id: u64 }
    ///
    /// struct AuditPushes;
    ///
    /// #[task(topic = "audited-pushes")]
    /// impl SubscriberTask for AuditPushes {
    ///     async fn run(message: Message<UserAction>, _cx: Context) -> TaskResult {
    ///         assert_eq!((message.content.user_id, &*message.attributes["priority"]), (7, "high"));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let signer = Signer::new()?;
    /// let (runtime, _recorder) = Runtime::recorded().verified_by(&signer).build().await?;
    /// let message = Message::new(UserAction { user_id: 7 }).with_attribute("priority", "high");
    /// let request = signer.push::<AuditPushes>(&runtime, &message)?.request()?;
    /// assert_eq!(runtime.service().oneshot(request).await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the runtime lacks the subscriber, or if the content does not serialize.
    pub fn push<S: SubscriberTask>(
        &self,
        runtime: &Runtime,
        message: &Message<impl Serialize>,
    ) -> Result<PushRequest, Error> {
        let subscription = subscription::<S>(runtime)?;
        let mut token = Token::of(runtime.config());
        if !subscription.oidc {
            token.signature = Signature::None;
        }
        Ok(PushRequest {
            signer: *self,
            token,
            url: subscription.url.clone(),
            push: push_of(runtime, subscription, message)?,
            wrapped: true,
        })
    }
}

/// The subscription of a subscriber.
pub(super) fn subscription<S: SubscriberTask>(runtime: &Runtime) -> Result<&Subscription, Error> {
    let name = S::__REGISTRATION.declared().name;
    let mut all = runtime.subscriptions().iter();
    all.find(|subscription| subscription.task == name).ok_or_else(|| {
        Error::new(
            ErrorKind::UnknownTask,
            format!("this runtime has no subscriber {name:?}: add `.register::<..>()`"),
        )
    })
}

/// The push of a message to a subscription.
pub(super) fn push_of(
    runtime: &Runtime,
    subscription: &Subscription,
    message: &Message<impl Serialize>,
) -> Result<Push, Error> {
    let data = json::encode_once(&message.content).map_err(|error| encode_error(subscription.task, error))?;
    let project = runtime.config().project().unwrap_or("local");
    let id = match message.id.as_str() {
        "" => fastrand::u64(10_u64.pow(ID_DIGITS - 1)..10_u64.pow(ID_DIGITS)).to_string(),
        id => id.to_owned(),
    };
    let first = subscription.dead_letter_topic.as_ref().map(|_| 1);
    let name = match message.subscription.as_str() {
        "" => pubsub_path(project, "subscriptions", &subscription.name).into_owned(),
        name => name.to_owned(),
    };
    Ok(Push {
        data: data.into(),
        attributes: message.attributes.clone(),
        id,
        publish_time: message.publish_time.or_else(|| Some(runtime.now())),
        ordering_key: message.ordering_key.clone(),
        delivery_attempt: message.delivery_attempt.or(first),
        subscription: name,
        source: None,
    })
}

impl PushRequest {
    /// Replaces the content with these bytes, which need not be JSON.
    pub fn data(mut self, data: impl Into<Bytes>) -> Self {
        self.push.data = data.into();
        self
    }

    /// Pushes without a wrapper: the content is the body, and everything else is in headers.
    pub fn unwrapped(mut self) -> Self {
        self.wrapped = false;
        self
    }

    /// Returns the request, for `tower::ServiceExt::oneshot` or for an HTTP client.
    ///
    /// # Errors
    ///
    /// If it has no wrapper and an attribute is not a valid header.
    pub fn request(self) -> Result<Request<Full<Bytes>>, Error> {
        let mut headers = HeaderMap::new();
        let body = if self.wrapped {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            self.push.to_body().into()
        } else {
            headers = self.push.to_unwrapped_headers().map_err(Error::invalid)?;
            self.push.data
        };
        headers.insert(header::USER_AGENT, USER_AGENT);
        self.signer.request(&self.url, headers, body, &self.token)
    }
}
