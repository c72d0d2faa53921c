//! Other services, whose tasks this one enqueues.

use crate::base::invalid::Invalid;
use crate::base::names;

/// Where another service runs its tasks, and the account that requests to it are signed as.
///
/// Pass it to [`Config::with_service`](crate::Config::with_service), or set `CLOUD_TASKS_SERVICE_BILLING` and
/// `CLOUD_TASKS_SERVICE_BILLING_ACCOUNT` for the service `billing`.
///
/// ```
/// use cloud_tasks::Config;
/// use cloud_tasks::backend::ServiceEndpoint;
///
/// let billing = ServiceEndpoint::new("https://billing.example").with_account("billing@p.iam.gserviceaccount.com");
/// let config = Config::default().with_service("billing", billing);
/// assert_eq!(config.service("billing").map(ServiceEndpoint::url), Some("https://billing.example"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEndpoint {
    url: String,
    account: Option<String>,
}

impl ServiceEndpoint {
    /// The base URL of the service, which is also the audience of its tokens.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into().trim_end_matches('/').to_owned(),
            account: None,
        }
    }

    /// Sets the e-mail of the account that requests are signed as. The service must trust it: it trusts its own.
    pub fn with_account(mut self, email: impl Into<String>) -> Self {
        self.account = Some(email.into());
        self
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The account that requests are signed as.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    pub(crate) fn task_url(&self, name: &str) -> String {
        format!("{}/tasks/{}", self.url, names::encode_segment(name))
    }
}

/// Validates the name of a service.
pub(crate) fn validate_service(name: &str) -> Result<(), Invalid> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_valid = (1..=63).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(is_allowed)
        && name != "account"
        && !name.ends_with("-account");
    Invalid::unless(is_valid, || {
        Invalid::new(
            format_args!("the service {name:?}"),
            "1 to 63 lower-case letters, digits and `-`, the first a letter, and not ending with `account`, which names the \
             variable of its account",
        )
    })
}

/// The variable with the URL of a service.
pub(crate) fn service_variable(name: &str) -> String {
    let name = name.to_ascii_uppercase().replace('-', "_");
    format!("CLOUD_TASKS_SERVICE_{name}")
}
