//! The traits that are registered, and what differs between them.

use proc_macro2::Ident;

use super::item::Block;
use super::options::{self, Accepted};
use super::tokens::closest;

/// What a `#[task]` makes of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    Publisher,
    ModelPublisher,
    Subscriber,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [
        Self::Task,
        Self::Publisher,
        Self::ModelPublisher,
        Self::Subscriber,
    ];

    /// Told by the last name of the trait's path.
    pub(super) fn of(block: &Block) -> syn::Result<Self> {
        let path = &block.trait_path;
        let name = path
            .segments
            .last()
            .map(|segment| segment.ident.to_string())
            .unwrap_or_default();
        if let Some(kind) = Self::ALL.into_iter().find(|kind| kind.trait_name() == name) {
            return Ok(kind);
        }
        let names = Self::ALL.iter().map(|kind| kind.trait_name());
        let hint = match closest(&name, names.clone()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("this is an impl of `{name}`"),
        };
        Err(syn::Error::new_spanned(
            path,
            format!("`#[task]` goes on an impl of {}; {hint}", any_of(names)),
        ))
    }

    pub(crate) fn trait_name(self) -> &'static str {
        match self {
            Self::Task => "Task",
            Self::Publisher => "PublisherTask",
            Self::ModelPublisher => "ModelPublisherTask",
            Self::Subscriber => "SubscriberTask",
        }
    }

    /// The function of `Registration` that makes one.
    pub(crate) fn constructor(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Publisher => "publisher",
            Self::ModelPublisher => "model_publisher",
            Self::Subscriber => "subscriber",
        }
    }

    /// The options that the attribute takes.
    pub(super) fn options(self) -> &'static [Accepted] {
        match self {
            Self::Task => options::TASK,
            Self::Publisher => options::PUBLISHER,
            Self::ModelPublisher => options::MODEL_PUBLISHER,
            Self::Subscriber => options::SUBSCRIBER,
        }
    }

    /// The function that the user has to write.
    pub(crate) fn function(self) -> Option<&'static str> {
        match self {
            Self::Task | Self::Subscriber => Some("run"),
            Self::ModelPublisher => Some("content"),
            Self::Publisher => None,
        }
    }

    /// How that function is written.
    pub(super) fn signature(self) -> &'static str {
        match self {
            Self::Task => "`async fn run(self, cx: Context<State>) -> TaskResult<Output>`",
            Self::ModelPublisher => "`fn content(model: &Model, extra: &Extra) -> Self`",
            Self::Subscriber => {
                "`async fn run(message: Message<Content>, cx: Context<State>) -> TaskResult<Output>`"
            }
            Self::Publisher => "",
        }
    }

    /// The associated types of the trait, which are read off that function where they are omitted.
    pub(crate) fn types(self) -> &'static [&'static str] {
        match self {
            Self::Task => &["State", "Output"],
            Self::Publisher => &[],
            Self::ModelPublisher => &["Model", "Extra"],
            Self::Subscriber => &["Content", "Attributes", "State", "Output"],
        }
    }

    /// Whether the type is an event, which has a topic.
    pub(crate) fn is_event(self) -> bool {
        matches!(self, Self::Publisher | Self::ModelPublisher)
    }

    /// What the type is, in a message.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Task => "a task",
            Self::Publisher | Self::ModelPublisher => "an event",
            Self::Subscriber => "a subscriber",
        }
    }

    /// A type's name, for a message.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Task => "SendWelcomeEmail",
            Self::Publisher => "UserAction",
            Self::ModelPublisher => "OrderCreated",
            Self::Subscriber => "Auditor",
        }
    }

    /// The traits that take an option of this name.
    pub(super) fn that_take(option: &Ident) -> Vec<&'static str> {
        let takes = |kind: &Self| kind.options().iter().any(|known| option == known.name);
        Self::ALL
            .iter()
            .filter(|kind| takes(kind))
            .map(|kind| kind.trait_name())
            .collect()
    }
}

/// `` `A`, `B` or `C` ``.
pub(super) fn any_of(names: impl Iterator<Item = &'static str>) -> String {
    enumerated(names, "or")
}

/// `` `A`, `B` and `C` ``.
pub(super) fn all_of(names: impl Iterator<Item = &'static str>) -> String {
    enumerated(names, "and")
}

fn enumerated(names: impl Iterator<Item = &'static str>, word: &str) -> String {
    let mut names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.pop() {
        Some(last) if !names.is_empty() => format!("{} {word} {last}", names.join(", ")),
        last => last.unwrap_or_default(),
    }
}
