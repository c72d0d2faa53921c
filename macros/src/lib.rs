//! The `#[task]` attribute of the `cloud-tasks` crate, which re-exports it: depend on that crate, not on this one.

use proc_macro::TokenStream;

mod expand;
mod parse;
#[cfg(test)]
mod tests;

/// Makes an `impl Task` a task of the program: registers it at link time and fills in what is omitted.
///
/// Put it above the impl block. `type State` is read off the context that `run` takes, `type Output` off the result that
/// it gives back; write them in the impl where they cannot be read, as behind an alias.
///
/// ```standalone_crate
/// use cloud_tasks::{Context, Error, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// struct Mailer;
///
/// #[derive(Serialize, Deserialize)]
/// struct SendWelcomeEmail { user_id: u64 }
///
/// #[task(queue = "emails", timeout = "15m")]
/// impl Task for SendWelcomeEmail {
///     async fn run(self, cx: Context<Mailer>) -> TaskResult<String> {
///         let Mailer = cx.state();
///         Ok(format!("welcome, {}", self.user_id))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let runtime = Runtime::eager().state(Mailer).build().await?;
/// let text = SendWelcomeEmail { user_id: 7 }.sync().on(&runtime).await?;
/// assert_eq!(text, "welcome, 7");
/// # Ok(())
/// # }
/// ```
///
/// # Options
///
/// | option | value | default |
/// |---|---|---|
/// | `name` | what the task is called in queues and URLs: 1 to 255 of `A-Z a-z 0-9 _ . -`, not `.` or `..` | the type's name; required where the type has arguments |
/// | `aliases` | a list of names that the task answers to as well, `["OldName"]` | none |
/// | `queue` | the queue that it goes to, where a call names no other: 1 to 100 of `A-Z a-z 0-9 -` | `APP_NAME`, or `tasks` where there is none |
/// | `timeout` | how long one attempt may take: a text with the units `h`, `m`, `s`, `ms` (`"15m"`, `"1m 30s"`), or a `Duration`; 15 seconds to 30 minutes | that of Cloud Tasks, 10 minutes |
/// | `crate` | the path of this crate, where it goes by another name: `jobs` or `"path::to::jobs"` | `::cloud_tasks` |
///
/// Every value may be a constant expression instead of a literal, but for that of `crate`. A literal is checked when the
/// program is compiled, a constant when the runtime is built.
///
/// The name is what tasks that wait in a queue are found by. When a type is renamed, keep its `name`, or list the old one
/// in `aliases`.
///
/// # State
///
/// `Context<Mailer>` asks for the one `Mailer` that the runtime was given, `Context<(Db, Mailer)>` for a clone of each,
/// `Context` for nothing. Whether it is a tuple is told by its parentheses: a tuple behind a type alias is looked up as
/// one value.
///
/// # Where it does not work
///
/// A task is registered when the program is linked, so its type is concrete and owns what it carries: no `impl<T>`, no
/// lifetimes. A type is one task, so it has one `#[task]`; and an `impl Task` without `#[task]` does not compile.
#[proc_macro_attribute]
pub fn task(args: TokenStream, item: TokenStream) -> TokenStream {
    let (input, errors) = parse::parse(args.into(), item.into());
    expand::expand(input, &errors).into()
}

/// Model.
#[proc_macro_derive(Model, attributes(model))]
pub fn model(item: TokenStream) -> TokenStream {
    let (model, errors) = parse::Model::parse(item.into());
    expand::expand_model(model, &errors).into()
}

/// What rustc refuses in its own words, which change with the toolchain: no place for a `.stderr` file.
///
/// An `impl Task` without the attribute:
/// ```compile_fail,E0277
/// use cloud_tasks::{Context, Task, TaskResult};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Forgotten;
///
/// impl Task for Forgotten {
///     type State = ();
///     type Output = ();
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
/// ```
/// The attribute on two impls of one type:
/// ```compile_fail,E0119
/// use cloud_tasks::{Context, Task, TaskResult, task};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Twice;
///
/// #[task]
/// impl Task for Twice {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// #[task(name = "Again")]
/// impl Task for Twice {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
/// ```
/// A constant of another type:
/// ```compile_fail,E0308
/// use cloud_tasks::{Context, Task, TaskResult, task};
///
/// const MINUTES: u64 = 15;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Timed;
///
/// #[task(timeout = MINUTES)]
/// impl Task for Timed {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
/// ```
#[cfg(doctest)]
struct Refused;
