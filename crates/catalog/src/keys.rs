//! Every key of the format: those of this version, and those whose feature comes later.

use stagedoor_config::document::{Keys, Mark, Problem, Problems, Table};

use crate::sandbox;

/// Keys of a script that `[defaults]` of a folder may also hold.
macro_rules! shared_keys {
    ($($own:literal),*) => {
        &[
            $($own,)* "icon", "tags", "order", "hidden", "disabled", "interpreter", "venv",
            "working_directory", "env", "inherit_env", "credentials", "output_format", "timeout", "stop_grace",
            "idempotent", "success_exit", "limits", "run_as", "sandbox", "access", "confirm", "extra",
        ]
    };
}

const SCRIPT_LATER: &[&str] = &[
    "terminal",
    "interactive",
    "result_files",
    "reason",
    "approval",
    "buttons",
    "enabled_when",
    "intro_from",
];

/// A script file's block, and a file with one definition.
pub(crate) const SCRIPT: Keys = Keys {
    of: "a script",
    now: shared_keys!(
        "name",
        "title",
        "description",
        "docs",
        "command",
        "lang",
        "param"
    ),
    later: SCRIPT_LATER,
};

/// `[defaults]` of a folder.
const DEFAULTS: Keys = Keys {
    of: "a folder's `[defaults]`",
    now: shared_keys!(),
    later: SCRIPT_LATER,
};

/// `_folder.stagedoor.toml`.
const FOLDER: Keys = Keys {
    of: "a folder",
    now: &["title", "icon", "order", "defaults", "param"],
    later: &[],
};

/// A file with several scripts, beside `[[script]]` itself.
const SEVERAL: Keys = Keys {
    of: "a file with `[[script]]`",
    now: &["script", "param"],
    later: &[],
};

/// A parameter.
const PARAM: Keys = Keys {
    of: "a parameter",
    now: &[
        "name",
        "use",
        "title",
        "description",
        "example",
        "section",
        "advanced",
        "type",
        "secret",
        "required",
        "default",
        "value",
        "choices",
        "suggestions",
        "when",
        "min",
        "max",
        "step",
        "min_length",
        "max_length",
        "pattern",
        "pattern_help",
        "multiple",
        "separator",
        "min_items",
        "max_items",
        "root",
        "recursive",
        "kind",
        "match",
        "exclude",
        "format",
        "option",
        "joined",
        "on",
        "off",
        "pass",
        "env",
        "pass_empty",
        "allow_leading_dash",
        "lang",
    ],
    later: &[
        "groups",
        "default_from",
        "value_from",
        "choices_from",
        "suggestions_from",
        "accept",
        "max_size",
        "encoding",
        "prompt",
    ],
};

/// `limits`.
pub(crate) const LIMITS: Keys = Keys {
    of: "`limits`",
    now: &[
        "running",
        "queued",
        "output",
        "memory",
        "cpu",
        "processes",
        "file_size",
        "open_files",
        "nice",
    ],
    later: &["pool", "per", "rate"],
};

/// `lang.de`.
pub(crate) const TEXTS: Keys = Keys {
    of: "a translation",
    now: &["title", "description"],
    later: &[],
};

/// An item of `choices` and `suggestions`.
pub(crate) const CHOICE: Keys = Keys {
    of: "a choice",
    now: &["value", "label", "disabled", "when"],
    later: &[],
};

/// Checks a script's own keys.
pub(crate) fn check_script(table: &Table, problems: &mut Problems) {
    SCRIPT.check_or(
        table,
        |key, mark| in_its_table(key, mark).or_else(|| misplaced(key, mark, PARAM, "script")),
        problems,
    );
}

/// Checks the keys of `limits`.
pub(crate) fn check_limits(table: &Table, problems: &mut Problems) {
    LIMITS.check_or(table, |key, mark| of_table(key, mark, "sandbox"), problems);
}

