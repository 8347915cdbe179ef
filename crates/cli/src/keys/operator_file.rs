//! A file with keys that an operator has put somewhere: whose it may be, and who may read it.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use stagedoor_app::keys::Keys;
use stagedoor_domain::time::Timestamp;
use zeroize::Zeroizing;

use super::Kind;
use super::given::{LARGEST, keys_of, mend};

const ROOT: u32 = 0;

/// Where it is, and what it is held against each time that it is read.
#[derive(Debug, Clone)]
pub struct OperatorFile {
    pub path: PathBuf,
    /// The account of the server, which may own it as well as root.
    pub server: u32,
    /// Where systemd puts credentials for this process, if it does.
    pub credentials: Option<PathBuf>,
}

impl OperatorFile {
    /// The keys of this file. They are as old as it is.
    pub fn read(&self, kind: &Kind) -> anyhow::Result<Keys> {
        let path = &self.path;
        let unreadable = || format!("could not read the {} in {}", kind.called, path.display());
        let file = File::open(path).with_context(unreadable)?;
        let metadata = file.metadata().with_context(unreadable)?;
        if !metadata.is_file() {
            bail!(
                "{} is not a file; name the file with the {}",
                path.display(),
                kind.called
            );
        }
        self.check(&metadata, kind)?;
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(LARGEST)
            .read_to_end(&mut bytes)
            .with_context(unreadable)?;
        let written = Timestamp::from_millis(metadata.mtime().saturating_mul(1000));
        keys_of(&bytes, written, kind.what).with_context(|| mend(&path.display().to_string(), kind))
    }

    /// Who else could read or change the file?
    fn check(&self, metadata: &Metadata, kind: &Kind) -> anyhow::Result<()> {
        let (path, owner) = (self.path.display(), metadata.uid());
        if owner != ROOT && owner != self.server {
            bail!(
                "{path} belongs to uid {owner}, who could {}; run: chown {} {path} && chmod 400 {path}, and put \
                 another key into it",
                kind.danger,
                match rustix::process::geteuid().as_raw() {
                    ROOT => "root".to_owned(),
                    me => me.to_string(),
                }
            );
        }
        let mode = metadata.permissions().mode() & 0o777;
        let not_for = if self.is_credential(owner) {
            0o037
        } else {
            0o077
        };
        if mode & not_for != 0 {
            // Closed to its group it would be closed to a server that does not begin as root, too.
            let reads_it = owner == self.server || rustix::process::geteuid().is_root();
            let give = if reads_it {
                String::new()
            } else {
                format!("chown {} {path} && ", self.server)
            };
            bail!(
                "{path} can be read or changed by its group or by others (mode {mode:o}), who could {}; run: \
                 {give}chmod 600 {path}, and put another key into it",
                kind.danger
            );
        }
        Ok(())
    }

    /// For a service with an account of its own systemd lets that account read its credentials by an entry of
    /// an access list, on files and on a folder that stay root's. Such an entry shows in the bits of the
    /// group (0440 and 0550), though the group may do nothing.
    fn is_credential(&self, owner: u32) -> bool {
        let folder = self.credentials.as_deref();
        let is_closed = |folder: &Path| {
            let metadata = std::fs::metadata(folder);
            metadata.is_ok_and(|it| it.uid() == ROOT && it.permissions().mode() & 0o027 == 0)
        };
        owner == ROOT
            && folder.is_some_and(|folder| self.path.parent() == Some(folder) && is_closed(folder))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::super::{COOKIES, SECRETS};
    use super::*;

    const GOOD: &str = "q8Zr1vTt5yXnC3mWb7kLh2pJd9fGs4aE";
    /// Neither root nor this test.
    const STRANGER: u32 = 54_321;

    fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn key_in(dir: &Path) -> OperatorFile {
        let path = dir.join("key");
        fs::write(&path, GOOD).expect("written");
        let file = OperatorFile {
            path,
            server: me(),
            credentials: None,
        };
        set_mode(&file.path, 0o400);
        file
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
    }

    #[test]
    fn b38_a_key_that_others_can_read_or_change_is_refused_with_the_mend() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = key_in(dir.path());
        for kind in [&COOKIES, &SECRETS] {
            for (mode, is_taken) in [
                (0o600, true),
                (0o400, true),
                (0o440, false),
                (0o640, false),
                (0o404, false),
                (0o644, false),
                (0o620, false),
                (0o602, false),
            ] {
                set_mode(&file.path, mode);
                match file.read(kind) {
                    Ok(_) => assert!(is_taken, "{mode:o}"),
                    Err(error) => {
                        assert!(!is_taken, "{mode:o}: {error}");
                        let mend = format!("run: chmod 600 {}", file.path.display());
                        assert!(error.to_string().contains(&mend), "{error}");
                    }
                }
            }
        }
        let missing = OperatorFile {
            path: dir.path().join("missing"),
            ..file.clone()
        };
        missing.read(&COOKIES).expect_err("missing");
        let folder = OperatorFile {
            path: dir.path().to_owned(),
            ..file
        };
        folder.read(&COOKIES).expect_err("a folder");
    }

    #[test]
    fn b38_a_key_of_another_account_is_refused_and_one_of_root_or_the_server_is_not() {
        if me() != ROOT {
            return println!("skipped: giving a file away needs root");
        }
        let dir = tempfile::tempdir().expect("a folder");
        let file = key_in(dir.path());
        let file = OperatorFile {
            server: STRANGER + 1,
            ..file
        };
        for (owner, is_taken) in [(ROOT, true), (STRANGER + 1, true), (STRANGER, false)] {
            std::os::unix::fs::chown(&file.path, Some(owner), None).expect("chown");
            match file.read(&SECRETS) {
                Ok(_) => assert!(is_taken, "{owner}"),
                Err(error) => {
                    assert!(!is_taken, "{owner}: {error}");
                    let said = error.to_string();
                    let mend = format!("run: chown root {}", file.path.display());
                    assert!(said.contains(&mend), "{said}");
                    assert!(said.contains("belongs to uid 54321"), "{said}");
                }
            }
        }
    }

    #[test]
    fn b38_a_credential_of_systemd_is_taken_with_the_access_list_that_it_has() {
        if me() != ROOT {
            return println!("skipped: such a file is root's");
        }
        let dir = tempfile::tempdir().expect("a folder");
        let file = key_in(dir.path());
        let credential = OperatorFile {
            server: STRANGER,
            credentials: Some(dir.path().to_owned()),
            ..file
        };
        for (folder, mode, is_taken) in [
            (0o500, 0o400, true),
            (0o550, 0o440, true),
            (0o550, 0o444, false),
            (0o550, 0o460, false),
            // Whoever may enter it, or change what is in it, is kept out by nothing else.
            (0o555, 0o440, false),
            (0o770, 0o440, false),
        ] {
            set_mode(dir.path(), folder);
            set_mode(&credential.path, mode);
            let read = credential.read(&SECRETS);
            assert_eq!(read.is_ok(), is_taken, "{folder:o} {mode:o}");
        }
        set_mode(&credential.path, 0o440);
        set_mode(dir.path(), 0o550);
        std::os::unix::fs::chown(&credential.path, Some(STRANGER), None).expect("chown");
        credential
            .read(&SECRETS)
            .expect_err("it is not systemd's then");
    }
}
