//! The tokens of a simulation, and the server of the keys that verify them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use tokio::time::sleep;

use super::world::{World, lock};
use crate::base::http_client::{HttpError, Server};
use crate::testing::key::Key;
use crate::testing::simulation::Fault;
use crate::testing::token::{Signature, Token};

/// How long the signing keys may be cached.
const MAX_AGE: Duration = Duration::from_secs(6 * 60 * 60);
/// How long a token is used before the next one is made.
const TOKEN_AGE: Duration = Duration::from_secs(30 * 60);

/// Which of the keys of this process signs.
#[derive(Default)]
pub(super) struct KeyRing(Mutex<usize>);

/// The tokens that were made in this process: signing one takes a millisecond.
type Tokens = Mutex<HashMap<(usize, String, String, u64), HeaderValue>>;

impl World {
    /// The value of the header `Authorization` for a request to a service.
    pub fn token(&self, audience: &str, account: &str) -> Option<HeaderValue> {
        static TOKENS: OnceLock<Tokens> = OnceLock::new();
        let number = *lock(&self.keys.0);
        let since = self
            .now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let issued = since.as_secs() / TOKEN_AGE.as_secs() * TOKEN_AGE.as_secs();
        let known = TOKENS.get_or_init(Mutex::default);
        let name = (number, audience.to_owned(), account.to_owned(), issued);
        if let Some(token) = lock(known).get(&name) {
            return Some(token.clone());
        }
        let token = Token {
            audience: audience.to_owned(),
            account: account.to_owned(),
            expired: false,
            signature: Signature::Right,
            issued: Some(issued),
        };
        let value = token.header(Key::number(number).ok()?).ok()??;
        lock(known).insert(name, value.clone());
        Some(value)
    }

    /// The server of the keys.
    pub fn key_server(self: &Arc<Self>) -> Server {
        let world = Arc::clone(self);
        Server::new(move |_request| {
            let world = Arc::clone(&world);
            async move { world.answer_keys().await }
        })
    }

    async fn answer_keys(&self) -> Result<Response<Bytes>, HttpError> {
        let place = format!("fetch {} of the keys", self.next_number("fetches"));
        let pause = match self.fault(Fault::SlowKeys, &place, "") {
            Some(mut details) => details.u64(1_000..20_000),
            None => self.number_at(&place, 5..50),
        };
        sleep(Duration::from_millis(pause)).await;
        let number = *lock(&self.keys.0);
        let mut response = Response::new(Key::set(number).unwrap_or_default());
        let age = format!("max-age={}", MAX_AGE.as_secs());
        if let Ok(age) = HeaderValue::try_from(age) {
            response.headers_mut().insert(header::CACHE_CONTROL, age);
        }
        Ok(response)
    }

    /// Rotates the keys here, if the seed says so.
    pub fn may_rotate_keys(&self, place: &str) {
        if self.fault(Fault::RotatedKeys, place, "").is_some() {
            *lock(&self.keys.0) += 1;
        }
    }
}
