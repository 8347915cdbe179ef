//! What kind of place a state directory is: whether it can be one, whether it lasts, and whether what
//! lies in it is the server's own. Nothing is changed here.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use rustix::fs::StatVfsMountFlags;

/// With less room than the output of one run may take, somebody should know.
const LITTLE_ROOM: u64 = 64 << 20;

/// Everything that the server itself makes; the runner's files belong to whoever started it.
const OWN: &[&str] = &[
    "audit.key",
    "cookie.keys",
    "lock",
    "logs",
    "output",
    "secret.key",
    "setup-link",
    "stagedoor.db",
    "stagedoor.db-shm",
    "stagedoor.db-wal",
];

/// What `--state` names before it is made: nothing, or a folder. A link is followed if whoever made
/// it may decide where the state lies.
pub fn check_name(dir: &Path, owner: u32) -> anyhow::Result<()> {
    let Ok(found) = fs::symlink_metadata(dir) else {
        // Missing, or out of reach: making and opening it tells.
        return Ok(());
    };
    let me = rustix::process::geteuid().as_raw();
    if found.is_symlink() {
        if ![0, me, owner].contains(&found.uid()) {
            bail!(
                "{} is a link that uid {} made, who could lead it elsewhere; name the folder itself with --state",
                dir.display(),
                found.uid()
            );
        }
        let target = fs::read_link(dir)?;
        if fs::metadata(dir).is_err() {
            bail!(
                "{} is a link to {}, which is not there; make that folder, or name another one with --state",
                dir.display(),
                target.display()
            );
        }
    }
    if fs::metadata(dir).is_ok_and(|metadata| !metadata.is_dir()) {
        bail!(
            "{} is not a folder; name a folder for the state with --state",
            dir.display()
        );
    }
    Ok(())
}

/// Can its owner work in it?
pub fn check_writable(dir: &Path, owner: u32) -> anyhow::Result<()> {
    let mode = fs::metadata(dir)?.permissions().mode() & 0o777;
    if mode & 0o700 != 0o700 {
        bail!(
            "the server (uid {owner}) may not write to {0} (its mode is {mode:o}); run: chmod 700 {0}",
            dir.display()
        );
    }
    let disk =
        rustix::fs::statvfs(dir).with_context(|| format!("could not look at {}", dir.display()))?;
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        bail!(
            "the file system of {} is mounted read-only; mount it writable, or choose another place with --state",
            dir.display()
        );
    }
    Ok(())
}

/// A file of another account would fail later, with less to say: a root shell has made it, or a
/// backup was restored by root.
pub fn check_owners(dir: &Path, owner: u32) -> anyhow::Result<()> {
    for name in OWN {
        let path = dir.join(name);
        let Ok(found) = fs::symlink_metadata(&path) else {
            continue;
        };
        if found.is_symlink() {
            bail!(
                "{} is a link; put the file itself there, or choose another place with --state",
                path.display()
            );
        }
        // The lock is given to the server when root starts it.
        let is_given = rustix::process::geteuid().is_root() && *name == "lock";
        if found.uid() != owner && !is_given {
            bail!(
                "{} belongs to uid {}, but the server runs as uid {owner}; if it is this server's, run: chown {owner} {0}",
                path.display(),
                found.uid()
            );
        }
    }
    Ok(())
}

/// The key is made after the first database. So where there is a key and no content, it was lost, and
/// a new database in its place would hide that.
pub fn check_database(dir: &Path) -> anyhow::Result<()> {
    let size = |name: &str| fs::metadata(dir.join(name)).map(|metadata| metadata.len());
    let was_used = dir.join("secret.key").exists();
    let log = size("stagedoor.db-wal").unwrap_or_default();
    if was_used && log == 0 && size("stagedoor.db").is_ok_and(|size| size == 0) {
        bail!(
            "{0}/stagedoor.db is empty, though this state directory has been used: its users and its \
             history are lost. Restore a backup; or, to begin anew, remove {0}/stagedoor.db",
            dir.display()
        );
    }
    if was_used && size("stagedoor.db").is_err() {
        tracing::warn!(
            state = %dir.display(),
            "this state directory has been used, but its database is gone: a new one is made"
        );
    }
    Ok(())
}

