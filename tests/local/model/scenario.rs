//! Random scenarios, each from its seed.

use std::time::Duration;

use cloud_tasks::queue::QueueSettings;
use fastrand::Rng;

use super::tasks::{Act, Parcel, Play};

/// What happens in a scenario.
#[derive(Debug)]
pub(super) enum Kind {
    /// The queue is paused, and every attempt is asked for: each state of a task can be looked at.
    Stepped(Vec<Step>),
    /// The queue runs.
    Free(Vec<Step>),
    /// One task after the other, from a queue that was paused while they were created.
    InLine(Vec<Step>),
    Messages(Vec<Publish>),
}

#[derive(Debug)]
pub(super) enum Step {
    Create(Create),
    /// Dispatches a task now. Tasks are numbered as they were created.
    Run(usize),
    Cancel(usize),
    Look(usize),
    Purge,
}

#[derive(Debug)]
pub(super) struct Create {
    pub(super) key: String,
    /// An id of its own, which others may have too.
    pub(super) id: Option<u8>,
    pub(super) delay: Option<Duration>,
    pub(super) acts: Vec<Act>,
}

impl Create {
    pub(super) fn play(&self) -> Play {
        Play {
            key: self.key.clone(),
            acts: self.acts.clone(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Publish {
    pub(super) key: String,
    pub(super) acts: Vec<Act>,
    pub(super) attributes: Vec<(&'static str, &'static str)>,
    pub(super) ordering_key: Option<&'static str>,
}

impl Publish {
    pub(super) fn parcel(&self) -> Parcel {
        Parcel {
            key: self.key.clone(),
            acts: self.acts.clone(),
        }
    }
}

pub(super) struct Scenario {
    /// The prefix of all keys, and the name of its queue.
    pub(super) name: String,
    pub(super) settings: QueueSettings,
    pub(super) kind: Kind,
}

impl Scenario {
    pub(super) fn random(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let name = format!("model-{seed:03}-");
        let queue = name.trim_end_matches('-').to_owned();
        let kind = match seed % 10 {
            0..4 => Kind::Stepped(stepped(&name, &mut random)),
            4..6 => Kind::Free(free(&name, &[0, 0, 50, 150, 300], &mut random)),
            6 => Kind::InLine(free(&name, &[0], &mut random)),
            _ => Kind::Messages(messages(&name, &mut random)),
        };
        let mut settings = settings(queue, &mut random);
        if matches!(kind, Kind::InLine(_)) {
            settings = settings.with_max_concurrent_dispatches(1);
        }
        Self { name, settings, kind }
    }

    pub(super) fn queue(&self) -> &str {
        self.settings.name()
    }
}

fn settings(name: String, random: &mut Rng) -> QueueSettings {
    let min = random.u64(20..60);
    let mut settings = QueueSettings::new(name)
        .with_max_attempts(random.i32(1..=6))
        .with_min_backoff(Duration::from_millis(min))
        .with_max_backoff(Duration::from_millis(random.u64(min..200)))
        .with_max_doublings(random.u32(1..=4));
    if random.bool() {
        settings = settings.with_max_dispatches_per_second(random.choice([20.0, 77.0, 333.0]).unwrap());
    }
    if random.bool() {
        settings = settings.with_max_concurrent_dispatches(random.u32(1..=3));
    }
    settings
}

fn acts(random: &mut Rng, most: usize) -> Vec<Act> {
    let choices = [
        Act::Fail,
        Act::Fail,
        Act::Panic,
        Act::Wait,
        Act::Refuse,
        Act::Discard,
        Act::Enqueue,
    ];
    (0..random.usize(0..=most))
        .map(|_| random.choice(choices).unwrap())
        .collect()
}

fn create(name: &str, number: usize, delays: &[u64], random: &mut Rng) -> Create {
    Create {
        key: format!("{name}t{number}"),
        id: random.bool().then(|| random.u8(0..3)),
        delay: random
            .choice(delays)
            .copied()
            .filter(|delay| *delay > 0)
            .map(Duration::from_millis),
        acts: acts(random, 6),
    }
}

/// An hour: no such task becomes due by itself.
const FAR: u64 = 3_600_000;

fn stepped(name: &str, random: &mut Rng) -> Vec<Step> {
    let mut steps = vec![Step::Create(create(name, 0, &[0, FAR], random))];
    let mut tasks = 1;
    for _ in 0..random.usize(6..16) {
        let task = random.usize(0..tasks);
        steps.push(match random.u32(0..20) {
            0..5 => {
                tasks += 1;
                Step::Create(create(name, tasks - 1, &[0, FAR], random))
            }
            5..16 => Step::Run(task),
            16 => Step::Cancel(task),
            17..19 => Step::Look(task),
            _ => Step::Purge,
        });
    }
    steps
}

fn free(name: &str, delays: &[u64], random: &mut Rng) -> Vec<Step> {
    let tasks = random.usize(1..6);
    let create = |number| Step::Create(create(name, number, delays, random));
    (0..tasks).map(create).collect()
}

fn messages(name: &str, random: &mut Rng) -> Vec<Publish> {
    let acts_of = |random: &mut Rng| {
        let choices = [Act::Fail, Act::Fail, Act::Panic, Act::Wait, Act::Discard];
        (0..random.usize(0..4))
            .map(|_| random.choice(choices).unwrap())
            .collect()
    };
    (0..random.usize(1..5))
        .map(|number| {
            let mortal = random.u32(0..4) == 0;
            let mut attributes = Vec::new();
            if random.bool() {
                attributes.push(("kind", random.choice(["book", "hat"]).unwrap()));
            }
            if random.u32(0..4) == 0 {
                attributes.push(("hidden", ""));
            }
            Publish {
                key: format!("{name}m{number}"),
                acts: if mortal {
                    vec![Act::Fail; 5]
                } else {
                    acts_of(random)
                },
                attributes,
                ordering_key: random.bool().then(|| random.choice(["a", "b"]).unwrap()),
            }
        })
        .collect()
}
