//! Parsing of `#[derive(Model)]`.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{Attribute, Data, DeriveInput, Expr, Generics, LitStr, Meta, Path, parse_quote};

use super::given::Options;
use super::options::{APP_LABEL, MODEL, MODEL_NAME};
use super::{Errors, check};

/// A parsed model, possibly incomplete.
pub(crate) struct Model {
    pub(crate) crate_path: Path,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) app_label: Expr,
    pub(crate) name: Expr,
}

const USAGE: &str = "`#[model(app_label = \"sales\")]`";

impl Model {
    /// `None` if rustc rejects the type anyway.
    pub(crate) fn parse(item: TokenStream) -> (Option<Self>, Errors) {
        let mut errors = Errors::default();
        let input = errors.ok(syn::parse2::<DeriveInput>(item));
        let model = input.map(|input| Self::read(input, &mut errors));
        (model, errors)
    }

    fn read(input: DeriveInput, errors: &mut Errors) -> Self {
        let mut given = Options::of(MODEL);
        let mut misshapen = false;
        for attribute in input.attrs.iter().filter(|attribute| is_ours(attribute)) {
            match &attribute.meta {
                Meta::List(list) => given.read(list.tokens.clone(), errors),
                other => {
                    misshapen = true;
                    errors.push(syn::Error::new_spanned(
                        other,
                        format!("`model` takes options in parentheses: write {USAGE}"),
                    ));
                }
            }
        }
        refuse_inside(&input.data, errors);
        let label = given.take_text(&APP_LABEL).unwrap_or_else(|| {
            if !misshapen {
                errors.push(syn::Error::new_spanned(
                    &input.ident,
                    format!(
                        "`{}` needs an app label, the first part of its topic's name: write {USAGE}",
                        input.ident
                    ),
                ));
            }
            parse_quote!("")
        });
        let name = given
            .take_text(&MODEL_NAME)
            .unwrap_or_else(|| default_name(&input.ident, errors));
        Self {
            crate_path: given.take_crate(),
            ident: input.ident,
            generics: input.generics,
            app_label: label,
            name,
        }
    }
}

fn default_name(ident: &Ident, errors: &mut Errors) -> Expr {
    let name = ident.unraw().to_string().to_lowercase();
    if let Err(message) = check::model_name(&name) {
        errors.push(syn::Error::new_spanned(
            ident,
            format!("{message}; write `#[model(name = \"..\")]`"),
        ));
    }
    let literal = LitStr::new(&name, ident.span());
    parse_quote!(#literal)
}

fn is_ours(attribute: &Attribute) -> bool {
    attribute.path().is_ident("model")
}

/// Fields and variants have no options.
fn refuse_inside(data: &Data, errors: &mut Errors) {
    let mut attributes: Vec<&Attribute> = Vec::new();
    match data {
        Data::Struct(data) => attributes.extend(data.fields.iter().flat_map(|field| &field.attrs)),
        Data::Union(data) => attributes.extend(data.fields.named.iter().flat_map(|field| &field.attrs)),
        Data::Enum(data) => {
            for variant in &data.variants {
                attributes.extend(&variant.attrs);
                attributes.extend(variant.fields.iter().flat_map(|field| &field.attrs));
            }
        }
    }
    for attribute in attributes.into_iter().filter(|attribute| is_ours(attribute)) {
        errors.push(syn::Error::new_spanned(
            attribute.to_token_stream(),
            format!("`model` has options of the type alone: write {USAGE} above it"),
        ));
    }
}
