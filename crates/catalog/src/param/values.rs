//! `default` and `value`: the author's own values, held to the parameter's own rules.

use stagedoor_config::document::{Node, Problems, Table, Value as Written};
use stagedoor_domain::arguments::check_text;
use stagedoor_domain::param::{Kind, Param, Value};

/// Sets the default and the fixed value.
pub(super) fn resolve(param: &mut Param, keys: &Table, problems: &mut Problems) {
    if let (Some(entry), true) = (keys.entry("value"), keys.has("default")) {
        let problem = entry
            .key
            .problem("a fixed value leaves no room for a default");
        problems.push(problem.mend("keep `value` or `default`"));
    }
    for key in ["value", "default"] {
        if let (Some(entry), true) = (keys.entry(key), param.secret) {
            let problem = entry.key.problem(format!(
                "`{key}` would write a secret down where it can be read"
            ));
            problems.push(problem.mend("take it out; who starts the script gives the secret"));
        }
    }
    param.default = keys
        .get("default")
        .and_then(|node| read(node, param, problems));
    param.fixed = keys
        .get("value")
        .and_then(|node| read(node, param, problems));
}

fn read(node: &Node, param: &Param, problems: &mut Problems) -> Option<Value> {
    match (param.kind, &node.value) {
        (Kind::Flag, Written::Flag(on)) => Some(Value::Flag(*on)),
        (Kind::Flag, _) => {
            node.wrong("true or false", "true", problems);
            None
        }
        (Kind::Count, Written::Integer(_)) => count(node, param, problems),
        (Kind::Count, _) => {
            node.wrong("a whole number", "1", problems);
            None
        }
        (_, Written::List(items)) if param.multiple.is_some() => list(node, items, param, problems),
        (_, Written::Table(_)) => {
            node.wrong("a value", "\"…\"", problems);
            None
        }
        (_, Written::List(_)) => {
            let problem = node
                .mark
                .problem("this parameter takes one value, and this is a list");
            problems.push(problem.mend("write one value, or add `multiple = \"repeat\"`"));
            None
        }
        // The empty text says that there is no value.
        (_, Written::Text(text)) if text.is_empty() => None,
        _ if param.multiple.is_some() => {
            let form = format!("[\"{}\"]", node.scalar().unwrap_or_default());
            node.wrong("a list of values", &form, problems);
            None
        }
        _ => one(node, param, problems).map(Value::Text),
    }
}

fn count(node: &Node, param: &Param, problems: &mut Problems) -> Option<Value> {
    one(node, param, problems)?.parse().ok().map(Value::Count)
}

fn list(node: &Node, items: &[Node], param: &Param, problems: &mut Problems) -> Option<Value> {
    let values: Vec<String> = items
        .iter()
        .filter_map(|item| one(item, param, problems))
        .collect();
    let (least, most) = (
        param.bounds.min_items.unwrap_or(0),
        param.bounds.max_items.unwrap_or(usize::MAX),
    );
    if !items.is_empty() && !(least..=most).contains(&items.len()) {
        let message = format!(
            "{} values stand here, and the parameter's `min_items` and `max_items` refuse that",
            items.len()
        );
        problems.push(node.mark.problem(message));
    }
    (!values.is_empty()).then_some(Value::List(values))
}

/// One value in its canonical form.
fn one(node: &Node, param: &Param, problems: &mut Problems) -> Option<String> {
    let Some(text) = node.scalar() else {
        node.wrong("a value", "\"…\"", problems);
        return None;
    };
    check_text(param, &text)
        .map_err(|message| {
            let problem = node.mark.problem(format!(
                "the parameter itself would refuse `{text}`: {message}"
            ));
            problems.push(problem);
        })
        .ok()
}
