//! What is asked for and is no mistake, but cannot be meant: permits for nobody, paths that are not there,
//! limits below which nothing works.

use std::io::Read as _;
use std::path::Path;

use stagedoor_catalog::Snapshot;
use stagedoor_domain::quantity::say_size;
use stagedoor_domain::sandbox::{Level, Permit, USUAL_PROCESSES};
use stagedoor_domain::script::{Launch, Script};

/// What a usual interpreter takes before it does anything.
const USUAL_MEMORY: u64 = 16 << 20;
/// Programs that start a process for nearly every line.
const SHELLS: &[&str] = &["ash", "bash", "dash", "fish", "ksh", "mksh", "sh", "zsh"];

/// What is to be said of these permits and scripts.
pub fn warnings(dir: &Path, permits: &[Permit], scripts: &Snapshot) -> Vec<String> {
    let of_permits = permits.iter().filter_map(|permit| idle(permit, scripts));
    let of_scripts = scripts.scripts().flat_map(|script| {
        let paths = missing_paths(script);
        let all = open_to_all(script);
        paths.into_iter().chain(all).chain(little(dir, script))
    });
    of_permits.chain(of_scripts).collect()
}

fn idle(permit: &Permit, scripts: &Snapshot) -> Option<String> {
    let folder = match permit.folder.as_str() {
        "" => ".",
        folder => folder,
    };
    let asks_for_more = permit.processes.is_some_and(|many| many > USUAL_PROCESSES);
    if permit.level >= Level::default() && permit.run_as.is_empty() && !asks_for_more {
        return Some(format!(
            "stagedoor.toml permits the folder `{folder}` nothing that needs a permit: every script may ask for `{}`; take the [[permit]] out",
            permit.level.word()
        ));
    }
    // Those with errors may need it, too.
    let broken = scripts.broken().iter().map(|broken| above(&broken.file));
    let folders = scripts.scripts().map(|script| script.folder.as_str());
    let is_used = folders.chain(broken).any(|folder| permit.covers(folder));
    (!is_used).then(|| {
        format!(
            "stagedoor.toml has a [[permit]] for the folder `{folder}`, and no script is in it: correct `folder`, or take the permit out"
        )
    })
}

fn above(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn missing_paths(script: &Script) -> Vec<String> {
    let sandbox = &script.sandbox;
    let both = [("read", &sandbox.read), ("write", &sandbox.write)];
    let all = both
        .into_iter()
        .flat_map(|(key, paths)| paths.iter().flatten().map(move |path| (key, path)));
    all.filter_map(|(key, path)| {
        let (what, mend) = fault(path)?;
        Some(format!(
            "`{path}` in `sandbox.{key}` of `{}` {what}, so its runs are refused: {mend}",
            script.name
        ))
    })
    .collect()
}

/// A script that is held closely and may write everywhere is held by nothing.
fn open_to_all(script: &Script) -> Option<String> {
    let sandbox = &script.sandbox;
    let mut paths = sandbox.write.iter().flatten();
    let is_all = paths.any(|path| path.bytes().all(|byte| byte == b'/'));
    (is_all && sandbox.level == Level::Strict).then(|| {
        format!(
            "`{}` is `strict` and may write everywhere (`/` in `sandbox.write`), as far as its account may: name the folders that it writes, or take `write` out",
            script.name
        )
    })
}

/// As the start of a run finds it. What this account may not look at, is not told.
fn fault(path: &str) -> Option<(&'static str, String)> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => {
            let end = std::fs::canonicalize(path).ok();
            let mend = end.map_or_else(
                || "put something at its end, and name that".to_owned(),
                |end| format!("name `{}`, where it ends", end.display()),
            );
            Some(("is a symbolic link", mend))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Some(("is not there", "make it (mkdir), or take it out".to_owned()))
        }
        _ => None,
    }
}

/// Limits with which a script starts, if at all, and then fails.
fn little(dir: &Path, script: &Script) -> Vec<String> {
    let (name, limits) = (&script.name, &script.process_limits);
    let mut said = Vec::new();
    if let Some(bytes) = limits.memory.filter(|bytes| *bytes < USUAL_MEMORY) {
        said.push(format!(
            "`{name}` has `limits.memory` of {}, and most interpreters need more than that to start: write at least `16MiB` unless it is a small program",
            say_size(bytes)
        ));
    }
    if limits.processes == Some(1) && is_shell(dir, script) {
        said.push(format!(
            "`{name}` has `limits.processes = 1`, and a shell needs another process for each command that it starts: write at least `2`"
        ));
    }
    said
}

fn is_shell(dir: &Path, script: &Script) -> bool {
    match &script.launch {
        Launch::File { file, interpreter } if interpreter.is_empty() => {
            let line = first_line(&dir.join(&script.folder).join(file));
            let words = line.strip_prefix("#!").unwrap_or_default();
            words.split_whitespace().any(names_shell)
        }
        Launch::File {
            interpreter: words, ..
        }
        | Launch::Command { argv: words } => words.first().is_some_and(|word| names_shell(word)),
    }
}

fn names_shell(word: &str) -> bool {
    SHELLS.contains(&word.rsplit('/').next().unwrap_or(word))
}

