//! Tables of the documented language, of extensions, and of every error.

pub(crate) mod mistakes;
pub(crate) mod properties;

use super::{Filter, FilterError};

type Attributes = &'static [(&'static str, &'static str)];

fn parse(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|error| panic!("{}", error))
}

fn error_of(text: &str) -> FilterError {
    match Filter::parse(text) {
        Ok(filter) => panic!("`{filter}` has no mistake"),
        Err(error) => error,
    }
}

fn matches(filter: &Filter, attributes: Attributes) -> bool {
    filter.matches(|wanted| {
        attributes
            .iter()
            .find(|(key, _)| *key == wanted)
            .map(|(_, value)| *value)
    })
}

/// Sentence, filter, attributes of messages that are delivered, and of messages that are not.
type Row = (
    &'static str,
    &'static str,
    &'static [Attributes],
    &'static [Attributes],
);

fn check(table: &[Row]) {
    for (sentence, text, delivered, dropped) in table {
        let filter = parse(text);
        for attributes in *delivered {
            assert!(
                matches(&filter, attributes),
                "{sentence}: `{text}` delivers {attributes:?}"
            );
        }
        for attributes in *dropped {
            assert!(
                !matches(&filter, attributes),
                "{sentence}: `{text}` drops {attributes:?}"
            );
        }
    }
}

const LANGUAGE: &str = "iana.org/language_tag";

/// <https://cloud.google.com/pubsub/docs/subscription-message-filter>, in the order of the page.
const DOCUMENTED: &[Row] = &[
    (
        "messages with the name attribute",
        "attributes:name",
        &[&[("name", "com")], &[("name", "")]],
        &[&[], &[("Name", "com")], &[("names", "com")]],
    ),
    (
        "messages without the name attribute",
        "NOT attributes:name",
        &[&[], &[("other", "com")]],
        &[&[("name", "com")], &[("name", "")]],
    ),
    (
        "messages with the name attribute and the value of com",
        r#"attributes.name = "com""#,
        &[&[("name", "com")]],
        &[
            &[],
            &[("name", "Com")],
            &[("name", "com ")],
            &[("name", "co")],
            &[("other", "com")],
        ],
    ),
    (
        "messages without the name attribute and the value of com",
        r#"attributes.name != "com""#,
        &[&[], &[("name", "net")], &[("other", "com")]],
        &[&[("name", "com")]],
    ),
    (
        "messages with the name attribute and a value that starts with co",
        r#"hasPrefix(attributes.name, "co")"#,
        &[&[("name", "co")], &[("name", "com")]],
        &[&[], &[("name", "c")], &[("name", "Com")], &[("name", "aco")]],
    ),
    (
        "messages without the name attribute and a value that starts with co",
        r#"NOT hasPrefix(attributes.name, "co")"#,
        &[&[], &[("name", "net")]],
        &[&[("name", "co")], &[("name", "com")]],
    ),
    (
        "a key with other characters is a string literal",
        r#"attributes."iana.org/language_tag" = "en""#,
        &[&[(LANGUAGE, "en")]],
        &[&[], &[(LANGUAGE, "fr")]],
    ),
    (
        "characters are escaped within a string literal",
        r#"attributes:"\u307F\u3093\u306A""#,
        &[&[("みんな", "")]],
        &[&[], &[(r"\u307F\u3093\u306A", "")]],
    ),
    (
        "a condition and the negation of another",
        r#"attributes:"iana.org/language_tag" AND NOT attributes.name = "com""#,
        &[&[(LANGUAGE, "en")], &[(LANGUAGE, "en"), ("name", "net")]],
        &[&[], &[(LANGUAGE, "en"), ("name", "com")], &[("name", "net")]],
    ),
    (
        "AND and OR with parentheses",
        r#"attributes:"iana.org/language_tag" AND (attributes.name = "net" OR attributes.name = "org")"#,
        &[
            &[(LANGUAGE, "en"), ("name", "net")],
            &[(LANGUAGE, "en"), ("name", "org")],
        ],
        &[
            &[(LANGUAGE, "en")],
            &[("name", "net")],
            &[(LANGUAGE, "en"), ("name", "com")],
        ],
    ),
    (
        "the unary minus instead of NOT",
        r#"attributes.name = "com" AND -attributes:"iana.org/language_tag""#,
        &[&[("name", "com")]],
        &[&[], &[("name", "com"), (LANGUAGE, "en")]],
    ),
];

#[test]
fn every_documented_example_means_what_the_documentation_says() {
    check(DOCUMENTED);
}

