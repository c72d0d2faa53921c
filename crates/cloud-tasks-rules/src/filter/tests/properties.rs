//! Properties of every text, every filter and every message.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::filter::Filter;

type Attributes = BTreeMap<String, String>;

/// A filter as this test understands it, independent of the parser's expression.
#[derive(Clone, Debug)]
enum Ast {
    Has(String),
    Equals(String, String),
    Differs(String, String),
    HasPrefix(String, String),
    Not(Box<Ast>),
    All(Vec<Ast>),
    Any(Vec<Ast>),
}

impl Ast {
    fn evaluate(&self, attributes: &Attributes) -> bool {
        match self {
            Self::Has(key) => attributes.contains_key(key),
            Self::Equals(key, value) => attributes.get(key) == Some(value),
            Self::Differs(key, value) => attributes.get(key) != Some(value),
            Self::HasPrefix(key, prefix) => match attributes.get(key) {
                Some(value) => value.as_bytes().get(..prefix.len()) == Some(prefix.as_bytes()),
                None => false,
            },
            Self::Not(inner) => !inner.evaluate(attributes),
            Self::All(parts) => !parts.iter().any(|part| !part.evaluate(attributes)),
            Self::Any(parts) => parts.iter().filter(|part| part.evaluate(attributes)).count() > 0,
        }
    }

    fn print(&self, style: &mut Style) -> String {
        let (s, t) = (style.space(), style.space());
        match self {
            Self::Has(key) => format!("attributes{s}:{t}{}", style.key(key)),
            Self::Equals(key, value) => {
                format!("attributes.{}{s}={t}{}", style.key(key), style.string(value))
            }
            Self::Differs(key, value) => {
                format!("attributes.{}{s}!={t}{}", style.key(key), style.string(value))
            }
            Self::HasPrefix(key, prefix) => {
                format!(
                    "hasPrefix{s}(attributes.{},{t}{})",
                    style.key(key),
                    style.string(prefix)
                )
            }
            Self::Not(inner) => format!(
                "{}{}",
                style.pick(&["NOT ", "-", "NOT\n", "- "]),
                inner.part(style)
            ),
            Self::All(parts) => Self::join(parts, "AND", style),
            Self::Any(parts) => Self::join(parts, "OR", style),
        }
    }

    /// As a part of a larger filter: joined conditions need parentheses, others may have them.
    fn part(&self, style: &mut Style) -> String {
        let printed = self.print(style);
        match self {
            Self::All(_) | Self::Any(_) => format!("({printed})"),
            _ if style.number().is_multiple_of(8) => format!("( {printed} )"),
            _ => printed,
        }
    }

    fn join(parts: &[Ast], operator: &str, style: &mut Style) -> String {
        let parts: Vec<String> = parts.iter().map(|part| part.part(style)).collect();
        parts.join(&format!(" {operator}{}", style.pick(&[" ", "\n", "\t "])))
    }
}

/// Chooses between equivalent spellings: an endless source of small numbers.
#[derive(Debug)]
struct Style(std::iter::Cycle<std::vec::IntoIter<u8>>);

impl Style {
    fn new(numbers: Vec<u8>) -> Self {
        Self(numbers.into_iter().cycle())
    }

    fn number(&mut self) -> usize {
        usize::from(self.0.next().unwrap_or_default())
    }

    fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.number() % choices.len()]
    }

    fn space(&mut self) -> &'static str {
        self.pick(&["", "", " "])
    }

    fn key(&mut self, key: &str) -> String {
        let plain = key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let plain = plain && !key.is_empty() && !key.starts_with('-') && !["AND", "OR", "NOT"].contains(&key);
        if plain && !self.number().is_multiple_of(3) {
            key.to_owned()
        } else {
            self.string(key)
        }
    }

    fn string(&mut self, value: &str) -> String {
        let characters: String = value.chars().map(|character| self.character(character)).collect();
        format!("\"{characters}\"")
    }

    fn character(&mut self, character: char) -> String {
        let number = u32::from(character);
        let raw = !character.is_control() && !matches!(character, '"' | '\\');
        match self.number() % 16 {
            0 if number < 0x80 => format!("\\x{number:02x}"),
            1 if number < 0x80 => format!("\\{number:03o}"),
            2 if number < 0x1_0000 => format!("\\u{number:04X}"),
            3 => format!("\\U{number:08x}"),
            _ if raw => character.to_string(),
            _ if matches!(character, '"' | '\\') => format!("\\{character}"),
            _ => format!("\\U{number:08X}"),
        }
    }
}

