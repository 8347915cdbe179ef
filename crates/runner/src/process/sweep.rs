//! Empties a folder that a script filled, however deep and however hostile.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

const OPEN_DIR: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::RDONLY);

/// Removes everything in `top`, but not `top` itself. Runs as the account that owns it.
///
/// A folder inside a folder is moved up before it is emptied, so neither the stack nor the length
/// of a path grows with the depth of the tree.
pub(super) fn empty(top: &OwnedFd) -> io::Result<()> {
    let mut moved = 0_u64;
    loop {
        let folders = remove_files(top)?;
        if folders.is_empty() {
            return Ok(());
        }
        for name in folders {
            empty_one(top, &name, &mut moved)?;
        }
    }
}

type Names = Vec<std::ffi::CString>;

/// Removes what is not a folder and returns the folders.
fn remove_files(dir: &OwnedFd) -> io::Result<Names> {
    let mut folders = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let is_folder = match entry.file_type() {
            FileType::Directory => true,
            FileType::Unknown => rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
            _ => false,
        };
        if is_folder {
            folders.push(name.to_owned());
        } else {
            rustix::fs::unlinkat(dir, name, AtFlags::empty())?;
        }
    }
    Ok(folders)
}

/// Moves the folders in this folder up, removes its files and then itself.
fn empty_one(top: &OwnedFd, name: &std::ffi::CStr, moved: &mut u64) -> io::Result<()> {
    // A script may have taken the rights from its own folders.
    rustix::fs::chmodat(top, name, Mode::RWXU, AtFlags::empty())?;
    let dir = rustix::fs::openat(top, name, OPEN_DIR, Mode::empty())?;
    for folder in remove_files(&dir)? {
        // Moving a folder needs the right to write in it, too.
        rustix::fs::chmodat(&dir, &folder, Mode::RWXU, AtFlags::empty())?;
        loop {
            *moved += 1;
            match rustix::fs::renameat(&dir, &folder, top, format!("moved-{moved}")) {
                Ok(()) => break,
                // A script may have used that name.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
    Ok(rustix::fs::unlinkat(top, name, AtFlags::REMOVEDIR)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_deep_tree_with_links_and_lost_rights_is_emptied_and_nothing_else_is_touched() {
        let outside = tempfile::tempdir().expect("a folder");
        std::fs::write(outside.path().join("kept"), "x").expect("written");
        let folder = tempfile::tempdir().expect("a folder");
        let top = OwnedFd::from(std::fs::File::open(folder.path()).expect("opened"));
        let mut deep = top.try_clone().expect("a duplicate");
        // Deeper than any path can name.
        for _ in 0..3000 {
            rustix::fs::mkdirat(&deep, c"deeper", Mode::RWXU).expect("made");
            deep = rustix::fs::openat(&deep, c"deeper", OPEN_DIR, Mode::empty()).expect("opened");
        }
        symlink(outside.path(), folder.path().join("link")).expect("linked");
        std::fs::create_dir_all(folder.path().join("closed/inner")).expect("made");
        std::fs::write(folder.path().join("closed/file"), "x").expect("written");
        std::fs::create_dir(folder.path().join("moved-1")).expect("made");
        let nothing = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(folder.path().join("closed"), nothing).expect("set");
        empty(&top).expect("emptied");
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 0);
        assert!(outside.path().join("kept").exists());
    }
}
