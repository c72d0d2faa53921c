//! Helpers for unparsed tokens.

use proc_macro2::{Delimiter, Group, Spacing, Span, TokenStream, TokenTree};

/// Removes the invisible delimiters around a `macro_rules` fragment.
pub(super) fn unwrap_invisible(input: TokenStream) -> TokenStream {
    match only(input.clone()) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::None => {
            unwrap_invisible(group.stream())
        }
        _ => input,
    }
}

pub(super) fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}

/// Whether these are the braces of a body.
pub(super) fn is_braces(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else {
        return false;
    };
    match group.delimiter() {
        Delimiter::Brace => true,
        // A `block` fragment.
        Delimiter::None => only(group.stream()).is_some_and(|token| is_braces(&token)),
        Delimiter::Parenthesis | Delimiter::Bracket => false,
    }
}

pub(super) fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

pub(super) fn empty_braces(span: Span) -> TokenTree {
    let mut braces = Group::new(Delimiter::Brace, TokenStream::new());
    braces.set_span(span);
    braces.into()
}

/// Whether a `>` directly after these tokens belongs to `->` or `=>`, and closes nothing.
pub(super) fn opens_arrow(tokens: &[TokenTree]) -> bool {
    matches!(tokens.last(), Some(TokenTree::Punct(punct))
        if matches!(punct.as_char(), '-' | '=') && punct.spacing() == Spacing::Joint)
}

/// Whether this is `#!`, the start of an inner attribute.
pub(super) fn opens_inner_attribute(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [hash, bang] if is_punct(hash, '#') && is_punct(bang, '!'))
}

/// Whether the tokens contain `'_`.
pub(super) fn has_elided_lifetime(tokens: TokenStream) -> bool {
    flatten(tokens)
        .windows(2)
        .any(|pair| is_punct(&pair[0], '\'') && is_ident(&pair[1], "_"))
}

/// Whether the tokens contain one of these words.
pub(super) fn has_word(tokens: TokenStream, words: &[&str]) -> bool {
    flatten(tokens)
        .iter()
        .any(|token| matches!(token, TokenTree::Ident(ident) if words.iter().any(|word| ident == word)))
}

/// Whether the tokens contain `Self::{one of the names}`.
pub(crate) fn mentions_assoc(tokens: TokenStream, names: &[&str]) -> bool {
    flatten(tokens).windows(4).any(|window| {
        is_ident(&window[0], "Self")
            && is_punct(&window[1], ':')
            && is_punct(&window[2], ':')
            && names.iter().any(|name| is_ident(&window[3], name))
    })
}

/// The tokens as text, without the spaces that a token stream prints around `<`, `::` and `&`.
pub(super) fn flat(tokens: &TokenStream) -> String {
    let tight = [
        (" :: ", "::"),
        (":: ", "::"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        ("& ", "&"),
        (" ,", ","),
    ];
    tight.iter().fold(tokens.to_string(), |text, (wide, tight)| {
        text.replace(wide, tight)
    })
}

/// The name that was probably intended.
pub(super) fn closest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    names
        .map(|name| (strsim::jaro_winkler(&given, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

/// The names, beginning with the one that is most like the given one.
pub(super) fn closest_first<'a>(given: &str, mut names: Vec<&'a str>) -> Vec<&'a str> {
    let given = given.to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&given, &name.to_lowercase());
    names.sort_by(|first, second| likeness(second).total_cmp(&likeness(first)));
    names
}

fn only(tokens: TokenStream) -> Option<TokenTree> {
    let mut tokens = tokens.into_iter();
    let first = tokens.next()?;
    tokens.next().is_none().then_some(first)
}

/// All tokens, with groups flattened and without their delimiters.
fn flatten(tokens: TokenStream) -> Vec<TokenTree> {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Group(group) => flatten(group.stream()),
            other => vec![other],
        })
        .collect()
}
