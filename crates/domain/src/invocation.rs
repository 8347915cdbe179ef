//! The invocation: arguments, environment, standard input and private files of one run, made from
//! checked arguments. A value is carried as it is; nothing is quoted, because no shell reads it.

mod texts;

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::arguments::{CheckedArgs, formatted};
use crate::param::{Kind, Multiple, Param, Pass, Value};
use crate::script::Script;
pub use texts::secret_texts;

/// One argument, or the value of one environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// This text.
    Text(String),
    /// The path of a private file, which the runner knows when it has made it.
    FilePath {
        /// What stands before the path in the same word: `--x=`, or nothing.
        before: String,
        /// The [`PrivateFile::name`].
        file: String,
    },
}

/// A file that only the script's account can read, for one run. A secret is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateFile {
    /// The parameter's name, or the credential's.
    pub name: String,
    /// The value, without a line end behind it.
    pub content: Vec<u8>,
    /// Stands as `$CREDENTIALS_DIRECTORY/<name>`.
    pub secret: bool,
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        if self.secret {
            self.content.zeroize();
        }
    }
}

/// The content of a private file is for the script alone.
impl fmt::Debug for PrivateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PrivateFile({}, {} bytes)",
            self.name,
            self.content.len()
        )
    }
}

/// What a run is started with, beside what its script says itself.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// Without the command itself. Never contains a secret.
    pub args: Vec<Word>,
    /// From parameters only; may contain secrets.
    pub env: Vec<(String, Word)>,
    /// Lines; may contain secrets.
    pub stdin: Vec<u8>,
    /// In the order of declaration.
    pub files: Vec<PrivateFile>,
}

/// Environment and standard input may carry secrets: only names and sizes are printed.
impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Invocation")
            .field("args", &self.args)
            .field("env", &names)
            .field("stdin_bytes", &self.stdin.len())
            .field("files", &self.files)
            .finish()
    }
}

/// Makes the invocation. Arguments stand in the order of declaration.
pub fn invocation(script: &Script, args: &CheckedArgs) -> Invocation {
    let mut whole = Invocation::default();
    for (name, value) in args.iter() {
        let Some(param) = script.params.iter().find(|param| param.name == *name) else {
            continue;
        };
        let passed = passed(param, value);
        whole.args.extend(passed.args);
        whole.env.extend(passed.env);
        whole.files.extend(passed.file);
        if let Some(line) = passed.line {
            whole.stdin.extend_from_slice(line.as_bytes());
            whole.stdin.push(b'\n');
        }
    }
    whole
}

/// What one value becomes.
#[derive(Default)]
pub(crate) struct Passed {
    pub(crate) args: Vec<Word>,
    pub(crate) env: Option<(String, Word)>,
    line: Option<String>,
    file: Option<PrivateFile>,
}

/// Whether this parameter's value becomes a [`PrivateFile`] of its name.
pub fn is_private_file(param: &Param) -> bool {
    route(param) == Pass::File
}

/// How the value travels. A secret never goes to argv, whatever was declared.
pub(crate) fn route(param: &Param) -> Pass {
    match param.pass {
        Pass::Arg if param.secret => Pass::File,
        pass => pass,
    }
}

/// Whether option and value are one word: `--x=V`, `-jV`.
pub(crate) fn is_attached(param: &Param) -> bool {
    param
        .option
        .as_deref()
        .is_some_and(|option| param.joined || option.ends_with('='))
}

/// One value on its way.
pub(crate) fn passed(param: &Param, value: &Value) -> Passed {
    let env = |word: Word| param.env.clone().map(|name| (name, word));
    match route(param) {
        Pass::None => Passed::default(),
        Pass::Arg => Passed {
            args: arguments(param, value),
            env: env(Word::Text(plain(param, value))),
            ..Passed::default()
        },
        Pass::Env => Passed {
            env: Some((variable(param), Word::Text(plain(param, value)))),
            ..Passed::default()
        },
        Pass::Stdin => Passed {
            line: Some(plain_by(param, value, "\n")),
            env: env(Word::Text(plain(param, value))),
            ..Passed::default()
        },
        Pass::File => file(param, value),
    }
}

