//! Canonical JSON: equal values have equal texts.
//!
//! It works on the text, so that numbers keep their digits and the result does not depend on the map order of
//! `serde_json`, which any crate of the program can change with a feature.

use std::ops::Range;

/// `serde_json` accepts 127 levels, and the body of a publisher's task adds one around its message.
const MAX_DEPTH: usize = 128;

/// Why there is no canonical form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refused {
    TooDeep,
    NotJson,
}

impl Refused {
    pub fn reason(self) -> String {
        match self {
            Self::TooDeep => format!("nest deeper than {MAX_DEPTH} levels"),
            Self::NotJson => "are not JSON".to_owned(),
        }
    }
}

/// The JSON without whitespace and with the keys of every object sorted by their bytes; everything else is unchanged.
pub(crate) fn canonical(json: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut writer = Writer {
        rest: json,
        out: Vec::with_capacity(json.len()),
    };
    writer.value(MAX_DEPTH)?;
    match writer.peek() {
        None => Ok(writer.out),
        Some(_) => Err(Refused::NotJson),
    }
}

struct Writer<'a> {
    rest: &'a [u8],
    out: Vec<u8>,
}

impl Writer<'_> {
    /// The next byte that is not whitespace.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied()
    }

    fn value(&mut self, levels: usize) -> Result<(), Refused> {
        match self.peek() {
            Some(b'{') => self.object(levels.checked_sub(1).ok_or(Refused::TooDeep)?),
            Some(b'[') => self.array(levels.checked_sub(1).ok_or(Refused::TooDeep)?),
            Some(b'"') => self.string(),
            Some(_) => self.word(),
            None => Err(Refused::NotJson),
        }
    }

    /// Copies the next byte that is not whitespace, which must be this one.
    fn punctuation(&mut self, expected: u8) -> Result<(), Refused> {
        if self.peek() != Some(expected) {
            return Err(Refused::NotJson);
        }
        self.copy(1);
        Ok(())
    }

    fn copy(&mut self, length: usize) {
        let (copied, rest) = self.rest.split_at(length);
        self.out.extend_from_slice(copied);
        self.rest = rest;
    }

    fn array(&mut self, levels: usize) -> Result<(), Refused> {
        self.punctuation(b'[')?;
        if self.peek() == Some(b']') {
            return self.punctuation(b']');
        }
        loop {
            self.value(levels)?;
            if self.peek() != Some(b',') {
                return self.punctuation(b']');
            }
            self.punctuation(b',')?;
        }
    }

    fn object(&mut self, levels: usize) -> Result<(), Refused> {
        self.punctuation(b'{')?;
        if self.peek() == Some(b'}') {
            return self.punctuation(b'}');
        }
        let start = self.out.len();
        let mut entries = Vec::new();
        loop {
            entries.push(self.entry(levels)?);
            if self.peek() != Some(b',') {
                break;
            }
            self.punctuation(b',')?;
        }
        self.sort(start, entries);
        self.punctuation(b'}')
    }

    fn entry(&mut self, levels: usize) -> Result<Entry, Refused> {
        let start = self.out.len();
        if self.peek() != Some(b'"') {
            return Err(Refused::NotJson);
        }
        self.string()?;
        let key = start..self.out.len();
        self.punctuation(b':')?;
        self.value(levels)?;
        let whole = start..self.out.len();
        Ok(Entry { key, whole })
    }

    /// Sorts the entries written since `start`. Of equal keys the last one counts, so their order stays.
    fn sort(&mut self, start: usize, mut entries: Vec<Entry>) {
        let key = |entry: &Entry| &self.out[entry.key.clone()];
        if entries.is_sorted_by(|one, other| key(one) <= key(other)) {
            return;
        }
        entries.sort_by(|one, other| key(one).cmp(key(other)));
        let mut sorted = Vec::with_capacity(self.out.len() - start);
        for entry in entries {
            if !sorted.is_empty() {
                sorted.push(b',');
            }
            sorted.extend_from_slice(&self.out[entry.whole]);
        }
        self.out.truncate(start);
        self.out.append(&mut sorted);
    }

    fn string(&mut self) -> Result<(), Refused> {
        let mut escaped = false;
        let end = self.rest.iter().skip(1).position(|&byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        self.copy(end.ok_or(Refused::NotJson)? + 2);
        Ok(())
    }

    /// A number, a boolean or null.
    fn word(&mut self) -> Result<(), Refused> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let length = self.rest.iter().take_while(|byte| is_part(byte)).count();
        if length == 0 {
            return Err(Refused::NotJson);
        }
        self.copy(length);
        Ok(())
    }
}

