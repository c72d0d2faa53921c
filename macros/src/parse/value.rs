//! The values of options: a literal is checked, a constant is used as it is.

use cloud_tasks_rules::limits::Numbers;
use quote::ToTokens as _;
use syn::parse::Parser as _;
use syn::{Expr, ExprLit, Lit, LitInt, Path, UnOp, parse_quote};

use super::Errors;
use super::duration::Limits;
use super::options::{Accepted, Form};
use super::unique::{self, Field, Unique};

pub(super) type Check = fn(&str) -> Result<(), String>;

/// A value for the expansion.
pub(crate) enum Value {
    /// A text, a number or a boolean.
    Constant(Expr),
    List(Vec<Expr>),
    Length(Length),
    /// A text that names a topic.
    Topic(Expr),
    Path(Path),
    /// A list of field names.
    Fields(Vec<Field>),
    Unique(Unique),
}

/// A duration.
#[allow(clippy::large_enum_variant, reason = "one per attribute")]
pub(crate) enum Length {
    Millis(u64),
    /// `"never"`.
    Endless,
    /// A constant of type `Duration`.
    Constant(Expr),
}

impl Form {
    /// `None` if the value is invalid; an invalid text becomes an empty one.
    pub(super) fn read(&self, value: Expr, option: &Accepted, errors: &mut Errors) -> Option<Value> {
        let value = ungroup(value);
        let read = match self {
            Self::Text(check) => Ok(Value::Constant(text(value, None, *check, option, errors))),
            Self::Topic(check) => Ok(Value::Topic(text(value, None, *check, option, errors))),
            Self::Texts(check) => list(value, *check, option, errors).map(Value::List),
            Self::LengthOrNever(_) if is_never(&value) => Ok(Value::Length(Length::Endless)),
            Self::Length(limits) | Self::LengthOrNever(limits) => {
                length(value, limits, option).map(Value::Length)
            }
            Self::Number(numbers) => number(value, *numbers, option).map(Value::Constant),
            Self::Bool | Self::Flag => truth(value, option).map(Value::Constant),
            Self::Pairs => pairs(value, option),
            Self::Any => Ok(Value::Constant(value)),
            Self::Path => path(&value, option).map(Value::Path),
            Self::Fields => unique::fields(value, option, errors).map(Value::Fields),
            // Not an expression, and parsed elsewhere.
            Self::Unique => return None,
        };
        errors.ok(read)
    }
}

/// A value of type `&'static str`. An invalid one becomes an empty text, so that rustc reports nothing more.
fn text(value: Expr, item: Option<&str>, check: Check, option: &Accepted, errors: &mut Errors) -> Expr {
    let message = match literal(&value) {
        None => return value,
        Some(Lit::Str(text)) => match check(&text.value()) {
            Ok(()) => return value,
            Err(message) => message,
        },
        Some(_) => {
            let what = item.map_or_else(|| format!("`{}`", option.name), str::to_owned);
            format!("{what} is a string: `{}`", option.usage())
        }
    };
    errors.push(syn::Error::new_spanned(value, message));
    parse_quote!("")
}

fn list(value: Expr, check: Check, option: &Accepted, errors: &mut Errors) -> syn::Result<Vec<Expr>> {
    let Expr::Array(list) = value else {
        return Err(syn::Error::new_spanned(
            value,
            format!("`{}` takes a list: `{}`", option.name, option.usage()),
        ));
    };
    let texts = list.elems.into_iter();
    Ok(texts
        .map(|value| text(ungroup(value), Some("an alias"), check, option, errors))
        .collect())
}

fn length(value: Expr, limits: &Limits, option: &Accepted) -> syn::Result<Length> {
    let Some(literal) = literal(&value) else {
        return Ok(Length::Constant(value));
    };
    let millis = match literal {
        Lit::Str(text) => limits.read(&text.value()),
        Lit::Int(number) => Err(missing_quotes(number, limits, option)),
        Lit::Float(_) => Err(format!(
            "`{}` takes whole numbers with their units: `{}`",
            option.name,
            option.usage()
        )),
        _ => Err(format!(
            "`{}` takes a duration: `{}`",
            option.name,
            option.usage()
        )),
    };
    millis
        .map(Length::Millis)
        .map_err(|message| syn::Error::new_spanned(&value, message))
}

