//! Whether a type can be registered, and its default name.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{Expr, LitStr, PathSegment, Type, parse_quote};

use super::item::Block;
use super::kind::Kind;
use super::tokens::{flat, has_elided_lifetime};
use super::{Errors, check};

/// Whether a type can be a task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registrability {
    Concrete,
    /// It has type parameters: the trait can be implemented, but there is no concrete type to register.
    Generic,
    /// It borrows, or it is a foreign type: rustc rejects the impl anyway.
    Never,
}

impl Registrability {
    pub(super) fn of(block: &Block, kind: Kind, errors: &mut Errors) -> Self {
        let ty = &block.self_ty;
        let (at, message, fitness) = if !matches!(ty, Type::Path(path) if path.qself.is_none()) {
            (ty.to_token_stream(), foreign(kind), Self::Never)
        } else if has_elided_lifetime(ty.to_token_stream()) {
            (ty.to_token_stream(), borrows(kind), Self::Never)
        } else if let Some(lifetime) = block.generics.lifetimes().next() {
            (lifetime.to_token_stream(), borrows(kind), Self::Never)
        } else if let Some(parameter) = block.generics.params.first() {
            (parameter.to_token_stream(), generic(kind), Self::Generic)
        } else {
            return Self::Concrete;
        };
        errors.push(syn::Error::new_spanned(at, message));
        fitness
    }
}

fn foreign(kind: Kind) -> String {
    format!(
        "{} is a struct or an enum of its own: write `impl {} for {}`",
        kind.noun(),
        kind.trait_name(),
        kind.example()
    )
}

fn borrows(kind: Kind) -> String {
    let why = match kind {
        Kind::Task | Kind::SharedTask => "outlives the call that enqueues it",
        Kind::Publisher | Kind::ModelPublisher => "outlives the call that publishes it",
        Kind::Handler | Kind::Subscriber => "is registered when the program is linked",
    };
    let how = match kind {
        Kind::Handler | Kind::Subscriber => "",
        _ => ", with `String` for `&str`",
    };
    format!(
        "{} {why}, so it borrows nothing: write its type without lifetimes{how}",
        kind.noun()
    )
}

fn generic(kind: Kind) -> String {
    let with = match kind {
        Kind::Publisher => ", each with a `name` and a `topic`",
        Kind::Handler => "",
        _ => ", each with a `name`",
    };
    format!(
        "{} is registered when the program is linked, so its type has no parameters left: write \
         `impl {} for Wrapper<u32>`, one impl for each type{with}",
        kind.noun(),
        kind.trait_name()
    )
}

/// The type's name as the task's name, if it is unambiguous.
pub(super) fn default_name(block: &Block, fitness: Registrability, errors: &mut Errors) -> Expr {
    default(block, fitness, "name", check::task_name, errors)
}

/// The type's name as the topic's name, if it is unambiguous.
pub(super) fn default_topic(block: &Block, fitness: Registrability, errors: &mut Errors) -> Expr {
    default(block, fitness, "topic", check::topic, errors)
}

fn default(
    block: &Block,
    fitness: Registrability,
    option: &str,
    check: fn(&str) -> Result<(), String>,
    errors: &mut Errors,
) -> Expr {
    let Some(segment) = last_segment(&block.self_ty) else {
        return parse_quote!("");
    };
    let name = segment.ident.unraw().to_string();
    if fitness == Registrability::Concrete {
        if !segment.arguments.is_none() {
            errors.push(syn::Error::new_spanned(
                &block.self_ty,
                format!(
                    "`{}` needs a {option}: write `#[task({option} = \"..\")]`, since `{name}` alone does not distinguish it from the same type with other arguments",
                    flat(&block.self_ty.to_token_stream())
                ),
            ));
        } else if let Err(message) = check(&name) {
            errors.push(syn::Error::new_spanned(
                &segment.ident,
                format!("{message}; write `#[task({option} = \"..\")]`"),
            ));
        }
    }
    named_after(&segment.ident)
}

/// The name of a type as a literal, with the span of the name.
pub(super) fn named_after(ident: &Ident) -> Expr {
    let literal = LitStr::new(&ident.unraw().to_string(), ident.span());
    parse_quote!(#literal)
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(ty) => ty.path.segments.last(),
        _ => None,
    }
}
