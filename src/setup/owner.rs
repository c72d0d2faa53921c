//! What belongs to this application, and so may be deleted.

use crate::config::Config;

/// Whether a name is one that this application gave.
///
/// It begins with the application's name and the delimiter, and has no delimiter after that: `user--billing--Audit` may belong
/// to an application `user--billing`, so it is never taken for one of `user`. Without a name nothing is owned.
pub(crate) fn owns(config: &Config, name: &str) -> bool {
    let Some(app) = config.app_name.as_deref().filter(|app| !app.is_empty()) else {
        return false;
    };
    if config.delimiter.is_empty() {
        return false;
    }
    name.strip_prefix(app)
        .and_then(|rest| rest.strip_prefix(config.delimiter.as_str()))
        .is_some_and(|base| !base.is_empty() && !base.contains(config.delimiter.as_str()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn app(name: &str) -> Config {
        Config::default().app_name(name)
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
        assert!(!owns(&app("user").delimiter(""), "userAudit"));
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
            owns(&app(&ours).delimiter(delimiter), &name);
        }
    }
}
