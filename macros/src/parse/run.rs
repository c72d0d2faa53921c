//! The signature of `run`, for tasks and subscribers.

use quote::ToTokens;
use syn::{
    AssocType, FnArg, GenericArgument, PatType, PathArguments, Receiver, ReturnType, Signature, Type,
    TypeParamBound,
};

use super::Errors;
use super::function::{Types, default_attributes, unread};
use super::kind::Kind;
use super::types::{arguments_of, last_segment, standing_alone, ungroup_type, unit_at};

/// `async fn run(self, cx: Context<State>) -> TaskResult<Output>`
pub(super) fn read_task(signature: &Signature, types: &mut Types<'_>, errors: &mut Errors) {
    if let Some(context) = task_parameters(signature, errors) {
        read_context(&context.ty, signature, types, errors);
    }
    read_output(signature, Kind::Task, types, errors);
}

/// `async fn run(task: Task, cx: Context<State>) -> TaskResult<Output>`
pub(super) fn read_handler(signature: &Signature, types: &mut Types<'_>, errors: &mut Errors) {
    let (task, context) = handler_parameters(signature, errors);
    if let Some(task) = task.filter(|_| types.is_omitted("Task")) {
        match standing_alone(&task.ty, "Task", &signature.generics) {
            Some(ty) => types.set("Task", ty),
            None => errors.push(unread(&task.ty, &["Task"], "Charge")),
        }
    }
    if let Some(context) = context {
        read_context(&context.ty, signature, types, errors);
    }
    read_output(signature, Kind::Handler, types, errors);
}

/// Checks the parameters and returns the task and the context, if present.
fn handler_parameters<'a>(
    signature: &'a Signature,
    errors: &mut Errors,
) -> (Option<&'a PatType>, Option<&'a PatType>) {
    let expected = Kind::Handler.signature();
    let (receiver, parameters) = parameters(signature);
    if let Some(receiver) = receiver {
        errors.push(syn::Error::new_spanned(
            receiver,
            format!("`run` of a handler takes no `self`, but the task that others enqueue: write {expected}"),
        ));
        return (None, None);
    }
    match *parameters.as_slice() {
        [task, context] => (Some(task), Some(context)),
        [_, _, extra, ..] => {
            errors.push(syn::Error::new_spanned(
                extra,
                format!(
                    "`run` takes nothing after the context; arguments are fields of the task: write {expected}"
                ),
            ));
            (Some(parameters[0]), Some(parameters[1]))
        }
        _ => {
            errors.push(at_parameters(
                signature,
                format!("`run` of a handler takes the task and the context: write {expected}"),
            ));
            (None, None)
        }
    }
}

/// `async fn run(message: Message<Content, Attributes>, cx: Context<State>) -> TaskResult<Output>`
pub(super) fn read_subscriber(signature: &Signature, types: &mut Types<'_>, errors: &mut Errors) {
    let (message, context) = subscriber_parameters(signature, errors);
    if let Some(message) = message {
        read_message(&message.ty, signature, types, errors);
    }
    if let Some(context) = context {
        read_context(&context.ty, signature, types, errors);
    }
    read_output(signature, Kind::Subscriber, types, errors);
}

/// Checks the parameters and returns the second.
fn task_parameters<'a>(signature: &'a Signature, errors: &mut Errors) -> Option<&'a PatType> {
    let expected = Kind::Task.signature();
    let (receiver, parameters) = parameters(signature);
    match receiver {
        Some(receiver) if by_value(receiver) => {}
        Some(receiver) => errors.push(syn::Error::new_spanned(
            receiver,
            format!("`run` takes the task by value, as `self`: write {expected}"),
        )),
        None => errors.push(at_parameters(
            signature,
            format!("`run` takes `self` first: write {expected}"),
        )),
    }
    let (context, more) = match parameters.split_first() {
        Some((context, more)) => (*context, more),
        None => {
            errors.push(at_parameters(
                signature,
                format!("`run` takes the context after `self`: write {expected}"),
            ));
            return None;
        }
    };
    if let Some(extra) = more.first() {
        errors.push(syn::Error::new_spanned(
            extra,
            format!(
                "`run` has no parameter after the context; arguments are fields of the task: write {expected}"
            ),
        ));
    }
    Some(context)
}

