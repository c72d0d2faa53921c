//! The user's impl block with the generated members.

use proc_macro2::{Group, Ident, Span, TokenStream};
use quote::quote;
use syn::Type;

use super::topic;
use crate::parse::{Block, Kind, Origin, TaskImpl, mentions_assoc};

/// The trait cannot be implemented at all: keeps the user's function, and uses the trait's name.
pub(super) fn impossible(task: &TaskImpl) -> TokenStream {
    let block = &task.block;
    let path = &block.trait_path;
    let function = task.kind.function().and_then(|name| block.function(name));
    let aside = set_aside(task, function);
    quote! {
        #aside
        const _: () = {
            #[allow(dead_code)]
            fn implemented<T: #path>() {}
        };
    }
}

/// The user's impl block with the omitted members. A function that does not fit the trait is replaced by a stub.
pub(super) fn item(task: &TaskImpl) -> TokenStream {
    let block = &task.block;
    let appended = appended(task);
    let misfits = &task.function.aside;
    if misfits.is_empty() {
        return with_body(block, &block.body.stream(), &appended);
    }
    let others = block
        .members
        .iter()
        .enumerate()
        .filter(|(at, _)| !misfits.contains(at));
    let rest = others.map(|(_, member)| member.tokens.clone()).collect();
    let item = with_body(block, &rest, &appended);
    let aside = misfits.iter().map(|at| set_aside(task, Some(*at)));
    quote!(#item #(#aside)*)
}

fn appended(task: &TaskImpl) -> TokenStream {
    let mut appended = TokenStream::new();
    for assoc in &task.function.types {
        if assoc.origin != Origin::Written {
            let (name, ty) = (Ident::new(assoc.name, Span::call_site()), &assoc.ty);
            appended.extend(quote!(type #name = #ty;));
        }
    }
    if task.kind == Kind::Subscriber {
        appended.extend(topic::function(task));
        appended.extend(parse(task));
    }
    if task.kind.is_event() && block_encodes(task) {
        appended.extend(quote!(
            const __ENCODES: bool = true;
        ));
    }
    if task.function.stub {
        appended.extend(stub(task));
    }
    appended
}

/// Whether the user writes the encoder of an event.
fn block_encodes(task: &TaskImpl) -> bool {
    task.block.function("encode").is_some()
}

/// Parses the content from JSON, unless the user implements it.
fn parse(task: &TaskImpl) -> Option<TokenStream> {
    if task.block.function("parse").is_some() {
        return None;
    }
    let crate_path = &task.crate_path;
    // The span makes rustc report content without `Deserialize` at its name.
    let content = &task.function.find("Content")?.ty;
    Some(quote! {
        fn parse(data: &[u8]) -> ::core::result::Result<Self::Content, #crate_path::BoxError> {
            #crate_path::__private::parse_json::<#content>(data)
        }
    })
}

/// A stub for a missing function, so that the trait is complete.
fn stub(task: &TaskImpl) -> TokenStream {
    let crate_path = &task.crate_path;
    let signature = match task.kind {
        Kind::Task => quote! {
            async fn run(self, _: #crate_path::Context<Self::State>) -> #crate_path::TaskResult<Self::Output>
        },
        Kind::Handler => quote! {
            async fn run(
                _: Self::Task,
                _: #crate_path::Context<Self::State>
            ) -> #crate_path::TaskResult<Self::Output>
        },
        Kind::Subscriber => quote! {
            async fn run(
                _: #crate_path::Message<Self::Content, Self::Attributes>,
                _: #crate_path::Context<Self::State>
            ) -> #crate_path::TaskResult<Self::Output>
        },
        Kind::ModelPublisher => quote!(fn content(_: &Self::Model, _: &Self::Extra) -> Self),
        Kind::SharedTask | Kind::Publisher => return TokenStream::new(),
    };
    quote!(#signature { ::core::panic!() })
}

fn with_body(block: &Block, members: &TokenStream, appended: &TokenStream) -> TokenStream {
    let mut body = Group::new(block.body.delimiter(), quote!(#members #appended));
    body.set_span(block.body.span());
    let head = &block.head;
    quote!(#head #body)
}

/// Keeps a function that does not fit the trait as an inherent one, so that rustc checks it and an editor knows it.
fn set_aside(task: &TaskImpl, position: Option<usize>) -> TokenStream {
    let block = &task.block;
    let Some(function) = position.map(|position| &block.members[position].tokens) else {
        return TokenStream::new();
    };
    // It may use the trait's associated types, and not every type can have inherent functions.
    if mentions_assoc(function.clone(), task.kind.types()) || !matches!(block.self_ty, Type::Path(_)) {
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
