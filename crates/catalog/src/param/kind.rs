//! `type`, and which keys mean something for which type.

use stagedoor_config::document::{Problems, Table, nearest};
use stagedoor_domain::arguments::check_format;
use stagedoor_domain::param::Kind;

/// Types whose feature comes later.
const LATER: [&str; 2] = ["file", "note"];

/// Reads `type`; a parameter with choices is a choice, any other a text.
pub(super) fn read(keys: &Table, has_choices: bool, problems: &mut Problems) -> Option<Kind> {
    let Some(node) = keys.get("type") else {
        return Some(if has_choices {
            Kind::Choice
        } else {
            Kind::Text
        });
    };
    let word = node.full_text(problems)?;
    if let Some((_, kind)) = Kind::ALL.into_iter().find(|(known, _)| *known == word) {
        if kind == Kind::Choice && !keys.has("choices") && !keys.has("choices_from") {
            let problem = node.mark.problem("a choice needs something to choose from");
            problems.push(problem.mend("add `choices = [\"…\", \"…\"]`"));
        }
        return Some(kind);
    }
    if LATER.contains(&word.as_str()) {
        let problem = node
            .mark
            .problem(format!("`type = \"{word}\"` is not in this version yet"));
        problems.push(
            problem.mend("take the parameter out until a version that knows the type is installed"),
        );
        return None;
    }
    let problem = node.mark.problem(format!("`{word}` is not a type"));
    problems.push(match likely(&word) {
        Some(near) => problem.mend(format!("did you mean `{near}`?")),
        None => problem.mend(format!(
            "use {}",
            Kind::ALL.map(|(known, _)| known).join(", ")
        )),
    });
    None
}

/// What people who know other tools write, and what is nearly right.
fn likely(word: &str) -> Option<&'static str> {
    match word {
        "string" | "str" | "password" => Some("text"),
        "int" => Some("integer"),
        "float" | "decimal" => Some("number"),
        "bool" | "boolean" | "checkbox" | "switch" => Some("flag"),
        "select" | "enum" | "list" | "dropdown" => Some("choice"),
        "textarea" => Some("multiline"),
        "dir" | "directory" | "folder" => Some("path"),
        _ => nearest(word, Kind::ALL.map(|(known, _)| known)),
    }
}

/// A key that means something for some types only.
struct Applies {
    keys: &'static [&'static str],
    to: fn(Kind) -> bool,
    /// For people.
    types: &'static str,
}

const APPLIES: &[Applies] = &[
    Applies {
        keys: &["min", "max"],
        to: has_measure,
        types: "integer, number, count, date, time, datetime and duration",
    },
    Applies {
        keys: &["step"],
        to: has_order,
        types: "integer, number, date, time, datetime and duration",
    },
    Applies {
        keys: &["min_length", "max_length"],
        to: has_length,
        types: "text, multiline, email, url, hostname, path and json",
    },
    Applies {
        keys: &[
            "pattern",
            "pattern_help",
            "multiple",
            "min_items",
            "max_items",
        ],
        to: |k| !is_switch(k),
        types: "all but flag and count",
    },
    Applies {
        keys: &["choices"],
        to: can_choose,
        types: "all but flag, count, multiline, path and json",
    },
    Applies {
        keys: &["suggestions"],
        to: can_choose,
        types: "text, integer, number, date, time, datetime, duration, email, url, hostname and ip",
    },
    Applies {
        keys: &["on", "off"],
        to: |k| k == Kind::Flag,
        types: "flag",
    },
    Applies {
        keys: &["format"],
        to: is_moment,
        types: "date, time and datetime",
    },
    Applies {
        keys: &["root", "recursive", "kind", "match", "exclude"],
        to: |k| k == Kind::Path,
        types: "path",
    },
];

fn has_order(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Integer | Kind::Number | Kind::Date | Kind::Time | Kind::DateTime | Kind::Duration
    )
}

/// Can values of this type be less or greater than others?
pub(super) fn has_measure(kind: Kind) -> bool {
    has_order(kind) || kind == Kind::Count
}

fn is_moment(kind: Kind) -> bool {
    matches!(kind, Kind::Date | Kind::Time | Kind::DateTime)
}

fn has_length(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Text
            | Kind::Multiline
            | Kind::Email
            | Kind::Url
            | Kind::Hostname
            | Kind::Path
            | Kind::Json
    )
}

fn is_switch(kind: Kind) -> bool {
    matches!(kind, Kind::Flag | Kind::Count)
}

fn can_choose(kind: Kind) -> bool {
    !is_switch(kind) && !matches!(kind, Kind::Multiline | Kind::Path | Kind::Json)
}

/// A key that means nothing for the type would be ignored in silence.
pub(super) fn check_keys(keys: &Table, kind: Kind, problems: &mut Problems) {
    for applies in APPLIES.iter().filter(|applies| !(applies.to)(kind)) {
        for entry in applies
            .keys
            .iter()
            .filter_map(|key| Some((key, keys.entry(key)?)))
        {
            let (key, entry) = entry;
            let message = format!("`{key}` means nothing for the type {}", kind.word());
            problems.push(
                entry
                    .key
                    .problem(message)
                    .mend(format!("take it out; it is for: {}", applies.types)),
            );
        }
    }
}

/// `format`, tried with a value.
pub(super) fn format(keys: &Table, kind: Kind, problems: &mut Problems) -> Option<String> {
    let node = keys.get("format").filter(|_| is_moment(kind))?;
    let format = node.full_text(problems)?;
    if let Err(message) = check_format(kind, &format) {
        problems.push(node.mark.problem(message));
    }
    Some(format)
}
