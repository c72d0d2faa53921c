//! Parsing of the options in parentheses: `key = value, ..`.

use std::fmt::Write as _;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Lit, Path, Token, parse_quote};

use super::kind::{Kind, all_of};
use super::options::{Accepted, CRATE, Form};
use super::synonyms;
use super::tokens::{closest, closest_first};
use super::unique::Unique;
use super::value::literal;
use super::{Errors, Setting, Value};

/// The given options, each once.
pub(super) struct Options {
    /// The trait of the impl block, if these are the options of the attribute on it.
    kind: Option<Kind>,
    accepted: &'static [Accepted],
    entries: Vec<Entry>,
    /// The names that misspelled options were probably intended to be.
    intended: Vec<&'static str>,
}

struct Entry {
    option: &'static Accepted,
    key: Ident,
    /// `None` if it is invalid or already taken.
    value: Option<Value>,
}

impl Options {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind: Some(kind),
            ..Self::of(kind.options())
        }
    }

    /// Options in nested parentheses.
    pub(super) fn of(accepted: &'static [Accepted]) -> Self {
        Self {
            kind: None,
            accepted,
            entries: Vec::new(),
            intended: Vec::new(),
        }
    }

    /// Parses `key = value, ..`, and continues after the next comma after an error.
    pub(super) fn read(&mut self, args: TokenStream, errors: &mut Errors) {
        let read = |input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = self.one(input, errors) {
                    errors.push(error);
                    skip_to_comma(input);
                }
                if let Err(error) = comma(input) {
                    errors.push(error);
                    skip_to_comma(input);
                    let _: Option<Token![,]> = input.parse()?;
                }
            }
            Ok(())
        };
        if let Err(error) = read.parse2(args) {
            errors.push(error);
        }
    }

    /// Parses one `key = value`.
    fn one(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        if !input.peek(Ident::peek_any) {
            let token: TokenTree = input.parse()?;
            return Err(syn::Error::new_spanned(
                token,
                "an option is written `name = value`; the documentation of the attribute lists them",
            ));
        }
        let key = Ident::parse_any(input)?;
        let Some(option) = self.accepted.iter().find(|option| key == option.name) else {
            return Err(self.unknown(&key));
        };
        if self.key(option).is_some() {
            errors.push(syn::Error::new_spanned(
                &key,
                format!("the option `{key}` is given twice"),
            ));
            skip_to_comma(input);
            return Ok(());
        }
        let (value, result) = match option.form {
            Form::Unique => match Unique::read(input, &key, option, errors) {
                Ok(unique) => (unique.map(Value::Unique), Ok(())),
                Err(error) => (None, Err(error)),
            },
            _ => match expression(input, &key, option) {
                Ok(value) => (option.form.read(value, option, errors), Ok(())),
                Err(error) => (None, Err(error)),
            },
        };
        self.entries.push(Entry { option, key, value });
        result
    }

    fn unknown(&mut self, key: &Ident) -> syn::Error {
        let given = key.to_string();
        let accepted = self.accepted;
        let elsewhere = Kind::accepting(key);
        let synonym = synonyms::of(&given).find(|name| accepted.iter().any(|option| option.name == *name));
        if let Some(kind) = self.kind.filter(|_| !elsewhere.is_empty()) {
            let mut message = format!(
                "`{given}` is an option of {}, not of `{}`",
                all_of(elsewhere.into_iter()),
                kind.trait_name()
            );
            if let Some(intended) = synonym {
                let _ = write!(message, ", which has `{intended}`");
            }
            return syn::Error::new_spanned(key, message);
        }
        let mut message = format!("unknown option `{given}`");
        if let Some(call) = synonyms::call_for(&given).filter(|_| self.kind.is_some()) {
            let _ = write!(message, ": it belongs to a call, as in `{call}`");
            return syn::Error::new_spanned(key, message);
        }
        if let Some(intended) = synonym {
            let _ = write!(message, ": did you mean `{intended}`?");
            self.intended.push(intended);
            return syn::Error::new_spanned(key, message);
        }
        if let Some(intended) = closest(&given, accepted.iter().map(|option| option.name)) {
            let _ = write!(message, ": did you mean `{intended}`?");
            self.intended.push(intended);
        }
        let _ = write!(message, " ({})", nearest(&given, accepted));
        syn::Error::new_spanned(key, message)
    }

    fn entry(&self, option: &Accepted) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.option.name == option.name)
    }

    /// Whether this attribute accepts the option.
    pub(super) fn accepts(&self, option: &Accepted) -> bool {
        self.accepted.iter().any(|known| known.name == option.name)
    }

    /// The name of an option as written, whatever its value.
    pub(super) fn key(&self, option: &Accepted) -> Option<&Ident> {
        self.entry(option).map(|entry| &entry.key)
    }

    /// Whether an option was given, or probably intended.
    pub(super) fn has(&self, option: &Accepted) -> bool {
        self.key(option).is_some() || self.intended.contains(&option.name)
    }

    pub(super) fn value(&self, option: &Accepted) -> Option<&Value> {
        self.entry(option)?.value.as_ref()
    }

    /// Whether an option is the literal `true`; `build()` checks constants.
    pub(super) fn is_on(&self, option: &Accepted) -> bool {
        match self.value(option) {
            Some(Value::Constant(value)) => matches!(literal(value), Some(Lit::Bool(on)) if on.value),
            _ => false,
        }
    }

    /// The text of an option, if it is a valid literal.
    pub(super) fn text(&self, option: &Accepted) -> Option<String> {
        let (Value::Constant(value) | Value::Topic(value)) = self.value(option)? else {
            return None;
        };
        match literal(value) {
            Some(Lit::Str(text)) => Some(text.value()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    pub(super) fn take(&mut self, option: &Accepted) -> Option<Value> {
        let mut entries = self.entries.iter_mut();
        entries
            .find(|entry| entry.option.name == option.name)?
            .value
            .take()
    }

    /// Takes the text of an option; an empty one if it is invalid, so that no default replaces it.
    pub(super) fn take_text(&mut self, option: &Accepted) -> Option<Expr> {
        match self.take(option) {
            Some(Value::Constant(text)) => Some(text),
            _ => self.has(option).then(|| parse_quote!("")),
        }
    }

    pub(super) fn take_crate(&mut self) -> Path {
        match self.take(&CRATE) {
            Some(Value::Path(path)) => path,
            _ => parse_quote!(::cloud_tasks),
        }
    }

    /// Takes the given ones of some options, in their listed order.
    pub(super) fn take_settings(&mut self, options: &'static [Accepted]) -> Vec<Setting> {
        let taken = options.iter().filter_map(|option| {
            let value = self.take(option)?;
            let name = option.name;
            Some(Setting { name, value })
        });
        taken.collect()
    }

    /// The options that were not taken, in their listed order.
    pub(super) fn into_settings(mut self) -> Vec<Setting> {
        self.take_settings(self.accepted)
    }
}

/// Whether an option ends here.
pub(super) fn ends(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}

/// Parses `= value`, or nothing after a flag.
fn expression(input: ParseStream<'_>, key: &Ident, option: &Accepted) -> syn::Result<Expr> {
    if matches!(option.form, Form::Flag) && ends(input) {
        let yes = syn::LitBool::new(true, key.span());
        return Ok(parse_quote!(#yes));
    }
    let equals: Option<Token![=]> = if input.peek(Token![==]) {
        None
    } else {
        input.parse()?
    };
    if equals.is_none() || ends(input) {
        return Err(syn::Error::new_spanned(
            quote!(#key #equals),
            format!("`{key}` takes a value: `{}`", option.usage()),
        ));
    }
    input.parse().map_err(|error| {
        syn::Error::new(
            error.span(),
            format!("`{key}` takes a constant: `{}`", option.usage()),
        )
    })
}

fn comma(input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() || input.parse::<Option<Token![,]>>()?.is_some() {
        return Ok(());
    }
    Err(input.error("expected `,` before the next option"))
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

/// All options if there are few, otherwise those whose names are most like the given one.
fn nearest(given: &str, accepted: &[Accepted]) -> String {
    const FEW: usize = 6;
    let mut names: Vec<&str> = accepted.iter().map(|option| option.name).collect();
    let some = names.len() > FEW;
    if some {
        names = closest_first(given, names);
        names.truncate(FEW / 2);
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let names = names.join(", ");
    if some {
        format!("the nearest options are {names}; its documentation lists all")
    } else {
        format!("the options are {names}")
    }
}
