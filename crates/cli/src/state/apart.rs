//! Scripts and state are apart: what a script's folder is shown, copied or committed with must never
//! hold the database and the keys, and nothing in the state directory may become a script.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::bail;

/// Refuses a state directory in the folder of scripts, the other way round, and one for both. Links are
/// followed; the state directory need not exist yet.
pub fn check(scripts: &Path, state: &Path) -> anyhow::Result<()> {
    let state = resolved(state);
    let scripts = resolved(scripts);
    let (inner, outer) = if state.starts_with(&scripts) {
        ("the state directory", "the folder of scripts")
    } else if scripts.starts_with(&state) {
        ("the folder of scripts", "the state directory")
    } else {
        return Ok(());
    };
    let place = if state == scripts { "is" } else { "lies in" };
    bail!(
        "{inner} {place} {outer}: scripts are in {}, state in {}; keep passwords and keys apart from \
         scripts: name another state directory with --state, or serve a folder that holds scripts alone",
        scripts.display(),
        state.display()
    )
}

/// The path without links, as far as it exists; what is still to be made is added as it is written.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut missing: Vec<&OsStr> = Vec::new();
    for ancestor in absolute.ancestors() {
        if let Ok(found) = ancestor.canonicalize() {
            return missing
                .iter()
                .rev()
                .fold(found, |whole, part| whole.join(part));
        }
        missing.extend(ancestor.file_name());
    }
    absolute
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn refusal(scripts: &Path, state: &Path) -> String {
        check(scripts, state).expect_err("refused").to_string()
    }

    #[test]
    fn p7_scripts_and_state_beside_each_other_are_taken() {
        let dir = tempfile::tempdir().expect("a folder");
        let scripts = dir.path().join("scripts");
        fs::create_dir(&scripts).expect("made");
        check(&scripts, &dir.path().join("state")).expect("taken");
        // The name of one begins with the other's.
        check(&scripts, &dir.path().join("scripts-state")).expect("taken");
    }

    #[test]
    fn p7_one_inside_the_other_is_refused_before_it_is_made() {
        let dir = tempfile::tempdir().expect("a folder");
        let scripts = dir.path().join("scripts");
        fs::create_dir(&scripts).expect("made");
        let inside = refusal(&scripts, &scripts.join("not/yet"));
        assert!(inside.contains("the state directory lies in"), "{inside}");
        assert!(inside.contains("--state"), "{inside}");
        assert!(!scripts.join("not").exists());
        let around = refusal(&scripts, dir.path());
        assert!(around.contains("the folder of scripts lies in"), "{around}");
        assert!(refusal(&scripts, &scripts).contains(" is "));
    }

    #[test]
    fn p7_a_link_does_not_hide_that_one_is_inside_the_other() {
        let dir = tempfile::tempdir().expect("a folder");
        let scripts = dir.path().join("scripts");
        fs::create_dir_all(scripts.join("data")).expect("made");
        let link = dir.path().join("elsewhere");
        std::os::unix::fs::symlink(scripts.join("data"), &link).expect("a link");
        refusal(&scripts, &link);
        refusal(&scripts, &link.join("state"));
    }

    #[test]
    fn p7_dots_on_the_way_do_not_hide_it_either() {
        let dir = tempfile::tempdir().expect("a folder");
        let scripts = dir.path().join("scripts");
        fs::create_dir_all(dir.path().join("other")).expect("made");
        fs::create_dir(&scripts).expect("made");
        refusal(&scripts, &dir.path().join("other/../scripts/state"));
        check(&scripts, &scripts.join("../state")).expect("taken");
    }
}
