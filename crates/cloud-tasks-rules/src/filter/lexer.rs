//! The lexer of filters. It also unescapes strings.

use std::ops::Range;

use super::error::{FilterError, place, quoted};

#[derive(Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub span: Range<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// ASCII letters, digits, `_`, and `-` except at the start: a key, an operator, `attributes`, `hasPrefix`.
    Word,
    /// A quoted string, unescaped.
    Text(String),
    Colon,
    Dot,
    Comma,
    Minus,
    Open,
    Close,
    Equals,
    NotEquals,
    /// Anything else. The parser reports it, since it knows what was expected.
    Other,
    End,
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Lexer<'a> {
    /// How messages name the end of the text.
    pub const END: &'static str = "the end of the filter";

    pub fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    /// The next token; at the end of the text always `End`.
    pub fn token(&mut self) -> Result<Token, FilterError> {
        self.position += count(self.rest(self.position), is_blank);
        let start = self.position;
        let rest = self.rest(start);
        let Some(first) = rest.chars().next() else {
            return Ok(Token {
                kind: Kind::End,
                span: start..start,
            });
        };
        let (kind, length) = match first {
            ':' => (Kind::Colon, 1),
            '.' => (Kind::Dot, 1),
            ',' => (Kind::Comma, 1),
            '-' => (Kind::Minus, 1),
            '(' => (Kind::Open, 1),
            ')' => (Kind::Close, 1),
            '"' => self.string(start)?,
            '\'' => (Kind::Other, single_quoted(rest)),
            _ if is_word(first) => (Kind::Word, count(rest, is_word)),
            _ if is_operator(first) => operator(rest),
            _ => (Kind::Other, first.len_utf8()),
        };
        self.position = start + length;
        Ok(Token {
            kind,
            span: start..self.position,
        })
    }

    /// Whether a filter has no token at all.
    pub fn is_empty(text: &str) -> bool {
        text.chars().all(is_blank)
    }

    /// The text up to the next blank, operator, parenthesis, comma or quote, which was perhaps meant as one key or value.
    pub fn run(text: &str) -> &str {
        let stops = |character| is_blank(character) || is_operator(character) || "(),\"'".contains(character);
        text.get(..count(text, |character| !stops(character)))
            .unwrap_or_default()
    }

    fn rest(&self, position: usize) -> &'a str {
        self.text.get(position..).unwrap_or_default()
    }

    /// The string that begins at `start`, and its length in bytes including the quotes.
    fn string(&self, start: usize) -> Result<(Kind, usize), FilterError> {
        let mut value = String::new();
        let mut position = start + 1;
        loop {
            let (character, length) = match self.rest(position).chars().next() {
                None => return Err(self.unclosed(start)),
                Some('"') => return Ok((Kind::Text(value), position + 1 - start)),
                Some('\\') => self.escape(start, position)?,
                Some(control) if control.is_control() => return Err(self.control(position, control)),
                Some(plain) => (plain, plain.len_utf8()),
            };
            value.push(character);
            position += length;
        }
    }

    /// The character of the escape at `position`, and the length of the escape in bytes.
    fn escape(&self, start: usize, position: usize) -> Result<(char, usize), FilterError> {
        let Some(letter) = self.rest(position + 1).chars().next() else {
            return Err(self.unclosed(start));
        };
        let character = match letter {
            '\\' | '"' | '\'' => letter,
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0C',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0B',
            'x' => return self.code(position, 2, 2, 16),
            'u' => return self.code(position, 2, 4, 16),
            'U' => return self.code(position, 2, 8, 16),
            '0'..='7' => return self.code(position, 1, 3, 8),
            _ => {
                let span = position..position + 1 + letter.len_utf8();
                let expected = r#"one of `\\`, `\"`, `\'`, `\a`, `\b`, `\f`, `\n`, `\r`, `\t`, `\v`, `\x41`, `\101`, `\u0041` and `\U00000041`"#;
                return Err(self.escape_error(span, expected, r"a backslash itself is written `\\`"));
            }
        };
        Ok((character, 2))
    }

    /// A numeric escape: `prefix` bytes, then exactly `digits` digits.
    fn code(
        &self,
        position: usize,
        prefix: usize,
        digits: usize,
        radix: u32,
    ) -> Result<(char, usize), FilterError> {
        let name = if radix == 8 { "octal" } else { "hexadecimal" };
        let rest = self.rest(position + prefix);
        let given = count(rest, |character| character.is_digit(radix)).min(digits);
        let end = position + prefix + given;
        if given < digits {
            let expected = format!("an escape with {digits} {name} digits");
            return Err(self.escape_error(position..end, &expected, r"a backslash itself is written `\\`"));
        }
        let number = u32::from_str_radix(rest.get(..given).unwrap_or_default(), radix).unwrap_or(u32::MAX);
        let character = match char::from_u32(number) {
            // A byte or a character? Only in ASCII both are the same.
            Some(character) if digits > 3 || character.is_ascii() => character,
            Some(_) => {
                let expected = format!("an ASCII character as {name} escape");
                let help = format!(r"write the character itself, or `\u{number:04X}`");
                return Err(self.escape_error(position..end, &expected, &help));
            }
            None => {
                let expected = "the number of a Unicode character";
                return Err(self.escape_error(position..end, expected, "write the character itself"));
            }
        };
        Ok((character, prefix + digits))
    }

    fn escape_error(&self, span: Range<usize>, expected: &str, help: &str) -> FilterError {
        let found = quoted(self.text.get(span.clone()).unwrap_or_default());
        FilterError::new(self.text, span, expected, found, Some(help.to_owned()))
    }

    fn unclosed(&self, start: usize) -> FilterError {
        let end = self.text.len();
        let help = format!(
            "the string that begins at {} is not closed",
            place(self.text, start)
        );
        FilterError::new(self.text, end..end, "`\"`", Self::END, Some(help))
    }

    fn control(&self, position: usize, control: char) -> FilterError {
        let span = position..position + control.len_utf8();
        let found = format!("the character U+{:04X}", u32::from(control));
        let help = format!(r"write it as `\u{:04X}`", u32::from(control));
        FilterError::new(
            self.text,
            span,
            "printable characters in a string",
            found,
            Some(help),
        )
    }
}

/// The length in bytes of the longest prefix of `text` with accepted characters only.
fn count(text: &str, accepted: impl Fn(char) -> bool) -> usize {
    text.find(|character| !accepted(character)).unwrap_or(text.len())
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// `-` never starts a word: [`Lexer::token`] reads it as a negation first.
fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

/// The characters of operators, here and in other languages.
fn is_operator(character: char) -> bool {
    matches!(character, '=' | '!' | '<' | '>' | '&' | '|' | '~')
}

/// Operators are read greedily, so that `==` and `&&` cause one error and not two.
fn operator(rest: &str) -> (Kind, usize) {
    let length = count(rest, is_operator);
    let kind = match rest.get(..length) {
        Some("=") => Kind::Equals,
        Some("!=") => Kind::NotEquals,
        _ => Kind::Other,
    };
    (kind, length)
}

/// The length of a single-quoted string, or of the quote alone if it is not closed.
fn single_quoted(rest: &str) -> usize {
    rest.match_indices('\'').nth(1).map_or(1, |(end, _)| end + 1)
}
