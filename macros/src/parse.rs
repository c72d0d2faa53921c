//! Parsing of tokens to typed options, with every error message: later stages cannot fail.

mod check;
mod content;
mod duration;
mod fitness;
mod function;
mod given;
mod item;
mod kind;
mod literal_check;
mod model;
mod options;
mod run;
mod synonyms;
mod tokens;
mod topic;
mod types;
mod unique;
mod value;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Expr, Path, parse_quote};

pub(crate) use fitness::Registrability;
pub(crate) use function::{Function, Origin};
pub(crate) use item::Block;
pub(crate) use kind::Kind;
pub(crate) use model::Model;
pub(crate) use tokens::mentions_assoc;
pub(crate) use topic::{Source, Topic};
pub(crate) use unique::Unique;
pub(crate) use value::{Length, Value};

use given::Options;
use options::{EVERY, NAME, OF_SCHEDULE, PAYLOAD, SERVICE, UNIQUE, refuse_combinations};

/// The item under the attribute.
pub(crate) enum Input {
    Task(Box<TaskImpl>),
    /// An item that cannot be registered: returned unchanged, with an error.
    Other(TokenStream),
}

/// A parsed `impl Task for ..`, or of another registered trait, possibly incomplete.
pub(crate) struct TaskImpl {
    pub(crate) kind: Kind,
    pub(crate) block: Block,
    pub(crate) crate_path: Path,
    /// The given name, or the type's.
    pub(crate) name: Expr,
    pub(crate) function: Function,
    pub(crate) topic: Option<Topic>,
    pub(crate) schedule: Option<Schedule>,
    /// The uniqueness options.
    pub(crate) unique: Option<Unique>,
    /// Further options of the registration.
    pub(crate) settings: Vec<Setting>,
    pub(crate) fitness: Registrability,
}

/// The schedule of a task.
pub(crate) struct Schedule {
    /// The option `every`, as written.
    pub(crate) key: Ident,
    pub(crate) every: Expr,
    pub(crate) payload: Payload,
    pub(crate) settings: Vec<Setting>,
}

#[allow(clippy::large_enum_variant, reason = "one per attribute")]
pub(crate) enum Payload {
    Options(Expr),
    /// The type's `Default`.
    Default,
    /// Given, but invalid.
    Mistaken,
}

impl Schedule {
    /// Takes the options of a schedule, even without `every`.
    fn read(given: &mut Options) -> Option<Self> {
        if !given.accepts(&EVERY) {
            return None;
        }
        let payload = match given.take(&PAYLOAD) {
            Some(Value::Constant(payload)) => Payload::Options(payload),
            _ if given.has(&PAYLOAD) => Payload::Mistaken,
            _ => Payload::Default,
        };
        let settings = given.take_settings(OF_SCHEDULE);
        Some(Self {
            key: given.key(&EVERY)?.clone(),
            every: given.take_text(&EVERY)?,
            payload,
            settings,
        })
    }
}

/// An option with the name of the function that sets it on the registration.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) value: Value,
}

/// Parses the attribute and its item, and collects every error.
pub(crate) fn parse(args: TokenStream, item: TokenStream) -> (Input, Errors) {
    let mut errors = Errors::default();
    let read = Block::parse(item.clone()).and_then(|block| Ok((Kind::of(&block)?, block)));
    let input = match errors.ok(read) {
        Some((kind, block)) => Input::Task(Box::new(TaskImpl::read(args, kind, block, &mut errors))),
        None => Input::Other(item),
    };
    (input, errors)
}

impl TaskImpl {
    fn read(args: TokenStream, kind: Kind, block: Block, errors: &mut Errors) -> Self {
        let mut given = Options::new(kind);
        given.read(args, errors);
        refuse_combinations(&given, errors);
        let crate_path = given.take_crate();
        let fitness = Registrability::of(&block, kind, errors);
        if kind == Kind::SharedTask && !given.has(&SERVICE) {
            let (path, ty) = (&block.trait_path, &block.self_ty);
            errors.push(syn::Error::new_spanned(
                quote!(#path #ty),
                format!(
                    "name the service that runs the task: write `#[task({})]`",
                    SERVICE.usage()
                ),
            ));
        }
        let name = match given.take_text(&NAME) {
            Some(name) => name,
            // Its task has the name.
            None if kind == Kind::Handler => parse_quote!(""),
            None => fitness::default_name(&block, fitness, errors),
        };
        let function = Function::read(&block, kind, &crate_path, errors);
        let schedule = Schedule::read(&mut given);
        let unique = match given.take(&UNIQUE) {
            Some(Value::Unique(unique)) => Some(unique),
            _ => None,
        };
        let topic = Topic::read(kind, &block, fitness, &function, &mut given, errors);
        Self {
            kind,
            block,
            crate_path,
            name,
            function,
            topic,
            schedule,
            unique,
            settings: given.into_settings(),
            fitness,
        }
    }
}

/// The collected errors, to be reported together.
#[derive(Default)]
pub(crate) struct Errors(pub(crate) Option<syn::Error>);

impl Errors {
    fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn append(&mut self, other: Self) {
        if let Some(error) = other.0 {
            self.push(error);
        }
    }

    /// Returns the value, or adds the error and returns `None`.
    fn ok<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// One `compile_error!` per error, at its position.
    pub(crate) fn to_compile_error(&self) -> Option<TokenStream> {
        self.0.as_ref().map(syn::Error::to_compile_error)
    }
}
