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

/// The start of the variables that name another service.
pub(super) const SERVICE: &str = "CLOUD_TASKS_SERVICE_";

/// Validates the name of a service: it has variables of its own.
pub(crate) fn validate_service(name: &str) -> Result<(), Invalid> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_valid = (1..=63).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(is_allowed);
    let what = format_args!("the service {name:?}");
    Invalid::unless(is_valid, || {
        Invalid::new(
            what,
            "1 to 63 lower-case letters, digits and `-`, the first a letter",
        )
    })?;
    match meaning(&variable_part(name)) {
        Meaning::Url(_) => Ok(()),
        Meaning::Account(_) | Meaning::OwnAccount => Err(Invalid::new(
            what,
            format_args!(
                "a name other than `account` that does not end with `-account`, since {} names an account",
                service_variable(name)
            ),
        )),
        Meaning::Kubernetes => Err(Invalid::new(
            what,
            format_args!(
                "a name other than `host` and `port` that does not start with `port-`, since Kubernetes sets {} for a \
                 service called `cloud-tasks`",
                service_variable(name)
            ),
        )),
    }
}

/// What a variable `CLOUD_TASKS_SERVICE_..` means, by what follows the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// The URL of this service.
    Url(&'a str),
    /// The account of this service.
    Account(&'a str),
    /// The account of the service that reads the variable.
    OwnAccount,
    /// Kubernetes sets it for a service that is called `cloud-tasks`.
    Kubernetes,
}

/// The one meaning that a variable has, so that a name of a service with another one is refused.
pub(super) fn meaning(rest: &str) -> Meaning<'_> {
    match rest {
        "ACCOUNT" => Meaning::OwnAccount,
        "HOST" | "PORT" => Meaning::Kubernetes,
        _ if rest.starts_with("PORT_") => Meaning::Kubernetes,
        _ => match rest.strip_suffix("_ACCOUNT") {
            Some(service) => Meaning::Account(service),
            None => Meaning::Url(rest),
        },
    }
}

fn variable_part(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// The variable with the URL of a service.
pub(crate) fn service_variable(name: &str) -> String {
    format!("{SERVICE}{}", variable_part(name))
}
