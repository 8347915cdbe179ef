//! `[[grant]]`: what a group may do with which scripts.

use stagedoor_domain::access::{Actions, Gives, Grant, Grants, Origin, Place, Verb};
use stagedoor_domain::name::GroupName;
use stagedoor_domain::pattern::ScriptPattern;

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
    let before = problems.len();
    KEYS.check(table, problems);
    // What it lacks may stand there under a mistyped key.
    let is_understood = problems.len() == before;
    let mut need = |key: &str, form: &str| {
        if !table.has(key) && is_understood {
            let problem = table.mark.problem(format!("this grant has no `{key}`"));
            problems.push(problem.mend(format!("add `{key} = {form}`")));
        }
    };
    need("group", "\"ops\"");
    need("may", "[\"view\", \"run\"]");
    let group = table.get("group").and_then(|node| group(node, problems));
    let may = table.get("may").map(|node| actions(node, problems));
    let gives = match may {
        Some(Actions { admin: true, verbs }) => admin(table, verbs.is_empty(), problems),
        may => {
            if !table.has("scripts") && is_understood {
                let problem = table.mark.problem("this grant has no `scripts`");
                problems.push(problem.mend("add `scripts = \"backup/*\"`"));
            }
            let scripts = table.get("scripts").map(|node| scripts(node, problems));
            may.zip(scripts).map(|(may, scripts)| Gives::Scripts {
                scripts,
                may: may.verbs,
            })
        }
    };
    Some(Grant {
        group: group?,
        gives: gives?,
        origin: Origin::File(Place {
            file: table.mark.file().to_owned(),
            line: table.mark.line(),
        }),
    })
}

/// To administer has nothing to do with scripts, so it stands alone.
fn admin(table: &Table, is_alone: bool, problems: &mut Problems) -> Option<Gives> {
    let wrong = match table.get("scripts") {
        Some(scripts) => Some((scripts, "`admin` is not about scripts")),
        None if is_alone => None,
        None => table
            .get("may")
            .map(|may| (may, "`admin` stands in a grant of its own")),
    };
    let Some((node, what)) = wrong else {
        return Some(Gives::Admin);
    };
    let problem = node.mark.problem(what);
    problems.push(problem.mend("write one grant with `may = [\"admin\"]` and no `scripts`"));
    None
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
fn scripts(node: &Node, problems: &mut Problems) -> Vec<ScriptPattern> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut patterns = Vec::new();
    for item in items {
        let Some(text) = item.full_text(problems) else {
            continue;
        };
        if let Ok(pattern) = ScriptPattern::parse(&text) {
            patterns.push(pattern);
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

fn actions(node: &Node, problems: &mut Problems) -> Actions {
    let form = format!(
        "[\"{}\"]",
        node.scalar().unwrap_or_else(|| "run".to_owned())
    );
    let items = node.list(&form, problems).unwrap_or_default();
    let mut actions = Actions::default();
    for item in items {
        let Some(word) = item.full_text(problems) else {
            continue;
        };
        match Verb::parse(&word) {
            Some(verb) => actions.verbs.insert(verb),
            None if word == Actions::ADMIN => actions.admin = true,
            None => problems.push(unknown(item, &word)),
        }
    }
    actions
}

fn unknown(node: &Node, word: &str) -> crate::document::Problem {
    let words = Verb::ALL.map(|(known, _)| known);
    let known = words.into_iter().chain([Actions::ADMIN]);
    let problem = node
        .mark
        .problem(format!("`{word}` is nothing that one may be allowed"));
    match nearest(word, known.clone()) {
        Some(near) => problem.mend(format!("did you mean `{near}`?")),
        None => problem.mend(format!("use {}", known.collect::<Vec<_>>().join(", "))),
    }
}
