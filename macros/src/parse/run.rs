//! The signature of `run`, from which the omitted associated types are read.

use quote::{ToTokens as _, quote};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::token::Paren;
use syn::{
    AssocType, FnArg, GenericArgument, ImplItem, PathArguments, PathSegment, Receiver, ReturnType, Signature,
    Type, TypeParamBound, TypeTuple, parse_quote,
};

use super::item::Block;
use super::tokens::{has_elided_lifetime, has_word, mentions_assoc};
use super::{Errors, ungroup_type};

const EXPECTED: &str = "`async fn run(self, cx: Context<State>) -> TaskResult<Output>`";

/// What `run` says of the task's types.
pub(crate) struct Run {
    pub(crate) state: Assoc,
    pub(crate) output: Assoc,
    pub(crate) standing: Standing,
}

/// An associated type of the impl block.
pub(crate) enum Assoc {
    /// By the user, in the impl.
    Written(Type),
    /// Read off `run`, and to be appended.
    Omitted(Type),
}

/// Whether `run` can stand in the impl block as it is.
pub(crate) enum Standing {
    Good,
    Missing,
    /// The member at this position does not fit the trait: rustc would complain of it again.
    Misfit(usize),
}

impl Assoc {
    pub(crate) fn ty(&self) -> &Type {
        let (Self::Written(ty) | Self::Omitted(ty)) = self;
        ty
    }
}

impl Run {
    pub(super) fn read(block: &Block, errors: &mut Errors) -> Self {
        let state = block.written_type("State");
        let output = block.written_type("Output");
        let Some(position) = block.function("run") else {
            let (path, ty) = (&block.trait_path, &block.self_ty);
            errors.push(syn::Error::new_spanned(
                quote!(#path #ty),
                format!("`run` is missing: write {EXPECTED}"),
            ));
            return Self::new(state, None, output, None, Standing::Missing);
        };
        let Some(ImplItem::Fn(function)) = &block.members[position].item else {
            return Self::unparsed(block, position, errors);
        };

        let mut own = Errors::default();
        let parameter = parameter(&function.sig, &mut own);
        let read_state = match (state, parameter) {
            (None, Some(ty)) => own.keep(read_context(ty)),
            _ => None,
        };
        let returned = own.keep(returned(&function.sig));
        let read_output = match (output, returned) {
            (None, Some(ty)) => own.keep(read_result(ty)),
            _ => None,
        };
        let standing = if own.is_empty() {
            Standing::Good
        } else {
            Standing::Misfit(position)
        };
        errors.append(own);
        Self::new(state, read_state, output, read_output, standing)
    }

    /// Even the signature does not parse, as while it is being typed.
    fn unparsed(block: &Block, position: usize, errors: &mut Errors) -> Self {
        errors.push(block.members[position].mistake());
        Self::new(
            block.written_type("State"),
            None,
            block.written_type("Output"),
            None,
            Standing::Good,
        )
    }

    /// What could not be read becomes `()`: only a stub stands on it then.
    fn new(
        state: Option<&Type>,
        read_state: Option<Type>,
        output: Option<&Type>,
        read_output: Option<Type>,
        standing: Standing,
    ) -> Self {
        let assoc = |written: Option<&Type>, read: Option<Type>| match written {
            Some(ty) => Assoc::Written(ty.clone()),
            None => Assoc::Omitted(read.unwrap_or_else(|| parse_quote!(()))),
        };
        Self {
            state: assoc(state, read_state),
            output: assoc(output, read_output),
            standing,
        }
    }
}

/// Checks the parameters and gives back the type of the second.
fn parameter<'a>(signature: &'a Signature, errors: &mut Errors) -> Option<&'a Type> {
    let mut inputs = signature.inputs.iter().peekable();
    let whole = signature.paren_token.span.join();
    match inputs.next_if(|input| matches!(input, FnArg::Receiver(_))) {
        Some(FnArg::Receiver(receiver)) if by_value(receiver) => {}
        Some(receiver) => errors.push(syn::Error::new_spanned(
            receiver,
            format!("`run` takes the task by value, as `self`: write {EXPECTED}"),
        )),
        None => errors.push(syn::Error::new(
            whole,
            format!("`run` takes `self` first: write {EXPECTED}"),
        )),
    }
    let mut types = inputs.filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    let Some(context) = types.next() else {
        errors.push(syn::Error::new(
            whole,
            format!("`run` takes the context after `self`: write {EXPECTED}"),
        ));
        return None;
    };
    if let Some(extra) = types.next() {
        errors.push(syn::Error::new_spanned(
            extra,
            format!(
                "`run` takes nothing after the context; arguments are fields of the task: write {EXPECTED}"
            ),
        ));
    }
    Some(&context.ty)
}

