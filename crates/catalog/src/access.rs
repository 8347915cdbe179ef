//! `access = { run = ["ops", "user:ann"] }`.

use stagedoor_config::document::{Node, Problems, nearest};
use stagedoor_domain::access::{Access, AccessRule, Place, Verb, Who};
use stagedoor_domain::name::{GroupName, UserName};

/// Reads the rules, verb by verb, in the order of the verbs.
pub(crate) fn read(node: &Node, problems: &mut Problems) -> Access {
    let Some(table) = node.table("{ run = [\"ops\"] }", problems) else {
        return Access::default();
    };
    let words = Verb::ALL.map(|(word, _)| word);
    for (key, entry) in table.in_order() {
        if words.contains(&key) {
            continue;
        }
        let problem = entry
            .key
            .problem(format!("`{key}` is nothing that one may be allowed"));
        problems.push(match nearest(key, words) {
            Some(near) => problem.mend(format!("did you mean `{near}`?")),
            None => problem.mend(format!("use {}", words.join(", "))),
        });
    }
    let rules = Verb::ALL
        .into_iter()
        .filter_map(|(word, verb)| {
            let node = table.get(word)?;
            Some(AccessRule {
                verb,
                who: whom(node, problems),
                place: Place {
                    file: node.mark.file().to_owned(),
                    line: node.mark.line(),
                },
            })
        })
        .collect();
    Access { rules }
}

fn whom(node: &Node, problems: &mut Problems) -> Vec<Who> {
    let form = format!(
        "[\"{}\"]",
        node.scalar().unwrap_or_else(|| "ops".to_owned())
    );
    let Some(items) = node.list(&form, problems) else {
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| who(item, problems))
        .collect()
}

fn who(node: &Node, problems: &mut Problems) -> Option<Who> {
    let text = node.full_text(problems)?;
    let read = match text.strip_prefix("user:") {
        Some(user) => UserName::parse(user).map(Who::User),
        None => GroupName::parse(&text).map(Who::Group),
    };
    read.map_err(|error| {
        let problem = node
            .mark
            .problem(format!("this is neither a group nor a user: {error}"));
        problems.push(problem.mend("write a group such as `ops`, or a user such as `user:ann`"));
    })
    .ok()
}
