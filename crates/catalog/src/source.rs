//! From the bytes of one file to the definitions that stand in it.

use stagedoor_config::document::{self, Mark, Problem, Problems, Table, Text};

use crate::machine::join;
use crate::script::Declared;
use crate::{block, keys, names};

/// The end of the name of a file that holds definitions.
pub(crate) const SUFFIX: &str = ".stagedoor.toml";
/// A larger definition is a mistake.
pub(crate) const LARGEST: usize = 1024 * 1024;

/// The definition in a script file, if there is one.
pub(crate) fn header(
    folder: &str,
    name: &str,
    head: &[u8],
    truncated: bool,
) -> Result<Option<Declared>, Problems> {
    let file = join(folder, name);
    let found = block::find(&file, head, truncated)?;
    Ok(found.map(|found| Declared {
        keys: found.table,
        mark: found.mark,
        file,
        folder: folder.to_owned(),
        stem: names::stem(name).to_owned(),
        starts: Some(name.to_owned()),
        shared: Vec::new(),
    }))
}

/// A script file without a definition, as `serve --all` publishes it.
pub(crate) fn bare(folder: &str, name: &str) -> Declared {
    let file = join(folder, name);
    let mark = Mark::start_of(&Text::whole(&file, ""));
    Declared {
        keys: Table::empty(mark.clone()),
        mark,
        file,
        folder: folder.to_owned(),
        stem: names::stem(name).to_owned(),
        starts: Some(name.to_owned()),
        shared: Vec::new(),
    }
}

/// The TOML of a file that is nothing else.
pub(crate) fn toml(file: &str, bytes: &[u8], truncated: bool) -> Result<Table, Problems> {
    if truncated {
        let problem = Problem::of_file(file, "this file is larger than 1 MiB");
        return Err(problem.mend("split it into several").into());
    }
    match std::str::from_utf8(bytes) {
        Ok(content) => document::parse(&Text::whole(file, content)),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let number = before.split(|byte| *byte == b'\n').count();
            let line = bytes
                .split(|byte| *byte == b'\n')
                .nth(number - 1)
                .unwrap_or_default();
            let problem = block::line_problem(file, number, line, "this line is not UTF-8");
            Err(problem.mend("save the file as UTF-8").into())
        }
    }
}

/// The definitions of `NAME.stagedoor.toml`; `sidecar_of` is the file that it stands beside.
pub(crate) fn definitions(
    folder: &str,
    name: &str,
    sidecar_of: Option<&str>,
    table: Table,
    problems: &mut Problems,
) -> Vec<Declared> {
    let stem = sidecar_of.map_or_else(|| name.strip_suffix(SUFFIX).unwrap_or(name), names::stem);
    let declared = |keys: Table, shared: Vec<Table>| Declared {
        mark: keys.mark.clone(),
        keys,
        file: join(folder, name),
        folder: folder.to_owned(),
        stem: stem.to_owned(),
        starts: sidecar_of.map(str::to_owned),
        shared,
    };
    let Some(scripts) = table.entry("script") else {
        return vec![declared(table, Vec::new())];
    };
    if let Some(file) = sidecar_of {
        let problem = scripts
            .key
            .problem(format!("this file describes `{file}`, which is one script"));
        problems.push(
            problem.mend("put the keys at the top, without `[[script]]`, or rename this file"),
        );
        return Vec::new();
    }
    keys::check_several(&table, problems);
    let shared: Vec<Table> = table
        .tables("param", problems)
        .into_iter()
        .cloned()
        .collect();
    for param in &shared {
        keys::check_param(param, problems);
    }
    let scripts = table.tables("script", problems);
    scripts
        .into_iter()
        .map(|keys| declared(keys.clone(), shared.clone()))
        .collect()
}
