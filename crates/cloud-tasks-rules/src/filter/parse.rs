//! The parser of filters: recursive descent with one token of lookahead.

use super::error::{FilterError, escaped, place, quoted};
use super::expression::Expression;
use super::lexer::{Kind, Lexer, Token};

/// The service's limit.
const MAX_BYTES: usize = 256;

/// Our own limit. It bounds the recursion of parsing, evaluation and dropping, even if the limit above is raised.
const MAX_DEPTH: usize = 32;

const CONDITION: &str = "`attributes`, `hasPrefix`, `NOT`, `-` or `(`";
const JOIN: &str = "join conditions with `AND` or `OR`";
const QUOTES: &str = "strings take double quotes";

pub(super) fn parse(text: &str) -> Result<Expression, FilterError> {
    if text.len() > MAX_BYTES {
        let start = text.floor_char_boundary(MAX_BYTES);
        let expected = format!("{}, which has at most {MAX_BYTES} bytes,", Lexer::END);
        return Err(FilterError::new(
            text,
            start..text.len(),
            expected,
            format!("{} bytes", text.len()),
            None,
        ));
    }
    let mut lexer = Lexer::new(text);
    let token = lexer.token()?;
    Parser {
        text,
        lexer,
        token,
        depth: 0,
    }
    .expression(None)
}

struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    /// The lookahead token.
    token: Token,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// Conditions joined by one operator, up to the end or to the `)` that closes the `(` at `open`.
    fn expression(&mut self, open: Option<usize>) -> Result<Expression, FilterError> {
        let first = self.term()?;
        if self.closes(open) {
            return Ok(first);
        }
        let operator = self.word();
        if !matches!(operator, "AND" | "OR") {
            return Err(self.not_joined(None, open));
        }
        let mut terms = vec![first];
        while !self.closes(open) {
            if self.word() != operator {
                return Err(self.not_joined(Some(operator), open));
            }
            self.take()?;
            terms.push(self.term()?);
        }
        Ok(if operator == "AND" {
            Expression::All(terms)
        } else {
            Expression::Any(terms)
        })
    }

    /// A condition and the negations in front of it. They are counted instead of nested, so they need no recursion.
    fn term(&mut self) -> Result<Expression, FilterError> {
        let mut negated = false;
        while self.token.kind == Kind::Minus || self.word() == "NOT" {
            self.take()?;
            negated = !negated;
        }
        let condition = self.condition()?;
        Ok(if negated {
            Expression::Not(Box::new(condition))
        } else {
            condition
        })
    }

    fn condition(&mut self) -> Result<Expression, FilterError> {
        match self.word() {
            "attributes" => self.attribute(),
            "hasPrefix" => self.has_prefix(),
            _ if self.token.kind == Kind::Open => self.parentheses(),
            _ => Err(self.no_condition()),
        }
    }

    fn parentheses(&mut self) -> Result<Expression, FilterError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error(format!("at most {MAX_DEPTH} parentheses inside each other"), None));
        }
        self.depth += 1;
        let open = self.take()?.span.start;
        let inner = self.expression(Some(open))?;
        self.take()?;
        self.depth -= 1;
        Ok(inner)
    }

    /// `attributes:KEY`, `attributes.KEY = "VALUE"` or `attributes.KEY != "VALUE"`.
    fn attribute(&mut self) -> Result<Expression, FilterError> {
        self.take()?;
        match self.token.kind {
            Kind::Colon => self.has(),
            Kind::Dot => self.comparison(),
            _ => {
                let help = (self.piece() == "[")
                    .then(|| r#"write `attributes.KEY` or `attributes."KEY"`"#.to_owned());
                Err(self.error("`:` or `.` after `attributes`", help))
            }
        }
    }

    fn has(&mut self) -> Result<Expression, FilterError> {
        let colon = self.take()?.span;
        let key = self.key("`attributes:`")?;
        if matches!(self.token.kind, Kind::Equals | Kind::NotEquals) {
            let help = "`:` asks whether the key is there; a comparison is written with `.`".to_owned();
            return Err(FilterError::new(
                self.text,
                colon,
                "`.` after `attributes`",
                "`:`",
                Some(help),
            ));
        }
        Ok(Expression::Has(key))
    }

    fn comparison(&mut self) -> Result<Expression, FilterError> {
        self.take()?;
        let key = self.key("`attributes.`")?;
        let negated = match self.token.kind {
            Kind::Equals => false,
            Kind::NotEquals => true,
            _ => return Err(self.error("`=` or `!=` after the key", self.comparison_help())),
        };
        self.take()?;
        let value = self.string(if negated { "`!=`" } else { "`=`" })?;
        let equals = Expression::Equals { key, value };
        Ok(if negated {
            Expression::Not(Box::new(equals))
        } else {
            equals
        })
    }

    /// `hasPrefix(attributes.KEY, "PREFIX")`.
    fn has_prefix(&mut self) -> Result<Expression, FilterError> {
        self.take()?;
        self.expect(self.token.kind == Kind::Open, "`(` after `hasPrefix`")?;
        self.expect(self.word() == "attributes", "`attributes` after `hasPrefix(`")?;
        self.expect(self.token.kind == Kind::Dot, "`.` after `attributes`")?;
        let key = self.key("`attributes.`")?;
        self.expect(self.token.kind == Kind::Comma, "`,` after the key")?;
        let prefix = self.string("`,`")?;
        self.expect(self.token.kind == Kind::Close, "`)` after the prefix")?;
        Ok(Expression::HasPrefix { key, prefix })
    }

    /// A key, with or without quotes.
    fn key(&mut self, after: &str) -> Result<Box<str>, FilterError> {
        if matches!(self.token.kind, Kind::Text(_)) {
            return self.string(after);
        }
        let word = self.word();
        let run = self.run();
        if word.is_empty() || matches!(word, "AND" | "OR" | "NOT") {
            let help = (!run.is_empty()).then(|| format!("if that is the key, write \"{}\"", escaped(run)));
            return Err(self.error(
                format!("a key after {after}"),
                help.or_else(|| self.quotes_help()),
            ));
        }
        self.take()?;
        if run.len() > word.len() {
            let help = Some(format!("any other key is quoted: write \"{}\"", escaped(run)));
            return Err(self.error("a key of letters, digits, `-` and `_`", help));
        }
        Ok(word.into())
    }

    fn string(&mut self, after: &str) -> Result<Box<str>, FilterError> {
        let Kind::Text(value) = &mut self.token.kind else {
            return Err(self.error(format!("a quoted string after {after}"), self.string_help()));
        };
        let value = std::mem::take(value);
        self.take()?;
        Ok(value.into())
    }

    fn expect(&mut self, there: bool, expected: &str) -> Result<(), FilterError> {
        if !there {
            return Err(self.error(expected, None));
        }
        self.take()?;
        Ok(())
    }

    fn take(&mut self) -> Result<Token, FilterError> {
        let next = self.lexer.token()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn closes(&self, open: Option<usize>) -> bool {
        self.token.kind == if open.is_some() { Kind::Close } else { Kind::End }
    }

    /// The text of the token.
    fn piece(&self) -> &'a str {
        self.text.get(self.token.span.clone()).unwrap_or_default()
    }

    /// The text of the token if it is a word, otherwise an empty text.
    fn word(&self) -> &'a str {
        if self.token.kind == Kind::Word {
            self.piece()
        } else {
            ""
        }
    }

    /// The token and the text directly after it, which were perhaps meant as one key or value.
    fn run(&self) -> &'a str {
        Lexer::run(self.text.get(self.token.span.start..).unwrap_or_default())
    }
}