/// Checks the parameters and returns the first two, if present.
fn subscriber_parameters<'a>(
    signature: &'a Signature,
    errors: &mut Errors,
) -> (Option<&'a PatType>, Option<&'a PatType>) {
    let expected = Kind::Subscriber.signature();
    let (receiver, parameters) = parameters(signature);
    if let Some(receiver) = receiver {
        errors.push(syn::Error::new_spanned(
            receiver,
            format!(
                "`run` of a subscriber has no `self`; its first parameter is the message: write {expected}"
            ),
        ));
    }
    let is_context =
        |parameter: &PatType| last_segment(&parameter.ty).is_some_and(|segment| segment.ident == "Context");
    match *parameters.as_slice() {
        // Already reported by the error about `self`.
        [] if receiver.is_some() => (None, None),
        [context] if receiver.is_some() && is_context(context) => (None, Some(context)),
        [] => {
            errors.push(at_parameters(
                signature,
                format!("`run` takes the message and the context: write {expected}"),
            ));
            (None, None)
        }
        [context] if is_context(context) => {
            errors.push(at_parameters(
                signature,
                format!("`run` takes the message before the context: write {expected}"),
            ));
            (None, Some(context))
        }
        [message] => {
            errors.push(at_parameters(
                signature,
                format!("`run` takes the context after the message: write {expected}"),
            ));
            (Some(message), None)
        }
        [context, message, ..] if is_context(context) && !is_context(message) => {
            errors.push(at_parameters(
                signature,
                format!("`run` takes the message before the context: write {expected}"),
            ));
            (Some(message), Some(context))
        }
        [message, context, ref more @ ..] => {
            if let Some(extra) = more.first() {
                errors.push(syn::Error::new_spanned(
                    extra,
                    format!(
                        "`run` has no parameter after the context; what it needs is state: write {expected}"
                    ),
                ));
            }
            (Some(message), Some(context))
        }
    }
}

/// The receiver, and the other parameters.
pub(super) fn parameters(signature: &Signature) -> (Option<&Receiver>, Vec<&PatType>) {
    let mut typed = Vec::new();
    for input in &signature.inputs {
        if let FnArg::Typed(input) = input {
            typed.push(input);
        }
    }
    (signature.receiver(), typed)
}

/// An error with the span of the parentheses.
pub(super) fn at_parameters(signature: &Signature, message: String) -> syn::Error {
    syn::Error::new(signature.paren_token.span.join(), message)
}

fn by_value(receiver: &Receiver) -> bool {
    let is_self = matches!(&*receiver.ty, Type::Path(ty) if ty.path.is_ident("Self"));
    receiver.reference.is_none() && is_self
}

/// `C` and `A` of `Message<C, A>`.
fn read_message(ty: &Type, signature: &Signature, types: &mut Types<'_>, errors: &mut Errors) {
    let arguments = arguments_of(ty, "Message");
    let alone = |ty: &Type, own| standing_alone(ty, own, &signature.generics);
    let content = match arguments.as_deref() {
        Some([content] | [content, _]) => alone(content, "Content"),
        _ => None,
    };
    let attributes = match arguments.as_deref() {
        Some([] | [_]) => Some(default_attributes(types.crate_path)),
        Some([_, attributes]) => alone(attributes, "Attributes"),
        _ => None,
    };
    let mut missing = Vec::new();
    for (name, read) in [("Content", content), ("Attributes", attributes)] {
        match read {
            Some(ty) => types.set(name, ty),
            None if types.is_omitted(name) => missing.push(name),
            None => {}
        }
    }
    if !missing.is_empty() {
        errors.push(unread(ty, &missing, "Message<UserAction>"));
    }
}

