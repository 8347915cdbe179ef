//! Choosing one of the author's values.

use super::fault::Fault;
use super::kinds;
use super::read::{From, Offered};
use crate::param::{Choice, Kind, Param, Value};

/// More choices than these are not named in a message.
const MOST_NAMED: usize = 8;

/// The chosen value, as the author wrote it. `text` is what the client sent and `canonical` the
/// same by the parameter's kind: `7` chooses `07` of an integer.
pub(super) fn choose(
    param: &Param,
    text: &str,
    canonical: &str,
    from: From<'_>,
) -> Result<String, Fault> {
    let exact = param.choices.iter().find(|choice| choice.value == text);
    let alike = || {
        param.choices.iter().find(|choice| {
            kinds::canonical(param, &choice.value).is_ok_and(|value| value == canonical)
        })
    };
    let choice = exact
        .or_else(alike)
        .ok_or_else(|| none_of(&param.choices))?;
    let From::Client(offered) = from else {
        return Ok(choice.value.clone());
    };
    if choice.disabled {
        return Err(Fault::Disabled {
            label: choice.label.clone(),
        });
    }
    if !offered(choice) {
        return Err(Fault::NotOffered {
            label: choice.label.clone(),
        });
    }
    Ok(choice.value.clone())
}

fn none_of(choices: &[Choice]) -> Fault {
    let open: Vec<&str> = choices
        .iter()
        .filter(|choice| !choice.disabled)
        .map(|choice| choice.value.as_str())
        .collect();
    match open.len() {
        0 => Fault::NoChoices,
        1..=MOST_NAMED => Fault::NotChoice {
            choices: open.join(", "),
        },
        _ => Fault::NotOneOfMany,
    }
}

/// May this value of the author's (a default) be used now? A choice of it may be disabled, or
/// not offered with the other values.
pub(super) fn still_offered(param: &Param, value: &Value, offered: Offered<'_>) -> bool {
    let open = |text: &String| {
        param
            .choices
            .iter()
            .any(|choice| choice.value == *text && !choice.disabled && offered(choice))
    };
    match value {
        Value::Flag(_) | Value::Count(_) => true,
        _ if param.choices.is_empty() => param.kind != Kind::Choice,
        Value::Text(text) => open(text),
        Value::List(items) => items.iter().all(open),
    }
}

/// Did the author write this text? Then it may begin with a dash: `--csv` as a choice.
pub(super) fn authors_own(param: &Param, text: &str) -> bool {
    let listed = |choices: &[Choice]| choices.iter().any(|choice| choice.value == text);
    let in_default = match &param.default {
        Some(Value::Text(default)) => default == text,
        Some(Value::List(items)) => items.iter().any(|item| item == text),
        Some(Value::Flag(_) | Value::Count(_)) | None => false,
    };
    in_default || listed(&param.choices) || listed(&param.suggestions)
}
