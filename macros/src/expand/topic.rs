//! Expansion of a topic.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, Path};

use crate::parse::{Source, TaskImpl, Topic};

/// `fn topic`, unless the user writes it.
pub(super) fn function(task: &TaskImpl) -> Option<TokenStream> {
    let crate_path = &task.crate_path;
    let topic = task.topic.as_ref().map(|topic| built(task, topic))?;
    Some(quote! {
        fn topic() -> #crate_path::__private::Topic {
            #topic
        }
    })
}

/// A topic from its base name or its full path.
pub(super) fn named(crate_path: &Path, name: &Expr) -> TokenStream {
    let name = constant(name);
    quote!(#crate_path::__private::Topic::new(#name))
}

fn built(task: &TaskImpl, topic: &Topic) -> TokenStream {
    let crate_path = &task.crate_path;
    let built = match &topic.source {
        Source::Named(name) => named(crate_path, name),
        Source::Absolute(name) => {
            let name = constant(name);
            quote!(#crate_path::__private::Topic::absolute(#name))
        }
        Source::Labelled { label, model } => {
            let label = constant(label);
            quote!(#crate_path::__private::Topic::model(#label, #model))
        }
        Source::OfModel => {
            let ty = &task.block.self_ty;
            // The span makes rustc report a model without a label at its name.
            let model = task.function.find("Model").map(|model| model.ty.span());
            let model = quote_spanned!(model.unwrap_or_else(|| ty.span())=> <#ty as #crate_path::ModelPublisherTask>::Model);
            quote!(#crate_path::__private::Topic::of_model::<#model>())
        }
        Source::OfContent => {
            // The span makes rustc report content without a topic at its name.
            let content = task.function.find("Content").map(|content| &content.ty);
            quote!(<#content as #crate_path::Event>::topic())
        }
        Source::Unknown => return quote!(::core::panic!()),
    };
    let owned = topic.app.as_ref().map(|app| {
        let app = constant(app);
        quote!(.of_app(#app))
    });
    quote!(#built #owned)
}

/// A text that must be constant, as in a registration.
fn constant(text: &Expr) -> TokenStream {
    match text {
        Expr::Lit(literal) => quote!(#literal),
        other => quote! {
            const {
                let text: &'static str = #other;
                text
            }
        },
    }
}