/// Few enough that filters and messages share some.
fn keys() -> BoxedStrategy<String> {
    select(vec!["a", "b", "x-1", "_", "AND", "-", "é.", "k \"\\", ""])
        .prop_map(str::to_owned)
        .boxed()
}

fn values() -> BoxedStrategy<String> {
    select(vec![
        "", "h", "hi", "high", "é", "éa", "\"", "\\n", "\n", "*", "😀",
    ])
    .prop_map(str::to_owned)
    .boxed()
}

/// Small enough for 256 bytes.
fn asts() -> impl Strategy<Value = Ast> {
    leaves(keys(), values()).prop_recursive(4, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Ast::Not(Box::new(inner))),
            vec(inner.clone(), 2..4).prop_map(Ast::All),
            vec(inner, 2..4).prop_map(Ast::Any),
        ]
    })
}

fn leaves(keys: BoxedStrategy<String>, values: BoxedStrategy<String>) -> impl Strategy<Value = Ast> {
    prop_oneof![
        keys.clone().prop_map(Ast::Has),
        (keys.clone(), values.clone()).prop_map(|(key, value)| Ast::Equals(key, value)),
        (keys.clone(), values.clone()).prop_map(|(key, value)| Ast::Differs(key, value)),
        (keys, values).prop_map(|(key, prefix)| Ast::HasPrefix(key, prefix)),
    ]
}

fn styles() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..64)
}

fn messages() -> impl Strategy<Value = Attributes> {
    btree_map(keys(), values(), 0..6)
}

/// Almost filters: pieces of the language and of similar languages, in any order.
fn soups() -> impl Strategy<Value = String> {
    let pieces = vec![
        "attributes",
        "attributes",
        "attributes:",
        "attributes.",
        "hasPrefix",
        "hasPrefix(attributes.",
        "AND",
        "OR",
        "NOT",
        "and",
        "Or",
        "-",
        "--",
        "(",
        "((",
        ")",
        ",",
        ":",
        ".",
        "=",
        "!=",
        "==",
        "&&",
        "a",
        "x-1",
        "é",
        "\"",
        "\"v\"",
        "\"é\"",
        "\"\\",
        "\\u12",
        "\\x",
        "\\7",
        "'",
        "'v'",
        "“",
        "[",
        "\n",
        "\u{2028}",
        "\u{1b}",
        "😀",
        "attributes:a",
        "attributes.a=\"v\"",
        "attributes.a.b",
        "hasPrefix(attributes.a,\"v\")",
    ];
    vec((select(pieces), select(vec!["", " "])), 0..24).prop_map(|pieces| {
        pieces
            .into_iter()
            .flat_map(|(piece, space)| [piece, space])
            .collect()
    })
}

fn matches(filter: &Filter, attributes: &Attributes) -> bool {
    filter.matches(|key| attributes.get(key).map(String::as_str))
}

fn parse(text: &str) -> Result<Filter, TestCaseError> {
    prop_assume!(text.len() <= 256);
    Filter::parse(text).map_err(|error| TestCaseError::fail(error.to_string()))
}

/// Nothing panics, a filter keeps its text, and an error lies within the text and is one line.
fn holds(text: &str) -> Result<(), TestCaseError> {
    let error = match Filter::parse(text) {
        Ok(filter) => {
            filter.matches(|_| None);
            prop_assert_eq!(filter.as_str(), text);
            return Ok(());
        }
        Err(error) => error,
    };
    let position = error.position();
    prop_assert!(text.is_char_boundary(position), "{} in {:?}", position, text);

    // The message names the same place as the position, in lines and characters.
    let before = &text[..position];
    let (line, column) = (
        before.matches('\n').count() + 1,
        before.rsplit('\n').next().unwrap_or("").chars().count() + 1,
    );
    let place = if text.contains('\n') {
        format!(" at line {line}, column {column}, found ")
    } else {
        format!(" at column {column}, found ")
    };
    let message = error.to_string();
    prop_assert!(
        message.starts_with("expected ") && message.contains(", found "),
        "{}",
        message
    );
    prop_assert!(
        !message.contains(|c: char| c.is_control() || c == '\u{2028}'),
        "{:?}",
        message
    );
    prop_assert!(
        message.contains(&place),
        "{:?} does not contain {:?}",
        message,
        place
    );
    Ok(())
}

