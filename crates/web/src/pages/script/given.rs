//! From a form's fields to what a client gave.

use stagedoor_domain::arguments::{self, Given, GivenArgs};
use stagedoor_domain::param::{Kind, Param, Value};
use stagedoor_domain::script::Script;

use super::CONFIRM_FIELD;
use crate::safe_form::Fields;

/// What the form gives, by the way its fields are made. Fields of no parameter stay in, so that
/// the check names them.
pub(super) fn given(script: &Script, fields: &Fields) -> GivenArgs {
    let mut given = GivenArgs::new();
    for (name, value) in &fields.0 {
        if name == CONFIRM_FIELD || given.contains_key(name) {
            continue;
        }
        let values: Vec<String> = fields.all(name).map(ToOwned::to_owned).collect();
        let param = script
            .params
            .iter()
            .find(|param| param.name.as_str() == name);
        let one = match param {
            Some(param) => of_param(param, values),
            None => Given::Text(value.clone()),
        };
        given.insert(name.clone(), one);
    }
    leave_out_untouched(script, &mut given);
    given
}

fn of_param(param: &Param, mut values: Vec<String>) -> Given {
    if param.multiple.is_some() {
        let items: Vec<String> = if is_one_per_line(param) {
            values
                .iter()
                .flat_map(|text| text.lines())
                .map(str::to_owned)
                .collect()
        } else {
            values
        };
        let items: Vec<String> = items.into_iter().filter(|item| !item.is_empty()).collect();
        return if items.is_empty() {
            Given::Text(String::new())
        } else {
            Given::List(items)
        };
    }
    match (values.len(), values.pop()) {
        (1, Some(value)) => Given::Text(value),
        (_, Some(last)) => {
            values.push(last);
            Given::List(values)
        }
        (_, None) => Given::Text(String::new()),
    }
}

/// Several values without choices share one box, one on each line; but texts that have lines of
/// their own stand in a box each.
pub(super) fn is_one_per_line(param: &Param) -> bool {
    param.multiple.is_some()
        && param.choices.is_empty()
        && !matches!(param.kind, Kind::Multiline | Kind::Json)
}

/// Without JavaScript every field is shown and sent, those of hidden parameters with what the
/// form put into them. What nobody touched is not an attempt to set a hidden parameter.
fn leave_out_untouched(script: &Script, given: &mut GivenArgs) {
    let shown = arguments::shown(script, given);
    for param in script
        .params
        .iter()
        .filter(|param| !shown.contains(&param.name))
    {
        let is_untouched = given
            .get(param.name.as_str())
            .is_some_and(|given| plain(given) == filled_in(param));
        if is_untouched {
            given.remove(param.name.as_str());
        }
    }
}

fn plain(given: &Given) -> Vec<String> {
    match given {
        Given::Text(text) => vec![text.replace("\r\n", "\n")],
        // A ticked flag sends its hidden empty field as well.
        Given::List(items) => items
            .iter()
            .filter(|item| !item.is_empty())
            .cloned()
            .collect(),
        Given::Flag(on) => vec![on.to_string()],
        Given::Number(text) => vec![text.clone()],
    }
}

/// What the form puts into the field of a parameter that nobody touched.
fn filled_in(param: &Param) -> Vec<String> {
    let texts = defaults(param);
    match (param.kind, texts.as_slice()) {
        (Kind::Flag, [text]) if text == "false" => vec![String::new()],
        (_, []) => vec![String::new()],
        _ if param.secret => vec![String::new()],
        _ => texts,
    }
}

/// A default as texts; none without one.
pub(super) fn defaults(param: &Param) -> Vec<String> {
    match &param.default {
        None => Vec::new(),
        Some(Value::Flag(on)) => vec![on.to_string()],
        Some(Value::Count(times)) => vec![times.to_string()],
        Some(Value::Text(text)) => vec![text.clone()],
        Some(Value::List(items)) => items.clone(),
    }
}
