//! `when = { mode = ["a", "b"] }`, and the checks that need all parameters of the script.

use stagedoor_config::document::{Node, Problems, Value, nearest};
use stagedoor_domain::arguments::check_text;
use stagedoor_domain::name::ParamName;
use stagedoor_domain::param::{Condition, Kind, Param};

use super::Declared;

/// Reads the conditions. Whether their parameters exist is asked by [`check`].
pub(super) fn read(node: &Node, problems: &mut Problems) -> Vec<Condition> {
    let Some(table) = node.table("{ mode = \"a\" }", problems) else {
        return Vec::new();
    };
    let mut conditions = Vec::new();
    for (key, entry) in table.in_order() {
        if key.contains('.') || matches!(entry.node.value, Value::Table(_)) {
            let problem = entry
                .key
                .problem("a condition on a field of a choice is not in this version yet");
            problems.push(problem.mend("compare the parameter's value itself"));
            continue;
        }
        match ParamName::parse(key) {
            Ok(param) => conditions.push(Condition {
                param,
                any_of: any_of(&entry.node, problems),
            }),
            Err(error) => problems.push(
                entry
                    .key
                    .problem(format!("this is no parameter's name: {error}")),
            ),
        }
    }
    conditions
}

fn any_of(node: &Node, problems: &mut Problems) -> Vec<String> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() {
        problems.push(
            node.mark
                .problem("this list is empty, so the condition never holds")
                .mend("write at least one value"),
        );
    }
    let mut values = Vec::new();
    for item in items {
        match item.scalar() {
            Some(value) => values.push(value),
            None => item.wrong("a value", "\"a\"", problems),
        }
    }
    values
}

/// Conditions name other parameters of the same script, values that these can have, and no circle.
pub(super) fn check(all: &[Declared], problems: &mut Problems) {
    for declared in all {
        if let Some(node) = declared.keys.get("when") {
            check_one(node, &declared.param, all, problems);
        }
        if let Some(Value::List(items)) = declared.keys.get("choices").map(|node| &node.value) {
            let tables = items.iter().filter_map(|item| match &item.value {
                Value::Table(table) => table.get("when"),
                _ => None,
            });
            for node in tables {
                check_one(node, &declared.param, all, problems);
            }
        }
    }
    check_circles(all, problems);
}

fn check_one(node: &Node, owner: &Param, all: &[Declared], problems: &mut Problems) {
    let Value::Table(table) = &node.value else {
        return;
    };
    for (key, entry) in table.in_order() {
        if ParamName::parse(key).is_err() {
            continue;
        }
        if owner.name.as_str() == key {
            let problem = entry
                .key
                .problem(format!("`{key}` cannot depend on itself"));
            problems.push(problem.mend("name another parameter, or take the condition out"));
            continue;
        }
        if let Some(other) = all.iter().find(|other| other.param.name.as_str() == key) {
            check_values(&entry.node, &other.param, problems);
            continue;
        }
        let problem = entry.key.problem(format!("there is no parameter `{key}`"));
        let names = all.iter().map(|other| other.param.name.as_str());
        problems.push(
            match nearest(key, names.filter(|name| *name != owner.name.as_str())) {
                Some(near) => problem.mend(format!("did you mean `{near}`?")),
                None => problem.mend("name a parameter of this script"),
            },
        );
    }
}

/// A value that the other parameter never has is a mistake: the condition could not hold.
fn check_values(node: &Node, other: &Param, problems: &mut Problems) {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    for item in items {
        let Some(value) = item.scalar() else { continue };
        // The empty text asks whether there is no value.
        if value.is_empty() {
            continue;
        }
        if other.kind == Kind::Flag && !["true", "false"].contains(&value.as_str()) {
            let problem = item
                .mark
                .problem(format!("`{}` is a flag, and never `{value}`", other.name));
            problems.push(problem.mend("write `true` or `false`"));
        } else if let Err(message) = check_text(other, &value) {
            problems.push(
                item.mark
                    .problem(format!("`{}` is never `{value}`: {message}", other.name)),
            );
        }
    }
}

/// A parameter that is shown only if it is shown would never be.
fn check_circles(all: &[Declared], problems: &mut Problems) {
    for declared in all {
        let start = &declared.param.name;
        let mut seen: Vec<&ParamName> = Vec::new();
        // The direct way is told where the condition stands.
        let mut open: Vec<&ParamName> = targets(&declared.param)
            .filter(|name| *name != start)
            .collect();
        while let Some(name) = open.pop() {
            if name == start {
                let node = declared
                    .keys
                    .get("when")
                    .or_else(|| declared.keys.get("choices"));
                let mark = node.map_or(&declared.keys.mark, |node| &node.mark);
                let problem = mark.problem(format!(
                    "`{start}` depends on itself through `when` of other parameters"
                ));
                problems.push(problem.mend("take one condition of the circle out"));
                break;
            }
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            let other = all.iter().find(|other| other.param.name == *name);
            open.extend(other.iter().flat_map(|other| targets(&other.param)));
        }
    }
}

fn targets(param: &Param) -> impl Iterator<Item = &ParamName> {
    let of_choices = param.choices.iter().flat_map(|choice| &choice.when);
    param
        .when
        .iter()
        .chain(of_choices)
        .map(|condition| &condition.param)
}
