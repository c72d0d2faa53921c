//! Filters: any text parses or has a mistake in it, and what parses means what it says.
#![no_main]

use std::collections::BTreeMap;
use std::fmt::Write;

use arbitrary::Arbitrary;
use cloud_tasks::event::Filter;
use libfuzzer_sys::fuzz_target;

type Attributes = BTreeMap<String, String>;

#[derive(Arbitrary, Debug)]
struct Input {
    text: Text,
    attributes: Attributes,
}

#[derive(Arbitrary, Debug)]
enum Text {
    Any(String),
    Pieces(Vec<Piece>),
    Printed(Meaning, Vec<u8>),
}

/// What filters are made of, and what people take for it.
#[derive(Arbitrary, Debug)]
enum Piece {
    Known(u8),
    Key(u8),
    Quoted(String),
    Any(char),
}

const KNOWN: &[&str] = &[
    "attributes",
    ".",
    ":",
    "=",
    "!=",
    "==",
    "AND",
    "OR",
    "NOT",
    "and",
    "&&",
    "||",
    "-",
    "(",
    ")",
    ",",
    " ",
    "\n",
    "\t",
    "hasPrefix",
    "hasPrefix(attributes.",
    "attributes:",
    "attributes.",
    "\"",
    "'",
    "\\",
    "\"\\x41\"",
    "\"\\u00e9\"",
    "\"\\U0001F600\"",
    "\"\\101\"",
];
const KEYS: &[&str] = &[
    "a",
    "b",
    "key",
    "priority",
    "AND",
    "-x",
    "é",
    "hasPrefix",
    "a b",
    "",
];

/// The meaning that a text is printed from, to compare with what the filter makes of the text.
#[derive(Arbitrary, Debug)]
enum Meaning {
    Has(Name),
    Equals(Name, Name),
    Differs(Name, Name),
    HasPrefix(Name, Name),
    Not(Box<Meaning>),
    All(Box<Meaning>, Box<Meaning>),
    Any(Box<Meaning>, Box<Meaning>),
}

#[derive(Arbitrary, Debug)]
enum Name {
    Known(u8),
    Any(String),
}

impl Name {
    fn text(&self) -> &str {
        match self {
            Self::Known(index) => KEYS[usize::from(*index) % KEYS.len()],
            Self::Any(text) => text,
        }
    }

    /// In quotes, with escapes where there must be some and where `style` likes some.
    fn quoted(&self, style: &mut Style<'_>) -> String {
        let mut out = String::from("\"");
        for character in self.text().chars() {
            match (character, style.pick(4)) {
                ('"' | '\\', _) => out.extend(['\\', character]),
                (_, 1) => write!(out, "\\U{:08X}", u32::from(character)).unwrap(),
                (_, 2) if character.is_ascii() => write!(out, "\\x{:02x}", u32::from(character)).unwrap(),
                (_, 3) if character.is_ascii() => write!(out, "\\{:03o}", u32::from(character)).unwrap(),
                _ if character.is_control() => write!(out, "\\u{:04x}", u32::from(character)).unwrap(),
                _ => out.push(character),
            }
        }
        out.push('"');
        out
    }
}

/// Choices of how to print.
struct Style<'a>(std::slice::Iter<'a, u8>);

impl Style<'_> {
    fn pick(&mut self, of: u8) -> u8 {
        self.0.next().map_or(0, |byte| byte % of)
    }
}

impl Meaning {
    fn print(&self, style: &mut Style<'_>) -> String {
        match self {
            Self::Has(key) => format!("attributes:{}", key.quoted(style)),
            Self::Equals(key, value) => format!("attributes.{} = {}", key.quoted(style), value.quoted(style)),
            Self::Differs(key, value) => format!("attributes.{}!={}", key.quoted(style), value.quoted(style)),
            Self::HasPrefix(key, prefix) => {
                format!(
                    "hasPrefix( attributes.{} ,{})",
                    key.quoted(style),
                    prefix.quoted(style)
                )
            }
            Self::Not(inner) if style.pick(2) == 0 => format!("NOT ({})", inner.print(style)),
            Self::Not(inner) => format!("-({})", inner.print(style)),
            Self::All(left, right) => format!("({}) AND ({})", left.print(style), right.print(style)),
            Self::Any(left, right) => format!("({})\nOR ({})", left.print(style), right.print(style)),
        }
    }

