//! The file `cookie.keys` of a state directory: a key on each line, the newest first.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use stagedoor_app::cookie_keys::{CookieKey, CookieKeys};
use stagedoor_app::sealed::KEY_BYTES;
use stagedoor_domain::time::{Chance, Timestamp};
use zeroize::Zeroizing;

use crate::state;

const HEAD: &str = "\
# Stagedoor signs cookies with the first of these keys. Whoever reads this file can forge them.
# Made by `stagedoor serve`; `stagedoor keys rotate` adds one. Each line: when, in milliseconds since 1970, and the key.
";

pub fn path(dir: &Path) -> PathBuf {
    dir.join("cookie.keys")
}

/// The ring; none when there is no file.
pub fn read(dir: &Path) -> anyhow::Result<Option<CookieKeys>> {
    let path = path(dir);
    let mode = match fs::metadata(&path) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| unreadable(&path)),
    };
    if mode & 0o077 != 0 {
        bail!(
            "{} can be read by others (mode {mode:o}), who could forge cookies; run: chmod 600 {0} && \
             stagedoor keys rotate --end-sessions",
            path.display()
        );
    }
    let text = fs::read_to_string(&path).with_context(|| unreadable(&path))?;
    let text = Zeroizing::new(text);
    let lines = text.lines().enumerate();
    let mut keys = lines
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|(at, line)| key_of(line).with_context(|| damaged(&path, at + 1)));
    let Some(newest) = keys.next() else {
        bail!(damaged(&path, 1));
    };
    let earlier = keys.collect::<anyhow::Result<_>>()?;
    Ok(Some(CookieKeys::new(newest?, earlier)))
}

fn unreadable(path: &Path) -> String {
    format!("could not read the cookie keys in {}", path.display())
}

fn damaged(path: &Path, line: usize) -> String {
    format!(
        "{}:{line}: here should stand a cookie key; restore the file from a backup, or remove it: then \
         everybody signs in again",
        path.display()
    )
}

fn key_of(line: &str) -> anyhow::Result<CookieKey> {
    let (made, digits) = line.trim().split_once(' ').context("it is no key")?;
    let made = made.parse().context("it has no time")?;
    let mut secret = Zeroizing::new([0; KEY_BYTES]);
    if digits.len() != 2 * KEY_BYTES || !digits.is_ascii() {
        bail!("it has another length");
    }
    for (byte, pair) in secret.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair)?, 16)?;
    }
    Ok(CookieKey::of(secret, Timestamp::from_millis(made)))
}

/// The ring as it is, or a first key.
pub fn open(dir: &Path, chance: &dyn Chance, now: Timestamp) -> anyhow::Result<CookieKeys> {
    match read(dir)? {
        Some(keys) => Ok(keys),
        None => rotate(dir, chance, now, false),
    }
}

/// Adds a key that signs from now on; `alone` forgets those before it.
pub fn rotate(
    dir: &Path,
    chance: &dyn Chance,
    now: Timestamp,
    alone: bool,
) -> anyhow::Result<CookieKeys> {
    // A server and a command may want to do so at once.
    let lock = File::open(dir).and_then(|dir| dir.lock().map(|()| dir));
    let _lock = lock.with_context(|| format!("could not lock {}", dir.display()))?;
    let key = CookieKey::generate(chance, now);
    let keys = match read(dir)?.filter(|_| !alone) {
        Some(keys) => keys.rotated(key),
        None => CookieKeys::new(key, Vec::new()),
    };
    let path = path(dir);
    state::write_whole(&path, 0o600, text(&keys).as_bytes())
        .with_context(|| format!("could not write {}", path.display()))?;
    Ok(keys)
}

fn text(keys: &CookieKeys) -> Zeroizing<String> {
    let mut text = Zeroizing::new(HEAD.to_owned());
    for key in keys.iter() {
        let _ = write!(text, "{} ", key.made().millis());
        for byte in key.secret() {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::KernelChance;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn ids(keys: &CookieKeys) -> Vec<String> {
        keys.iter().map(|key| key.id().to_owned()).collect()
    }

    #[test]
    fn b38_the_ring_is_made_once_for_its_owner_alone_and_read_again() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(read(dir.path()).expect("read").is_none());
        let made = open(dir.path(), &KernelChance, at(7)).expect("made");
        let file = fs::metadata(path(dir.path())).expect("there");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        let again = open(dir.path(), &KernelChance, at(9)).expect("read");
        assert_eq!(ids(&again), ids(&made));
        assert_eq!(again.newest().made(), at(7));
        let other = tempfile::tempdir().expect("a folder");
        let another = open(other.path(), &KernelChance, at(7)).expect("made");
        assert_ne!(ids(&another), ids(&made), "made by chance");
    }

    #[test]
    fn b39_a_rotation_keeps_the_earlier_keys_or_forgets_them() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = open(dir.path(), &KernelChance, at(1)).expect("made");
        let second = rotate(dir.path(), &KernelChance, at(2), false).expect("rotated");
        assert_eq!(ids(&second)[1..], ids(&first));
        let kept = read(dir.path()).expect("read").expect("there");
        assert_eq!(ids(&kept), ids(&second));
        let third = rotate(dir.path(), &KernelChance, at(3), true).expect("rotated");
        assert_eq!(ids(&third).len(), 1);
        assert!(!ids(&second).contains(&ids(&third)[0]));
    }

    #[test]
    fn b38_a_ring_that_others_can_read_or_that_is_damaged_is_refused_with_the_mend() {
        let dir = tempfile::tempdir().expect("a folder");
        open(dir.path(), &KernelChance, at(1)).expect("made");
        let file = path(dir.path());
        let said = || format!("{:#}", read(dir.path()).expect_err("refused"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("chmod");
        assert!(said().contains("chmod 600"), "{}", said());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
        read(dir.path()).expect("good again");
        for text in [
            "",
            "# none\n",
            "7\n",
            "7 abc\n",
            "x 00\n",
            &format!("7 {}\n", "0g".repeat(32)),
        ] {
            fs::write(&file, text).expect("written");
            assert!(
                said().contains("everybody signs in again"),
                "{text:?}: {}",
                said()
            );
            assert!(said().contains("cookie.keys:1"), "{text:?}: {}", said());
        }
    }
}