fn file(param: &Param, value: &Value) -> Passed {
    let path = || Word::FilePath {
        before: String::new(),
        file: param.name.to_string(),
    };
    let mut passed = Passed {
        file: Some(PrivateFile {
            name: param.name.to_string(),
            content: plain(param, value).into_bytes(),
            secret: param.secret,
        }),
        ..Passed::default()
    };
    // A secret is found by its name in the credentials folder alone, as systemd does it.
    if !param.secret {
        passed.env = param.env.clone().map(|name| (name, path()));
        if param.option.is_some() || param.env.is_none() {
            passed.args = behind_option(param, path());
        }
    }
    passed
}

/// The environment variable's name: declared, or made from the parameter's.
fn variable(param: &Param) -> String {
    param.env.clone().unwrap_or_else(|| {
        let name = param.name.as_str().to_ascii_uppercase().replace('-', "_");
        format!("PARAM_{name}")
    })
}

/// The value as words of argv.
fn arguments(param: &Param, value: &Value) -> Vec<Word> {
    let word = |text: &str| Word::Text(said(param, text));
    match value {
        Value::Flag(on) => flag_word(param, *on).map(Word::Text).into_iter().collect(),
        Value::Count(times) => match &param.option {
            Some(option) => (0..*times).map(|_| Word::Text(option.clone())).collect(),
            None => vec![Word::Text(times.to_string())],
        },
        Value::Text(text) => behind_option(param, word(text)),
        Value::List(items) => match &param.multiple {
            Some(Multiple::Join { .. }) => behind_option(param, Word::Text(plain(param, value))),
            Some(Multiple::Spread) if !is_attached(param) && !items.is_empty() => {
                let option = param.option.iter().cloned().map(Word::Text);
                option.chain(items.iter().map(|item| word(item))).collect()
            }
            _ => items
                .iter()
                .flat_map(|item| behind_option(param, word(item)))
                .collect(),
        },
    }
}

fn flag_word(param: &Param, on: bool) -> Option<String> {
    let text = if on {
        param.on.as_ref().or(param.option.as_ref())
    } else {
        param.off.as_ref()
    };
    text.cloned()
}

/// `V`, `--x V`, `--x=V` or `-jV`.
fn behind_option(param: &Param, word: Word) -> Vec<Word> {
    let Some(option) = &param.option else {
        return vec![word];
    };
    if !is_attached(param) {
        return vec![Word::Text(option.clone()), word];
    }
    vec![match word {
        Word::Text(text) => Word::Text(format!("{option}{text}")),
        Word::FilePath { before, file } => Word::FilePath {
            before: format!("{option}{before}"),
            file,
        },
    }]
}

/// The value as one text, outside argv: a list by its separator, else one value a line.
fn plain(param: &Param, value: &Value) -> String {
    match &param.multiple {
        Some(Multiple::Join { separator }) => plain_by(param, value, separator),
        _ => plain_by(param, value, "\n"),
    }
}

fn plain_by(param: &Param, value: &Value, separator: &str) -> String {
    match value {
        Value::Flag(on) => plain_flag(param, *on),
        Value::Count(times) => times.to_string(),
        Value::Text(text) => said(param, text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| said(param, item)).collect();
            items.join(separator)
        }
    }
}

/// `true` and `false`, unless the author gave other texts; the option itself is for argv only.
fn plain_flag(param: &Param, on: bool) -> String {
    let text = if on { &param.on } else { &param.off };
    match text {
        Some(text) if param.option.as_ref() != Some(text) => text.clone(),
        _ => on.to_string(),
    }
}

/// One canonical text as the script wants to read it.
fn said(param: &Param, text: &str) -> String {
    match (param.kind, &param.path, &param.format) {
        (Kind::Path, Some(rule), _) if !text.is_empty() => {
            format!("{}/{text}", rule.root.trim_end_matches('/'))
        }
        // The catalog has tried the format; where it fails all the same, ISO 8601 is the default.
        (kind, _, Some(format)) => formatted(kind, text, format).unwrap_or_else(|| text.to_owned()),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
