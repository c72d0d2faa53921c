//! Which types can be tasks, and where the impl may stand.
#![deny(warnings)]

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Wrapper<T> {
    inner: T,
}

#[task(name = "Wrapper.u32")]
impl Task for Wrapper<u32> {
    async fn run(self, _cx: Context) -> TaskResult<u32> {
        Ok(self.inner)
    }
}

#[task(name = "Wrapper.String")]
impl Task for Wrapper<String> {
    async fn run(self, _cx: Context) -> TaskResult<String> {
        Ok(self.inner)
    }
}

mod inner {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub(crate) enum Choice {
        One,
    }
}

#[task]
impl cloud_tasks::Task for crate::types::inner::Choice {
    async fn run(self, _cx: Context) -> TaskResult<Self> {
        let _ = Self::One;
        Ok(self)
    }
}

#[allow(non_camel_case_types)]
#[derive(Serialize, Deserialize)]
struct r#type;

#[task]
impl Task for r#type {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

macro_rules! noop {
    ($($ty:ident $state:ty, $queue:expr, $body:block;)*) => {$(
        #[derive(Serialize, Deserialize)]
        struct $ty;

        #[task(queue = $queue)]
        impl Task for $ty {
            async fn run(self, _cx: Context<$state>) -> TaskResult $body
        }
    )*};
}

noop! {
    A (), "a", { Ok(()) };
    B String, "b", { Ok(()) };
    C (u8, u16), concat!("c", "d"), { Ok(()) };
}

macro_rules! registered {
    ($item:item) => {
        #[task]
        $item
    };
}

#[derive(Serialize, Deserialize)]
struct AsItem;

registered! {
    impl Task for AsItem {
        async fn run(self, _cx: Context) -> TaskResult {
            Ok(())
        }
    }
}

#[cfg(any())]
#[task]
impl Task for NotThere {}

#[task]
#[cfg(any())]
impl Task for NotThereEither {}

#[test]
fn a_task_may_stand_in_a_function() {
    #[derive(Serialize, Deserialize)]
    struct Local;

    #[task]
    impl Task for Local {
        async fn run(self, _cx: Context) -> TaskResult {
            Ok(())
        }
    }
}
