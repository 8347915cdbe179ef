//! The environment and the arguments of a script: built, never inherited.

use std::collections::BTreeMap;
use std::ffi::CString;

use stagedoor_domain::invocation::Word;

use super::accounts::RunAs;
use super::executable::nul;
use super::scratch::Places;
use super::search_path::PATH;
use crate::protocol::{Plan, Refusal};

/// The environment as `NAME=value`, sorted by name.
pub(super) fn environment(
    plan: &Plan,
    places: &Places,
    who: &RunAs,
    zone: &str,
) -> Result<Vec<CString>, Refusal> {
    let mut all: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let run = plan.run.to_string();
    all.insert("PATH", PATH.into());
    all.insert("LANG", b"C.UTF-8".into());
    all.insert("TZ", zone.into());
    // Whatever starts Python: it leaves no compiled file beside a script, and takes no module from a home.
    all.insert("PYTHONDONTWRITEBYTECODE", b"1".into());
    all.insert("PYTHONNOUSERSITE", b"1".into());
    all.insert("HOME", places.home());
    all.insert("TMPDIR", places.tmp());
    if who.is_asked_for {
        // Who names an account expects what a login as it would say.
        all.insert("USER", who.name.clone().into());
        all.insert("LOGNAME", who.name.clone().into());
    }
    for (name, value) in &plan.env {
        all.insert(name, value.clone().into_bytes());
    }
    for (name, word) in &plan.invocation.env {
        all.insert(name, word_bytes(word, places)?);
    }
    if plan.invocation.files.iter().any(|file| file.secret) {
        all.insert("CREDENTIALS_DIRECTORY", places.credentials());
    }
    // What outlives its main process is found again by this name.
    all.insert("STAGEDOOR_RUN_ID", run.into_bytes());
    all.into_iter()
        .map(|(name, value)| variable(name, &value))
        .collect()
}

/// The arguments after the command, in order.
pub(super) fn arguments(plan: &Plan, places: &Places) -> Result<Vec<CString>, Refusal> {
    let words = plan.invocation.args.iter();
    words
        .map(|word| CString::new(word_bytes(word, places)?).map_err(|_| nul()))
        .collect()
}

fn variable(name: &str, value: &[u8]) -> Result<CString, Refusal> {
    if name.is_empty() || name.contains('=') {
        return Err(Refusal::Unsafe(format!(
            "`{name}` is not the name of a variable"
        )));
    }
    CString::new([name.as_bytes(), b"=", value].concat()).map_err(|_| nul())
}

fn word_bytes(word: &Word, places: &Places) -> Result<Vec<u8>, Refusal> {
    match word {
        Word::Text(text) => Ok(text.clone().into_bytes()),
        Word::FilePath { before, file } => {
            let path = places.file(file).ok_or_else(|| {
                Refusal::Unsafe(format!(
                    "the argument names a private file `{file}` that is not there"
                ))
            })?;
            Ok([before.as_bytes(), &path].concat())
        }
    }
}

/// The machine's time zone by name, so that a script's times are those of the machine.
pub(super) fn system_zone() -> String {
    let target = std::fs::read_link("/etc/localtime").ok();
    let name = target.as_deref().and_then(|path| path.to_str());
    match name.and_then(|path| path.split_once("zoneinfo/")) {
        Some((_, zone)) => zone.to_owned(),
        None if std::path::Path::new("/etc/localtime").exists() => ":/etc/localtime".to_owned(),
        None => "UTC".to_owned(),
    }
}
