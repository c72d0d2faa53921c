//! Which names of services have variables of their own.

use cloud_tasks::backend::ServiceEndpoint;
use cloud_tasks::{Config, Runtime};
use proptest::prelude::*;

const URL: &str = "https://other.example";

/// What `build()` says about a service of this name.
fn build(name: &str) -> Result<(), String> {
    let config = Config::default().with_service(name, ServiceEndpoint::new(URL));
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let built = tokio.block_on(Runtime::recorded().config(config).build());
    built.map(drop).map_err(|error| error.to_string())
}

fn variable(name: &str) -> String {
    format!(
        "CLOUD_TASKS_SERVICE_{}",
        name.to_ascii_uppercase().replace('-', "_")
    )
}

/// Whether the variables of this name are read as the URL and the account of the service.
fn has_variables(name: &str) -> bool {
    let account = format!("{}_ACCOUNT", variable(name));
    let vars = [(variable(name), URL), (account, "other@acme.example")];
    let expected = ServiceEndpoint::new(URL).with_account("other@acme.example");
    Config::from_vars(vars).is_ok_and(|config| config.service(name) == Some(&expected))
}

#[test]
fn a_name_whose_variable_means_something_else_is_refused_with_what_is_accepted() {
    let form = "1 to 63 lower-case letters, digits and `-`, the first a letter";
    let account = |name| {
        format!(
            "a name other than `account` that does not end with `-account`, since {name} names an account"
        )
    };
    let kubernetes = |name| {
        format!(
            "a name other than `host` and `port` that does not start with `port-`, since Kubernetes sets {name} for a service \
             called `cloud-tasks`"
        )
    };
    for (name, accepted) in [
        ("", form.to_owned()),
        ("Billing", form.to_owned()),
        ("2nd", form.to_owned()),
        ("mail_room", form.to_owned()),
        ("mail.room", form.to_owned()),
        ("account", account("CLOUD_TASKS_SERVICE_ACCOUNT")),
        ("billing-account", account("CLOUD_TASKS_SERVICE_BILLING_ACCOUNT")),
        ("host-account", account("CLOUD_TASKS_SERVICE_HOST_ACCOUNT")),
        ("host", kubernetes("CLOUD_TASKS_SERVICE_HOST")),
        ("port", kubernetes("CLOUD_TASKS_SERVICE_PORT")),
        ("port-http", kubernetes("CLOUD_TASKS_SERVICE_PORT_HTTP")),
        ("port-account", kubernetes("CLOUD_TASKS_SERVICE_PORT_ACCOUNT")),
    ] {
        let error = build(name).unwrap_err();

        let expected = format!("the service {name:?} is not accepted: {accepted}");
        assert!(error.contains(&expected), "{expected}\n{error}");
    }
}

#[test]
fn a_name_that_only_resembles_another_variable_is_accepted() {
    for name in [
        "billing",
        "accounts",
        "accounting",
        "account-2",
        "my-accounts",
        "host-2",
        "my-host",
        "hosting",
        "port2",
        "portal",
        "my-port",
        "audience",
        "billing-audience",
        "a-",
        "a--b",
    ] {
        assert_eq!(build(name), Ok(()), "{name}");
        assert!(has_variables(name), "{name}");
    }
}

proptest! {
    #[test]
    fn a_name_is_accepted_exactly_if_its_variables_are_read(
        name in "(a|b|-|2|account|host|port){1,4}|[a-z][a-z0-9-]{0,20}(-account)?|(port-|host-)?[a-z0-9-]{1,20}",
    ) {
        let starts_with_letter = name.starts_with(|first: char| first.is_ascii_lowercase());
        prop_assert_eq!(build(&name).is_ok(), starts_with_letter && has_variables(&name), "{}", name);
    }
}
