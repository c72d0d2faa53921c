//! What `#[task]` writes down is what the runtime goes by.

use std::time::Duration;

use cloud_tasks::{Context, Error, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

const SLOW: &str = "slow";

struct Mailer(&'static str);

#[derive(Clone)]
struct Db(u32);

#[derive(Serialize, Deserialize)]
struct Plain;

#[task]
impl Task for Plain {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Named {
    user_id: u64,
}

#[task(
    name = "emails.welcome",
    aliases = ["SendWelcomeEmail"],
    queue = "emails",
    timeout = "1m 30s"
)]
impl Task for Named {
    async fn run(self, cx: Context<Mailer>) -> TaskResult<String> {
        Ok(format!("{} {}", cx.state().0, self.user_id))
    }
}

#[derive(Serialize, Deserialize)]
struct Constant<T>(T);

#[task(name = concat!("Constant", ".", "u8"), queue = SLOW, timeout = Duration::from_secs(20))]
impl Task for Constant<u8> {
    async fn run(self, cx: Context<(Mailbox, Db)>) -> TaskResult<(u8, u32)> {
        let (Mailbox, Db(number)) = cx.state();
        Ok((self.0, *number))
    }
}

#[derive(Clone)]
struct Mailbox;

#[tokio::test(flavor = "current_thread")]
async fn options_are_those_of_the_envelope() -> Result<(), Error> {
    let (runtime, recorder) = Runtime::recorded().build().await?;

    let _ = Plain.asap().on(&runtime).await?;
    let _ = Named { user_id: 7 }.asap().on(&runtime).await?;
    let _ = Constant(1_u8).asap().on(&runtime).await?;

    let envelopes = recorder.envelopes();
    let seen: Vec<_> = envelopes
        .iter()
        .map(|envelope| (envelope.task(), envelope.queue(), envelope.timeout()))
        .collect();
    let expected = [
        ("Plain", "tasks", None),
        ("emails.welcome", "emails", Some(Duration::from_secs(90))),
        ("Constant.u8", "slow", Some(Duration::from_secs(20))),
    ];
    assert_eq!(seen, expected);
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn every_form_of_state_is_found() -> Result<(), Error> {
    let runtime = Runtime::eager()
        .state(Mailer("dear"))
        .state(Db(3))
        .state(Mailbox)
        .build()
        .await?;

    Plain.sync().on(&runtime).await?;
    let greeting = Named { user_id: 7 }.sync().on(&runtime).await?;
    let pair = Constant(1_u8).sync().on(&runtime).await?;

    assert_eq!((greeting.as_str(), pair), ("dear 7", (1, 3)));
    Ok(())
}
