//! Names of tasks as data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::{Error, ErrorKind, text::excerpt};
use crate::registry::{Declared, Registered, linked};
use crate::runtime::Runtime;

/// The name of a task that exists, for rules in a database or in a file.
///
/// It is made from a text, by `serde` or by [`FromStr`], and any other text is refused. A task exists if it is linked into
/// this program, or registered with the current runtime. An alias becomes the task's present name. Subscribers are not
/// included, since they cannot be enqueued.
///
/// For a column of a database, the crate `cloud-tasks-sqlx` has a type that sqlx binds and reads as text.
///
/// ```
/// use cloud_tasks::task::TaskName;
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// # use serde_json::json;
/// # #[derive(Serialize, Deserialize)]
/// # struct RemindDebtor { customer: u64 }
/// # #[task(aliases = ["Remind.Debtor"])]
/// # impl Task for RemindDebtor {
/// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// # }
///
/// #[derive(Deserialize)]
/// struct Rule { event: String, task: TaskName }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::BoxError> {
/// let rule: Rule = serde_json::from_str(r#"{"event": "overdue", "task": "Remind.Debtor"}"#)?;
/// assert_eq!((rule.event.as_str(), rule.task.as_str()), ("overdue", "RemindDebtor"));
/// assert!(serde_json::from_str::<Rule>(r#"{"event": "overdue", "task": "Remind"}"#).is_err());
///
/// # let (runtime, _recorder) = Runtime::recorded().build().await?;
/// runtime.enqueue_named(rule.task, json!({"customer": 7}))?.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskName(&'static str);

impl TaskName {
    /// The name of a task that is known by its type.
    pub fn of<T: Registered>() -> Self {
        Self(T::__REGISTRATION.declared().name)
    }

    /// The name of a task that exists.
    ///
    /// # Errors
    ///
    /// If no task has the name or the alias, or if it is that of a subscriber.
    pub fn new(name: &str) -> Result<Self, Error> {
        let linked = linked().map(|registration| *registration.declared());
        let registered = || {
            let runtime = Runtime::current().ok()?;
            Some(runtime.registry().by_name(name)?.registration)
        };
        let found = linked
            .into_iter()
            .find(|declared| has_name(declared, name))
            .or_else(registered);
        let refused = |why: &str| {
            Err(Error::new(
                ErrorKind::UnknownTask,
                format!("{:?} is not the name of a task: {why}", excerpt(name)),
            ))
        };
        match found {
            None => refused("no task is linked or registered under it"),
            Some(declared) if declared.read_arguments.is_none() => {
                refused("it is a subscriber, which cannot be enqueued")
            }
            Some(declared) => Ok(Self(declared.name)),
        }
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

fn has_name(declared: &Declared, name: &str) -> bool {
    declared.name == name || declared.aliases.contains(&name)
}

impl FromStr for TaskName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::new(name)
    }
}

impl TryFrom<&str> for TaskName {
    type Error = Error;

    fn try_from(name: &str) -> Result<Self, Error> {
        Self::new(name)
    }
}

impl TryFrom<String> for TaskName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        Self::new(&name)
    }
}

impl AsRef<str> for TaskName {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl From<TaskName> for String {
    fn from(name: TaskName) -> Self {
        name.0.to_owned()
    }
}

impl Serialize for TaskName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for TaskName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::new(&name).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Debug for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskName").field(&self.0).finish()
    }
}
