//! What stands between the parentheses of the attribute.

use std::fmt::Write as _;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Lit, Path, Token, parse_quote};

use super::Errors;
use super::check::{self, Limits};

/// An option that an attribute takes.
pub(super) struct Accepted {
    pub(super) name: &'static str,
    /// A value as it is shown in messages.
    pub(super) example: &'static str,
}

/// The options of a `Task`.
pub(super) const TASK: &[Accepted] = &[NAME, ALIASES, QUEUE, TIMEOUT, CRATE];

const NAME: Accepted = Accepted {
    name: "name",
    example: "\"SendWelcomeEmail\"",
};
const ALIASES: Accepted = Accepted {
    name: "aliases",
    example: "[\"OldName\"]",
};
const QUEUE: Accepted = Accepted {
    name: "queue",
    example: "\"emails\"",
};
const TIMEOUT: Accepted = Accepted {
    name: "timeout",
    example: "\"15m\"",
};
const CRATE: Accepted = Accepted {
    name: "crate",
    example: "\"path::to::cloud_tasks\"",
};

/// The options of `#[task]` on an `impl Task`, checked as far as literals go.
pub(crate) struct TaskOptions {
    pub(crate) krate: Path,
    pub(crate) name: Option<Expr>,
    pub(crate) aliases: Vec<Expr>,
    pub(crate) queue: Option<Expr>,
    pub(crate) timeout: Option<Length>,
}

/// A length of time.
pub(crate) enum Length {
    Millis(u64),
    /// A constant of type `Duration`.
    Constant(Expr),
}

impl TaskOptions {
    pub(super) fn parse(args: TokenStream, errors: &mut Errors) -> Self {
        let mut given = Given::parse(args, TASK, errors);
        let options = Self {
            krate: given.krate(errors),
            name: given.text(&NAME, check::task_name, errors),
            aliases: given.texts(&ALIASES, check::task_name, errors),
            queue: given.text(&QUEUE, check::queue_name, errors),
            timeout: given.length(&TIMEOUT, &check::DISPATCH_DEADLINE, errors),
        };
        refuse_repeated_names(options.name.iter().chain(&options.aliases), errors);
        options
    }
}

/// The options that were given, by name, each once.
struct Given(Vec<(Ident, Expr)>);

