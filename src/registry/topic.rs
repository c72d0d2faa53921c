//! The topic of an event.

use std::borrow::Cow;

use crate::base::Config;

/// The name of a Pub/Sub topic, before its prefix is added.
///
/// A base name gets the prefix of the application that owns the topic: the current one, or the one set by
/// [`of_app`](Self::of_app). An absolute name or a full path is not changed.
///
/// ```
/// use cloud_tasks::event::Topic;
/// use cloud_tasks::Config;
///
/// let config = Config::default().with_app_name("shop");
/// assert_eq!(Topic::new("orders").name(&config), "shop--orders");
/// assert_eq!(Topic::new("user-actions").of_app("accounts").name(&config), "accounts--user-actions");
/// assert_eq!(Topic::absolute("legacy-bus").name(&config), "legacy-bus");
/// assert_eq!(Topic::new("projects/p/topics/bus").name(&config), "projects/p/topics/bus");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Topic {
    base: Cow<'static, str>,
    owner: Owner,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    ThisApp,
    App(Cow<'static, str>),
    Nobody,
}

impl Topic {
    /// A base name, owned by the current application. A full path `projects/P/topics/T` is absolute.
    pub fn new(base: impl Into<Cow<'static, str>>) -> Self {
        let base = base.into();
        let owner = if base.starts_with("projects/") {
            Owner::Nobody
        } else {
            Owner::ThisApp
        };
        Self { base, owner }
    }

    /// A name without a prefix.
    pub fn absolute(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            base: name.into(),
            owner: Owner::Nobody,
        }
    }

    /// The topic of a model: `{app_label}-{model}` in lower case.
    pub fn model(app_label: &str, model: &str) -> Self {
        Self::new(format!("{app_label}-{model}").to_lowercase())
    }

    /// Sets the application that owns the topic, whose prefix it gets. Has no effect on an absolute name.
    pub fn of_app(mut self, app: impl Into<Cow<'static, str>>) -> Self {
        if self.owner != Owner::Nobody {
            self.owner = Owner::App(app.into());
        }
        self
    }

    /// Returns the name with its prefix: the topic's name in its project, or its full path if that was given.
    pub fn name(&self, config: &Config) -> String {
        self.clone().into_name(config).into_owned()
    }

    /// The name with its prefix, without a copy if there is no prefix to add.
    pub(crate) fn into_name(self, config: &Config) -> Cow<'static, str> {
        match self.owner {
            Owner::ThisApp if config.app_name().is_none() => self.base,
            Owner::ThisApp => config.prefixed(&self.base).into(),
            Owner::App(app) => [&*app, config.delimiter(), &self.base].concat().into(),
            Owner::Nobody => self.base,
        }
    }
}
