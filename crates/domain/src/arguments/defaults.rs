//! What stands where a client gave nothing: the default, an empty value, or what the store has.

use super::Given;
use super::choices;
use super::fault::Fault;
use super::read::{self, Offered};
use super::resolve::Outcome;
use crate::param::{Kind, Param, Value};

/// An empty default says nothing, as an empty field does.
pub(super) fn default(param: &Param, offered: Offered<'_>) -> Option<Value> {
    param.default.clone().filter(|value| {
        let says_something = match value {
            Value::Text(text) => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Flag(_) | Value::Count(_) => true,
        };
        says_something && choices::still_offered(param, value, offered)
    })
}

/// What stands where no value was given: a flag is off, and some want an empty argument.
pub(super) fn empty_value(param: &Param) -> Option<Value> {
    match param.kind {
        Kind::Flag => Some(Value::Flag(false)),
        Kind::Count => None,
        _ => (param.pass_empty && !param.required).then(|| Value::Text(String::new())),
    }
}

/// The store has no value: right only where a shown parameter can be without one.
pub(super) fn without_value(param: &Param) -> Result<Outcome, Fault> {
    if param.required || empty_value(param).is_some() {
        return Err(Fault::Stored);
    }
    Ok(Outcome::Empty)
}

/// A value from the store must be what a client could have given, or the author's default.
pub(super) fn stored(param: &Param, value: Value, offered: Offered<'_>) -> Result<Value, Fault> {
    if default(param, offered).as_ref() == Some(&value) {
        return Ok(value);
    }
    let given = match &value {
        Value::Flag(on) => Given::Flag(*on),
        Value::Count(times) => Given::Number(times.to_string()),
        Value::Text(text) => Given::Text(text.clone()),
        Value::List(items) => Given::List(items.clone()),
    };
    let again = read::value(param, given, offered)?.or_else(|| empty_value(param));
    if again.as_ref() == Some(&value) {
        Ok(value)
    } else {
        Err(Fault::Stored)
    }
}