impl Given {
    /// Reads `key = value, ..`, and goes on behind the next comma after a mistake.
    fn parse(args: TokenStream, accepted: &[Accepted], errors: &mut Errors) -> Self {
        let mut given = Self(Vec::new());
        let read = |input: ParseStream<'_>| {
            while !input.is_empty() {
                match one(input, accepted) {
                    Ok((key, value)) => given.add(key, value, errors),
                    Err(error) => {
                        errors.push(error);
                        skip_to_comma(input);
                    }
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
        given
    }

    fn add(&mut self, key: Ident, value: Expr, errors: &mut Errors) {
        if self.0.iter().any(|(other, _)| *other == key) {
            errors.push(syn::Error::new_spanned(
                &key,
                format!("the option `{key}` is given twice"),
            ));
        } else {
            self.0.push((key, value));
        }
    }

    fn take(&mut self, option: &Accepted) -> Option<Expr> {
        let at = self.0.iter().position(|(key, _)| key == option.name)?;
        Some(ungroup(self.0.swap_remove(at).1))
    }

    fn text(&mut self, option: &Accepted, check: Check, errors: &mut Errors) -> Option<Expr> {
        let value = self.take(option)?;
        Some(text(value, option.name, check, option, errors))
    }

    fn texts(&mut self, option: &Accepted, check: Check, errors: &mut Errors) -> Vec<Expr> {
        match self.take(option) {
            None => Vec::new(),
            Some(Expr::Array(list)) => list
                .elems
                .into_iter()
                .map(|value| text(ungroup(value), "an alias", check, option, errors))
                .collect(),
            Some(other) => {
                errors.push(syn::Error::new_spanned(
                    other,
                    format!("`{}` takes a list: `{}`", option.name, option.usage()),
                ));
                Vec::new()
            }
        }
    }

    fn length(&mut self, option: &Accepted, limits: &Limits, errors: &mut Errors) -> Option<Length> {
        let value = self.take(option)?;
        let Some(literal) = literal(&value) else {
            return Some(Length::Constant(value));
        };
        let millis = match literal {
            Lit::Str(text) => check::duration(&text.value(), limits),
            Lit::Int(number) => Err(missing_quotes(number, option)),
            Lit::Float(_) => Err(format!(
                "`{}` takes whole numbers with their units: `{}`",
                option.name,
                option.usage()
            )),
            _ => Err(format!(
                "`{}` takes a length of time: `{}`",
                option.name,
                option.usage()
            )),
        };
        let millis = millis.map_err(|message| syn::Error::new_spanned(&value, message));
        errors.keep(millis).map(Length::Millis)
    }

    fn krate(&mut self, errors: &mut Errors) -> Path {
        let path = self.take(&CRATE).and_then(|value| {
            let path = match &value {
                Expr::Lit(syn::ExprLit {
                    lit: Lit::Str(text), ..
                }) => text.parse_with(Path::parse_mod_style),
                other => Path::parse_mod_style.parse2(other.to_token_stream()),
            };
            errors.keep(path.map_err(|_| {
                syn::Error::new_spanned(
                    &value,
                    format!("`crate` takes the path of a module: `{}`", CRATE.usage()),
                )
            }))
        });
        path.unwrap_or_else(|| parse_quote!(::cloud_tasks))
    }
}

type Check = fn(&str) -> Result<(), String>;

impl Accepted {
    fn usage(&self) -> String {
        format!("{} = {}", self.name, self.example)
    }
}

/// Reads one `key = value`.
fn one(input: ParseStream<'_>, accepted: &[Accepted]) -> syn::Result<(Ident, Expr)> {
    if !input.peek(Ident::peek_any) {
        let token: TokenTree = input.parse()?;
        return Err(syn::Error::new_spanned(
            token,
            format!("an option has a name: {}", listed(accepted)),
        ));
    }
    let key = Ident::parse_any(input)?;
    let Some(option) = accepted.iter().find(|option| key == option.name) else {
        return Err(unknown(&key, accepted));
    };
    let equals: Option<Token![=]> = if input.peek(Token![==]) {
        None
    } else {
        input.parse()?
    };
    if equals.is_none() || input.is_empty() || input.peek(Token![,]) {
        return Err(syn::Error::new_spanned(
            quote!(#key #equals),
            format!("`{key}` takes a value: `{}`", option.usage()),
        ));
    }
    let value = input.parse().map_err(|error| {
        syn::Error::new(
            error.span(),
            format!("`{key}` takes a constant: `{}`", option.usage()),
        )
    })?;
    Ok((key, value))
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

fn unknown(key: &Ident, accepted: &[Accepted]) -> syn::Error {
    let given = key.to_string();
    let mut message = format!("unknown option `{given}`");
    if let Some(meant) = closest(&given, accepted.iter().map(|option| option.name)) {
        let _ = write!(message, ": did you mean `{meant}`?");
    }
    let _ = write!(message, " (the options are {})", listed(accepted));
    syn::Error::new_spanned(key, message)
}

/// The name that was probably meant.
pub(super) fn closest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::jaro_winkler(&given.to_lowercase(), name), name))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

fn listed(accepted: &[Accepted]) -> String {
    let names: Vec<String> = accepted
        .iter()
        .map(|option| format!("`{}`", option.name))
        .collect();
    names.join(", ")
}

/// A value of type `&'static str`. A literal is checked, and one that is refused becomes an empty text, so that rustc
/// has nothing to add.
fn text(value: Expr, what: &str, check: Check, option: &Accepted, errors: &mut Errors) -> Expr {
    let message = match literal(&value) {
        None => return value,
        Some(Lit::Str(text)) => match check(&text.value()) {
            Ok(()) => return value,
            Err(message) => message,
        },
        Some(_) => format!("{} is a text: `{}`", quoted(what), option.usage()),
    };
    errors.push(syn::Error::new_spanned(value, message));
    parse_quote!("")
}

fn quoted(what: &str) -> String {
    if what.contains(' ') {
        what.to_owned()
    } else {
        format!("`{what}`")
    }
}

/// `15m` without quotes is a number with a suffix, and `15` says no unit.
fn missing_quotes(number: &syn::LitInt, option: &Accepted) -> String {
    let (digits, suffix) = (number.base10_digits(), number.suffix());
    if suffix.starts_with(['h', 'm', 's']) {
        format!(
            "`{}` is written in quotes: `{} = \"{digits}{suffix}\"`",
            option.name, option.name
        )
    } else {
        format!(
            "`{}` needs a unit: write `{} = \"{digits}s\"` or `{} = \"{digits}m\"`",
            option.name, option.name, option.name
        )
    }
}

/// A name that leads to one task twice is a slip of the hand.
fn refuse_repeated_names<'a>(names: impl Iterator<Item = &'a Expr>, errors: &mut Errors) {
    let mut seen = Vec::new();
    for value in names {
        if let Some(Lit::Str(text)) = literal(value) {
            let name = text.value();
            if !name.is_empty() && seen.contains(&name) {
                errors.push(syn::Error::new_spanned(
                    value,
                    format!("the task already answers to {name:?}"),
                ));
            }
            seen.push(name);
        }
    }
}

/// The literal that a value is, a sign in front included.
fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(literal) => Some(&literal.lit),
        Expr::Unary(negated) if matches!(negated.op, syn::UnOp::Neg(_)) => literal(&negated.expr),
        _ => None,
    }
}

/// A `macro_rules` fragment comes between delimiters that are not seen.
fn ungroup(mut value: Expr) -> Expr {
    while let Expr::Group(group) = value {
        value = *group.expr;
    }
    value
}