/// Says what an operator may not know about the place.
pub fn tell(dir: &Path) {
    let Ok(kind) = rustix::fs::statfs(dir) else {
        return;
    };
    if let Some(what) = not_lasting(kind.f_type) {
        tracing::warn!(
            state = %dir.display(),
            "the state directory is on {what}; choose another place with --state"
        );
    }
    let Ok(disk) = rustix::fs::statvfs(dir) else {
        return;
    };
    let room = disk.f_bavail.saturating_mul(disk.f_frsize);
    if disk.f_blocks > 0 && room < LITTLE_ROOM {
        tracing::warn!(
            state = %dir.display(),
            free_kib = room >> 10,
            "the disk of the state directory is nearly full: runs are refused, and scripts wait, when it is"
        );
    }
}

/// `linux/magic.h`. The width of the number depends on the architecture.
fn not_lasting(kind: impl TryInto<i64>) -> Option<&'static str> {
    const MEMORY: &str = "a file system in memory (tmpfs): users, history and output are lost when this machine restarts";
    const NETWORK: &str =
        "a network file system, on which the database's log is not safe: a crash can damage it";
    match kind.try_into().ok()? {
        0x0102_1994 | 0x8584_58f6 => Some(MEMORY),
        // NFS, SMB, CIFS, SMB 2, 9p, AFS, Coda.
        0x6969 | 0x517b | 0xff53_4d42 | 0xfe53_4d42 | 0x0102_1997 | 0x5346_414f | 0x7375_7245 => {
            Some(NETWORK)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn refusal(result: anyhow::Result<()>) -> String {
        format!("{:#}", result.expect_err("refused"))
    }

    #[test]
    fn a_folder_a_missing_one_and_ones_own_link_to_one_can_be_a_state_directory() {
        let base = tempfile::tempdir().expect("a folder");
        symlink(base.path(), base.path().join("link")).expect("a link");
        for name in ["", "missing", "link"] {
            check_name(&base.path().join(name), me()).expect("it can");
        }
    }

    #[test]
    fn a_file_and_a_link_to_nowhere_cannot() {
        let base = tempfile::tempdir().expect("a folder");
        fs::write(base.path().join("file"), "mine").expect("written");
        let said = refusal(check_name(&base.path().join("file"), me()));
        assert!(said.contains("is not a folder"), "{said}");
        symlink("nowhere", base.path().join("link")).expect("a link");
        let said = refusal(check_name(&base.path().join("link"), me()));
        assert!(said.contains("nowhere"), "{said}");
    }

    #[test]
    fn a_folder_that_its_owner_may_not_write_to_is_named_with_the_mend() {
        let base = tempfile::tempdir().expect("a folder");
        check_writable(base.path(), me()).expect("it may");
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o500)).expect("chmod");
        let said = refusal(check_writable(base.path(), me()));
        assert!(said.contains("chmod 700"), "{said}");
    }

    #[test]
    fn a_file_of_another_account_is_named_with_both_accounts() {
        let base = tempfile::tempdir().expect("a folder");
        fs::write(base.path().join("secret.key"), "key").expect("written");
        check_owners(base.path(), me()).expect("its own");
        let said = refusal(check_owners(base.path(), me() + 1));
        assert!(
            said.contains("secret.key") && said.contains(&format!("chown {}", me() + 1)),
            "{said}"
        );
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_refused() {
        let base = tempfile::tempdir().expect("a folder");
        symlink("/etc/passwd", base.path().join("stagedoor.db")).expect("a link");
        let said = refusal(check_owners(base.path(), me()));
        assert!(said.contains("is a link"), "{said}");
    }

    #[test]
    fn an_emptied_database_is_told_from_one_that_was_never_filled() {
        let base = tempfile::tempdir().expect("a folder");
        fs::write(base.path().join("stagedoor.db"), "").expect("written");
        check_database(base.path()).expect("the first start was cut short");
        fs::write(base.path().join("secret.key"), "key").expect("written");
        let said = refusal(check_database(base.path()));
        assert!(said.contains("backup"), "{said}");
        fs::write(base.path().join("stagedoor.db-wal"), "content").expect("written");
        check_database(base.path()).expect("the content is in the log");
        fs::remove_file(base.path().join("stagedoor.db")).expect("removed");
        check_database(base.path()).expect("removed on purpose");
    }

    #[test]
    fn memory_and_network_do_not_last_and_a_disk_does() {
        let said = |kind: i64| not_lasting(kind);
        assert!(said(0x0102_1994).is_some_and(|what| what.contains("tmpfs")));
        assert!(said(0x6969).is_some_and(|what| what.contains("network")));
        for disk in [0xef53, 0x9123_683e, 0x5846_5342, 0x2fc1_2fc1, 0x794c_7630] {
            assert_eq!(said(disk), None);
        }
    }
}