/// `15m` without quotes is a number with a suffix, and `15` has no unit.
fn missing_quotes(number: &LitInt, limits: &Limits, option: &Accepted) -> String {
    let (name, digits, suffix) = (option.name, number.base10_digits(), number.suffix());
    if suffix.starts_with(['d', 'h', 'm', 's']) {
        format!("`{name}` is written in quotes: `{name} = \"{digits}{suffix}\"`")
    } else {
        let intended = limits.with_unit(digits, |value| format!("`{name} = {value}`"));
        format!("`{name}` needs a unit: {intended}")
    }
}

fn is_never(value: &Expr) -> bool {
    matches!(literal(value), Some(Lit::Str(text)) if text.value() == "never")
}

fn number(value: Expr, accepted: Numbers, option: &Accepted) -> syn::Result<Expr> {
    let fits = match (literal(&value), &value) {
        (None, _) => true,
        (Some(Lit::Int(number)), Expr::Lit(_)) => {
            matches!(number.suffix(), "" | "u32")
                && number
                    .base10_parse()
                    .is_ok_and(|number: u32| accepted.contain(number))
        }
        (Some(_), _) => false,
    };
    if fits {
        return Ok(value);
    }
    let Numbers { min, max } = accepted;
    Err(syn::Error::new_spanned(
        value,
        format!(
            "`{}` takes a whole number from {min} to {max}: `{}`",
            option.name,
            option.usage()
        ),
    ))
}

/// Pairs of texts in brackets, or a constant slice of pairs.
fn pairs(value: Expr, option: &Accepted) -> syn::Result<Value> {
    if let Some(literal) = literal(&value) {
        return Err(not_pairs(literal, option));
    }
    let Expr::Array(list) = value else {
        return Ok(Value::Constant(value));
    };
    for pair in &list.elems {
        let fits = |part: &Expr| matches!(literal(part), None | Some(Lit::Str(_)));
        let is_pair = match pair {
            Expr::Tuple(pair) => pair.elems.len() == 2 && pair.elems.iter().all(fits),
            other => literal(other).is_none(),
        };
        if !is_pair {
            return Err(not_pairs(pair, option));
        }
    }
    Ok(Value::List(list.elems.into_iter().collect()))
}

fn not_pairs(value: impl quote::ToTokens, option: &Accepted) -> syn::Error {
    syn::Error::new_spanned(
        value,
        format!("`{}` takes pairs of strings: `{}`", option.name, option.usage()),
    )
}

fn truth(value: Expr, option: &Accepted) -> syn::Result<Expr> {
    if matches!(literal(&value), None | Some(Lit::Bool(_))) {
        return Ok(value);
    }
    Err(syn::Error::new_spanned(
        value,
        format!("`{}` is `true` or `false`: `{}`", option.name, option.usage()),
    ))
}

fn path(value: &Expr, option: &Accepted) -> syn::Result<Path> {
    let path = match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text), ..
        }) => text.parse_with(Path::parse_mod_style),
        other => Path::parse_mod_style.parse2(other.to_token_stream()),
    };
    path.map_err(|_| {
        syn::Error::new_spanned(
            value,
            format!(
                "`{}` takes the path of a module: `{}`",
                option.name,
                option.usage()
            ),
        )
    })
}

/// The literal of a value, including its sign.
pub(super) fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(literal) => Some(&literal.lit),
        Expr::Unary(negated) if matches!(negated.op, UnOp::Neg(_)) => literal(&negated.expr),
        _ => None,
    }
}

/// Removes the invisible delimiters around a `macro_rules` fragment.
pub(super) fn ungroup(mut value: Expr) -> Expr {
    while let Expr::Group(group) = value {
        value = *group.expr;
    }
    value
}
