//! The layers below the settings: file, environment, flags. Each setting has one key and one
//! variable; a later layer replaces the value of an earlier one.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Flags;
use crate::document::{Keys, Mark, Node, Problem, Problems, Table, Text, Value, nearest};
use crate::environment::Environment;

/// How a setting is written in a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Number,
    Flag,
    /// Separated by commas.
    List,
}

/// Every setting that is a single value or a list of texts.
pub(crate) const SETTINGS: [(&str, Form); 33] = [
    ("listen", Form::List),
    ("public_host", Form::List),
    ("allow_plain_http", Form::Flag),
    ("tls.certificate", Form::Text),
    ("tls.key", Form::Text),
    ("tls.redirect_listen", Form::List),
    ("behind_proxy", Form::Flag),
    ("proxy.hops", Form::Number),
    ("proxy.trusted", Form::List),
    ("proxy.protocol", Form::Flag),
    ("base_path", Form::Text),
    ("hsts", Form::Text),
    ("user", Form::Text),
    ("run_user", Form::Text),
    ("allow_root_scripts", Form::Flag),
    ("limits.running", Form::Number),
    ("limits.queued", Form::Number),
    ("limits.queued_per_user", Form::Number),
    ("limits.output", Form::Text),
    ("limits.timeout", Form::Text),
    ("session.absolute", Form::Text),
    ("session.idle", Form::Text),
    ("session.confirmed_for", Form::Text),
    ("session.address", Form::Text),
    ("sign_in.failures", Form::Number),
    ("sign_in.blocked_for", Form::Text),
    ("sign_in.command", Form::List),
    ("sign_in.command_timeout", Form::Text),
    ("sign_in.command_names_admins", Form::Flag),
    ("audit_log.keep_days", Form::Number),
    ("profile", Form::Text),
    ("debug.clients", Form::List),
    ("debug.lasts", Form::Text),
];

const TOP: Keys = Keys {
    of: "stagedoor.toml",
    now: &[
        "listen",
        "public_host",
        "allow_plain_http",
        "tls",
        "behind_proxy",
        "proxy",
        "base_path",
        "hsts",
        "user",
        "run_user",
        "allow_root_scripts",
        "limits",
        "session",
        "sign_in",
        "audit_log",
        "profile",
        "debug",
        "grant",
        "permit",
    ],
    later: &["pools", "trigger"],
};
const TLS: Keys = Keys {
    of: "`[tls]`",
    now: &["certificate", "key", "redirect_listen"],
    later: &[],
};
const PROXY: Keys = Keys {
    of: "`[proxy]`",
    now: &["hops", "trusted", "protocol"],
    later: &[],
};
const LIMITS: Keys = Keys {
    of: "`[limits]`",
    now: &["running", "queued", "queued_per_user", "output", "timeout"],
    later: &[],
};
const DEBUG: Keys = Keys {
    of: "`[debug]`",
    now: &["clients", "lasts"],
    later: &[],
};
const SESSION: Keys = Keys {
    of: "`[session]`",
    now: &["absolute", "idle", "confirmed_for", "address"],
    later: &[],
};
const SIGN_IN: Keys = Keys {
    of: "`[sign_in]`",
    now: &[
        "failures",
        "blocked_for",
        "command",
        "command_timeout",
        "command_names_admins",
    ],
    later: &[],
};

const AUDIT_LOG: Keys = Keys {
    of: "`[audit_log]`",
    now: &["keep_days"],
    later: &[],
};

/// Variables that begin like ours and are no settings: of the command line, and those that a
/// script gets.
const OTHER_VARIABLES: [&str; 12] = [
    "CONFIG",
    "COOKIE_KEY",
    "COOKIE_KEY_FILE",
    "SECRETS_KEY_FILE",
    "LOG",
    "URL",
    "TOKEN",
    "SERVER",
    "RUN_ID",
    "SCRIPT",
    "OUTPUT_DIR",
    "EVENTS",
];

/// The last word on each setting.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    settings: BTreeMap<&'static str, Node>,
    /// `[[grant]]`, from the file only.
    pub grants: Vec<Table>,
    /// `[[permit]]`, from the file only.
    pub permits: Vec<Table>,
}

