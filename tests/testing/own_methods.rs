//! Types of a domain that has words of ours among its own.

use cloud_tasks::event::Topic;
use cloud_tasks::{Context, Message, PublisherTask, Runtime, SubscriberTask, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

/// Each of these methods would be called instead of the trait's, if code of the library named it by the type alone.
#[derive(Deserialize, Serialize)]
struct Lecture {
    topic: String,
}

#[allow(dead_code, clippy::unused_async)]
impl Lecture {
    fn topic() -> Topic {
        Topic::absolute("the-one-of-the-domain")
    }

    fn state(&self) -> &str {
        &self.topic
    }

    fn tasks() -> Vec<String> {
        Vec::new()
    }

    fn set_up() {}

    fn asap(self) -> String {
        self.topic
    }
}

#[task(topic = "lectures")]
impl PublisherTask for Lecture {}

struct LectureLog;

#[allow(dead_code, clippy::unused_async)]
impl LectureLog {
    fn topic() -> Topic {
        Topic::absolute("the-one-of-the-domain")
    }

    fn parse(_data: &[u8]) -> Result<Lecture, cloud_tasks::BoxError> {
        Err("the one of the domain".into())
    }

    async fn run(_message: Message<Lecture>, _cx: Context) -> TaskResult {
        Err("the one of the domain")?
    }
}

#[task]
impl SubscriberTask for LectureLog {
    type Content = Lecture;

    async fn run(message: Message<Lecture>, _cx: Context) -> TaskResult {
        assert_eq!(message.content.state(), "sorting");
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
struct Exercise;

#[allow(dead_code, clippy::unused_async)]
impl Exercise {
    async fn run(self, _cx: Context) -> TaskResult {
        Err("the one of the domain")?
    }

    async fn on_dead(self) {}
}

#[task]
impl Task for Exercise {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[tokio::test]
async fn a_type_may_have_methods_of_its_own_that_are_called_like_ours() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    let lecture = Lecture {
        topic: "sorting".into(),
    };

    PublisherTask::sync(lecture).on(&runtime).await.unwrap();
    Exercise.asap().on(&runtime).await.unwrap();
    let subscription = runtime
        .subscriptions()
        .iter()
        .find(|subscription| subscription.task == "LectureLog")
        .unwrap();

    assert_eq!(recorder.publications()[0].topic(), "lectures");
    assert_eq!(subscription.topic, "lectures");
    recorder.drain().await.unwrap();
    assert_eq!(recorder.delivered().len(), 1);
}