/// The errors for the current token.
impl Parser<'_> {
    fn error(&self, expected: impl std::fmt::Display, help: Option<String>) -> FilterError {
        let found = if self.token.kind == Kind::End {
            Lexer::END.to_owned()
        } else {
            quoted(self.piece())
        };
        FilterError::new(self.text, self.token.span.clone(), expected, found, help)
    }

    fn no_condition(&self) -> FilterError {
        let word = self.word();
        let help = match &self.token.kind {
            Kind::End if Lexer::is_empty(self.text) => "leave the filter out to get every message".to_owned(),
            Kind::Text(_) => r#"a condition begins with its key: `attributes.KEY = "VALUE"`"#.to_owned(),
            Kind::Other if self.piece() == "!" => "write `NOT`".to_owned(),
            Kind::Word if matches!(word, "AND" | "OR") => format!("`{word}` stands between two conditions"),
            Kind::Word => match word.to_ascii_lowercase().as_str() {
                "not" => "operators are upper-case: `NOT`".to_owned(),
                "attribute" | "attributes" => "write `attributes`".to_owned(),
                "hasprefix" => "write `hasPrefix`".to_owned(),
                _ if self.is_call() => "`hasPrefix` is the only function".to_owned(),
                _ => format!("an attribute is written `attributes.{word}`"),
            },
            _ => return self.error(CONDITION, None),
        };
        self.error(CONDITION, Some(help))
    }

    /// A condition is followed neither by the `operator` that joins the others nor by the end.
    fn not_joined(&self, operator: Option<&str>, open: Option<usize>) -> FilterError {
        let end = if open.is_some() { "`)`" } else { Lexer::END };
        let expected = match operator {
            Some(operator) => format!("`{operator}` or {end}"),
            None => format!("`AND`, `OR` or {end}"),
        };
        let help = match (&self.token.kind, self.piece(), open) {
            (Kind::End, _, Some(open)) => format!("the `(` at {} is not closed", place(self.text, open)),
            (Kind::Close, ..) => "there is no `(` that it closes".to_owned(),
            (Kind::Minus | Kind::Open, ..) | (Kind::Word, "NOT" | "attributes" | "hasPrefix", _) => {
                JOIN.to_owned()
            }
            (Kind::Word, "AND" | "OR", _) => {
                "`AND` and `OR` meet only with parentheses: `(a AND b) OR c`".to_owned()
            }
            (Kind::Word, word, _) => match word.to_ascii_uppercase().as_str() {
                upper @ ("AND" | "OR" | "NOT") => format!("operators are upper-case: `{upper}`"),
                _ => return self.error(expected, None),
            },
            (_, "&" | "&&", _) => "write `AND`".to_owned(),
            (_, "|" | "||", _) => "write `OR`".to_owned(),
            _ => return self.error(expected, None),
        };
        self.error(expected, Some(help))
    }

    fn comparison_help(&self) -> Option<String> {
        let help = match (&self.token.kind, self.piece()) {
            (Kind::End | Kind::Close, _) | (Kind::Word, "AND" | "OR") => {
                "`attributes:KEY` asks whether the key is there"
            }
            (_, "==") => "write `=`",
            (_, "<>" | "!" | "!==") => "write `!=`",
            (Kind::Other, "~" | "=~" | "!~") => "there are no regular expressions, but `hasPrefix`",
            (Kind::Other, "<" | "<=" | ">" | ">=") => "values are not ordered",
            _ => return None,
        };
        Some(help.to_owned())
    }

    fn string_help(&self) -> Option<String> {
        let piece = self.piece();
        let help = match self.token.kind {
            Kind::Word if piece == "attributes" => {
                "a key is compared with a value, not with a key".to_owned()
            }
            Kind::Word if matches!(piece, "AND" | "OR" | "NOT") => "the value is missing".to_owned(),
            Kind::Word | Kind::Minus => format!("write \"{}\"", escaped(self.run())),
            Kind::Open => "write one comparison for each value".to_owned(),
            _ => return self.quotes_help(),
        };
        Some(help)
    }

    /// Other quotes than double ones, from other languages and from word processors.
    fn quotes_help(&self) -> Option<String> {
        let piece = self.piece();
        match piece.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            Some(inside) if !inside.contains(['"', '\\']) => {
                Some(format!("{QUOTES}: write \"{}\"", escaped(inside)))
            }
            _ => piece
                .starts_with(['\'', '`', '‘', '’', '“', '”'])
                .then(|| QUOTES.to_owned()),
        }
    }

    /// Whether the word looks like the name of a function.
    fn is_call(&self) -> bool {
        self.text
            .get(self.token.span.end..)
            .is_some_and(|rest| rest.trim_start().starts_with('('))
    }
}
