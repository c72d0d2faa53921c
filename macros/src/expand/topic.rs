//! The function that names a topic.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, Path};

use crate::parse::{Source, TaskImpl, Topic};

/// `fn topic`, where the attribute writes it.
pub(super) fn function(task: &TaskImpl) -> Option<TokenStream> {
    let crate_path = &task.crate_path;
    let topic = task.topic.as_ref().map(|topic| built(task, topic))?;
    Some(quote! {
        fn topic() -> #crate_path::__private::Topic {
            #topic
        }
    })
}

/// A topic by its base name or its full path.
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
            // A model without a name is reported where it is named.
            let model = task.function.find("Model").map(|model| model.ty.span());
            let model = quote_spanned!(model.unwrap_or_else(|| ty.span())=> <#ty as #crate_path::ModelPublisherTask>::Model);
            quote!(#crate_path::__private::Topic::of_model::<#model>())
        }
        Source::OfContent => {
            // And so is content without a topic.
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

/// A text that has to be constant, as those of the registration are.
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