    fn matches(&self, attributes: &Attributes) -> bool {
        let value = |key: &Name| attributes.get(key.text());
        match self {
            Self::Has(key) => value(key).is_some(),
            Self::Equals(key, wanted) => value(key).is_some_and(|value| value == wanted.text()),
            Self::Differs(key, other) => value(key).is_none_or(|value| value != other.text()),
            Self::HasPrefix(key, prefix) => value(key).is_some_and(|value| value.starts_with(prefix.text())),
            Self::Not(inner) => !inner.matches(attributes),
            Self::All(left, right) => left.matches(attributes) && right.matches(attributes),
            Self::Any(left, right) => left.matches(attributes) || right.matches(attributes),
        }
    }

    /// How deep the parentheses nest, and the keys that are asked for.
    fn depth(&self) -> usize {
        match self {
            Self::Has(_) | Self::Equals(..) | Self::Differs(..) => 0,
            Self::HasPrefix(..) => 1,
            Self::Not(inner) => 1 + inner.depth(),
            Self::All(left, right) | Self::Any(left, right) => 1 + left.depth().max(right.depth()),
        }
    }
}

fn matches(filter: &Filter, attributes: &Attributes) -> bool {
    filter.matches(|key| attributes.get(key).map(String::as_str))
}

fuzz_target!(|input: Input| {
    let Input { text, mut attributes } = input;
    let (text, meaning) = match text {
        Text::Any(text) => (text, None),
        Text::Pieces(pieces) => (printed(&pieces), None),
        Text::Printed(meaning, style) => (meaning.print(&mut Style(style.iter())), Some(meaning)),
    };
    // Keys that filters ask for.
    for (index, key) in KEYS.iter().enumerate() {
        if let Some(value) = attributes.get(&index.to_string()).cloned() {
            attributes.insert((*key).to_owned(), value);
        }
    }
    match Filter::parse(&text) {
        Ok(filter) => parsed(&filter, &text, meaning.as_ref(), &attributes),
        Err(error) => {
            if let Some(meaning) = meaning {
                assert!(
                    text.len() > 256 || meaning.depth() > 31,
                    "{text:?} is refused: {error}"
                );
            }
            check_error(&text, &error);
        }
    }
});

fn printed(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Known(index) => text.push_str(KNOWN[usize::from(*index) % KNOWN.len()]),
            Piece::Key(index) => text.push_str(KEYS[usize::from(*index) % KEYS.len()]),
            Piece::Quoted(inner) => write!(text, "\"{inner}\"").unwrap(),
            Piece::Any(character) => text.push(*character),
        }
    }
    text
}

fn parsed(filter: &Filter, text: &str, meaning: Option<&Meaning>, attributes: &Attributes) {
    assert_eq!(filter.as_str(), text);
    assert_eq!(filter.to_string(), text);
    assert!((1..=256).contains(&text.len()), "{text:?}");
    let matched = matches(filter, attributes);
    if let Some(meaning) = meaning {
        assert_eq!(
            matched,
            meaning.matches(attributes),
            "{text:?} with {attributes:?}"
        );
    }
    let again: Filter = filter.to_string().parse().expect("what was printed parses");
    assert_eq!(matches(&again, attributes), matched);
    assert_eq!(format!("{again:?}"), format!("{filter:?}"));
    for (negated, text) in [
        (true, format!("NOT ({text})")),
        (true, format!("-({text})")),
        (false, format!("({text})")),
    ] {
        match Filter::parse(&text) {
            Ok(filter) => assert_eq!(matches(&filter, attributes), matched != negated, "{text:?}"),
            Err(error) => {
                let deep = text.matches('(').count() > 32;
                assert!(text.len() > 256 || deep, "{text:?} is refused: {error}");
            }
        }
    }
}

/// The mistake lies within the text, and is told on one line.
fn check_error(text: &str, error: &cloud_tasks::event::FilterError) {
    let position = error.position();
    assert!(text.is_char_boundary(position));
    let message = error.to_string();
    assert!(
        message.starts_with("expected ") && message.contains(", found "),
        "{message}"
    );
    assert!(!message.contains(char::is_control), "{message:?}");
}
