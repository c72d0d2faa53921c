//! The choices of a simulation: what the cloud, the network and the machines may do, decided by the seed.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hasher;

use crate::base::process;

/// Something that may go wrong, or that the services may do, in a simulation.
///
/// Each has a weight: the probability with which it happens where it can. A seed multiplies the weights by 0, 1 or 3, so that
/// some runs are calm and others stormy. The seed 0 has no faults.
///
/// ```
/// use cloud_tasks::testing::simulation::Fault;
///
/// assert_eq!(Fault::Kill.to_string(), "kill");
/// assert!(Fault::ALL.contains(&Fault::ClockSkew));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The process dies without notice (SIGKILL): at the k-th await of a handler, after its effect, up to a second after its
    /// answer, or around a call to a store.
    Kill,
    /// The process gets SIGTERM, and has its grace period.
    Stop,
    /// The connection of a request breaks: its future is polled k times and dropped.
    HangUp,
    /// The response to an attempt is lost after the effect; the service tries again.
    LostResponse,
    /// An attempt is delivered twice, at nearly the same time.
    Duplicate,
    /// A task or a message comes later than others that were sent after it, where the services promise no order.
    Delay,
    /// What is in front of a service answers 429 or 503 for some seconds.
    Unavailable,
    /// Creating a task is answered with 429 or 503, and has no effect.
    RefusedCreate,
    /// Creating a task has its effect, but the response is lost.
    LostCreate,
    /// Publishing a message fails, without an effect.
    RefusedPublish,
    /// The response to a publish is lost, so that the client publishes the message again, with another id.
    LostPublish,
    /// A call to the idempotency store fails, without an effect.
    StoreFails,
    /// A call to the idempotency store has its effect, but the connection is lost.
    StoreLost,
    /// A call to the idempotency store takes seconds.
    StoreSlow,
    /// The clock of an instance differs from the others by up to five seconds.
    ClockSkew,
    /// The server of the signing keys takes seconds.
    SlowKeys,
    /// The signing keys are rotated.
    RotatedKeys,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 17] = [
        Self::Kill,
        Self::Stop,
        Self::HangUp,
        Self::LostResponse,
        Self::Duplicate,
        Self::Delay,
        Self::Unavailable,
        Self::RefusedCreate,
        Self::LostCreate,
        Self::RefusedPublish,
        Self::LostPublish,
        Self::StoreFails,
        Self::StoreLost,
        Self::StoreSlow,
        Self::ClockSkew,
        Self::SlowKeys,
        Self::RotatedKeys,
    ];

    /// The weight unless it is set.
    fn default_weight(self) -> f64 {
        match self {
            Self::ClockSkew => 0.3,
            Self::Delay | Self::LostCreate | Self::LostPublish => 0.08,
            Self::Kill
            | Self::HangUp
            | Self::LostResponse
            | Self::Duplicate
            | Self::RefusedCreate
            | Self::SlowKeys
            | Self::RotatedKeys => 0.05,
            Self::Stop
            | Self::Unavailable
            | Self::RefusedPublish
            | Self::StoreFails
            | Self::StoreLost
            | Self::StoreSlow => 0.02,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::HangUp => "hang-up",
            Self::LostResponse => "lost response",
            Self::Duplicate => "duplicate",
            Self::Delay => "delay",
            Self::Unavailable => "unavailable",
            Self::RefusedCreate => "refused create",
            Self::LostCreate => "lost create",
            Self::RefusedPublish => "refused publish",
            Self::LostPublish => "lost publish",
            Self::StoreFails => "store fails",
            Self::StoreLost => "store lost",
            Self::StoreSlow => "store slow",
            Self::ClockSkew => "clock skew",
            Self::SlowKeys => "slow keys",
            Self::RotatedKeys => "rotated keys",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// A fault that happened, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Choice {
    pub fault: Fault,
    /// Such as `Charge-1, attempt 2`. The same place has the same name in each run of a seed.
    pub place: String,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.fault, self.place)
    }
}

/// The weights of faults.
#[derive(Clone, Debug)]
pub(super) struct Weights(BTreeMap<Fault, f64>);

impl Default for Weights {
    fn default() -> Self {
        let all = Fault::ALL.into_iter();
        Self(all.map(|fault| (fault, fault.default_weight())).collect())
    }
}

impl Weights {
    pub fn none() -> Self {
        Self(BTreeMap::new())
    }

    pub fn set(&mut self, fault: Fault, weight: f64) {
        self.0.insert(fault, weight.clamp(0.0, 1.0));
    }

    pub fn keep_only(&mut self, faults: &[Fault]) {
        self.0.retain(|fault, _| faults.contains(fault));
        for &fault in faults {
            self.0.entry(fault).or_insert(fault.default_weight());
        }
    }
}

/// Decides by the seed, the fault and the place alone: a choice that is left out changes no other.
pub(super) struct Choices {
    seed: u64,
    weights: Weights,
    left_out: Vec<Choice>,
    taken: Vec<Choice>,
}

impl Choices {
    pub fn new(seed: u64, weights: Weights, left_out: Vec<Choice>) -> Self {
        Self {
            seed,
            weights,
            left_out,
            taken: Vec::new(),
        }
    }

    /// Whether a fault happens at a place; then with the source of its details.
    pub fn take(&mut self, fault: Fault, place: &str) -> Option<fastrand::Rng> {
        let weight = *self.weights.0.get(&fault)?;
        if self.seed == 0 || weight == 0.0 {
            return None;
        }
        let intensity = match mix(&[self.seed, fault as u64]) % 3 {
            0 => 0.0,
            1 => 1.0,
            _ => 3.0,
        };
        let number = mix(&[self.seed, fault as u64, hash(place)]);
        if process::fraction(number) >= weight * intensity {
            return None;
        }
        let choice = Choice {
            fault,
            place: place.to_owned(),
        };
        if self.left_out.contains(&choice) {
            return None;
        }
        self.taken.push(choice);
        Some(fastrand::Rng::with_seed(mix(&[number])))
    }

    /// What happened so far.
    pub fn taken(&self) -> &[Choice] {
        &self.taken
    }
}

/// The hash of a text. `DefaultHasher` is the same in each run, unlike `RandomState`.
pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// Mixes numbers into one whose every bit depends on all of them.
pub(super) fn mix(numbers: &[u64]) -> u64 {
    numbers
        .iter()
        .fold(0, |state, number| process::mix(state ^ number))
}
