//! From what a client gave to a value, for one parameter.

use super::Given;
use super::bounds;
use super::choices;
use super::fault::Fault;
use super::kinds;
use crate::param::{Choice, Kind, Multiple, Param, Value};

/// A count above this is a mistake, and would only fill argv.
const MOST_OFTEN: u32 = 255;

/// Which choices may be chosen, given the other values.
pub(super) type Offered<'a> = &'a dyn Fn(&Choice) -> bool;

/// Whose text is read.
#[derive(Clone, Copy)]
pub(super) enum From<'a> {
    /// May choose what is offered and not disabled.
    Client(Offered<'a>),
    /// May name any choice that was declared.
    Author,
}

/// The value, or none when what was given says nothing.
pub(super) fn value(
    param: &Param,
    given: Given,
    offered: Offered<'_>,
) -> Result<Option<Value>, Fault> {
    match (param.kind, &param.multiple) {
        (Kind::Flag, _) => flag(&given).map(|on| Some(Value::Flag(on))),
        (Kind::Count, _) => count(param, given),
        (_, Some(multiple)) => list(param, multiple, given, offered),
        (_, None) => one(param, given, offered),
    }
}

/// A text of the author's: legal by type, bounds and choices?
pub(super) fn author_text(param: &Param, text: &str) -> Result<String, Fault> {
    item(param, text, From::Author)
}

/// A form sends an empty field before each tick box, so that "off" differs from "not asked".
fn flag(given: &Given) -> Result<bool, Fault> {
    match given {
        Given::Flag(on) => Ok(*on),
        Given::Text(text) => flag_text(text),
        Given::List(items) => items.last().map_or(Ok(false), |text| flag_text(text)),
        Given::Number(_) => Err(Fault::NotFlag),
    }
}

pub(super) fn flag_text(text: &str) -> Result<bool, Fault> {
    match text {
        "true" | "on" => Ok(true),
        "" | "false" | "off" => Ok(false),
        _ => Err(Fault::NotFlag),
    }
}

fn count(param: &Param, given: Given) -> Result<Option<Value>, Fault> {
    let text = match given {
        Given::Text(text) | Given::Number(text) => text,
        Given::List(_) => return Err(Fault::OneOnly),
        Given::Flag(_) => return Err(Fault::NotCount),
    };
    if kinds::is_blank(param.kind, &text) {
        return Ok(None);
    }
    let times = count_text(text.trim())?;
    bounds::check_measure(param, &times.to_string())?;
    Ok(Some(Value::Count(times)))
}

pub(super) fn count_text(text: &str) -> Result<u32, Fault> {
    let digits_only = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let times = digits_only.then(|| text.parse().ok()).flatten();
    times
        .filter(|times| *times <= MOST_OFTEN)
        .ok_or(Fault::NotCount)
}

fn one(param: &Param, given: Given, offered: Offered<'_>) -> Result<Option<Value>, Fault> {
    let text = match given {
        Given::List(_) => return Err(Fault::OneOnly),
        Given::Text(text) => text,
        Given::Number(text) if takes_numbers(param.kind) => text,
        Given::Flag(on) if param.kind == Kind::Json => on.to_string(),
        Given::Number(_) | Given::Flag(_) => return Err(wrong_shape(param.kind)),
    };
    if kinds::is_blank(param.kind, &text) {
        return Ok(None);
    }
    item(param, &text, From::Client(offered)).map(|text| Some(Value::Text(text)))
}

fn takes_numbers(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Integer | Kind::Number | Kind::Choice | Kind::Json
    )
}

/// JSON of another type than the parameter's.
fn wrong_shape(kind: Kind) -> Fault {
    match kind {
        Kind::Integer => Fault::NotInteger,
        Kind::Number => Fault::NotNumber,
        _ => Fault::NotText,
    }
}

/// Empty items are fields that were left empty: they do not count.
fn list(
    param: &Param,
    multiple: &Multiple,
    given: Given,
    offered: Offered<'_>,
) -> Result<Option<Value>, Fault> {
    let texts = match given {
        Given::List(texts) => texts,
        Given::Text(text) => vec![text],
        Given::Number(text) if takes_numbers(param.kind) => vec![text],
        Given::Number(_) | Given::Flag(_) => return Err(wrong_shape(param.kind)),
    };
    let mut items = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        if kinds::is_blank(param.kind, text) {
            continue;
        }
        let item = item(param, text, From::Client(offered))
            .and_then(|item| separable(param, multiple, item))
            .map_err(|fault| Fault::Item {
                number: at + 1,
                fault: Box::new(fault),
            })?;
        items.push(item);
    }
    if items.is_empty() {
        return Ok(None);
    }
    match (param.bounds.min_items, param.bounds.max_items) {
        (Some(least), _) if items.len() < least => Err(Fault::TooFew { least }),
        (_, Some(most)) if items.len() > most => Err(Fault::TooMany { most }),
        _ => Ok(Some(Value::List(items))),
    }
}

/// A client's value may not contain what stands between values, else one would become two.
fn separable(param: &Param, multiple: &Multiple, item: String) -> Result<String, Fault> {
    match multiple {
        Multiple::Join { separator }
            if !separator.is_empty()
                && item.contains(separator.as_str())
                && !choices::authors_own(param, &item) =>
        {
            Err(Fault::Separator {
                separator: separator.clone(),
            })
        }
        _ => Ok(item),
    }
}

/// One text, not empty, by type, bounds and choices.
fn item(param: &Param, text: &str, from: From<'_>) -> Result<String, Fault> {
    let canonical = kinds::canonical(param, text)?;
    bounds::check(param, &canonical)?;
    if param.choices.is_empty() {
        return match param.kind {
            Kind::Choice => Err(Fault::NoChoices),
            _ => Ok(canonical),
        };
    }
    choices::choose(param, text, &canonical, from)
}
