//! `[[permit]]`: what the definitions below a folder may ask for.

use stagedoor_domain::sandbox::{Level, Permit};

use crate::account::run_as;
use crate::document::{Keys, Node, Problems, Table, nearest};

const KEYS: Keys = Keys {
    of: "`[[permit]]`",
    now: &["folder", "sandbox", "run_as", "limits"],
    later: &[],
};

/// Other limits have no usual value that a definition could go beyond.
const LIMITS: Keys = Keys {
    of: "`limits` of a permit",
    now: &["processes"],
    later: &[],
};

/// Reads all permits; what is wrong with one does not hide the others.
pub(crate) fn read(tables: &[Table], problems: &mut Problems) -> Vec<Permit> {
    let permits = tables.iter().filter_map(|table| one(table, problems));
    permits.collect()
}

fn one(table: &Table, problems: &mut Problems) -> Option<Permit> {
    let before = problems.len();
    KEYS.check(table, problems);
    // What it lacks may stand there under a mistyped key.
    let is_understood = problems.len() == before;
    if !table.has("folder") && is_understood {
        let problem = table.mark.problem("this permit has no `folder`");
        problems.push(problem.mend("add `folder = \"ops\"`"));
    }
    if !["sandbox", "run_as", "limits"]
        .iter()
        .any(|key| table.has(key))
        && is_understood
    {
        let problem = table.mark.problem("this permit permits nothing");
        problems.push(problem.mend("add `sandbox = \"none\"`, or `run_as = [\"backup\"]`"));
    }
    let folder = table.get("folder").and_then(|node| folder(node, problems));
    let level = match table.get("sandbox") {
        Some(node) => sandbox_level(node, problems),
        None => Some(Level::default()),
    };
    let accounts = table.get("run_as").map(|node| accounts(node, problems));
    Some(Permit {
        folder: folder?,
        level: level?,
        run_as: accounts.unwrap_or_default(),
        processes: table
            .get("limits")
            .and_then(|node| processes(node, problems)),
    })
}

fn processes(node: &Node, problems: &mut Problems) -> Option<u64> {
    let table = node.table("{ processes = 20_000 }", problems)?;
    LIMITS.check(table, problems);
    table.get("processes")?.count(1, problems).map(u64::from)
}

fn accounts(node: &Node, problems: &mut Problems) -> Vec<String> {
    let items = node.list("[\"backup\"]", problems).unwrap_or_default();
    let names = items.iter().filter_map(|item| run_as(item, problems));
    names.collect()
}

/// `.` is the folder of scripts itself.
fn folder(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.full_text(problems)?;
    if text == "." {
        return Some(String::new());
    }
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    if text.split('/').all(is_part) {
        return Some(text);
    }
    let problem = node.mark.problem(format!(
        "`{text}` is not a folder below the folder of scripts"
    ));
    problems.push(problem.mend("write `ops`, `ops/nightly`, or `.` for all"));
    None
}

/// Reads the word of a level, in a permit or in a definition.
pub fn sandbox_level(node: &Node, problems: &mut Problems) -> Option<Level> {
    let word = node.full_text(problems)?;
    let level = Level::parse(&word);
    if level.is_none() {
        let words = Level::ALL.map(|(word, _)| word);
        let problem = node
            .mark
            .problem(format!("`{word}` is not a level of the sandbox"));
        problems.push(match nearest(&word, words) {
            Some(near) => problem.mend(format!("did you mean `{near}`?")),
            None => problem.mend(format!("use {}", words.join(", "))),
        });
    }
    level
}
