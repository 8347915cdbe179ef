//! The extra keys of the type `path`.

use stagedoor_config::document::{Problems, Table, Value, nearest};
use stagedoor_domain::param::{Kind, PathKind, PathRule};

const KINDS: [(&str, PathKind); 3] = [
    ("file", PathKind::File),
    ("folder", PathKind::Folder),
    ("any", PathKind::Any),
];

/// Reads the rule; none for other types.
pub(super) fn read(keys: &Table, kind: Kind, problems: &mut Problems) -> Option<PathRule> {
    if kind != Kind::Path {
        return None;
    }
    let Some(node) = keys.get("root") else {
        problems.push(
            keys.mark
                .problem("a path needs a folder that it never leaves")
                .mend("add `root = \"/srv/data\"`"),
        );
        return None;
    };
    let root = node.full_text(problems)?;
    let stays = root.split('/').all(|part| part != "..");
    if !root.starts_with('/') || !stays || root.chars().any(char::is_control) {
        let problem = node
            .mark
            .problem("`root` must be an absolute path without `..`");
        problems.push(problem.mend("write a path such as `/srv/data`"));
    }
    Some(PathRule {
        root,
        recursive: keys.flag("recursive", problems).unwrap_or(false),
        kind: path_kind(keys, problems),
        matching: keys.text("match", problems),
        exclude: exclude(keys, problems),
    })
}

fn path_kind(keys: &Table, problems: &mut Problems) -> PathKind {
    let Some(node) = keys.get("kind") else {
        return PathKind::File;
    };
    let Some(word) = node.full_text(problems) else {
        return PathKind::File;
    };
    if let Some((_, kind)) = KINDS.into_iter().find(|(known, _)| *known == word) {
        return kind;
    }
    let problem = node.mark.problem(format!("`{word}` is not a kind of path"));
    let near = match word.as_str() {
        "dir" | "directory" => Some("folder"),
        _ => nearest(&word, KINDS.map(|(known, _)| known)),
    };
    problems.push(problem.mend(match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "use file, folder or any".to_owned(),
    }));
    PathKind::File
}

/// One glob, or a list of them.
fn exclude(keys: &Table, problems: &mut Problems) -> Vec<String> {
    let Some(node) = keys.get("exclude") else {
        return Vec::new();
    };
    match node.value {
        Value::Text(_) => node.full_text(problems).into_iter().collect(),
        _ => node.texts(problems).unwrap_or_default(),
    }
}
