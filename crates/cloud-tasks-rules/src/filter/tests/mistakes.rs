//! The message, position and output of every error.

use super::{error_of, matches, parse};

const CONDITION: &str = "expected `attributes`, `hasPrefix`, `NOT`, `-` or `(`";
const ESCAPES: &str = r#"expected one of `\\`, `\"`, `\'`, `\a`, `\b`, `\f`, `\n`, `\r`, `\t`, `\v`, `\x41`, `\101`, `\u0041` and `\U00000041`"#;

/// Sentence, filter and message; `{condition}` and `{escapes}` are spelled out above.
#[rustfmt::skip]
const MISTAKES: &[(&str, &str, &str)] = &[
    // The invalid examples of the documentation.
    ("the left-hand side is a value", r#""com" = attributes.name"#,
     r#"{condition} at column 1, found `"com"`; a condition begins with its key: `attributes.KEY = "VALUE"`"#),
    ("two keys are compared", "attributes.name = attributes.website",
     "expected a quoted string after `=` at column 19, found `attributes`; a key is compared with a value, not with a key"),
    ("escapes stand outside a string", r"attributes:\u307F\u3093\u306A",
     r#"expected a key after `attributes:` at column 12, found `\`; if that is the key, write "\u307F\u3093\u306A""#),
    ("AND and OR meet without parentheses", r#"attributes:"iana.org/language_tag" AND attributes.name = "net" OR attributes.name = "org""#,
     "expected `AND` or the end of the filter at column 64, found `OR`; `AND` and `OR` meet only with parentheses: `(a AND b) OR c`"),
    ("operators join incomplete expressions", r#"attributes.name = "com" AND ("net" OR "org")"#,
     r#"{condition} at column 30, found `"net"`; a condition begins with its key: `attributes.KEY = "VALUE"`"#),
    // A condition is missing.
    ("the text is empty", "",
     "{condition} at column 1, found the end of the filter; leave the filter out to get every message"),
    ("the text is blank", "  ",
     "{condition} at column 3, found the end of the filter; leave the filter out to get every message"),
    ("nothing follows an operator", "attributes:a AND ",
     "{condition} at column 18, found the end of the filter"),
    ("nothing follows NOT", "NOT", "{condition} at column 4, found the end of the filter"),
    ("nothing is in the parentheses", "()", "{condition} at column 2, found `)`"),
    ("an operator comes first", "OR attributes:a",
     "{condition} at column 1, found `OR`; `OR` stands between two conditions"),
    ("two operators follow each other", "attributes:a AND OR attributes:b",
     "{condition} at column 18, found `OR`; `OR` stands between two conditions"),
    ("NOT is in lower case", "not attributes:a",
     "{condition} at column 1, found `not`; operators are upper-case: `NOT`"),
    ("NOT is a `!`", "!attributes:a", "{condition} at column 1, found `!`; write `NOT`"),
    ("`attributes` is singular", r#"attribute.a = "x""#,
     "{condition} at column 1, found `attribute`; write `attributes`"),
    ("`attributes` is in upper case", "ATTRIBUTES:a",
     "{condition} at column 1, found `ATTRIBUTES`; write `attributes`"),
    ("`hasPrefix` is in lower case", "hasprefix()",
     "{condition} at column 1, found `hasprefix`; write `hasPrefix`"),
    ("another function is called", r#"hasSuffix (attributes.a, "x")"#,
     "{condition} at column 1, found `hasSuffix`; `hasPrefix` is the only function"),
    ("a bare key begins the condition", r#"priority = "high""#,
     "{condition} at column 1, found `priority`; an attribute is written `attributes.priority`"),
    ("the data is asked for", "$.a", "{condition} at column 1, found `$`"),
    ("a blank is none of ours", "\u{a0}attributes:a", r"{condition} at column 1, found `\u{a0}`"),
    // After `attributes`.
    ("nothing follows `attributes`", "attributes",
     "expected `:` or `.` after `attributes` at column 11, found the end of the filter"),
    ("the key is in brackets", r#"attributes["a"] = "x""#,
     r#"expected `:` or `.` after `attributes` at column 11, found `[`; write `attributes.KEY` or `attributes."KEY"`"#),
    ("`attributes` is compared", r#"attributes = "x""#,
     "expected `:` or `.` after `attributes` at column 12, found `=`"),
    ("the key is missing", "attributes:",
     "expected a key after `attributes:` at column 12, found the end of the filter"),
    ("the key is missing before `=`", r#"attributes. = "x""#,
     "expected a key after `attributes.` at column 13, found `=`"),
    ("the key is an operator", "attributes: AND attributes:b",
     r#"expected a key after `attributes:` at column 13, found `AND`; if that is the key, write "AND""#),
    ("the key begins with a hyphen", "attributes:-a",
     r#"expected a key after `attributes:` at column 12, found `-`; if that is the key, write "-a""#),
    ("the key is in single quotes", "attributes:'a'",
     r#"expected a key after `attributes:` at column 12, found `'a'`; strings take double quotes: write "a""#),
    ("the key has a dot", r#"attributes.a.b = "x""#,
     r#"expected a key of letters, digits, `-` and `_` at column 13, found `.`; any other key is quoted: write "a.b""#),
    ("the key has a slash", "(attributes:iana.org/language_tag)",
     r#"expected a key of letters, digits, `-` and `_` at column 17, found `.`; any other key is quoted: write "iana.org/language_tag""#),
    ("the key has a letter beyond ASCII", "attributes:naïve AND attributes:b",
     r#"expected a key of letters, digits, `-` and `_` at column 14, found `ï`; any other key is quoted: write "naïve""#),
    ("the key begins beyond ASCII", "attributes:みんな",
     r#"expected a key after `attributes:` at column 12, found `み`; if that is the key, write "みんな""#),
    ("the key has a character that moves lines", "attributes:a\u{2028}b",
     r#"expected a key of letters, digits, `-` and `_` at column 13, found `\u{2028}`; any other key is quoted: write "a\u{2028}b""#),
    ("a value follows `:`", r#"attributes:name = "com""#,
     "expected `.` after `attributes` at column 11, found `:`; `:` asks whether the key is there; a comparison is written with `.`"),
    // Comparisons.
    ("nothing follows the key", "attributes.a",
     "expected `=` or `!=` after the key at column 13, found the end of the filter; `attributes:KEY` asks whether the key is there"),
    ("an operator follows the key", "attributes.a OR attributes:b",
     "expected `=` or `!=` after the key at column 14, found `OR`; `attributes:KEY` asks whether the key is there"),
    ("the parentheses close after the key", "(attributes.a)",
     "expected `=` or `!=` after the key at column 14, found `)`; `attributes:KEY` asks whether the key is there"),
    ("equality is `==`", r#"attributes.a == "x""#,
     "expected `=` or `!=` after the key at column 14, found `==`; write `=`"),
    ("inequality is `<>`", r#"attributes.a <> "x""#,
     "expected `=` or `!=` after the key at column 14, found `<>`; write `!=`"),
    ("a regular expression is asked for", r#"attributes.a =~ "x""#,
     "expected `=` or `!=` after the key at column 14, found `=~`; there are no regular expressions, but `hasPrefix`"),
    ("values are ordered", r#"attributes.a >= "1""#,
     "expected `=` or `!=` after the key at column 14, found `>=`; values are not ordered"),
    ("a word follows the key", r#"attributes.a in "x""#,
     "expected `=` or `!=` after the key at column 14, found `in`"),
    ("the value is not quoted", "attributes.name = high",
     r#"expected a quoted string after `=` at column 19, found `high`; write "high""#),
    ("the value is not quoted and not a word", "attributes.zone != us-east.1",
     r#"expected a quoted string after `!=` at column 20, found `us-east`; write "us-east.1""#),
    ("the value is a number", "attributes.a = -5",
     r#"expected a quoted string after `=` at column 16, found `-`; write "-5""#),
    ("the value is in single quotes", "attributes.a = 'the value' AND attributes:b",
     r#"expected a quoted string after `=` at column 16, found `'the value'`; strings take double quotes: write "the value""#),
    ("the value is in single quotes with double ones in it", r#"attributes.a = 'a"b'"#,
     r#"expected a quoted string after `=` at column 16, found `'a"b'`; strings take double quotes"#),
    ("the value begins with a lone single quote", "attributes.a = 'x",
     "expected a quoted string after `=` at column 16, found `'`; strings take double quotes"),
    ("the value is in the quotes of a word processor", "attributes.a = “x”",
     "expected a quoted string after `=` at column 16, found `“`; strings take double quotes"),
    ("there are several values", r#"attributes.a = ("x" OR "y")"#,
     "expected a quoted string after `=` at column 16, found `(`; write one comparison for each value"),
    ("the value is missing before an operator", "attributes.a = AND attributes:b",
     "expected a quoted string after `=` at column 16, found `AND`; the value is missing"),
    ("the value is missing at the end", "attributes.a = ",
     "expected a quoted string after `=` at column 16, found the end of the filter"),
    ("the value is a symbol", "attributes.a = *",
     "expected a quoted string after `=` at column 16, found `*`"),
    // Strings.
    ("a string is not closed", r#"attributes.a = "x"#,
     "expected `\"` at column 18, found the end of the filter; the string that begins at column 16 is not closed"),
    ("a string ends in a backslash", r#"attributes.a = "\"#,
     "expected `\"` at column 18, found the end of the filter; the string that begins at column 16 is not closed"),
    ("a line ends in a string", "attributes:b AND\nattributes.a = \"x\ny\"",
     r"expected printable characters in a string at line 2, column 18, found the character U+000A; write it as `\u000A`"),
    ("an escape is unknown", r#"attributes.a = "C:\dir""#,
     r"{escapes} at column 19, found `\d`; a backslash itself is written `\\`"),
    ("an escaped character is beyond ASCII", r#"attributes.a = "\é""#,
     r"{escapes} at column 17, found `\é`; a backslash itself is written `\\`"),
    ("a hexadecimal escape is short", r#"attributes.a = "\x4""#,
     r"expected an escape with 2 hexadecimal digits at column 17, found `\x4`; a backslash itself is written `\\`"),
    ("an octal escape is short", r#"attributes.a = "\08""#,
     r"expected an escape with 3 octal digits at column 17, found `\0`; a backslash itself is written `\\`"),
    ("a Unicode escape is short", r#"attributes.a = "\u00e""#,
     r"expected an escape with 4 hexadecimal digits at column 17, found `\u00e`; a backslash itself is written `\\`"),
    ("a hexadecimal escape is beyond ASCII", r#"attributes.a = "\xE9""#,
     r"expected an ASCII character as hexadecimal escape at column 17, found `\xE9`; write the character itself, or `\u00E9`"),
    ("an octal escape is beyond ASCII", r#"attributes.a = "\200""#,
     r"expected an ASCII character as octal escape at column 17, found `\200`; write the character itself, or `\u0080`"),
    ("a Unicode escape is half a character", r#"attributes.a = "\uD83D\uDE00""#,
     r"expected the number of a Unicode character at column 17, found `\uD83D`; write the character itself"),
    ("a Unicode escape is beyond Unicode", r#"attributes.a = "\U00110000""#,
     r"expected the number of a Unicode character at column 17, found `\U00110000`; write the character itself"),
    // `hasPrefix`.
    ("hasPrefix is not called", "hasPrefix",
     "expected `(` after `hasPrefix` at column 10, found the end of the filter"),
    ("hasPrefix begins with the value", r#"hasPrefix("x", attributes.a)"#,
     r#"expected `attributes` after `hasPrefix(` at column 11, found `"x"`"#),
    ("hasPrefix asks with `:`", r#"hasPrefix(attributes:a, "x")"#,
     "expected `.` after `attributes` at column 21, found `:`"),
    ("hasPrefix has no key", r#"hasPrefix(attributes., "x")"#,
     "expected a key after `attributes.` at column 22, found `,`"),
    ("hasPrefix has no prefix", "hasPrefix(attributes.a)",
     "expected `,` after the key at column 23, found `)`"),
    ("the prefix is not quoted", "hasPrefix(attributes.a, x)",
     r#"expected a quoted string after `,` at column 25, found `x`; write "x""#),
    ("hasPrefix is not closed", r#"hasPrefix(attributes.a, "x""#,
     "expected `)` after the prefix at column 28, found the end of the filter"),
    // Between conditions.
    ("AND is in lower case", "attributes:a and attributes:b",
     "expected `AND`, `OR` or the end of the filter at column 14, found `and`; operators are upper-case: `AND`"),
    ("the second OR is in mixed case", "attributes:a OR attributes:b Or attributes:c",
     "expected `OR` or the end of the filter at column 30, found `Or`; operators are upper-case: `OR`"),
    ("AND is `&&`", "attributes:a && attributes:b",
     "expected `AND`, `OR` or the end of the filter at column 14, found `&&`; write `AND`"),
    ("OR is `||`", "(attributes:a || attributes:b)",
     "expected `AND`, `OR` or `)` at column 15, found `||`; write `OR`"),
    ("OR and AND meet without parentheses", "(attributes:a OR attributes:b AND attributes:c)",
     "expected `OR` or `)` at column 31, found `AND`; `AND` and `OR` meet only with parentheses: `(a AND b) OR c`"),
    ("conditions are not joined", "attributes:a attributes:b",
     "expected `AND`, `OR` or the end of the filter at column 14, found `attributes`; join conditions with `AND` or `OR`"),
    ("a negation is not joined", "attributes:a -attributes:b",
     "expected `AND`, `OR` or the end of the filter at column 14, found `-`; join conditions with `AND` or `OR`"),
    ("parentheses are not joined", "attributes:a AND attributes:b (attributes:c)",
     "expected `AND` or the end of the filter at column 31, found `(`; join conditions with `AND` or `OR`"),
    ("a comparison goes on", r#"attributes.a = "x" = "y""#,
     "expected `AND`, `OR` or the end of the filter at column 20, found `=`"),
    ("something else follows", "attributes:a XOR",
     "expected `AND`, `OR` or the end of the filter at column 14, found `XOR`"),
    ("a `(` is not closed", "attributes:a AND (attributes:b OR attributes:c",
     "expected `OR` or `)` at column 47, found the end of the filter; the `(` at column 18 is not closed"),
    ("a `(` is not closed in many lines", "(\nattributes:b",
     "expected `AND`, `OR` or `)` at line 2, column 13, found the end of the filter; the `(` at line 1, column 1 is not closed"),
    ("a `)` is too much", "attributes:a)",
     "expected `AND`, `OR` or the end of the filter at column 13, found `)`; there is no `(` that it closes"),
];

#[test]
fn every_mistake_says_what_was_found_where_and_what_is_accepted() {
    for (sentence, text, message) in MISTAKES {
        let message = message
            .replace("{condition}", CONDITION)
            .replace("{escapes}", ESCAPES);
        assert_eq!(error_of(text).to_string(), message, "{sentence}: `{text}`");
    }
}

#[test]
fn the_position_is_a_byte_offset_and_the_message_counts_lines_and_characters() {
    for (text, position, place) in [
        (
            "attributes:a.été\n  and attributes:b",
            12,
            " at line 1, column 13,",
        ),
        (
            "attributes:\"été\"\n  and attributes:b",
            21,
            " at line 2, column 3,",
        ),
        ("attributes:\"é\" or", 16, " at column 16,"),
        ("", 0, " at column 1,"),
    ] {
        let error = error_of(text);
        assert_eq!(error.position(), position, "{text}");
        assert!(error.to_string().contains(place), "{text}: {error}");
    }
}

#[test]
fn a_filter_has_at_most_256_bytes() {
    let of = |length: usize| format!("attributes:{}", "k".repeat(length - 11));
    parse(&of(256));
    let error = error_of(&of(257));
    assert_eq!(
        error.to_string(),
        "expected the end of the filter, which has at most 256 bytes, at column 257, found 257 bytes",
    );
    assert_eq!(error.position(), 256);

    let error = error_of(&format!("attributes:\"{}\"", "é".repeat(128)));
    assert_eq!(error.position(), 256);
    let error = error_of(&format!("attributes.\" {}\"", "é".repeat(128)));
    assert_eq!(error.position(), 255, "not in the middle of a character");
    assert!(error.to_string().contains(" at column 135,"), "{error}");
}

#[test]
fn parentheses_nest_as_deep_as_32_and_negations_without_end() {
    let nested = |depth: usize| format!("{}attributes:a{}", "-(".repeat(depth), ")".repeat(depth));
    assert!(!matches(&parse(&nested(32)), &[]));
    assert!(matches(&parse(&nested(31)), &[]));
    assert_eq!(
        error_of(&nested(33)).to_string(),
        "expected at most 32 parentheses inside each other at column 66, found `(`",
    );
    assert_eq!(error_of(&"(".repeat(256)).position(), 32);
    error_of(&"(".repeat(1_000_000));
    let beside = [nested(20), nested(20), nested(20)].join(" OR ");
    assert!(
        matches(&parse(&beside), &[("a", "")]),
        "only what is nested counts"
    );
    assert!(matches(
        &parse(&format!("{}attributes:a", "-".repeat(244))),
        &[("a", "")]
    ));
    assert!(!matches(
        &parse(&format!("{}attributes:a", "-".repeat(243))),
        &[("a", "")]
    ));
}
