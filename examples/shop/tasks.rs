//! The shop's background jobs.

use cloud_tasks::{Context, Discard, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

use crate::activity::Activity;

/// Sends the first e-mail. The first attempt fails on purpose: "the mail server is down".
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct SendWelcomeEmail {
    pub(crate) name: String,
}

#[task(queue = "emails", timeout = "2m")]
impl Task for SendWelcomeEmail {
    async fn run(self, cx: Context<Activity>) -> TaskResult<String> {
        let attempt = cx.metadata().attempt();
        if attempt == 1 {
            cx.state().record(
                "SendWelcomeEmail",
                cx.metadata(),
                "failed: the mail server is down",
            );
            return Err("the mail server is down")?;
        }
        cx.state().record(
            "SendWelcomeEmail",
            cx.metadata(),
            format!("sent to {}", self.name),
        );
        Ok(format!("sent in attempt {attempt}"))
    }
}

/// Asks a customer how things are going, two seconds after the sign-up.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct FollowUp {
    pub(crate) name: String,
}

#[task(queue = "emails")]
impl Task for FollowUp {
    async fn run(self, cx: Context<Activity>) -> TaskResult {
        cx.state().record(
            "FollowUp",
            cx.metadata(),
            format!("asked {} how things are going", self.name),
        );
        Ok(())
    }
}

/// Counts the recorded attempts, every minute.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct CountActivity;

#[task(every = "* * * * *")]
impl Task for CountActivity {
    async fn run(self, cx: Context<Activity>) -> TaskResult {
        let count = cx.state().entries().len();
        cx.state()
            .record("CountActivity", cx.metadata(), format!("counted {count} entries"));
        Ok(())
    }
}

/// Grants a bonus of a campaign that is over, so the task discards itself.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct GrantBonus {
    pub(crate) name: String,
}

#[task]
impl Task for GrantBonus {
    async fn run(self, cx: Context<Activity>) -> TaskResult {
        cx.state()
            .record("GrantBonus", cx.metadata(), "discarded: the campaign is over");
        Err(Discard::new("the campaign is over"))?
    }
}
