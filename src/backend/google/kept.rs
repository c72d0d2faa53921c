//! Reading the dead tasks that a subscription of Pub/Sub keeps.

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_pubsub::client::Subscriber;
use google_cloud_pubsub::subscriber::handler::Handler;
use google_cloud_pubsub::subscriber::{MessageStream, ShutdownBehavior};

use std::time::Duration;

use crate::backend::google::access::PubSubAccess;
use crate::dead::{Claim, DeadLetters, Keeper, Letter, Letters, Reading};
use crate::error::Error;
use crate::registry::BoxFuture;

/// Pub/Sub, or its emulator.
pub(crate) struct PubSubKeeper {
    access: PubSubAccess,
}

impl PubSubKeeper {
    pub(crate) fn new(access: PubSubAccess) -> Self {
        Self { access }
    }
}

impl Keeper for PubSubKeeper {
    fn open<'a>(
        &'a self,
        letters: &'a DeadLetters,
        reading: Reading,
    ) -> BoxFuture<'a, Result<Box<dyn Letters>, Error>> {
        Box::pin(async move {
            let path = self.access.subscription(&letters.subscription);
            let mut builder = Subscriber::builder().with_credentials(self.access.credentials.clone());
            if let Some(url) = &self.access.endpoint {
                builder = builder.with_endpoint(url);
            }
            let client = builder.build().await.map_err(|error| {
                Error::unavailable(format!("{path} was not read: the client was not built"), false)
                    .with_source(Box::new(error))
            })?;
            let stream = client
                .subscribe(&path)
                .set_max_outstanding_messages(reading.at_once)
                .set_shutdown_behavior(ShutdownBehavior::NackImmediately)
                .build();
            let letters: Box<dyn Letters> = Box::new(Stream {
                stream,
                path,
                quiet: reading.quiet,
            });
            Ok(letters)
        })
    }
}

struct Stream {
    stream: MessageStream,
    path: String,
    quiet: Duration,
}

impl Letters for Stream {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Letter>, Error>> {
        Box::pin(async move {
            match tokio::time::timeout(self.quiet, self.stream.next()).await {
                Ok(Some(Ok((message, handler)))) => Ok(Some(Letter {
                    id: message.message_id,
                    data: message.data,
                    claim: Box::new(Hold(handler)),
                })),
                Ok(Some(Err(error))) => Err(failed(&self.path, error)),
                Ok(None) | Err(_) => Ok(None),
            }
        })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.stream.shutdown_token().shutdown().await })
    }
}

/// The client gives a message back whose handler is dropped.
struct Hold(Handler);

impl Claim for Hold {
    fn acknowledge(self: Box<Self>) {
        self.0.ack();
    }
}

fn failed(path: &str, error: GoogleError) -> Error {
    let help = match error.status().map(|status| status.code) {
        Some(Code::NotFound) => {
            "; is there such a subscription? `Runtime::setup` makes it, and the topic, and what was recorded before that is \
             lost"
        }
        Some(Code::PermissionDenied) => "; the caller needs roles/pubsub.subscriber on it",
        Some(Code::Unauthenticated) => "; the credentials were not accepted",
        _ => "",
    };
    Error::unavailable(format!("{path} was not read: {error}{help}"), false).with_source(error)
}