/// `S` of `Context<S>`.
fn read_context(ty: &Type, signature: &Signature, types: &mut Types<'_>, errors: &mut Errors) {
    if !types.is_omitted("State") {
        return;
    }
    let read = match arguments_of(ty, "Context").as_deref() {
        Some([]) => Some(unit_at(ty)),
        Some([state]) => standing_alone(state, "State", &signature.generics),
        _ => None,
    };
    match read {
        Some(state) => types.set("State", state),
        None => errors.push(unread(ty, &["State"], "Context<Mailer>")),
    }
}

/// `T` of `TaskResult<T>` or of `Result<T, _>`.
fn read_output(signature: &Signature, kind: Kind, types: &mut Types<'_>, errors: &mut Errors) {
    let Some(ty) = errors.ok(returned(signature, kind)) else {
        return;
    };
    if is_other_result(ty) {
        let output = match arguments_of(ty, "Result").as_deref() {
            Some([output, ..]) => output.to_token_stream().to_string(),
            _ => "()".to_owned(),
        };
        errors.push(other_result(ty, &output));
        return;
    }
    if !types.is_omitted("Output") {
        return;
    }
    let alone = |output: &Type| standing_alone(output, "Output", &signature.generics);
    let read = match arguments_of(ty, "TaskResult").as_deref() {
        Some([]) => Some(unit_at(ty)),
        Some([output]) => alone(output),
        _ => match arguments_of(ty, "Result").as_deref() {
            Some([output] | [output, _]) => alone(output),
            _ => None,
        },
    };
    match read {
        Some(output) => types.set("Output", output),
        None if is_value(ty) => errors.push(other_result(ty, &ty.to_token_stream().to_string())),
        None => errors.push(unread(ty, &["Output"], "TaskResult<String>")),
    }
}

/// The error of a return type that is not a `TaskResult`, with the output that was probably meant.
fn other_result(ty: &Type, output: &str) -> syn::Error {
    let output = output.replace(' ', "");
    let written = if output == "()" {
        "TaskResult".to_owned()
    } else {
        format!("TaskResult<{output}>")
    };
    syn::Error::new_spanned(
        ty,
        format!(
            "`run` returns a `TaskResult`: write `-> {written}` and return `Ok(..)`; `?` turns any error into its `TaskError`"
        ),
    )
}

/// Whether this is certainly a value and no alias of a result.
fn is_value(ty: &Type) -> bool {
    const PLAIN: [&str; 20] = [
        "String", "Option", "Vec", "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8",
        "i16", "i32", "i64", "i128", "isize", "f32", "f64",
    ];
    match ty {
        Type::Path(_) => {
            last_segment(ty).is_some_and(|segment| PLAIN.iter().any(|name| segment.ident == name))
        }
        Type::Tuple(_) | Type::Reference(_) | Type::Array(_) | Type::Slice(_) => true,
        _ => false,
    }
}

/// Whether this is a `Result` of another kind: with an error of its own, or that of a well-known crate.
fn is_other_result(ty: &Type) -> bool {
    const CRATES: [&str; 6] = ["anyhow", "eyre", "color_eyre", "fmt", "io", "std"];
    if last_segment(ty).is_none_or(|segment| segment.ident != "Result") {
        return false;
    }
    match arguments_of(ty, "Result").as_deref() {
        Some([_, error]) => match error {
            Type::Path(_) => last_segment(error).is_some_and(|segment| {
                let name = segment.ident.to_string();
                name != "TaskError" && (name == "Box" || name == "String" || name.ends_with("Error"))
            }),
            Type::Reference(_) | Type::Tuple(_) => true,
            _ => false,
        },
        _ => match ty {
            Type::Path(path) => {
                path.path.segments.len() > 1 && CRATES.iter().any(|name| path.path.segments[0].ident == name)
            }
            _ => false,
        },
    }
}

/// The output type of `run`'s future.
fn returned(signature: &Signature, kind: Kind) -> syn::Result<&Type> {
    let expected = kind.signature();
    let ReturnType::Type(_, ty) = &signature.output else {
        let end = signature.paren_token.span.close();
        return Err(syn::Error::new(
            end,
            format!("`run` returns a `TaskResult`: write {expected}"),
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
            format!("`run` is async: write {expected}"),
        ));
    }
    // `BoxFuture` and similar: the trait accepts any future.
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
