//! Audiences: their comparison, and the routes that each of them opens.

use std::borrow::Cow;
use std::fmt::Write;

use crate::auth::access::{Called, Endpoint};
use crate::auth::claims::Audience;
use crate::base::names;

/// The audiences that are accepted.
///
/// URLs are compared after the normalization of RFC 3986 (6.2.2 and 6.2.3): scheme and host in lower case, without the
/// default port, `%41` as `A`; a trailing slash does not matter. Dot segments are not resolved, so such a URL equals no
/// other. An audience that is not a URL is compared byte for byte.
#[derive(Clone, Debug)]
pub(crate) struct Audiences {
    /// The audiences that open every route.
    general: Vec<String>,
    endpoint: String,
}

/// The routes that a token opens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Opens {
    Everything,
    /// The route with this endpoint and name.
    Route(Endpoint, Box<str>),
}

impl Opens {
    /// Whether the called route is one of them.
    pub fn includes(&self, called: &Called<'_>) -> bool {
        match self {
            Self::Everything => true,
            Self::Route(endpoint, name) => *endpoint == called.endpoint && **name == *called.name,
        }
    }
}

impl Audiences {
    /// Accepts the endpoint, these audiences, and the URL of each route for that route.
    pub fn new(endpoint: &str, others: &[String]) -> Self {
        let endpoint = normalized(endpoint).into_owned();
        let others = others.iter().map(|other| normalized(other).into_owned());
        Self {
            general: std::iter::once(endpoint.clone()).chain(others).collect(),
            endpoint,
        }
    }

    /// The routes that a token for this audience opens; `None` if the called route is not one of them.
    pub fn opened_by(&self, audience: &Audience<'_>, called: &Called<'_>) -> Option<Opens> {
        let given: Vec<_> = audience.all().map(normalized).collect();
        let is_given = |accepted: &str| given.iter().any(|given| given == accepted);
        if self.general.iter().any(|accepted| is_given(accepted)) {
            return Some(Opens::Everything);
        }
        let url = self.url_of(called);
        let is_its_url = given.iter().any(|given| without_query(given) == url);
        let is_its_own_url = self.own_url_of(called).is_some_and(|own| is_given(&own));
        (is_its_url || is_its_own_url).then(|| Opens::Route(called.endpoint, called.name.into()))
    }

    /// The audiences that open a route, for the log.
    pub fn accepted(&self, called: &Called<'_>) -> Vec<String> {
        let own = self.own_url_of(called).map(Cow::into_owned);
        let general = self.general.iter().cloned();
        general.chain([self.url_of(called)]).chain(own).collect()
    }

    /// The audiences that open every route.
    pub fn general(&self) -> &[String] {
        &self.general
    }

    fn url_of(&self, called: &Called<'_>) -> String {
        let segment = names::encode_segment(called.name);
        format!("{}{}{segment}", self.endpoint, called.endpoint.path())
    }

    /// The push URL that the subscriber sets, unless it is a route of this service, which opens that route alone.
    fn own_url_of<'a>(&self, called: &Called<'a>) -> Option<Cow<'a, str>> {
        called.own_url.map(normalized).filter(|url| !self.is_route(url))
    }

    fn is_route(&self, url: &str) -> bool {
        let path = url.strip_prefix(&self.endpoint);
        path.is_some_and(|path| {
            Endpoint::ALL
                .iter()
                .any(|endpoint| path.starts_with(endpoint.path()))
        })
    }
}

/// The normal form of an audience.
fn normalized(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.into();
    };
    let default_port = match scheme {
        _ if scheme.eq_ignore_ascii_case("https") => ":443",
        _ if scheme.eq_ignore_ascii_case("http") => ":80",
        _ => return text.into(),
    };
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (path, query) = tail.split_at(tail.find(['?', '#']).unwrap_or(tail.len()));
    let scheme = scheme.to_ascii_lowercase();
    let authority = authority.to_ascii_lowercase();
    let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
    let path = decoded(path.strip_suffix('/').unwrap_or(path));
    format!("{scheme}://{authority}{path}{query}").into()
}

/// A path with unreserved characters decoded, and all other escapes in upper case.
fn decoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..2)
            .filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        match byte.zip(part.get(2..)) {
            Some((byte, rest)) if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => {
                decoded.push(byte.into());
                decoded.push_str(rest);
            }
            Some((byte, rest)) => {
                // Writing to a `String` never fails.
                let _ = write!(decoded, "%{byte:02X}{rest}");
            }
            None => {
                decoded.push('%');
                decoded.push_str(part);
            }
        }
    }
    decoded
}

/// A URL without its query. A URL with a fragment is not the URL of a route, so it stays as it is.
fn without_query(url: &str) -> &str {
    match url.split_once('?') {
        Some((url, query)) if !query.contains('#') => url.strip_suffix('/').unwrap_or(url),
        _ => url,
    }
}
