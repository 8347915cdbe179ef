//! Which folder keeps this account from what lies behind it: "permission denied" does not say.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

/// As many as the kernel follows.
const MOST_LINKS: usize = 40;

/// The first folder on the way to an absolute path that this account may not enter, links followed.
/// None where all are open.
pub fn closed_folder(path: &str) -> Option<String> {
    let mut way = steps(Path::new(path));
    let (mut here, mut links) = (PathBuf::from("/"), 0);
    while let Some(step) = way.pop_front() {
        if step == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&step);
        match rustix::fs::lstat(&next) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                links += 1;
                let leads_to = rustix::fs::readlink(&next, Vec::new()).ok()?;
                let leads_to = PathBuf::from(OsString::from_vec(leads_to.into_bytes()));
                if leads_to.is_absolute() {
                    here = PathBuf::from("/");
                }
                let mut whole = steps(&leads_to);
                whole.append(&mut way);
                way = whole;
            }
            Ok(_) => here = next,
            Err(Errno::ACCESS) => return Some(here.display().to_string()),
            Err(_) => return None,
        }
        if links > MOST_LINKS {
            return None;
        }
    }
    None
}

/// Why a program behind a closed folder cannot be used, and the mend. Scripts run as another account than
/// the one that reads this, so that it alone may pass would not help.
pub(crate) fn closed(program: &str, folder: &str, uid: u32) -> (String, String) {
    (
        format!("the account {uid} may not reach `{program}`: `{folder}` is closed to it"),
        format!(
            "name a program that lies outside of `{folder}`, or let every account pass (chmod o+x {folder})"
        ),
    )
}

fn steps(path: &Path) -> VecDeque<OsString> {
    let steps = path.components().filter_map(|part| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        _ => None,
    });
    steps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    /// As an ordinary account: root may enter everything. The thread ends with its rights.
    fn asked(path: PathBuf) -> Option<String> {
        let ask = move || {
            if rustix::process::geteuid().is_root() {
                let nobody = rustix::fs::Uid::from_raw(65534);
                rustix::thread::set_thread_uid(nobody).expect("another account");
            }
            closed_folder(path.to_str().expect("text"))
        };
        std::thread::spawn(ask).join().expect("an answer")
    }

    #[test]
    fn the_folder_that_is_closed_is_named_also_behind_links() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path().canonicalize().expect("there");
        let mode = |path: &Path, mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, mode).expect("chmod");
        };
        mode(&dir, 0o755);
        let (open, closed) = (dir.join("open"), dir.join("closed"));
        std::fs::create_dir(&open).expect("made");
        std::fs::create_dir(&closed).expect("made");
        std::fs::write(closed.join("tool"), "").expect("written");
        symlink(closed.join("tool"), open.join("absolute")).expect("a link");
        symlink("../closed/tool", open.join("relative")).expect("a link");
        symlink("loop", open.join("loop")).expect("a link");
        std::fs::write(open.join("tool"), "").expect("written");
        mode(&closed, 0o000);
        let named = closed.to_str().map(str::to_owned);
        for path in [
            closed.join("tool"),
            open.join("absolute"),
            open.join("relative"),
        ] {
            assert_eq!(asked(path.clone()), named, "{}", path.display());
        }
        for path in [
            open.join("tool"),
            open.join("gone"),
            open.join("loop"),
            closed.clone(),
        ] {
            assert_eq!(asked(path.clone()), None, "{}", path.display());
        }
        mode(&closed, 0o755);
        assert_eq!(asked(open.join("absolute")), None);
    }
}