impl Layers {
    /// The value of a setting.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.settings.get(key)
    }

    /// The settings that have a value.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.settings.keys().copied()
    }

    /// `stagedoor.toml`.
    pub fn add_file(&mut self, table: &Table, problems: &mut Problems) {
        TOP.check(table, problems);
        for (name, keys, form) in [
            ("tls", TLS, "[tls]"),
            ("proxy", PROXY, "[proxy]"),
            ("limits", LIMITS, "[limits]"),
            ("session", SESSION, "[session]"),
            ("sign_in", SIGN_IN, "[sign_in]"),
            ("audit_log", AUDIT_LOG, "[audit_log]"),
            ("debug", DEBUG, "[debug]"),
        ] {
            if let Some(table) = table.get(name).and_then(|node| node.table(form, problems)) {
                keys.check(table, problems);
            }
        }
        for (key, _) in SETTINGS {
            let node = match key.split_once('.') {
                None => table.get(key),
                Some((part, key)) => match table.get(part).map(|node| &node.value) {
                    Some(Value::Table(part)) => part.get(key),
                    _ => None,
                },
            };
            if let Some(node) = node {
                self.settings.insert(key, node.clone());
            }
        }
        let mut tables = |key: &str| {
            let tables = table.tables(key, problems);
            tables.into_iter().cloned().collect()
        };
        self.grants = tables("grant");
        self.permits = tables("permit");
    }

    /// `STAGEDOOR_…`, and `STAGEDOOR_…_FILE` that names a file which holds the value.
    pub fn add_environment(&mut self, environment: &Environment, problems: &mut Problems) {
        for name in environment.ours_unreadable() {
            let problem = Problem::of_file(format!("${name}"), "its value is not text in UTF-8");
            problems.push(problem.mend("set it anew, or unset it"));
        }
        for (name, value) in environment.ours() {
            if OTHER_VARIABLES.contains(&name) {
                continue;
            }
            let whole = format!("$STAGEDOOR_{name}");
            let setting = |name: &str| SETTINGS.into_iter().find(|(key, _)| variable(key) == name);
            let (key, form, value) = if let Some((key, form)) = setting(name) {
                if environment.get(&format!("STAGEDOOR_{name}_FILE")).is_some() {
                    let problem =
                        Problem::of_file(&whole, format!("both {whole} and {whole}_FILE are set"));
                    problems.push(problem.mend("set one of the two"));
                }
                (key, form, value.to_owned())
            } else if let Some((key, form)) = name.strip_suffix("_FILE").and_then(setting) {
                match std::fs::read_to_string(Path::new(value)) {
                    Ok(content) => (key, form, content.trim_end_matches(['\n', '\r']).to_owned()),
                    Err(error) => {
                        problems.push(Problem::of_file(
                            &whole,
                            format!("`{value}` cannot be read: {error}"),
                        ));
                        continue;
                    }
                }
            } else {
                problems.push(unknown_variable(name, &whole));
                continue;
            };
            self.settings.insert(key, written(&whole, form, &value));
        }
    }

    /// The command line.
    pub fn add_flags(&mut self, flags: &Flags) {
        if !flags.listen.is_empty() {
            self.settings.insert(
                "listen",
                written("--listen", Form::List, &flags.listen.join(",")),
            );
        }
    }
}

/// `LIMITS_QUEUED_PER_USER` of `limits.queued_per_user`.
fn variable(key: &str) -> String {
    key.to_ascii_uppercase().replace('.', "_")
}

fn unknown_variable(name: &str, whole: &str) -> Problem {
    let problem = Problem::of_file(whole, "there is no setting of this name");
    let names: Vec<String> = SETTINGS.iter().map(|(key, _)| variable(key)).collect();
    match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => problem.mend(format!("did you mean STAGEDOOR_{near}?")),
        None => problem.mend("unset it"),
    }
}

/// A value as it would stand in the file; its place is the variable or flag.
fn written(source: &str, form: Form, value: &str) -> Node {
    let text = Text::whole(source, value);
    let node = |value: Value, span: std::ops::Range<usize>| Node {
        value,
        mark: Mark::new(&text, span),
    };
    let as_text = || Value::Text(value.to_owned());
    let whole = match form {
        Form::Text => as_text(),
        Form::Number => value.parse().map_or_else(|_| as_text(), Value::Integer),
        Form::Flag => value.parse().map_or_else(|_| as_text(), Value::Flag),
        Form::List => {
            let mut start = 0;
            let items = value.split(',').map(|item| {
                let span = start..start + item.len();
                start += item.len() + 1;
                node(Value::Text(item.trim().to_owned()), span)
            });
            Value::List(items.collect())
        }
    };
    node(whole, 0..value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_lists_every_setting() {
        let manual = include_str!("../../../docs/settings.md");
        for (key, _) in SETTINGS {
            assert!(manual.contains(&format!("| `{key}` |")), "{key}");
        }
    }
}