/// Not documented, but with only one sensible meaning.
#[rustfmt::skip]
const ACCEPTED: &[Row] = &[
    ("NOT binds tighter than AND", "NOT attributes:a AND attributes:b", &[&[("b", "")]], &[&[]]),
    ("NOT binds tighter than OR", "NOT attributes:a OR attributes:b", &[&[], &[("b", "")]], &[&[("a", "")]]),
    ("NOT needs no blank", "NOT(attributes:a)", &[&[]], &[&[("a", "")]]),
    ("two negations are none", "NOT NOT attributes:a", &[&[("a", "")]], &[&[]]),
    ("both negations mix", "- NOT -attributes:a", &[&[]], &[&[("a", "")]]),
    ("AND joins many", "attributes:a AND attributes:b AND attributes:c",
     &[&[("a", ""), ("b", ""), ("c", "")]], &[&[("a", ""), ("b", "")], &[("b", ""), ("c", "")]]),
    ("OR joins many", "attributes:a OR attributes:b OR attributes:c", &[&[("a", "")], &[("c", "")]], &[&[]]),
    ("parentheses may be redundant", "((attributes:a))", &[&[("a", "")]], &[&[]]),
    ("blanks do not matter", "\r\n attributes . a\t=\"x\"AND(attributes : b)", &[&[("a", "x"), ("b", "")]], &[&[]]),
    ("no blanks are needed around operators", r#"attributes.a="x""#, &[&[("a", "x")]], &[&[]]),
    ("a key may have hyphens", r#"attributes.ce-type = "x""#, &[&[("ce-type", "x")]], &[&[("ce", "x")]]),
    ("a key may begin with a digit or `_`", "attributes:1 AND attributes:_a", &[&[("1", ""), ("_a", "")]], &[&[]]),
    ("words of the language are keys too", "attributes:attributes", &[&[("attributes", "")]], &[&[]]),
    ("a quoted operator is a key", r#"attributes:"AND""#, &[&[("AND", "")]], &[&[]]),
    ("a value is taken literally", r#"attributes.a = "*""#, &[&[("a", "*")]], &[&[("a", "x")]]),
    ("a value may be empty", r#"attributes.a = """#, &[&[("a", "")]], &[&[], &[("a", "x")]]),
    ("an empty prefix still needs the key", r#"hasPrefix(attributes.a, "")"#, &[&[("a", "")]], &[&[]]),
    ("letters beyond ASCII are whole", r#"hasPrefix(attributes."ключ", "é")"#, &[&[("ключ", "éa")]], &[&[("ключ", "e")]]),
];

#[test]
fn what_the_documentation_leaves_open_has_one_meaning() {
    check(ACCEPTED);
}

#[test]
fn every_escape_stands_for_its_character() {
    for (escape, character) in [
        (r"\\", "\\"),
        (r#"\""#, "\""),
        (r"\'", "'"),
        (r"\a", "\x07"),
        (r"\b", "\x08"),
        (r"\f", "\x0C"),
        (r"\n", "\n"),
        (r"\r", "\r"),
        (r"\t", "\t"),
        (r"\v", "\x0B"),
        (r"\x4a", "J"),
        (r"\x4A", "J"),
        (r"\x7F", "\x7F"),
        (r"\000", "\0"),
        (r"\112", "J"),
        (r"\177", "\x7F"),
        (r"\u00e9", "é"),
        (r"\uFFFF", "\u{FFFF}"),
        (r"\U0001F600", "😀"),
        (r"\U0010FFFF", "\u{10FFFF}"),
        (r"\1127", "J7"),
        (r"\x4Aa", "Ja"),
        (r"\u00e90", "é0"),
        ("é😀'(AND", "é😀'(AND"),
    ] {
        let filter = parse(&format!(r#"attributes.key = "<{escape}>""#));
        let value = format!("<{character}>");
        assert!(
            filter.matches(|key| (key == "key").then_some(&*value)),
            "`{escape}` is {character:?}"
        );
    }
}

#[test]
fn a_filter_keeps_its_text() {
    let text = " attributes:a\n OR attributes:b ";
    let filter: Filter = text.parse().unwrap();
    assert_eq!((filter.as_str(), filter.to_string().as_str()), (text, text));
    assert_eq!(format!("{:?}", filter.clone()), format!("Filter({text:?})"));
    assert_eq!(format!("{:>16}|", parse("attributes:a")), "    attributes:a|");
}

#[test]
fn a_filter_and_its_mistake_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<Filter>();
    crosses::<FilterError>();
}
