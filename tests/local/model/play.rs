//! Plays a scenario, through the model or through the engine: both are a runtime.

use std::time::{Duration, SystemTime};

use cloud_tasks::task::Enqueued;
use cloud_tasks::{PublisherTask, Runtime, Task};
use serde_json::{Value, json};

use super::scenario::{Create, Kind, Publish, Scenario, Step};

/// How often the state of a task is asked for. Nothing depends on it.
const LOOK: Duration = Duration::from_millis(10);

/// Where scenarios are played.
pub(super) struct Stage<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) now: &'a (dyn Fn() -> SystemTime + Sync),
}

/// Plays the steps of a scenario. Returns what each returned.
pub(super) async fn play(stage: &Stage<'_>, scenario: &Scenario) -> Vec<Value> {
    let runtime = stage.runtime;
    match &scenario.kind {
        Kind::Stepped(steps) => {
            let mut player = Player::new(stage, scenario);
            runtime.queue(scenario.queue()).pause().await.unwrap();
            for step in steps {
                player.step(step).await;
            }
            player.end().await;
            player.results
        }
        Kind::Free(steps) => {
            let mut player = Player::new(stage, scenario);
            for step in steps {
                player.step(step).await;
            }
            player.results
        }
        Kind::InLine(steps) => {
            let mut player = Player::new(stage, scenario);
            let queue = runtime.queue(scenario.queue());
            queue.pause().await.unwrap();
            for step in steps {
                player.step(step).await;
            }
            queue.resume().await.unwrap();
            player.results
        }
        Kind::Messages(messages) => {
            for message in messages {
                publish(runtime, message).await;
            }
            Vec::new()
        }
    }
}

async fn publish(runtime: &Runtime, message: &Publish) {
    let mut publish = message.parcel().sync().on(runtime);
    for (name, value) in &message.attributes {
        publish = publish.attribute(*name, *value);
    }
    if let Some(key) = message.ordering_key {
        publish = publish.ordering_key(key);
    }
    publish.await.unwrap();
}

struct Player<'a> {
    stage: &'a Stage<'a>,
    scenario: &'a Scenario,
    /// The ids of the tasks, and when they were asked to run.
    tasks: Vec<(String, Asked)>,
    results: Vec<Value>,
}

#[derive(Clone, Copy)]
enum Asked {
    At(SystemTime),
    Between(SystemTime, SystemTime),
}

impl Asked {
    fn is(self, time: SystemTime) -> bool {
        let slack = Duration::from_micros(1);
        match self {
            Self::At(asked) => asked <= time + slack && time <= asked + slack,
            Self::Between(from, to) => from <= time + slack && time <= to + slack,
        }
    }
}

impl<'a> Player<'a> {
    fn new(stage: &'a Stage<'a>, scenario: &'a Scenario) -> Self {
        Self {
            stage,
            scenario,
            tasks: Vec::new(),
            results: Vec::new(),
        }
    }

    async fn step(&mut self, step: &Step) {
        let queue = self.stage.runtime.queue(self.scenario.queue());
        let result = match step {
            Step::Create(create) => self.create(create).await,
            Step::Run(task) => self.run(*task).await,
            Step::Cancel(task) => json!({"cancelled": queue.cancel(&self.tasks[*task].0).await.unwrap()}),
            Step::Look(task) => self.look(*task).await,
            Step::Purge => {
                let before = (self.stage.now)();
                queue.purge().await.unwrap();
                let info = queue.info().await.unwrap();
                json!({
                    "purged": info.purge_time.is_some_and(|time| time + Duration::from_secs(1) >= before),
                    "state": info.state,
                    "rate": info.max_dispatches_per_second,
                    "concurrent": info.max_concurrent_dispatches,
                    "attempts": info.max_attempts,
                })
            }
        };
        self.results.push(result);
    }

    async fn create(&mut self, create: &Create) -> Value {
        let before = (self.stage.now)();
        let due = create.delay.map(|delay| before + delay);
        let play = create.play();
        let mut enqueue = match due {
            Some(due) => play.later(due),
            None => play.asap(),
        };
        enqueue = enqueue.queue(self.scenario.queue()).on(self.stage.runtime);
        if let Some(id) = create.id {
            enqueue = enqueue.task_id(format!("id-{id}"));
        }
        let enqueued: Enqueued = enqueue.await.unwrap();
        let asked = match due {
            Some(due) => Asked::At(due),
            None => Asked::Between(before, (self.stage.now)()),
        };
        let id = enqueued.id().to_owned();
        let known = self.tasks.iter().rev().find(|(other, _)| *other == id);
        let asked = known.map_or(asked, |(_, asked)| *asked);
        self.tasks.push((id, asked));
        json!({"duplicate": enqueued.duplicate(), "id": create.id.map(|_| enqueued.id().to_owned())})
    }

    /// Has a task dispatched, and waits until the attempt has ended.
    async fn run(&mut self, task: usize) -> Value {
        let queue = self.stage.runtime.queue(self.scenario.queue());
        let id = self.tasks[task].0.clone();
        let before = queue.get(&id).await.unwrap().map(|task| task.attempts());
        let there = queue.run_now(&id).await.unwrap();
        if !there {
            return json!({"there": false, "known": before.is_some()});
        }
        loop {
            let found = queue.get(&id).await.unwrap();
            let running = found.is_some_and(|task| {
                let answered = task
                    .last_attempt()
                    .is_some_and(|last| last.response_time.is_some());
                Some(task.attempts()) == before || !answered
            });
            if !running {
                return self.look(task).await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn look(&mut self, task: usize) -> Value {
        let (id, asked) = self.tasks[task].clone();
        let Some(found) = self
            .stage
            .runtime
            .queue(self.scenario.queue())
            .get(&id)
            .await
            .unwrap()
        else {
            return Value::Null;
        };
        let due = found.schedule_time().unwrap();
        // The pause that the service has chosen, to the nanosecond.
        let pause = found.last_attempt().map(|last| {
            let answered = last.response_time.unwrap();
            due.duration_since(answered).unwrap().as_nanos()
        });
        json!({
            "attempts": found.attempts(),
            "responses": found.responses(),
            "status": found.last_attempt().and_then(|last| last.status.clone()),
            "pause": pause.map(|nanos| nanos.to_string()),
            "as_asked": found.last_attempt().is_none().then(|| asked.is(due)),
            "timeout": found.timeout(),
        })
    }

    /// Removes what would not run by itself for an hour, and lets the others run.
    async fn end(&mut self) {
        let queue = self.stage.runtime.queue(self.scenario.queue());
        for number in 0..self.tasks.len() {
            let id = self.tasks[number].0.clone();
            let found = queue.get(&id).await.unwrap();
            if found.is_some_and(|task| task.attempts() == 0) {
                self.results
                    .push(json!({"removed": queue.cancel(&id).await.unwrap()}));
            }
        }
        queue.resume().await.unwrap();
    }
}
