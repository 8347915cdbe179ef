//! `[[grant]]`: what a group may do with which scripts.

use stagedoor_domain::access::{Grant, Grants, Verb};
use stagedoor_domain::name::{GroupName, ScriptName};

use crate::document::{Keys, Node, Problems, Table, Value, nearest};

const KEYS: Keys = Keys {
    of: "`[[grant]]`",
    now: &["group", "scripts", "may"],
    later: &[],
};

/// Reads all grants; what is wrong with one does not hide the others.
pub(crate) fn read(tables: &[Table], problems: &mut Problems) -> Grants {
    Grants(
        tables
            .iter()
            .filter_map(|table| one(table, problems))
            .collect(),
    )
}

fn one(table: &Table, problems: &mut Problems) -> Option<Grant> {
    KEYS.check(table, problems);
    let mut need = |key: &str, form: &str| {
        if !table.has(key) {
            let problem = table.mark.problem(format!("this grant has no `{key}`"));
            problems.push(problem.mend(format!("add `{key} = {form}`")));
        }
    };
    need("group", "\"ops\"");
    need("scripts", "\"backup/*\"");
    need("may", "[\"view\", \"run\"]");
    let group = table.get("group").and_then(|node| group(node, problems));
    let scripts = table.get("scripts").map(|node| scripts(node, problems));
    let may = table.get("may").map(|node| verbs(node, problems));
    Some(Grant {
        group: group?,
        scripts: scripts?,
        may: may?,
    })
}

fn group(node: &Node, problems: &mut Problems) -> Option<GroupName> {
    let text = node.full_text(problems)?;
    match GroupName::parse(&text) {
        Ok(group) => Some(group),
        Err(error) => {
            let message = format!("this is not a group's name: {error}");
            problems.push(node.mark.problem(message));
            None
        }
    }
}

/// A name, `folder/*`, `*`, or a list of these.
fn scripts(node: &Node, problems: &mut Problems) -> Vec<String> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut patterns = Vec::new();
    for item in items {
        let Some(text) = item.full_text(problems) else {
            continue;
        };
        if is_pattern(&text) {
            patterns.push(text);
            continue;
        }
        let problem = item
            .mark
            .problem(format!("`{text}` is neither a script's name nor a pattern"));
        problems.push(
            problem.mend("write `folder/name`, `folder/*` for all below a folder, or `*` for all"),
        );
    }
    patterns
}

fn is_pattern(text: &str) -> bool {
    match text.strip_suffix('*') {
        Some("") => true,
        // `ops*` would reach `ops2/x` as well, which nobody sees coming.
        Some(folder) => folder
            .strip_suffix('/')
            .is_some_and(|folder| ScriptName::parse(folder).is_ok()),
        None => ScriptName::parse(text).is_ok(),
    }
}

fn verbs(node: &Node, problems: &mut Problems) -> Vec<Verb> {
    let form = format!(
        "[\"{}\"]",
        node.scalar().unwrap_or_else(|| "run".to_owned())
    );
    let items = node.list(&form, problems).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| verb(item, problems))
        .collect()
}

fn verb(node: &Node, problems: &mut Problems) -> Option<Verb> {
    let word = node.full_text(problems)?;
    if let Some((_, verb)) = Verb::ALL.into_iter().find(|(known, _)| *known == word) {
        return Some(verb);
    }
    if word == "admin" {
        let problem = node
            .mark
            .problem("a grant of `admin` is not in this version yet");
        problems.push(problem.mend("put who administers into the group `admins`"));
        return None;
    }
    let words = Verb::ALL.map(|(known, _)| known);
    let problem = node
        .mark
        .problem(format!("`{word}` is nothing that one may be allowed"));
    problems.push(match nearest(&word, words) {
        Some(near) => problem.mend(format!("did you mean `{near}`?")),
        None => problem.mend(format!("use {}", words.join(", "))),
    });
    None
}
