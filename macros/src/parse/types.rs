//! Reading types off a signature.

use quote::ToTokens as _;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::token::Paren;
use syn::{GenericArgument, GenericParam, Generics, PathArguments, PathSegment, Type, TypeTuple};

use super::tokens::{has_elided_lifetime, has_word, mentions_assoc};

/// A `macro_rules` fragment comes between delimiters that are not seen; parentheses mean nothing around one type.
pub(super) fn ungroup_type(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}

/// `C` of `a::b::C<D>`, with its arguments.
pub(super) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ungroup_type(ty) {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    }
}

/// The types between the angle brackets of a type that is called so; none where something else than a type stands there.
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

/// The type, where it means outside the signature what it means in it: `_`, `impl Trait`, `'_` and what the function
/// declares do not, and neither does the associated type that is to be read.
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

/// `()`, where another type stands.
pub(super) fn unit_at(ty: &Type) -> Type {
    Type::Tuple(TypeTuple {
        paren_token: Paren(ty.span()),
        elems: Punctuated::new(),
    })
}
