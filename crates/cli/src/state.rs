//! The state directory: made, checked and locked here. Everything in it is for the server alone.

pub mod apart;
mod earlier;
pub mod place;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::fs::OFlags;
use stagedoor_app::sealed::KEY_BYTES;
use stagedoor_domain::time::Chance;
use stagedoor_runner::Account;
use zeroize::Zeroizing;

/// An opened state directory. The lock is held as long as this lives.
pub struct State {
    pub dir: PathBuf,
    _lock: File,
}

impl State {
    /// Makes the folder if it is missing, checks that it belongs to `owner` and to nobody else,
    /// and locks it: one server at a time.
    pub fn open(dir: &Path, owner: u32) -> anyhow::Result<Self> {
        place::check_name(dir, owner)?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(|| {
                format!(
                    "could not make the state directory {}; give another one with --state",
                    dir.display()
                )
            })?;
        let dir = dir
            .canonicalize()
            .with_context(|| format!("could not open {}", dir.display()))?;
        reachable(&dir, owner)?;
        claim(&dir, owner).with_context(|| {
            format!(
                "could not use the state directory {}; give another one with --state",
                dir.display()
            )
        })?;
        place::check_writable(&dir, owner)?;
        place::check_owners(&dir, owner)?;
        place::check_database(&dir)?;
        place::tell(&dir);
        let lock = lock(&dir.join("lock"), owner)?;
        Ok(Self { dir, _lock: lock })
    }

    /// The key of secret arguments at rest, made at the first start.
    pub fn vault_key(&self, chance: &dyn Chance) -> anyhow::Result<Zeroizing<[u8; KEY_BYTES]>> {
        let path = self.dir.join("secret.key");
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        match File::open(&path) {
            Ok(mut file) => {
                let mode = file.metadata()?.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    bail!(
                        "{} can be read by others (mode {mode:o}); run: chmod 400 {0}",
                        path.display()
                    );
                }
                file.read_exact(key.as_mut()).with_context(|| {
                    format!(
                        "{} is shorter than a key; if no secret is needed any more, remove it",
                        path.display()
                    )
                })?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                chance.fill(key.as_mut());
                // A key that was half written could not be told from a whole one.
                write_whole(&path, 0o400, key.as_ref())
                    .with_context(|| format!("could not write {}", path.display()))?;
            }
            Err(error) => {
                return Err(error).with_context(|| format!("could not read {}", path.display()));
            }
        }
        Ok(key)
    }

    /// Where the setup link is written, beside being printed.
    pub fn setup_link(&self) -> PathBuf {
        self.dir.join("setup-link")
    }

    /// Replaces the setup link's file.
    pub fn write_setup_link(&self, url: &str) -> anyhow::Result<()> {
        let path = self.setup_link();
        write_whole(&path, 0o600, format!("{url}\n").as_bytes())
            .with_context(|| format!("could not write {}", path.display()))
    }
}

/// The owner of an existing state directory, for commands that work on it.
pub fn owner_of(dir: &Path) -> anyhow::Result<u32> {
    match fs::metadata(dir) {
        Ok(metadata) => Ok(metadata.uid()),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(error).with_context(|| {
                format!("this account may not look at {}; run the command as root (sudo), which goes on as the account that the state belongs to", dir.display())
            })
        }
        Err(error) => Err(error).with_context(|| {
            format!("there is no state directory at {}; start `stagedoor serve` once, or name it with --state", dir.display())
        }),
    }
}

/// Root goes on as the owner of an existing state directory: files made by root would lock the
/// server out of its own database.
pub fn become_owner(dir: &Path) -> anyhow::Result<()> {
    let owner = owner_of(dir)?;
    let me = rustix::process::geteuid();
    if !me.is_root() {
        return is_mine(dir, owner, me.as_raw());
    }
    if owner == 0 {
        return Ok(());
    }
    Account::numbered(owner)
        .and_then(|account| account.assume())
        .with_context(|| {
            format!(
                "could not become uid {owner}, the owner of {}",
                dir.display()
            )
        })
}

