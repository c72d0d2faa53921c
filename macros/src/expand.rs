//! Expansion of parsed options to tokens.

mod item;
mod schedule;
mod topic;
mod unique;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::Type;

use crate::parse::{Errors, Input, Kind, Length, Model, Registrability, Setting, TaskImpl, Value};

/// Expands to the user's item, the generated code, and the errors.
pub(crate) fn expand(input: Input, errors: &Errors) -> TokenStream {
    let item = match input {
        Input::Task(task) => expand_task(&task, errors.is_empty()),
        Input::Other(item) => item,
    };
    let errors = errors.to_compile_error();
    quote!(#item #errors)
}

/// Expands to the impl of `Model`, and the errors.
pub(crate) fn expand_model(model: Option<Model>, errors: &Errors) -> TokenStream {
    let item = model.map(|model| {
        let Model {
            crate_path,
            ident,
            app_label,
            name,
            ..
        } = &model;
        let (generics, arguments, bounds) = model.generics.split_for_impl();
        quote! {
            #[automatically_derived]
            #[allow(deprecated)]
            impl #generics #crate_path::Model for #ident #arguments #bounds {
                const APP_LABEL: &'static str = #app_label;
                const MODEL_NAME: &'static str = #name;
            }
        }
    });
    let errors = errors.to_compile_error();
    quote!(#item #errors)
}

fn expand_task(task: &TaskImpl, correct: bool) -> TokenStream {
    if task.fitness == Registrability::Never {
        return item::impossible(task);
    }
    let item = item::item(task);
    let event = event(task);
    let periodic = schedule::periodic(task);
    let registered = registered(task);
    // An invalid task is not registered, so that rustc reports nothing besides our error.
    let submitted = correct.then(|| {
        let (crate_path, ty) = (&task.crate_path, &task.block.self_ty);
        quote! {
            #[allow(deprecated)]
            const _: () = {
                #crate_path::__private::inventory::submit! {
                    #crate_path::__private::Collected::new(<#ty as #crate_path::__private::Registered>::__REGISTRATION)
                }
            };
        }
    });
    quote!(#item #event #periodic #registered #submitted)
}

/// Implements `Event` for a publisher.
fn event(task: &TaskImpl) -> Option<TokenStream> {
    let function = topic::function(task).filter(|_| task.kind.is_event())?;
    let (crate_path, ty) = (&task.crate_path, &task.block.self_ty);
    let (generics, _, bounds) = task.block.generics.split_for_impl();
    Some(quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #generics #crate_path::Event for #ty #bounds {
            #function
        }
    })
}

fn registered(task: &TaskImpl) -> TokenStream {
    let (crate_path, ty) = (&task.crate_path, &task.block.self_ty);
    let (generics, _, bounds) = task.block.generics.split_for_impl();
    let registration = registration(task);
    let state = state(task);
    let fields = unique::fields(task);
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #generics #crate_path::__private::Registered for #ty #bounds {
            const __REGISTRATION: #crate_path::__private::Registration = #registration;

            fn __state(states: &mut #crate_path::__private::Resolver<'_>) -> #crate_path::__private::Resolved {
                #state
            }

            #fields
        }
    }
}

fn registration(task: &TaskImpl) -> TokenStream {
    let (crate_path, ty) = (&task.crate_path, &task.block.self_ty);
    let constructor = Ident::new(task.kind.constructor(), Span::call_site());
    // A handler has the name of its task.
    let name = (task.kind != Kind::Handler).then(|| {
        let name = &task.name;
        quote!(#name,)
    });
    let schema = schema(task);
    let settings = task.settings.iter().map(|setting| call(task, setting));
    let unique = unique::option(task);
    let periodic = task.schedule.as_ref().map(|_| quote!(.periodic::<#ty>()));
    quote! {
        #crate_path::__private::Registration::#constructor::<#ty>(
            #name ::core::concat!(::core::file!(), ":", ::core::line!())
        )
        #(#settings)*
        #unique
        #periodic
        #schema
    }
}

/// The call that sets the schema, which the type has if it implements `JsonSchema`.
fn schema(task: &TaskImpl) -> Option<TokenStream> {
    let (crate_path, ty) = (&task.crate_path, &task.block.self_ty);
    let described = match task.kind {
        // Its task has the schema.
        Kind::Handler => return None,
        Kind::Subscriber => {
            let content = &task.function.find("Content")?.ty;
            quote!(#content)
        }
        Kind::Task | Kind::SharedTask | Kind::Publisher | Kind::ModelPublisher => quote!(#ty),
    };
    Some(quote!(.schema(#crate_path::__private::schema_of!(#described))))
}

/// The call that sets an option of the registration.
fn call(task: &TaskImpl, setting: &Setting) -> TokenStream {
    let function = Ident::new(setting.name, Span::call_site());
    let value = match &setting.value {
        Value::Constant(value) => quote!(#value),
        Value::List(values) => quote!(&[#(#values),*]),
        Value::Length(length) => self::length(length),
        Value::Topic(name) => {
            let topic = topic::named(&task.crate_path, name);
            quote!(|| #topic)
        }
        Value::Path(path) => quote!(#path),
        // Expanded to functions of their own.
        Value::Fields(_) | Value::Unique(_) => return TokenStream::new(),
    };
    quote!(.#function(#value))
}

/// A `Duration`.
fn length(length: &Length) -> TokenStream {
    match length {
        Length::Millis(millis) => quote!(::core::time::Duration::from_millis(#millis)),
        Length::Endless => quote!(::core::time::Duration::MAX),
        Length::Constant(constant) => quote!(#constant),
    }
}

/// A tuple is looked up part by part, any other type as one value.
fn state(task: &TaskImpl) -> TokenStream {
    match task.function.find("State").map(|state| &state.ty) {
        None => quote!(states.each::<()>()),
        Some(ty @ Type::Tuple(_)) => quote!(states.each::<#ty>()),
        Some(ty) => quote!(states.one::<#ty>()),
    }
}
