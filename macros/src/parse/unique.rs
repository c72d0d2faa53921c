//! Parsing of `unique`, `unique(by = [..], window = ..)`.

use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Index, Lit, LitStr, Member, parenthesized};

use super::given::{Options, ends};
use super::options::{Accepted, BY, OF_UNIQUE, WINDOW};
use super::value::{literal, ungroup};
use super::{Errors, Length, Value};

/// The uniqueness options of a type.
pub(crate) struct Unique {
    /// Empty means all fields.
    pub(crate) fields: Vec<Field>,
    pub(crate) window: Option<Length>,
}

/// A field of the type, possibly nested.
pub(crate) struct Field {
    /// As written, without `r#`.
    pub(crate) name: String,
    pub(crate) members: Vec<Member>,
    pub(crate) span: Span,
}

impl Unique {
    /// Parses the options after the word. `None` if one is invalid.
    pub(super) fn read(
        input: ParseStream<'_>,
        key: &Ident,
        option: &Accepted,
        errors: &mut Errors,
    ) -> syn::Result<Option<Self>> {
        let mut given = Options::of(OF_UNIQUE);
        let mut found = Errors::default();
        if input.peek(syn::token::Paren) {
            let inner;
            parenthesized!(inner in input);
            let tokens: TokenStream = inner.parse()?;
            given.read(tokens, &mut found);
        } else if !ends(input) {
            return Err(syn::Error::new_spanned(
                key,
                format!(
                    "`{key}` does not take a value, but options in parentheses: write `{key}` or `{}`",
                    option.usage()
                ),
            ));
        }
        let fields = match given.take(&BY) {
            Some(Value::Fields(fields)) => fields,
            _ => Vec::new(),
        };
        let window = match given.take(&WINDOW) {
            Some(Value::Length(window)) => Some(window),
            _ => None,
        };
        let correct = found.is_empty();
        errors.append(found);
        Ok(correct.then_some(Self { fields, window }))
    }
}

/// Parses the list of fields. They are identifiers in the code, so each must be a literal.
pub(super) fn fields(value: Expr, option: &Accepted, errors: &mut Errors) -> syn::Result<Vec<Field>> {
    let usage = option.usage();
    let Expr::Array(list) = value else {
        return Err(syn::Error::new_spanned(
            value,
            format!("`by` takes a list of fields: `{usage}`"),
        ));
    };
    if list.elems.is_empty() {
        return Err(syn::Error::new_spanned(
            list,
            format!("`by` names no field: write one, as in `{usage}`, or leave it out for all arguments"),
        ));
    }
    let mut fields: Vec<Field> = Vec::new();
    for value in list.elems.into_iter().map(ungroup) {
        match field(&value, &usage) {
            Ok(field) if fields.iter().any(|other| other.name == field.name) => {
                let name = field.name;
                errors.push(syn::Error::new_spanned(
                    value,
                    format!("the field `{name}` is named twice"),
                ));
            }
            Ok(field) => fields.push(field),
            Err(error) => errors.push(error),
        }
    }
    Ok(fields)
}

fn field(value: &Expr, usage: &str) -> syn::Result<Field> {
    let Some(Lit::Str(text)) = literal(value) else {
        return Err(syn::Error::new_spanned(
            value,
            format!("a field is named by a string: `{usage}`"),
        ));
    };
    let members: Option<Vec<Member>> = text.value().split('.').map(|name| member(name, text)).collect();
    let members = members.ok_or_else(|| {
        syn::Error::new_spanned(
            text,
            format!(
                "{:?} is not a field: write its name as it is in the type, with `.` before one of a nested type, as in `{usage}`",
                text.value()
            ),
        )
    })?;
    let names: Vec<String> = members.iter().map(name_of).collect();
    Ok(Field {
        name: names.join("."),
        members,
        span: text.span(),
    })
}

/// A field by its name, or by its number in a tuple, with the span of the text.
fn member(name: &str, text: &LitStr) -> Option<Member> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        let index = name.parse().ok()?;
        return Some(Member::Unnamed(Index {
            index,
            span: text.span(),
        }));
    }
    let bare = name.strip_prefix("r#").unwrap_or(name);
    let mut ident = Ident::parse_any.parse_str(bare).ok()?;
    // Whitespace is skipped, and no field has the name of a path's first segment.
    if ident != bare || ["_", "self", "Self", "super", "crate"].contains(&bare) {
        return None;
    }
    if syn::parse_str::<Ident>(bare).is_err() {
        ident = Ident::new_raw(bare, text.span());
    }
    ident.set_span(text.span());
    Some(Member::Named(ident))
}

fn name_of(member: &Member) -> String {
    match member {
        Member::Named(name) => name.unraw().to_string(),
        Member::Unnamed(index) => index.index.to_string(),
    }
}
