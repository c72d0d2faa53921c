//! Typed options to tokens.

use proc_macro2::{Group, TokenStream};
use quote::quote;
use syn::Type;

use crate::parse::{Assoc, Block, Errors, Fitness, Input, Length, Standing, TaskImpl, mentions_assoc};

/// Writes the user's item, what the attribute adds to it, and the errors.
pub(crate) fn expand(input: Input, errors: &Errors) -> TokenStream {
    let item = match input {
        Input::Task(task) => expand_task(&task, errors.is_empty()),
        Input::Other(item) => item,
    };
    let errors = errors.to_compile_error();
    quote!(#item #errors)
}

fn expand_task(task: &TaskImpl, correct: bool) -> TokenStream {
    if matches!(task.fitness, Fitness::Never) {
        return impossible(&task.block);
    }
    let item = item(task);
    let registered = registered(task);
    // A mistaken task is not registered: rustc has to find nothing wrong but the mistake.
    let submitted = correct.then(|| {
        let (krate, ty) = (&task.options.krate, &task.block.self_ty);
        quote! {
            #[allow(deprecated)]
            const _: () = {
                #krate::__private::inventory::submit! {
                    #krate::__private::Linked::new(<#ty as #krate::Registered>::REGISTRATION)
                }
            };
        }
    });
    quote!(#item #registered #submitted)
}

/// The trait cannot be implemented at all: `run` is kept, and the trait's name counts as used.
fn impossible(block: &Block) -> TokenStream {
    let path = &block.trait_path;
    let aside = set_aside(block, block.function("run"));
    quote! {
        #aside
        const _: () = {
            #[allow(dead_code)]
            fn implemented<T: #path>() {}
        };
    }
}

/// The user's impl block with the omitted types appended. A `run` that does not fit the trait gives way to one that does.
fn item(task: &TaskImpl) -> TokenStream {
    let block = &task.block;
    let mut appended = TokenStream::new();
    if let Assoc::Omitted(ty) = &task.run.state {
        appended.extend(quote!(type State = #ty;));
    }
    if let Assoc::Omitted(ty) = &task.run.output {
        appended.extend(quote!(type Output = #ty;));
    }
    match task.run.standing {
        Standing::Good => with_body(block, &block.body.stream(), &appended),
        Standing::Missing => {
            appended.extend(stub(task));
            with_body(block, &block.body.stream(), &appended)
        }
        Standing::Misfit(position) => {
            appended.extend(stub(task));
            let others = block.members.iter().enumerate().filter(|(at, _)| *at != position);
            let rest = others.map(|(_, member)| member.tokens.clone()).collect();
            let item = with_body(block, &rest, &appended);
            let aside = set_aside(block, Some(position));
            quote!(#item #aside)
        }
    }
}

fn with_body(block: &Block, members: &TokenStream, appended: &TokenStream) -> TokenStream {
    let mut body = Group::new(block.body.delimiter(), quote!(#members #appended));
    body.set_span(block.body.span());
    let head = &block.head;
    quote!(#head #body)
}

/// Stands in for a `run` that is not there, so that the trait is whole.
fn stub(task: &TaskImpl) -> TokenStream {
    let krate = &task.options.krate;
    quote! {
        async fn run(self, _: #krate::Context<Self::State>) -> #krate::TaskResult<Self::Output> {
            ::core::panic!()
        }
    }
}

/// A function that does not fit the trait still means something: as an inherent one it is checked, and an editor knows it.
fn set_aside(block: &Block, position: Option<usize>) -> TokenStream {
    let Some(function) = position.map(|position| &block.members[position].tokens) else {
        return TokenStream::new();
    };
    // The associated types are the trait's, and not every type may have functions of its own.
    if mentions_assoc(function.clone(), &["State", "Output"]) || !matches!(block.self_ty, Type::Path(_)) {
        return TokenStream::new();
    }
    let ty = &block.self_ty;
    let (generics, _, bounds) = block.generics.split_for_impl();
    quote! {
        #[allow(dead_code)]
        impl #generics #ty #bounds {
            #function
        }
    }
}

fn registered(task: &TaskImpl) -> TokenStream {
    let (krate, ty) = (&task.options.krate, &task.block.self_ty);
    let (generics, _, bounds) = task.block.generics.split_for_impl();
    let registration = registration(task);
    let state = state(task.run.state.ty());
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #generics #krate::Registered for #ty #bounds {
            const REGISTRATION: #krate::__private::Registration = #registration;

            fn state(states: &mut #krate::__private::Resolver<'_>) -> #krate::__private::Resolved {
                #state
            }
        }
    }
}

fn registration(task: &TaskImpl) -> TokenStream {
    let TaskImpl {
        block, options, name, ..
    } = task;
    let (krate, ty) = (&options.krate, &block.self_ty);
    let mut built = quote! {
        #krate::__private::Registration::task::<#ty>(#name, ::core::concat!(::core::file!(), ":", ::core::line!()))
    };
    if !options.aliases.is_empty() {
        let aliases = &options.aliases;
        built.extend(quote!(.aliases(&[#(#aliases),*])));
    }
    if let Some(queue) = &options.queue {
        built.extend(quote!(.queue(#queue)));
    }
    match &options.timeout {
        Some(Length::Millis(millis)) => {
            built.extend(quote!(.timeout(::core::time::Duration::from_millis(#millis))));
        }
        Some(Length::Constant(constant)) => built.extend(quote!(.timeout(#constant))),
        None => {}
    }
    built
}

/// A tuple is put together from parts, anything else is looked up as it is.
fn state(ty: &Type) -> TokenStream {
    match ty {
        Type::Tuple(_) => quote!(states.each::<#ty>()),
        _ => quote!(states.one::<#ty>()),
    }
}
