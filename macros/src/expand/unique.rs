//! Expansion of the uniqueness options.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::length;
use crate::parse::TaskImpl;

/// The call that sets the option of the registration.
pub(super) fn option(task: &TaskImpl) -> Option<TokenStream> {
    let unique = task.unique.as_ref()?;
    let crate_path = &task.crate_path;
    let by = (!unique.fields.is_empty()).then(|| quote!(.by_fields()));
    let window = unique.window.as_ref().map(length);
    let window = window.map(|window| quote!(.window(#window)));
    Some(quote! {
        .unique(const { &#crate_path::__private::UniqueOptions::new() #by #window })
    })
}

/// The function that reads fields of a task. The span makes rustc report a missing field at its name.
pub(super) fn fields(task: &TaskImpl) -> Option<TokenStream> {
    let unique = task.unique.as_ref().filter(|unique| !unique.fields.is_empty())?;
    let crate_path = &task.crate_path;
    // Without a span: if the text comes from a `macro_rules`, spanned names would be different identifiers.
    let (this, to) = (quote!(self), quote!(fields));
    let added = unique.fields.iter().map(|field| {
        let (name, members) = (&field.name, &field.members);
        quote_spanned!(field.span=> #to.add(#name, &#this #(.#members)*);)
    });
    Some(quote! {
        fn __unique_fields(&self, #to: &mut #crate_path::__private::UniqueFields) {
            #(#added)*
        }
    })
}
