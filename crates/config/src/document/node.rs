//! A value with its place, and the questions that readers ask it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use stagedoor_domain::quantity;
use toml::de::DeValue;

use super::table::{Table, table};
use super::{Mark, Problems, Text};

/// A value.
#[derive(Debug, Clone)]
pub enum Value {
    /// In quotes.
    Text(String),
    /// Fits in 64 bits.
    Integer(i64),
    /// As written.
    Float(String),
    /// `true` or `false`.
    Flag(bool),
    /// A date, a time, or both, as TOML writes them.
    Time(String),
    /// In brackets, or an array of tables.
    List(Vec<Node>),
    /// In braces, or below a header.
    Table(Table),
}

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// What.
    pub value: Value,
    /// Where.
    pub mark: Mark,
}

pub(super) fn node(
    text: &Arc<Text>,
    span: Range<usize>,
    tree: &DeValue<'_>,
    problems: &mut Problems,
) -> Node {
    let mark = Mark::new(text, span.clone());
    let value = match tree {
        DeValue::String(value) => Value::Text(value.to_string()),
        DeValue::Integer(value) => Value::Integer(
            i64::from_str_radix(value.as_str(), value.radix()).unwrap_or_else(|_| {
                problems.push(mark.problem("this number does not fit in 64 bits"));
                0
            }),
        ),
        DeValue::Float(value) => Value::Float(value.as_str().to_owned()),
        DeValue::Boolean(value) => Value::Flag(*value),
        DeValue::Datetime(value) => Value::Time(value.to_string()),
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .map(|i| node(text, i.span(), i.get_ref(), problems))
                .collect(),
        ),
        DeValue::Table(value) => Value::Table(table(text, span, value, problems)),
    };
    Node { value, mark }
}

impl Node {
    /// The type in words.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a text",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Flag(_) => "true or false",
            Value::Time(_) => "a date or time",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// Says that another type was wanted here.
    pub fn wrong(&self, wanted: &str, form: &str, problems: &mut Problems) {
        let message = format!("{wanted} is wanted here, and this is {}", self.kind());
        problems.push(
            self.mark
                .problem(message)
                .mend(format!("write it as `{form}`")),
        );
    }

    /// A single value as text, as the author wrote it; none for lists and tables.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) | Value::Float(text) | Value::Time(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Flag(on) => Some(on.to_string()),
            Value::List(_) | Value::Table(_) => None,
        }
    }

    /// A text without NUL, which no program could be given.
    pub fn text(&self, problems: &mut Problems) -> Option<String> {
        match &self.value {
            Value::Text(text) if text.contains('\0') => {
                problems.push(
                    self.mark
                        .problem("a text may not contain the character NUL"),
                );
                None
            }
            Value::Text(text) => Some(text.clone()),
            _ => {
                let form = format!("\"{}\"", self.scalar().unwrap_or_else(|| "…".to_owned()));
                self.wrong("a text in quotes", &form, problems);
                None
            }
        }
    }

    /// A text that says something.
    pub fn full_text(&self, problems: &mut Problems) -> Option<String> {
        let text = self.text(problems)?;
        if text.trim().is_empty() {
            problems.push(
                self.mark
                    .problem("this text is empty")
                    .mend("write a text, or leave the key out"),
            );
            return None;
        }
        Some(text)
    }

    /// `true` or `false`.
    pub fn flag(&self, problems: &mut Problems) -> Option<bool> {
        if let Value::Flag(on) = self.value {
            return Some(on);
        }
        self.wrong("true or false", "true", problems);
        None
    }

    /// A whole number between two bounds.
    pub fn integer(&self, least: i64, most: i64, problems: &mut Problems) -> Option<i64> {
        let Value::Integer(number) = self.value else {
            self.wrong("a whole number", "1", problems);
            return None;
        };
        if !(least..=most).contains(&number) {
            // What a count can be at most is nobody's wish.
            let is_little = number < least && most >= i64::from(u32::MAX);
            let (message, mend) = if is_little {
                (
                    format!("{number} is less than {least}"),
                    format!("write {least} or more"),
                )
            } else {
                (
                    format!("{number} is not between {least} and {most}"),
                    format!("write a number from {least} to {most}"),
                )
            };
            problems.push(self.mark.problem(message).mend(mend));
            return None;
        }
        Some(number)
    }

    /// A number of things, from 0 or 1.
    pub fn count(&self, least: u32, problems: &mut Problems) -> Option<u32> {
        let number = self.integer(i64::from(least), i64::from(u32::MAX), problems)?;
        u32::try_from(number).ok()
    }

    /// A duration such as `1h30m`.
    pub fn duration(&self, problems: &mut Problems) -> Option<Duration> {
        self.quantity(quantity::parse_duration, "\"30s\"", problems)
    }

    /// A size in bytes, such as `10MiB`.
    pub fn size(&self, problems: &mut Problems) -> Option<u64> {
        self.quantity(quantity::parse_size, "\"10MiB\"", problems)
    }

    /// A size of at least one byte.
    pub fn some_size(&self, problems: &mut Problems) -> Option<u64> {
        let bytes = match self.value {
            Value::Integer(0) => 0,
            _ => self.size(problems)?,
        };
        if bytes == 0 {
            let problem = self.mark.problem("a size of zero would keep nothing");
            problems.push(problem.mend("write a size such as `\"10MiB\"`, or take the key out"));
            return None;
        }
        Some(bytes)
    }

    fn quantity<T>(
        &self,
        parse: impl Fn(&str) -> Result<T, quantity::BadQuantity>,
        form: &str,
        problems: &mut Problems,
    ) -> Option<T> {
        let text = match &self.value {
            Value::Text(text) => text.clone(),
            // A bare number gets the message that says what is missing: the unit.
            Value::Integer(number) => number.to_string(),
            _ => {
                self.wrong("a text with a unit", form, problems);
                return None;
            }
        };
        parse(&text)
            .map_err(|error| {
                let mend = format!("write a number and its unit in quotes, as in `{form}`");
                problems.push(self.mark.problem(error.to_string()).mend(mend));
            })
            .ok()
    }

    /// The items of a list; `form` shows one.
    pub fn list(&self, form: &str, problems: &mut Problems) -> Option<&[Node]> {
        if let Value::List(items) = &self.value {
            return Some(items);
        }
        self.wrong("a list", form, problems);
        None
    }

    /// A list of texts that say something.
    pub fn texts(&self, problems: &mut Problems) -> Option<Vec<String>> {
        let form = match &self.value {
            Value::Text(text) => format!("[\"{text}\"]"),
            _ => "[\"…\"]".to_owned(),
        };
        let items = self.list(&form, problems)?;
        // Every item is read before one that is wrong ends the reading, so that all are told.
        let read: Vec<Option<String>> = items.iter().map(|item| item.full_text(problems)).collect();
        read.into_iter().collect()
    }

    /// A table; `form` shows one.
    pub fn table(&self, form: &str, problems: &mut Problems) -> Option<&Table> {
        if let Value::Table(table) = &self.value {
            return Some(table);
        }
        self.wrong("a table", form, problems);
        None
    }

    /// An array of tables, `[[name]]`.
    pub fn tables(&self, name: &str, problems: &mut Problems) -> Vec<&Table> {
        let form = format!("[[{name}]]");
        let Some(items) = self.list(&form, problems) else {
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| item.table(&form, problems))
            .collect()
    }
}
