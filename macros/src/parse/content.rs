//! The signature of a model publisher's `content`.

use syn::{PatType, ReturnType, Signature, Type};

use super::Errors;
use super::function::{Types, unread};
use super::kind::Kind;
use super::run::{at_parameters, parameters};
use super::types::{standing_alone, ungroup_type};

/// `fn content(model: &Model, extra: &Extra) -> Self`
pub(super) fn read(signature: &Signature, types: &mut Types<'_>, errors: &mut Errors) {
    let expected = Kind::ModelPublisher.signature();
    if let Some(asyncness) = &signature.asyncness {
        errors.push(syn::Error::new_spanned(
            asyncness,
            format!(
                "`content` is not async: await before it is called, and pass the result in the extras; write {expected}"
            ),
        ));
    }
    let (receiver, parameters) = parameters(signature);
    if let Some(receiver) = receiver {
        errors.push(syn::Error::new_spanned(
            receiver,
            format!("`content` builds the event from the model, so it has no `self`: write {expected}"),
        ));
    }
    refuse_count(signature, &parameters, receiver.is_some(), errors);
    for ((name, form), parameter) in [("Model", "&Order"), ("Extra", "&Campaign")]
        .into_iter()
        .zip(parameters)
    {
        read_reference(&parameter.ty, name, form, signature, types, errors);
    }
    if matches!(signature.output, ReturnType::Default) {
        errors.push(syn::Error::new(
            signature.paren_token.span.close(),
            format!("`content` returns the event, as `Self`: write {expected}"),
        ));
    }
}

/// Checks that there are two parameters. A missing one is not reported if there is a `self` in its place.
fn refuse_count(signature: &Signature, parameters: &[&PatType], has_self: bool, errors: &mut Errors) {
    let expected = Kind::ModelPublisher.signature();
    match parameters {
        [] | [_] if has_self => {}
        [] => errors.push(at_parameters(
            signature,
            format!(
                "`content` takes the model and the extras: write {expected}, with `_: &()` for no extras"
            ),
        )),
        [_] => errors.push(at_parameters(
            signature,
            format!("`content` takes the extras after the model: write {expected}, with `_: &()` for none"),
        )),
        [_, _] => {}
        [_, _, more, ..] => errors.push(syn::Error::new_spanned(
            more,
            format!(
                "`content` has no parameter after the extras; what it needs is a field of the extras: write {expected}"
            ),
        )),
    }
}

/// `T` of `&T`.
fn read_reference(
    ty: &Type,
    name: &'static str,
    form: &str,
    signature: &Signature,
    types: &mut Types<'_>,
    errors: &mut Errors,
) {
    let reference = match ungroup_type(ty) {
        Type::Reference(reference) => Some(reference),
        _ => None,
    };
    if let Some(mutability) = reference.and_then(|reference| reference.mutability) {
        errors.push(syn::Error::new_spanned(
            mutability,
            format!("`content` changes nothing: it takes `{form}`"),
        ));
    }
    if !types.is_omitted(name) {
        return;
    }
    let read = reference
        .and_then(|reference| standing_alone(ungroup_type(&reference.elem), name, &signature.generics));
    match read {
        Some(ty) => types.set(name, ty),
        None => errors.push(unread(ty, &[name], form)),
    }
}
