//! The state is one type, a tuple or nothing, and is read off the context or written.
#![deny(warnings)]

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

/// Not `Clone`: one type is shared, not copied.
struct Mailer;
#[derive(Clone)]
struct Db;
#[derive(Clone)]
struct Cache<const SIZE: usize>;

type Shorthand = Context<Db>;
type Both = (Db, Cache<1>);

#[derive(Serialize, Deserialize)]
struct One;

#[task]
impl Task for One {
    async fn run(self, cx: Context<Mailer>) -> TaskResult {
        let Mailer = cx.state();
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Tuple;

#[task]
impl Task for Tuple {
    async fn run(self, cx: cloud_tasks::Context<(Db, Cache<{ 1 + 1 }>)>) -> cloud_tasks::TaskResult {
        let (Db, Cache) = cx.state();
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct OneTuple;

#[task]
impl Task for OneTuple {
    async fn run(self, cx: ::cloud_tasks::Context<(Db,)>) -> ::cloud_tasks::TaskResult<(u8, u8)> {
        let (Db,) = cx.state();
        Ok((1, 2))
    }
}

#[derive(Serialize, Deserialize)]
struct Nothing;

#[task]
impl Task for Nothing {
    async fn run(self, cx: Context<()>) -> TaskResult {
        let () = cx.state();
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Written;

#[task]
impl Task for Written {
    type State = Db;
    type Output = Vec<&'static str>;

    async fn run(self, cx: Shorthand) -> TaskResult<Self::Output> {
        let Db = cx.state();
        Ok(vec![])
    }
}

#[derive(Serialize, Deserialize)]
struct WrittenAfter;

#[task]
impl Task for WrittenAfter {
    async fn run(self, cx: Context<Self::State>) -> TaskResult<Self::Output> {
        let (Db, _) = cx.state();
        Ok(1)
    }

    type Output = u8;
    type State = (Db, Mailbox);
}

#[derive(Clone)]
struct Mailbox;

#[derive(Serialize, Deserialize)]
struct Aliased;

/// A tuple behind an alias is looked up as one value.
#[task]
impl Task for Aliased {
    async fn run(self, cx: Context<Both>) -> TaskResult<Self> {
        let (Db, Cache) = cx.state();
        Ok(self)
    }
}
