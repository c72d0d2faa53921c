//! Where the tasks of a configured runtime go.

/// Where the tasks of a [`Runtime::builder`](crate::Runtime::builder) go: to Google, to an engine in this process, or nowhere.
///
/// It is part of the settings, so that one `main` serves a laptop and the cloud. The default is Google: a service in production
/// never runs on the local engine because a variable is missing.
///
/// ```
/// use cloud_tasks::Config;
/// use cloud_tasks::runtime::RunMode;
///
/// assert_eq!(Config::default().mode(), RunMode::Google);
/// assert_eq!(Config::from_vars([("CLOUD_TASKS_MODE", "local")])?.mode(), RunMode::Local);
/// # Ok::<(), cloud_tasks::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunMode {
    /// `google`: Google Cloud Tasks and Pub/Sub, or the emulators that the settings name.
    #[default]
    Google,
    /// `local`: the local engine in this process, which needs no account (feature `local`). What waits in it is lost when the
    /// process ends, so it is refused on Cloud Run.
    Local,
    /// `eager`: each task runs in this process as soon as it is enqueued, as with [`Runtime::eager`](crate::Runtime::eager).
    Eager,
}

impl RunMode {
    pub(super) const ACCEPTED: &str = "google, local or eager";

    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "google" => Some(Self::Google),
            "local" => Some(Self::Local),
            "eager" => Some(Self::Eager),
            _ => None,
        }
    }
}
