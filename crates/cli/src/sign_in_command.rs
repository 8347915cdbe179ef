//! The program of `sign_in.command`. Whoever can change it can sign in as anybody, so it is looked
//! at before it is used.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, bail};

/// A folder in which everybody may put files, but only rename or remove their own.
const STICKY: u32 = 0o1000;

/// Is it a program that only root or the account of this process can change?
pub fn check(program: &str) -> anyhow::Result<()> {
    let path = fs::canonicalize(program)
        .with_context(|| format!("could not find the program of `sign_in.command`, {program}"))?;
    let metadata = fs::metadata(&path)?;
    let shown = path.display();
    if !metadata.is_file() || metadata.mode() & 0o111 == 0 {
        bail!("the program of `sign_in.command`, {shown}, is not a file that can be executed");
    }
    let own = rustix::process::geteuid().as_raw();
    for place in path.ancestors() {
        let metadata = fs::metadata(place)?;
        let owner = metadata.uid();
        if owner != 0 && owner != own {
            bail!(
                "the program of `sign_in.command` could be changed by uid {owner}, who owns {0}: \
                 whoever changes it can sign in as anybody. Give it to root: chown root {0}",
                place.display()
            );
        }
        let is_shared = metadata.mode() & 0o022 != 0;
        if is_shared && (metadata.is_file() || metadata.mode() & STICKY == 0) {
            bail!(
                "the program of `sign_in.command` could be changed by others, who may write to {0}: \
                 whoever changes it can sign in as anybody. Run: chmod go-w {0}",
                place.display()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    fn faults(path: &Path) -> Option<String> {
        let checked = check(path.to_str().expect("text"));
        checked.err().map(|error| format!("{error:#}"))
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    }

    #[test]
    fn w30_a_program_that_others_could_change_is_refused_with_the_mend() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("check-password");
        assert!(faults(&program).is_some_and(|text| text.contains("could not find")));
        fs::write(&program, "#!/bin/sh\n").expect("written");
        mode(&program, 0o600);
        assert!(faults(&program).is_some_and(|text| text.contains("executed")));
        mode(&program, 0o755);
        assert_eq!(faults(&program), None);
        mode(&program, 0o775);
        assert!(faults(&program).is_some_and(|text| text.contains("chmod go-w")));
        mode(&program, 0o755);
        mode(folder.path(), 0o777);
        assert!(faults(&program).is_some_and(|text| text.contains("chmod go-w")));
        mode(folder.path(), 0o1777);
        assert_eq!(faults(&program), None);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&program, &link).expect("a link");
        assert_eq!(faults(&link), None);
        assert!(faults(folder.path()).is_some_and(|text| text.contains("executed")));
    }
}
