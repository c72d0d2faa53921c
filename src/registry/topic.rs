//! Which topic an event goes to.

use std::borrow::Cow;

use crate::base::Config;

/// The name of a Pub/Sub topic, before settings say what stands in front of it.
///
/// A base name gets the prefix of the application that owns the topic: the running one, or another that is named with
/// [`of_app`](Self::of_app). An absolute name, or a full path, is left as it is.
///
/// ```
/// use cloud_tasks::event::Topic;
/// use cloud_tasks::Config;
///
/// let config = Config::default().app_name("shop");
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
    /// A base name, owned by the running application; a full path `projects/P/topics/T` is absolute.
    pub fn new(base: impl Into<Cow<'static, str>>) -> Self {
        let base = base.into();
        let owner = if base.starts_with("projects/") {
            Owner::Nobody
        } else {
            Owner::ThisApp
        };
        Self { base, owner }
    }

    /// A name without any prefix.
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

    /// Names the application that owns the topic, whose prefix it gets; changes nothing on an absolute name.
    pub fn of_app(mut self, app: impl Into<Cow<'static, str>>) -> Self {
        if self.owner != Owner::Nobody {
            self.owner = Owner::App(app.into());
        }
        self
    }

    /// The name with its prefix: what the topic is called in its project, or its full path where that was given.
    pub fn name(&self, config: &Config) -> String {
        self.clone().into_name(config).into_owned()
    }

    /// The same, without a copy of a name that no prefix is put in front of.
    pub(crate) fn into_name(self, config: &Config) -> Cow<'static, str> {
        match self.owner {
            Owner::ThisApp if config.app_name.is_none() => self.base,
            Owner::ThisApp => config.prefixed(&self.base).into(),
            Owner::App(app) => [&*app, &config.delimiter, &self.base].concat().into(),
            Owner::Nobody => self.base,
        }
    }
}