/// Where an object's entry was written.
struct Entry {
    key: Range<usize>,
    whole: Range<usize>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn text(json: &str) -> String {
        String::from_utf8(canonical(json.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn keys_are_sorted_at_every_level_and_all_else_stays_to_the_letter() {
        for (json, expected) in [
            (
                r#"{"b":1,"a":{"d":[{"f":1,"e":2}],"c":3}}"#,
                r#"{"a":{"c":3,"d":[{"e":2,"f":1}]},"b":1}"#,
            ),
            (
                " { \"b\" : 1.0 ,\n\"a\":[ ] , \"\":{ } } ",
                r#"{"":{},"a":[],"b":1.0}"#,
            ),
            ("[3,1,2,null,true,-1e+5]", "[3,1,2,null,true,-1e+5]"),
            (r#""a \" b \\""#, r#""a \" b \\""#),
            (
                "123456789012345678901234567890.10",
                "123456789012345678901234567890.10",
            ),
            (r#"{"é":"ü{","e\"":"\u0000"}"#, r#"{"e\"":"\u0000","é":"ü{"}"#),
            (r#"{"a":2,"b":0,"a":1}"#, r#"{"a":2,"a":1,"b":0}"#),
        ] {
            assert_eq!(text(json), expected);
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for json in [
            "",
            "{",
            "[1",
            "\"a",
            "\"a\\\"",
            "{1:2}",
            "{\"a\"}",
            "[1 2]",
            "1 2",
            "[1,]",
            "{\"a\":1,}",
            ";",
        ] {
            assert_eq!(canonical(json.as_bytes()), Err(Refused::NotJson), "{json}");
        }
    }

    #[test]
    fn nesting_is_bounded_however_deep_it_is() {
        let nested = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();

        assert!(canonical(&nested(128)).is_ok());
        assert_eq!(canonical(&nested(129)), Err(Refused::TooDeep));
        assert_eq!(canonical(&vec![b'['; 1_000_000]), Err(Refused::TooDeep));
    }

    /// Any JSON, a few levels deep.
    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // Readers of JSON know one zero, but there are two texts of it.
            any::<f64>().prop_map(|number| Value::from(number + 0.0)),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::hash_map(".*", inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The same value with the keys of all objects in reverse order, and whitespace between them.
    fn reversed(value: &Value) -> String {
        match value {
            Value::Array(values) => {
                let values: Vec<_> = values.iter().map(reversed).collect();
                format!("[ {} ]", values.join(" ,"))
            }
            Value::Object(map) => {
                let entries = map.iter().rev();
                let entries: Vec<_> = entries
                    .map(|(key, value)| format!("{} : {}", Value::from(key.as_str()), reversed(value)))
                    .collect();
                format!("{{ {} }}", entries.join(",\n"))
            }
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn equal_values_have_equal_texts_that_mean_the_same(value in json()) {
            let one = text(&value.to_string());

            prop_assert_eq!(&text(&reversed(&value)), &one);
            prop_assert_eq!(&text(&one), &one);
            let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            prop_assert_eq!(read(&one), read(&value.to_string()));
        }

        #[test]
        fn different_values_have_different_texts(one in json(), other in json()) {
            prop_assert_eq!(text(&one.to_string()) == text(&other.to_string()), one == other);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), almost in "[\\[\\]{}\",:\\\\a1 ]*") {
            let _ = canonical(&bytes);
            let _ = canonical(almost.as_bytes());
        }
    }
}
