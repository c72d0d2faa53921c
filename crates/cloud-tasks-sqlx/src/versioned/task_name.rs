//! Names of tasks in columns of text.

use std::fmt;
use std::ops::Deref;

use cloud_tasks::task;

use super::sqlx::encode::IsNull;
use super::sqlx::error::BoxDynError;
use super::sqlx::{Database, Decode, Encode, Type};

/// A [`TaskName`](task::TaskName) that is bound and read as text, for rules in a database.
///
/// It fits every column that a `String` fits. Reading accepts the name or an alias of a task that exists, and gives the
/// task's present name; the row keeps the alias until it is written again. Any other text is an error that names the column
/// and the text.
///
/// See [Names of tasks in a column](crate#names-of-tasks-in-a-column) for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskName(pub task::TaskName);

impl<DB: Database> Type<DB> for TaskName
where
    String: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        String::type_info()
    }

    fn compatible(column: &DB::TypeInfo) -> bool {
        String::compatible(column)
    }
}

impl<'q, DB: Database> Encode<'q, DB> for TaskName
where
    &'q str: Encode<'q, DB>,
{
    fn encode_by_ref(&self, buffer: &mut argument_buffer!(DB, 'q)) -> Result<IsNull, BoxDynError> {
        let name: &'q str = self.0.as_str();
        name.encode_by_ref(buffer)
    }
}

impl<'r, DB: Database> Decode<'r, DB> for TaskName
where
    &'r str: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let name = <&'r str>::decode(value)?;
        Ok(Self(task::TaskName::new(name)?))
    }
}

impl Deref for TaskName {
    type Target = task::TaskName;

    fn deref(&self) -> &task::TaskName {
        &self.0
    }
}

impl AsRef<str> for TaskName {
    fn as_ref(&self) -> &str {
        self.0.as_str()
    }
}

impl From<task::TaskName> for TaskName {
    fn from(name: task::TaskName) -> Self {
        Self(name)
    }
}

impl From<TaskName> for task::TaskName {
    fn from(name: TaskName) -> Self {
        name.0
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
