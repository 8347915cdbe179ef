//! Reading the two PEM files, and judging who can read the key.

use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use stagedoor_config::Tls;

use super::TlsError;

/// More is no certificate.
const LARGEST: u64 = 1 << 20;
/// `O_NONBLOCK`: to open a pipe must not wait for its other end.
const NO_WAIT: i32 = 0o4000;
/// Group and others.
const OTHERS: u32 = 0o077;
const GROUP_READS: u32 = 0o040;

/// Who may hold the key.
#[derive(Debug, Clone)]
pub struct Keepers {
    /// May own the file: root, who started the server, and last the server's own account.
    pub owners: Vec<u32>,
    /// The server's own group, which may read it.
    pub group: u32,
}

/// What shows that a file has changed; none where it cannot be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamps([Option<Stamp>; 2]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamps {
    /// As the two files are now; links are followed.
    pub fn of(files: &Tls) -> Self {
        Self([&files.certificate, &files.key].map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some(Stamp {
                device: metadata.dev(),
                inode: metadata.ino(),
                size: metadata.size(),
                // Not the time of the content: a changed mode may mend the file too.
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            })
        }))
    }
}

/// All certificates of the file; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let (pem, _) = read(path, || format!("chmod 644 {}", path.display()))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(TlsError::NoCertificate {
            path: path.to_owned(),
        }),
    }
}

/// The first private key of the file, if nobody else can read it.
pub(super) fn key(path: &Path, keepers: &Keepers) -> Result<PrivateKeyDer<'static>, TlsError> {
    let mend = || {
        let (path, group) = (path.display(), keepers.group);
        format!("chgrp {group} {path} && chmod 640 {path}")
    };
    let (pem, metadata) = read(path, mend)?;
    judge(
        path,
        metadata.uid(),
        metadata.gid(),
        metadata.mode(),
        keepers,
    )?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::NoKey {
        path: path.to_owned(),
    })
}

/// Whether the files can be opened, without a look at what is in them.
pub(super) fn can_be_read(files: &Tls) -> bool {
    open(&files.certificate).is_ok() && open(&files.key).is_ok()
}

fn judge(
    path: &Path,
    owner: u32,
    group: u32,
    mode: u32,
    keepers: &Keepers,
) -> Result<(), TlsError> {
    let path = path.to_owned();
    if !keepers.owners.contains(&owner) {
        let wanted = keepers.owners.last().copied().unwrap_or_default();
        return Err(TlsError::Owner {
            path,
            owner,
            wanted,
        });
    }
    let ours = if group == keepers.group {
        GROUP_READS
    } else {
        0
    };
    if mode & OTHERS & !ours != 0 {
        let mode = mode & 0o7777;
        let mend = closing(&path, owner, group, keepers);
        return Err(TlsError::Open { path, mode, mend });
    }
    Ok(())
}

/// The command after which nobody but the server can read the key, and the server still can: also
/// when it has given up the rights of root.
fn closing(path: &Path, owner: u32, group: u32, keepers: &Keepers) -> String {
    let (path, ours) = (path.display(), keepers.group);
    if keepers.owners.last() == Some(&owner) {
        format!("chmod 600 {path}")
    } else if group == ours {
        format!("chmod 640 {path}")
    } else {
        format!("chgrp {ours} {path} && chmod 640 {path}")
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    File::options().read(true).custom_flags(NO_WAIT).open(path)
}

/// `opening` is the command that lets the server read the file.
fn read(path: &Path, opening: impl Fn() -> String) -> Result<(Vec<u8>, Metadata), TlsError> {
    let failed = |error: Error| {
        let mend = match error.kind() {
            ErrorKind::PermissionDenied => format!(
                "; let the server's account read it, in a folder that it can enter (as root: {}); or, \
                 where root starts the server, start it again",
                opening()
            ),
            ErrorKind::NotFound => {
                "; look at `tls.certificate` and `tls.key` in the settings".to_owned()
            }
            _ => String::new(),
        };
        TlsError::Unreadable {
            path: path.to_owned(),
            error,
            mend,
        }
    };
    let file = open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(Error::other("it is not a file")));
    }
    if metadata.len() > LARGEST {
        return Err(failed(Error::other("it is too large for a PEM file")));
    }
    let mut bytes = Vec::new();
    let mut bounded = file.take(LARGEST);
    bounded.read_to_end(&mut bytes).map_err(failed)?;
    Ok((bytes, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w2_a_key_is_for_root_and_the_server_alone() {
        let keepers = Keepers {
            owners: vec![0, 1000, 7373],
            group: 7373,
        };
        let judged = |owner, group, mode| judge(Path::new("/k"), owner, group, mode, &keepers);
        for (owner, group, mode) in [
            (0, 0, 0o100_600),
            (7373, 7373, 0o100_400),
            (1000, 50, 0o100_600),
            (0, 7373, 0o100_640),
        ] {
            assert!(judged(owner, group, mode).is_ok(), "{owner} {mode:o}");
        }
        let close = "chmod 600 /k";
        let share = "chgrp 7373 /k && chmod 640 /k";
        for (owner, group, mode, mend) in [
            (0, 0, 0o100_640, share),
            (0, 7373, 0o100_660, "run: chmod 640 /k"),
            (0, 7373, 0o100_644, "run: chmod 640 /k"),
            (1000, 50, 0o100_640, share),
            (7373, 50, 0o100_640, close),
            (7373, 7373, 0o100_604, close),
            (7373, 7373, 0o100_602, close),
        ] {
            let error = judged(owner, group, mode).expect_err("too open");
            assert!(matches!(error, TlsError::Open { .. }), "{error}");
            assert!(error.to_string().ends_with(mend), "{error}");
        }
        let error = judged(1001, 7373, 0o100_600).expect_err("a stranger");
        assert!(error.to_string().contains("chown 7373 /k"), "{error}");
    }
}
