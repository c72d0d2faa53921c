//! Which resources belong to this application and may be deleted.

use crate::base::{Config, names::last_segment};

/// The base of a name with this application's prefix; `None` for any other name.
///
/// The name begins with the application's name and the delimiter, and has no further delimiter: `user--billing--Audit`
/// may belong to an application `user--billing`, so it never counts as one of `user`. Without an application name
/// nothing is owned.
fn owned<'a>(config: &Config, name: &'a str) -> Option<&'a str> {
    let app = config.app_name().filter(|app| !app.is_empty())?;
    let delimiter = Some(config.delimiter()).filter(|delimiter| !delimiter.is_empty())?;
    name.strip_prefix(app)?
        .strip_prefix(delimiter)
        .filter(|base| !base.is_empty() && !base.contains(delimiter))
}

/// The base name of a resource that this application created, and that calls it under `{endpoint}/{collection}/`.
///
/// A name alone proves little, since somebody may have chosen it by hand. A resource that we created calls us.
pub(crate) fn made_by_us<'a>(config: &Config, path: &'a str, url: &str, collection: &str) -> Option<&'a str> {
    let calls_us = url.starts_with(&format!("{}/{collection}/", config.base_url()));
    owned(config, last_segment(path)).filter(|_| calls_us)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owns(config: &Config, name: &str) -> bool {
        owned(config, name).is_some()
    }

    fn app(name: &str) -> Config {
        Config::default().with_app_name(name)
    }

    #[test]
    fn only_names_with_the_whole_prefix_and_one_delimiter_are_owned() {
        for (name, owned) in [
            ("user--Audit", true),
            ("user--audit-log", true),
            ("user-service--Billing", false),
            ("users--Audit", false),
            ("user--billing--Audit", false),
            ("user--", false),
            ("user-Audit", false),
            ("user", false),
            ("Audit", false),
            ("my-user--Audit", false),
            ("Audit--user", false),
        ] {
            assert_eq!(owns(&app("user"), name), owned, "{name}");
        }
        assert!(!owns(&Config::default(), "user--Audit"));
        assert!(!owns(&app("user").with_delimiter(""), "userAudit"));
    }

    proptest! {
        #[test]
        fn no_application_owns_what_another_one_named(
            ours in "[a-z]{1,4}(-{1,2}[a-z]{1,3})?",
            theirs in "[a-z]{1,4}(-{1,2}[a-z]{1,3})?",
            base in "[A-Za-z]{1,6}(-[a-z]{1,3})?",
        ) {
            prop_assume!(ours != theirs);
            prop_assert!(!owns(&app(&ours), &app(&theirs).prefixed(&base)));
        }

        #[test]
        fn an_application_owns_what_it_named(ours in "[a-z]{1,4}(-[a-z]{1,3})?", base in "[A-Za-z]{1,6}(-[a-z]{1,3})?") {
            prop_assert!(owns(&app(&ours), &app(&ours).prefixed(&base)));
        }

        #[test]
        fn no_name_makes_it_panic(ours in "\\PC{0,6}", name in "\\PC{0,20}", delimiter in "\\PC{0,3}") {
            owns(&app(&ours).with_delimiter(delimiter), &name);
        }
    }
}