/// Checks the keys of `sandbox`.
pub(crate) fn check_sandbox(table: &Table, problems: &mut Problems) {
    sandbox::KEYS.check_or(table, |key, mark| of_table(key, mark, "limits"), problems);
}

/// Tables of a script, and how each is written.
const TABLES: [(&str, Keys); 2] = [("sandbox", sandbox::KEYS), ("limits", LIMITS)];

/// A key of `sandbox` or `limits` that stands beside them. `required` is rather a parameter's.
fn in_its_table(key: &str, mark: &Mark) -> Option<Problem> {
    let mut tables = TABLES.iter().map(|(table, _)| *table);
    let found = tables.find_map(|table| of_table(key, mark, table));
    found.filter(|_| !is_known(PARAM, key))
}

fn of_table(key: &str, mark: &Mark, table: &str) -> Option<Problem> {
    let (table, keys) = TABLES.iter().find(|(known, _)| *known == table)?;
    keys.now.contains(&key).then(|| {
        mark.problem(format!("`{key}` belongs into `{table}`"))
            .mend(format!("write `{table} = {{ {key} = … }}`"))
    })
}

/// Checks a parameter's own keys; a key of the script that slipped below it gets its own message.
pub(crate) fn check_param(table: &Table, problems: &mut Problems) {
    PARAM.check_or(
        table,
        |key, mark| in_its_table(key, mark).or_else(|| misplaced(key, mark, SCRIPT, "param")),
        problems,
    );
}

/// Checks the keys of `_folder.stagedoor.toml`.
pub(crate) fn check_folder(table: &Table, problems: &mut Problems) {
    FOLDER.check_or(
        table,
        |key, mark| {
            is_known(DEFAULTS, key).then(|| {
                mark.problem(format!("`{key}` is a key of the scripts of this folder"))
                    .mend("move it below a line `[defaults]`")
            })
        },
        problems,
    );
}

/// Checks the keys of `[defaults]`.
pub(crate) fn check_defaults(table: &Table, problems: &mut Problems) {
    DEFAULTS.check_or(
        table,
        |key, mark| {
            let of_script = || {
                is_known(SCRIPT, key).then(|| {
                    mark.problem(format!("`{key}` belongs to one script and has no default"))
                        .mend("move it to the script's own definition")
                })
            };
            in_its_table(key, mark).or_else(of_script)
        },
        problems,
    );
}

/// Checks the keys beside `[[script]]`.
pub(crate) fn check_several(table: &Table, problems: &mut Problems) {
    SEVERAL.check_or(
        table,
        |key, mark| {
            is_known(SCRIPT, key).then(|| {
                mark.problem(format!(
                    "`{key}` stands beside `[[script]]`, so it is no script's"
                ))
                .mend("move it below the `[[script]]` that it belongs to")
            })
        },
        problems,
    );
}

fn is_known(keys: Keys, key: &str) -> bool {
    keys.now.contains(&key) || keys.later.contains(&key)
}

fn misplaced(key: &str, mark: &Mark, other: Keys, here: &str) -> Option<Problem> {
    if !is_known(other, key) {
        return None;
    }
    Some(if here == "param" {
        mark.problem(format!(
            "`{key}` is a key of the script, and stands below a `[[param]]`"
        ))
        .mend("move it up, above the first `[[param]]`")
    } else {
        mark.problem(format!(
            "`{key}` is a key of a parameter, and stands in the script"
        ))
        .mend("move it down, below the `[[param]]` that it belongs to")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_names_every_key() {
        let manual = include_str!("../../../docs/definitions.md");
        for keys in [SCRIPT, PARAM, LIMITS, CHOICE] {
            for key in keys.now {
                let is_named = manual.contains(&format!("`{key}"))
                    || manual.contains(&format!(" {key},"))
                    || manual.contains(&format!("{key} ="))
                    || manual.contains(&format!(", {key} }}"))
                    || manual.contains(&format!("[[{key}]]"));
                assert!(is_named, "{}: {key}", keys.of);
            }
        }
    }
}