fn first_line(file: &Path) -> String {
    let mut head = Vec::new();
    if let Ok(file) = std::fs::File::open(file) {
        // As far as the kernel looks; one that cannot be read is no shell's.
        let _ = file.take(256).read_to_end(&mut head);
    }
    let text = String::from_utf8_lossy(&head);
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::sync::Arc;

    /// The warnings of a folder with this script at `ops/x.sh`, started by this line.
    fn said(first: &str, keys: &str, permits: &[Permit]) -> Vec<String> {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("ops/x.sh");
        std::fs::create_dir(dir.path().join("ops")).expect("made");
        let text = format!("{first}\n# /// stagedoor\n# {keys}\n# ///\n:\n");
        std::fs::write(&file, text).expect("written");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&file, mode).expect("chmod");
        let clock = Arc::new(crate::system::SystemClock::new());
        let options = stagedoor_catalog::Options {
            permits: permits.to_vec(),
            ..stagedoor_catalog::Options::new(clock)
        };
        let checked = stagedoor_catalog::check_folder(dir.path(), options).expect("read");
        assert!(checked.problems.is_empty(), "{:?}", checked.problems);
        warnings(dir.path(), permits, &checked.snapshot)
    }

    fn permit(folder: &str, level: Level, account: Option<&str>) -> Permit {
        Permit {
            folder: folder.to_owned(),
            level,
            run_as: account.into_iter().map(str::to_owned).collect(),
            processes: None,
        }
    }

    #[test]
    fn w43_a_permit_that_nobody_needs_is_told() {
        for (permit, words) in [
            (permit("opps", Level::None, None), "no script is in it"),
            (
                permit("op", Level::Standard, Some("backup")),
                "no script is in it",
            ),
            (
                permit("ops", Level::Standard, None),
                "nothing that needs a permit",
            ),
            (
                permit("", Level::Strict, None),
                "the folder `.` nothing that needs",
            ),
        ] {
            let said = said("#!/bin/sh", "title = \"x\"", &[permit]);
            assert!(said.len() == 1 && said.concat().contains(words), "{said:?}");
        }
        for fine in [
            permit("ops", Level::None, None),
            permit("", Level::None, None),
            permit("ops", Level::Standard, Some("backup")),
        ] {
            let said = said("#!/bin/sh", "title = \"x\"", &[fine]);
            assert!(said.is_empty(), "{said:?}");
        }
    }

    #[test]
    fn w43_a_path_that_is_not_there_or_is_a_link_is_told_with_the_mend() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path().canonicalize().expect("there");
        let (real, link, gone) = (dir.join("real"), dir.join("link"), dir.join("gone"));
        std::fs::create_dir(&real).expect("made");
        symlink(&real, &link).expect("a link");
        for (key, path, what, mend) in [
            ("read", &gone, "is not there", "mkdir".to_owned()),
            (
                "write",
                &link,
                "is a symbolic link",
                format!("name `{}`", real.display()),
            ),
        ] {
            let keys = format!("sandbox = {{ {key} = [\"{}\"] }}", path.display());
            let said = said("#!/bin/sh", &keys, &[]).join("\n");
            for words in [what, &mend, &format!("`sandbox.{key}` of `ops/x`")] {
                assert!(said.contains(words), "{words}: {said}");
            }
        }
        let keys = format!("sandbox = {{ read = [\"{}\"] }}", real.display());
        assert!(said("#!/bin/sh", &keys, &[]).is_empty());
    }

    #[test]
    fn a_strict_script_that_may_write_everywhere_is_told() {
        let keys = |level: &str, path: &str| {
            format!("sandbox = {{ level = \"{level}\", write = [\"{path}\"] }}")
        };
        let all = said("#!/bin/sh", &keys("strict", "/"), &[]);
        assert!(
            all.len() == 1 && all.concat().contains("may write everywhere"),
            "{all:?}"
        );
        for keys in [keys("strict", "/tmp"), keys("standard", "/")] {
            let said = said("#!/bin/sh", &keys, &[]);
            assert!(said.is_empty(), "{said:?}");
        }
    }

    #[test]
    fn limits_below_what_an_interpreter_needs_are_told() {
        for (first, keys, words) in [
            (
                "#!/bin/sh",
                "limits = { memory = \"8MiB\" }",
                "at least `16MiB`",
            ),
            ("#!/bin/sh", "limits = { processes = 1 }", "at least `2`"),
            (
                "#!/usr/bin/env bash",
                "limits = { processes = 1 }",
                "at least `2`",
            ),
            (
                "#!/usr/bin/python3",
                "interpreter = \"/bin/sh\"\n# limits = { processes = 1 }",
                "at least `2`",
            ),
        ] {
            let said = said(first, keys, &[]);
            assert!(said.len() == 1 && said.concat().contains(words), "{said:?}");
        }
        for (first, keys) in [
            (
                "#!/bin/sh",
                "limits = { memory = \"16MiB\", processes = 2 }",
            ),
            ("#!/usr/bin/python3", "limits = { processes = 1 }"),
        ] {
            let said = said(first, keys, &[]);
            assert!(said.is_empty(), "{said:?}");
        }
    }
}
