//! Where Cloud Tasks is called.

use std::borrow::Cow;

use http::uri::{Parts, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;

const GOOGLE: &str = "googleapis.com";
const SERVICE: &str = "cloudtasks";
/// Numbers stand for enum values, as Google's client asks for them.
const QUERY: &str = "%24alt=json%3Benum-encoding%3Dint";

/// The server of Cloud Tasks, and how it is addressed.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// Where connections go.
    pub server: Uri,
    pub has_tls: bool,
    /// The value of the header `Host`.
    pub host: HeaderValue,
    /// What paths begin with, without a slash at its end.
    base: String,
}

impl Endpoint {
    /// The server at this URL, or Google's in this universe.
    ///
    /// `None` if only Google's client can call it: through a proxy of the environment, or at a URL that an HTTP request cannot
    /// have as it is.
    pub fn resolve(url: Option<&str>, universe: &str) -> Option<Self> {
        let own = || Cow::Owned(format!("https://{SERVICE}.{universe}/"));
        let server: Uri = url.map_or_else(own, Cow::Borrowed).parse().ok()?;
        let has_tls = match server.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let has_login = server.authority()?.as_str().contains('@');
        let base = server.path().strip_suffix('/').unwrap_or(server.path());
        let is_plain = base.split('/').skip(1).all(is_plain_segment);
        if has_login || server.query().is_some() || !is_plain {
            return None;
        }
        if Matcher::from_system().intercept(&server).is_some() {
            tracing::debug!(%server, "calls go through a proxy of the environment");
            return None;
        }
        let host = host(url.and_then(|_| server.host()), universe);
        Some(Self {
            has_tls,
            host: HeaderValue::try_from(host).ok()?,
            base: base.to_owned(),
            server,
        })
    }

    /// The server of a simulation, which nobody connects to.
    #[cfg(feature = "testing")]
    pub fn simulated() -> Self {
        Self {
            server: Uri::from_static("http://cloudtasks.simulated"),
            has_tls: false,
            host: HeaderValue::from_static("cloudtasks.simulated"),
            base: String::new(),
        }
    }

    /// The path of a resource's method, `None` if a segment of it has to be escaped.
    pub fn path(&self, resource: &str) -> Option<PathAndQuery> {
        let Self { base, .. } = self;
        let is_plain = resource.split('/').all(is_plain_segment);
        is_plain
            .then(|| PathAndQuery::try_from(format!("{base}/v2/{resource}?{QUERY}")).ok())
            .flatten()
    }

    /// The whole URL of a path, which HTTP/2 needs.
    pub fn url(&self, path: &PathAndQuery) -> Option<Uri> {
        let mut parts = Parts::default();
        parts.scheme = Some(if self.has_tls { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = self.host.to_str().ok()?.parse().ok();
        parts.path_and_query = Some(path.clone());
        Uri::from_parts(parts).ok()
    }
}

/// Whether a segment is sent as it is, and is not one that URLs resolve.
fn is_plain_segment(segment: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain)
}

/// The value of `Host`, as Google's clients choose it: private and shared endpoints serve many APIs, and need the name of this
/// one. Source: `host.rs` of the crate `google-cloud-gax-internal`.
fn host(server: Option<&str>, universe: &str) -> String {
    let Some(server) = server else {
        return format!("{SERVICE}.{universe}");
    };
    let within = |domain: &str| server.strip_suffix(domain)?.strip_suffix('.');
    let (name, domain) = match (within(universe), within(GOOGLE)) {
        (Some(name), _) => (name, universe),
        (None, Some(name)) => (name, GOOGLE),
        (None, None) => return server.to_owned(),
    };
    let is_location = |name: &str| {
        let location = name.strip_suffix(SERVICE).and_then(|name| name.strip_suffix('-'));
        location.is_some_and(|location| !location.is_empty())
    };
    match name.split('.').collect::<Vec<_>>()[..] {
        [SERVICE, _, "rep"] => server.to_owned(),
        [name] if is_location(name) => server.to_owned(),
        _ => format!("{SERVICE}.{domain}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_the_one_that_googles_client_sends() {
        for (server, universe, expected) in [
            (None, GOOGLE, "cloudtasks.googleapis.com"),
            (None, "my.universe", "cloudtasks.my.universe"),
            (Some("www.googleapis.com"), GOOGLE, "cloudtasks.googleapis.com"),
            (
                Some("private.googleapis.com"),
                GOOGLE,
                "cloudtasks.googleapis.com",
            ),
            (
                Some("cloudtasks-my-ep.p.googleapis.com"),
                GOOGLE,
                "cloudtasks.googleapis.com",
            ),
            (
                Some("us-central1-cloudtasks.googleapis.com"),
                GOOGLE,
                "us-central1-cloudtasks.googleapis.com",
            ),
            (
                Some("us-central1-wrong.googleapis.com"),
                GOOGLE,
                "cloudtasks.googleapis.com",
            ),
            (
                Some("-cloudtasks.googleapis.com"),
                GOOGLE,
                "cloudtasks.googleapis.com",
            ),
            (
                Some("cloudtasks.us-central1.rep.googleapis.com"),
                GOOGLE,
                "cloudtasks.us-central1.rep.googleapis.com",
            ),
            (
                Some("private.my.universe"),
                "my.universe",
                "cloudtasks.my.universe",
            ),
            (
                Some("private.googleapis.com"),
                "my.universe",
                "cloudtasks.googleapis.com",
            ),
            (Some("127.0.0.1"), GOOGLE, "127.0.0.1"),
            (Some("notgoogleapis.com"), GOOGLE, "notgoogleapis.com"),
        ] {
            assert_eq!(host(server, universe), expected, "{server:?} in {universe}");
        }
    }

    #[test]
    fn a_path_has_the_base_of_the_url_and_asks_for_numbers() {
        for (url, expected) in [
            (
                "http://127.0.0.1:1",
                "/v2/a/tasks?%24alt=json%3Benum-encoding%3Dint",
            ),
            (
                "http://127.0.0.1:1/",
                "/v2/a/tasks?%24alt=json%3Benum-encoding%3Dint",
            ),
            (
                "http://127.0.0.1:1/base/x/",
                "/base/x/v2/a/tasks?%24alt=json%3Benum-encoding%3Dint",
            ),
        ] {
            let endpoint = Endpoint::resolve(Some(url), GOOGLE).unwrap();
            assert_eq!(endpoint.path("a/tasks").unwrap().as_str(), expected, "{url}");
        }
    }

    #[test]
    fn what_has_to_be_escaped_is_left_to_googles_client() {
        for url in [
            "127.0.0.1:1",
            "ftp://127.0.0.1",
            "http://user:pass@127.0.0.1",
            "http://127.0.0.1/?key=1",
            "http://127.0.0.1/a/../b",
            "http://127.0.0.1/a%20b",
            "http://münchen.example",
            "not a url",
        ] {
            assert!(Endpoint::resolve(Some(url), GOOGLE).is_none(), "{url}");
        }
        let endpoint = Endpoint::resolve(Some("http://127.0.0.1"), GOOGLE).unwrap();
        for resource in ["", "a//b", "a/../b", "a/.", "a/b?c", "a/b c", "a/é", "a/%2e"] {
            assert!(endpoint.path(resource).is_none(), "{resource}");
        }
    }
}