fn by_value(receiver: &Receiver) -> bool {
    let is_self = matches!(&*receiver.ty, Type::Path(ty) if ty.path.is_ident("Self"));
    receiver.reference.is_none() && is_self
}

/// The type that `run` is awaited to.
fn returned(signature: &Signature) -> syn::Result<&Type> {
    let ReturnType::Type(_, ty) = &signature.output else {
        let end = signature.paren_token.span.close();
        return Err(syn::Error::new(
            end,
            format!("`run` returns a `TaskResult`: write {EXPECTED}"),
        ));
    };
    let ty = ungroup_type(ty);
    if signature.asyncness.is_some() {
        return Ok(ty);
    }
    if let Some(output) = future_output(ty) {
        return Ok(output);
    }
    if last_segment(ty).is_some_and(|segment| segment.ident == "TaskResult" || segment.ident == "Result") {
        return Err(syn::Error::new_spanned(
            signature.fn_token,
            format!("`run` is async: write {EXPECTED}"),
        ));
    }
    // `BoxFuture` and the like: the trait takes any future.
    Ok(ty)
}

/// `T` of `impl Future<Output = T>`.
fn future_output(ty: &Type) -> Option<&Type> {
    let Type::ImplTrait(bounds) = ty else {
        return None;
    };
    let future = bounds.bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => bound
            .path
            .segments
            .last()
            .filter(|segment| segment.ident == "Future"),
        _ => None,
    })?;
    let PathArguments::AngleBracketed(arguments) = &future.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(AssocType { ident, ty, .. }) if ident == "Output" => {
            Some(ungroup_type(ty))
        }
        _ => None,
    })
}

/// `S` of `Context<S>`.
fn read_context(ty: &Type) -> syn::Result<Type> {
    let arguments = last_segment(ty)
        .filter(|segment| segment.ident == "Context")
        .and_then(type_arguments);
    let read = match arguments.as_deref() {
        Some([]) => Some(unit_at(ty)),
        Some([state]) if can_stand_alone(state, "State") => Some((*state).clone()),
        _ => None,
    };
    read.ok_or_else(|| unread(ty, "state", "Context<Mailer>", "State"))
}

/// `T` of `TaskResult<T>` or of `Result<T, _>`.
fn read_result(ty: &Type) -> syn::Result<Type> {
    let segment = last_segment(ty);
    let arguments = segment.and_then(type_arguments);
    let name = segment.map(|segment| segment.ident.to_string());
    let read = match (name.as_deref(), arguments.as_deref()) {
        (Some("TaskResult"), Some([])) => Some(unit_at(ty)),
        (Some("TaskResult"), Some([output])) | (Some("Result"), Some([output] | [output, _]))
            if can_stand_alone(output, "Output") =>
        {
            Some((*output).clone())
        }
        _ => None,
    };
    read.ok_or_else(|| unread(ty, "output", "TaskResult<String>", "Output"))
}

fn unread(ty: &Type, what: &str, form: &str, name: &str) -> syn::Error {
    syn::Error::new_spanned(
        ty,
        format!(
            "the task's {what} cannot be read off this type: write it as in `{form}`, or write `type {name} = ..;` in the impl"
        ),
    )
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ungroup_type(ty) {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    }
}

/// The types between the angle brackets; none where something else than a type stands there.
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

/// Whether a type means outside the signature what it means in it: `_`, `impl Trait` and `'_` do not, and neither does
/// the associated type that is to be read.
fn can_stand_alone(ty: &Type, own: &str) -> bool {
    let tokens = ty.to_token_stream();
    !has_word(tokens.clone(), &["_", "impl"])
        && !has_elided_lifetime(tokens.clone())
        && !mentions_assoc(tokens, &[own])
}

fn unit_at(ty: &Type) -> Type {
    Type::Tuple(TypeTuple {
        paren_token: Paren(ty.span()),
        elems: Punctuated::new(),
    })
}