/// Nobody but root becomes another account, and nothing in the folder is for anybody but its owner.
pub fn is_mine(dir: &Path, owner: u32, me: u32) -> anyhow::Result<()> {
    if owner == me {
        return Ok(());
    }
    let name = Account::name_of(owner).ok().flatten();
    let name = name.map_or_else(String::new, |name| format!("`{name}`, "));
    bail!(
        "the state in {} belongs to {name}uid {owner}, and this command runs as uid {me}: run it as root (sudo), which \
         goes on as that account, or name your own state with --state",
        dir.display()
    )
}

/// Started as root, the server drops to an account that has to get to its state on foot.
fn reachable(dir: &Path, owner: u32) -> anyhow::Result<()> {
    for parent in dir.ancestors().skip(1) {
        let metadata = fs::metadata(parent)?;
        let needed = if metadata.uid() == owner {
            0o100
        } else {
            0o001
        };
        if owner != 0 && metadata.mode() & needed == 0 {
            bail!(
                "the server's account (uid {owner}) may not enter {}, so it cannot get to its state in {}; \
                 choose another place with --state",
                parent.display(),
                dir.display()
            );
        }
    }
    Ok(())
}

fn claim(dir: &Path, owner: u32) -> anyhow::Result<()> {
    let metadata = fs::metadata(dir)?;
    if metadata.uid() != owner {
        let is_fresh = fs::read_dir(dir)?.next().is_none();
        if rustix::process::geteuid().is_root() && is_fresh {
            std::os::unix::fs::chown(dir, Some(owner), Some(owner))
                .with_context(|| format!("could not give {} to uid {owner}", dir.display()))?;
        } else {
            bail!(
                "the state directory {0} belongs to uid {1}, but the server runs as uid {owner}; \
                 use another one with --state, or run: chown -R {owner} {0}",
                dir.display(),
                metadata.uid()
            );
        }
    }
    if metadata.mode() & 0o077 != 0 {
        tracing::warn!(
            state = %dir.display(),
            mode = format!("{:o}", metadata.mode() & 0o777),
            "others could enter the state directory; closed it to them"
        );
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
            .with_context(|| format!("others may enter {0}; run: chmod 700 {0}", dir.display()))?;
    }
    Ok(())
}

fn lock(path: &Path, owner: u32) -> anyhow::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .with_context(|| format!("could not open {}", path.display()))?;
    let metadata = file.metadata()?;
    // The folder may be another account's: only a plain file of this one name is given away.
    if metadata.uid() != owner && (!metadata.is_file() || metadata.nlink() != 1) {
        bail!(
            "{} is not the lock of this state directory; remove it",
            path.display()
        );
    }
    if metadata.uid() != owner {
        std::os::unix::fs::fchown(&file, Some(owner), Some(owner))?;
    }
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if waited < TO_END => {
                std::thread::sleep(STEP);
                waited += STEP;
            }
            Err(TryLockError::WouldBlock) => bail!(
                "another Stagedoor server uses {}; stop it first, or give this one another --state",
                path.parent().unwrap_or(path).display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("could not lock {}", path.display()));
            }
        }
    }
}

/// A server that was killed a moment ago lets go of its lock when the kernel has ended it.
const TO_END: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(20);

/// Writes the file beside its place and puts it there once it is whole and on the disk; when this
/// returns, its name is there, too, and what is written next may depend on it. The lock is held, or
/// another one, so nobody else does the same.
pub fn write_whole(path: &Path, mode: u32, bytes: &[u8]) -> std::io::Result<()> {
    let half = path.with_extension("half");
    // What a start that was cut short has left.
    let _ = fs::remove_file(&half);
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&half)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&half, path)?;
        path.parent().map_or(Ok(()), sync_names)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&half);
    })
}

/// A name is on the disk when the folder that holds it is.
fn sync_names(dir: &Path) -> std::io::Result<()> {
    let here = dir.as_os_str().is_empty();
    File::open(if here { Path::new(".") } else { dir })?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_another_account_is_told_with_both_and_how_to_run_the_command() {
        let dir = Path::new("/var/lib/stagedoor");
        is_mine(dir, 1000, 1000).expect("its own");
        for (owner, words) in [(0, "`root`, uid 0"), (7373, "uid 7373")] {
            let said = is_mine(dir, owner, 1000).expect_err("refused").to_string();
            assert!(
                said.contains(words) && said.contains("runs as uid 1000") && said.contains("sudo"),
                "{said}"
            );
        }
    }
}
