//! The registered traits and their differences.

use proc_macro2::Ident;

use super::item::Block;
use super::options::{self, Accepted};
use super::tokens::closest;

/// The kind of task, by its trait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    /// A task that one service runs and others enqueue.
    SharedTask,
    /// The handler of a shared task.
    Handler,
    Publisher,
    ModelPublisher,
    Subscriber,
}

impl Kind {
    pub(super) const ALL: [Self; 6] = [
        Self::Task,
        Self::SharedTask,
        Self::Handler,
        Self::Publisher,
        Self::ModelPublisher,
        Self::Subscriber,
    ];

    /// By the last segment of the trait's path.
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
            Some(intended) => format!("did you mean `{intended}`?"),
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
            Self::SharedTask => "SharedTask",
            Self::Handler => "TaskHandler",
            Self::Publisher => "PublisherTask",
            Self::ModelPublisher => "ModelPublisherTask",
            Self::Subscriber => "SubscriberTask",
        }
    }

    /// The constructor function of `Registration`.
    pub(crate) fn constructor(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::SharedTask => "shared_task",
            Self::Handler => "handler",
            Self::Publisher => "publisher",
            Self::ModelPublisher => "model_publisher",
            Self::Subscriber => "subscriber",
        }
    }

    /// The accepted options.
    pub(super) fn options(self) -> &'static [Accepted] {
        match self {
            Self::Task => options::TASK,
            Self::SharedTask => options::SHARED_TASK,
            Self::Handler => options::HANDLER,
            Self::Publisher => options::PUBLISHER,
            Self::ModelPublisher => options::MODEL_PUBLISHER,
            Self::Subscriber => options::SUBSCRIBER,
        }
    }

    /// The required function.
    pub(crate) fn function(self) -> Option<&'static str> {
        match self {
            Self::Task | Self::Handler | Self::Subscriber => Some("run"),
            Self::ModelPublisher => Some("content"),
            Self::SharedTask | Self::Publisher => None,
        }
    }

    /// The signature of the required function.
    pub(super) fn signature(self) -> &'static str {
        match self {
            Self::Task => "`async fn run(self, cx: Context<State>) -> TaskResult<Output>`",
            Self::Handler => "`async fn run(task: Charge, cx: Context<State>) -> TaskResult<Output>`",
            Self::ModelPublisher => "`fn content(model: &Model, extra: &Extra) -> Self`",
            Self::Subscriber => {
                "`async fn run(message: Message<Content>, cx: Context<State>) -> TaskResult<Output>`"
            }
            Self::SharedTask | Self::Publisher => "",
        }
    }

    /// The associated types, which are inferred from the required function if omitted.
    pub(crate) fn types(self) -> &'static [&'static str] {
        match self {
            Self::Task => &["State", "Output"],
            Self::Handler => &["Task", "State", "Output"],
            Self::SharedTask | Self::Publisher => &[],
            Self::ModelPublisher => &["Model", "Extra"],
            Self::Subscriber => &["Content", "Attributes", "State", "Output"],
        }
    }

    /// Whether the type is an event, and so has a topic.
    pub(crate) fn is_event(self) -> bool {
        matches!(self, Self::Publisher | Self::ModelPublisher)
    }

    /// A noun for messages.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Task | Self::SharedTask => "a task",
            Self::Handler => "a handler",
            Self::Publisher | Self::ModelPublisher => "an event",
            Self::Subscriber => "a subscriber",
        }
    }

    /// An example of a type's name, for messages.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Task => "SendWelcomeEmail",
            Self::SharedTask => "Charge",
            Self::Handler => "ChargeInvoices",
            Self::Publisher => "UserAction",
            Self::ModelPublisher => "OrderCreated",
            Self::Subscriber => "Auditor",
        }
    }

    /// The traits that accept an option with this name.
    pub(super) fn accepting(option: &Ident) -> Vec<&'static str> {
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
