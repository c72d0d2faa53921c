//! Tokens to typed options, and every message: nothing that comes after can be refused.

mod check;
mod item;
mod options;
mod run;
mod tokens;

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{Expr, LitStr, Type, parse_quote};

pub(crate) use item::Block;
pub(crate) use options::{Length, TaskOptions};
pub(crate) use run::{Assoc, Run, Standing};
pub(crate) use tokens::mentions_assoc;
use tokens::{flat, has_elided_lifetime};

/// What the attribute stands on.
pub(crate) enum Input {
    Task(Box<TaskImpl>),
    /// Nothing that can be registered: given back as it came, with an error.
    Other(TokenStream),
}

/// An `impl Task for ..`, understood as far as it can be.
pub(crate) struct TaskImpl {
    pub(crate) block: Block,
    pub(crate) options: TaskOptions,
    /// The given name, else the type's.
    pub(crate) name: Expr,
    pub(crate) run: Run,
    pub(crate) fitness: Fitness,
}

/// Whether the type can be a task.
pub(crate) enum Fitness {
    Concrete,
    /// It has type parameters: no value to register, while the trait can be implemented.
    Generic,
    /// It borrows or is no type of the user's: rustc would refuse the trait as well.
    Never,
}

/// The traits that are registered. Each has options of its own.
#[derive(Clone, Copy)]
enum Kind {
    Task,
}

impl Kind {
    const ALL: [(&'static str, Self); 1] = [("Task", Self::Task)];

    fn of(block: &Block) -> syn::Result<Self> {
        let path = &block.trait_path;
        let name = path
            .segments
            .last()
            .map(|segment| segment.ident.to_string())
            .unwrap_or_default();
        if let Some((_, kind)) = Self::ALL.iter().find(|(known, _)| *known == name) {
            return Ok(*kind);
        }
        let known: Vec<String> = Self::ALL.iter().map(|(known, _)| format!("`{known}`")).collect();
        Err(syn::Error::new_spanned(
            path,
            format!(
                "`#[task]` goes on an impl of {}, and this is an impl of `{name}`",
                known.join(" or ")
            ),
        ))
    }
}

/// Reads the attribute and what it stands on. All that is wrong is found at once.
pub(crate) fn parse(args: TokenStream, item: TokenStream) -> (Input, Errors) {
    let mut errors = Errors::default();
    let read = Block::parse(item.clone()).and_then(|block| Ok((Kind::of(&block)?, block)));
    let input = match errors.keep(read) {
        Some((Kind::Task, block)) => Input::Task(Box::new(TaskImpl::read(args, block, &mut errors))),
        None => Input::Other(item),
    };
    (input, errors)
}

impl TaskImpl {
    fn read(args: TokenStream, block: Block, errors: &mut Errors) -> Self {
        let options = TaskOptions::parse(args, errors);
        let fitness = Fitness::of(&block, errors);
        let name = match &options.name {
            Some(name) => name.clone(),
            None => default_name(&block, &fitness, errors),
        };
        let run = Run::read(&block, errors);
        Self {
            block,
            options,
            name,
            run,
            fitness,
        }
    }
}

impl Fitness {
    fn of(block: &Block, errors: &mut Errors) -> Self {
        let ty = &block.self_ty;
        let (at, message, fitness) = if !matches!(ty, Type::Path(path) if path.qself.is_none()) {
            let message = "a task is a struct or an enum of its own: write `impl Task for SendWelcomeEmail`";
            (ty.to_token_stream(), message, Self::Never)
        } else if has_elided_lifetime(ty.to_token_stream()) {
            (ty.to_token_stream(), OWNED, Self::Never)
        } else if let Some(lifetime) = block.generics.lifetimes().next() {
            (lifetime.to_token_stream(), OWNED, Self::Never)
        } else if let Some(parameter) = block.generics.params.first() {
            (parameter.to_token_stream(), CONCRETE, Self::Generic)
        } else {
            return Self::Concrete;
        };
        errors.push(syn::Error::new_spanned(at, message));
        fitness
    }
}

const OWNED: &str = "a task outlives the call that enqueues it, so it borrows nothing: write its type without lifetimes, \
                     with `String` for `&str`";

const CONCRETE: &str = "a task is registered when the program is linked, so its type has no parameters left: write \
                        `impl Task for Wrapper<u32>`, one impl for each type, each with a `name`";

/// The type's name, where that is enough to tell it from every other.
fn default_name(block: &Block, fitness: &Fitness, errors: &mut Errors) -> Expr {
    let Type::Path(ty) = &block.self_ty else {
        return parse_quote!("");
    };
    let Some(segment) = ty.path.segments.last() else {
        return parse_quote!("");
    };
    let name = segment.ident.unraw().to_string();
    if matches!(fitness, Fitness::Concrete) {
        if !segment.arguments.is_none() {
            errors.push(syn::Error::new_spanned(
                ty,
                format!(
                    "`{}` needs a name: write `#[task(name = \"..\")]`, since `{name}` alone does not tell it from the \
                     same type with other arguments",
                    flat(&ty.to_token_stream())
                ),
            ));
        } else if let Err(message) = check::task_name(&name) {
            errors.push(syn::Error::new_spanned(
                &segment.ident,
                format!("{message}; write `#[task(name = \"..\")]`"),
            ));
        }
    }
    let literal = LitStr::new(&name, segment.ident.span());
    parse_quote!(#literal)
}

/// Everything that is wrong, to be said at once.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

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

    /// The value, or `None` and the error kept.
    fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        let errors = self.0.clone().into_iter().flatten();
        errors.map(|error| error.to_string()).collect()
    }

    /// A `compile_error!` for each, at its place.
    pub(crate) fn to_compile_error(&self) -> Option<TokenStream> {
        self.0.as_ref().map(syn::Error::to_compile_error)
    }
}

/// A `macro_rules` fragment comes between delimiters that are not seen; parentheses mean nothing around one type.
fn ungroup_type(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}