proptest! {
    #[test]
    fn any_text_parses_or_has_a_mistake_in_it(text in any::<String>()) {
        holds(&text)?;
    }

    #[test]
    fn any_pieces_of_the_language_parse_or_have_a_mistake_in_them(text in soups()) {
        holds(&text)?;
    }

    #[test]
    fn any_change_to_a_filter_leaves_a_filter_or_a_mistake_in_it(
        ast in asts(), style in styles(), at in any::<Index>(), remove in any::<bool>(), insert in ".?",
    ) {
        let mut text: Vec<char> = ast.print(&mut Style::new(style)).chars().collect();
        let at = at.index(text.len());
        text.splice(at..at + usize::from(remove), insert.chars());
        holds(&text.into_iter().collect::<String>())?;
    }

    #[test]
    fn a_printed_filter_means_what_was_printed(ast in asts(), style in styles(), attributes in messages()) {
        let filter = parse(&ast.print(&mut Style::new(style)))?;
        prop_assert_eq!(matches(&filter, &attributes), ast.evaluate(&attributes), "{}", filter);
    }

    #[test]
    fn any_key_and_any_value_can_be_written(
        ast in leaves("\\PC{0,6}|.{0,6}".boxed(), "\\PC{0,6}|.{0,6}".boxed()), style in styles(), other in ".{0,3}",
    ) {
        let filter = parse(&ast.print(&mut Style::new(style)))?;
        let (Ast::Has(key) | Ast::Equals(key, _) | Ast::Differs(key, _) | Ast::HasPrefix(key, _)) = &ast else {
            return Err(TestCaseError::fail("a leaf"));
        };
        let value = match &ast {
            Ast::Equals(_, value) | Ast::Differs(_, value) => value.clone(),
            Ast::HasPrefix(_, prefix) => format!("{prefix}{other}"),
            _ => other.clone(),
        };
        for attributes in [
            Attributes::new(),
            Attributes::from([(key.clone(), value)]),
            Attributes::from([(key.clone(), other.clone())]),
            Attributes::from([(other, key.clone())]),
        ] {
            prop_assert_eq!(matches(&filter, &attributes), ast.evaluate(&attributes), "{}", filter);
        }
    }

    #[test]
    fn a_negation_matches_what_the_condition_does_not(
        ast in asts(), style in styles(), negation in select(vec!["NOT ", "NOT", "-", "- "]), attributes in messages(),
    ) {
        let text = ast.print(&mut Style::new(style));
        let (filter, negated) = (parse(&text)?, parse(&format!("{negation}({text})"))?);
        prop_assert_eq!(matches(&negated, &attributes), !matches(&filter, &attributes), "{}", negated);
    }

    #[test]
    fn a_negation_moves_into_parentheses(
        a in leaves(keys(), values()), b in leaves(keys(), values()),
        style in styles(), attributes in messages(),
    ) {
        let style = &mut Style::new(style);
        let (a, b) = (a.part(style), b.part(style));
        for (outside, inside) in [("AND", "OR"), ("OR", "AND")] {
            let left = parse(&format!("NOT ({a} {outside} {b})"))?;
            let right = parse(&format!("NOT {a} {inside} NOT {b}"))?;
            prop_assert_eq!(matches(&left, &attributes), matches(&right, &attributes), "{} and {}", left, right);
        }
    }

    #[test]
    fn redundant_parentheses_change_nothing(ast in asts(), style in styles(), attributes in messages()) {
        let text = ast.print(&mut Style::new(style));
        let (filter, wrapped) = (parse(&text)?, parse(&format!("(({text}))"))?);
        prop_assert_eq!(matches(&wrapped, &attributes), matches(&filter, &attributes), "{}", wrapped);
    }
}
