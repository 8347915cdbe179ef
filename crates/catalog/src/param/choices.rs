//! `choices` and `suggestions`: texts, or `{ value, label, disabled, when }`.

use std::collections::HashSet;

use stagedoor_config::document::{Node, Problems, Table, Value};
use stagedoor_domain::arguments::check_text;
use stagedoor_domain::param::{Choice, Param};

use super::conditions;
use crate::keys;

/// Reads the list; what is wrong with one item does not hide the others.
pub(super) fn read(node: Option<&Node>, problems: &mut Problems) -> Vec<Choice> {
    let Some(node) = node else {
        return Vec::new();
    };
    let Some(items) = node.list("[\"one\", \"two\"]", problems) else {
        return Vec::new();
    };
    if items.is_empty() {
        problems.push(
            node.mark
                .problem("this list is empty")
                .mend("write at least one value, or take the key out"),
        );
    }
    let mut seen = HashSet::new();
    let mut choices = Vec::new();
    for item in items {
        let Some(choice) = one(item, problems) else {
            continue;
        };
        if !seen.insert(choice.value.clone()) {
            let problem = item
                .mark
                .problem(format!("`{}` stands here a second time", choice.value));
            problems.push(problem.mend("take one of the two out"));
        }
        choices.push(choice);
    }
    choices
}

fn one(node: &Node, problems: &mut Problems) -> Option<Choice> {
    let Value::Table(table) = &node.value else {
        let value = text(node, problems)?;
        return Some(Choice {
            label: value.clone(),
            value,
            disabled: false,
            when: Vec::new(),
        });
    };
    keys::CHOICE.check(table, problems);
    let Some(value) = table.get("value") else {
        problems.push(
            node.mark
                .problem("this choice has no value")
                .mend("add `value = \"…\"`"),
        );
        return None;
    };
    let value = text(value, problems)?;
    Some(Choice {
        label: table
            .text("label", problems)
            .unwrap_or_else(|| value.clone()),
        value,
        disabled: table.flag("disabled", problems).unwrap_or(false),
        when: table
            .get("when")
            .map(|node| conditions::read(node, problems))
            .unwrap_or_default(),
    })
}

/// A number may stand without quotes; nothing else may.
fn text(node: &Node, problems: &mut Problems) -> Option<String> {
    match node.value {
        Value::Integer(_) | Value::Float(_) => node.scalar(),
        _ => node.full_text(problems),
    }
}

/// Each value must be one that the parameter itself would accept.
pub(super) fn check(param: &Param, keys: &Table, problems: &mut Problems) {
    if let (false, Some(entry)) = (param.choices.is_empty(), keys.entry("suggestions")) {
        let problem = entry
            .key
            .problem("`suggestions` are for free values, and `choices` leave none free");
        problems.push(problem.mend("keep one of the two"));
    }
    let offered = if param.choices.is_empty() {
        ("suggestions", &param.suggestions)
    } else {
        ("choices", &param.choices)
    };
    let (key, offered) = offered;
    let Some(Value::List(items)) = keys.get(key).map(|node| &node.value) else {
        return;
    };
    for choice in offered {
        if let Err(message) = check_text(param, &choice.value) {
            let node = items
                .iter()
                .find(|item| value_of(item).as_ref() == Some(&choice.value));
            let mark = node.map_or(&keys.mark, |node| &node.mark);
            problems.push(mark.problem(format!(
                "the parameter itself would refuse `{}`: {message}",
                choice.value
            )));
        }
    }
}

fn value_of(item: &Node) -> Option<String> {
    match &item.value {
        Value::Table(table) => table.get("value").and_then(Node::scalar),
        _ => item.scalar(),
    }
}
