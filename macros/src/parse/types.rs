//! Inference of types from a signature.

use quote::ToTokens as _;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::token::Paren;
use syn::{GenericArgument, GenericParam, Generics, PathArguments, PathSegment, Type, TypeTuple};

use super::tokens::{has_elided_lifetime, has_word, mentions_assoc};

/// Removes the invisible delimiters around a `macro_rules` fragment, and parentheses around a type.
pub(super) fn ungroup_type(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}

/// The last segment of a path with its arguments: `C<D>` of `a::b::C<D>`.
pub(super) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ungroup_type(ty) {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    }
}

/// The generic type arguments of a type with this name; `None` if an argument is not a type.
pub(super) fn arguments_of<'a>(ty: &'a Type, name: &str) -> Option<Vec<&'a Type>> {
    last_segment(ty)
        .filter(|segment| segment.ident == name)
        .and_then(type_arguments)
}

fn type_arguments(segment: &PathSegment) -> Option<Vec<&Type>> {
    match &segment.arguments {
        PathArguments::None => Some(Vec::new()),
        PathArguments::Parenthesized(_) => None,
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ungroup_type(ty)),
                _ => None,
            })
            .collect(),
    }
}

/// The type, if it means the same outside the signature. `_`, `impl Trait`, `'_` and generics of the function do not,
/// nor does the associated type that is to be inferred.
pub(super) fn standing_alone(ty: &Type, own: &str, declared: &Generics) -> Option<Type> {
    let tokens = ty.to_token_stream();
    let declared = declared.params.iter().any(|parameter| {
        let ident = match parameter {
            GenericParam::Lifetime(parameter) => &parameter.lifetime.ident,
            GenericParam::Type(parameter) => &parameter.ident,
            GenericParam::Const(parameter) => &parameter.ident,
        };
        has_word(tokens.clone(), &[&ident.to_string()])
    });
    let alone = !declared
        && !has_word(tokens.clone(), &["_", "impl"])
        && !has_elided_lifetime(tokens.clone())
        && !mentions_assoc(tokens, &[own]);
    alone.then(|| ty.clone())
}

/// `()` with the span of another type.
pub(super) fn unit_at(ty: &Type) -> Type {
    Type::Tuple(TypeTuple {
        paren_token: Paren(ty.span()),
        elems: Punctuated::new(),
    })
}
