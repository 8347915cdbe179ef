//! A file of keys in the state directory, `cookie.keys` or `secrets.keys`: a key on each line, the newest
//! first.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use stagedoor_app::keys::{Key, KeyUse, Keys};
use stagedoor_app::sealed::KEY_BYTES;
use stagedoor_domain::time::{Chance, Timestamp};
use zeroize::Zeroizing;

use super::Kind;
use crate::state;

pub fn path(dir: &Path, kind: &Kind) -> PathBuf {
    dir.join(kind.file)
}

/// The ring; none when there is no file.
pub fn read(dir: &Path, kind: &Kind) -> anyhow::Result<Option<Keys>> {
    let path = path(dir, kind);
    let mode = match fs::metadata(&path) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| unreadable(&path, kind)),
    };
    if mode & 0o077 != 0 {
        bail!(
            "{} can be read by others (mode {mode:o}), who could {}; run: chmod {:o} {0} && {}",
            path.display(),
            kind.danger,
            kind.mode,
            kind.after_exposure
        );
    }
    let text = fs::read_to_string(&path).with_context(|| unreadable(&path, kind))?;
    let text = Zeroizing::new(text);
    let lines = text.lines().enumerate();
    let mut keys = lines
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|(at, line)| key_of(line, kind.what).with_context(|| damaged(&path, at + 1, kind)));
    let Some(newest) = keys.next() else {
        bail!(damaged(&path, 1, kind));
    };
    let earlier = keys.collect::<anyhow::Result<_>>()?;
    Ok(Some(Keys::new(newest?, earlier)))
}

fn unreadable(path: &Path, kind: &Kind) -> String {
    format!("could not read the {}s in {}", kind.called, path.display())
}

fn damaged(path: &Path, line: usize, kind: &Kind) -> String {
    format!(
        "{}:{line}: here should stand a {}; {}",
        path.display(),
        kind.called,
        kind.after_damage
    )
}

fn key_of(line: &str, what: KeyUse) -> anyhow::Result<Key> {
    let (made, digits) = line.trim().split_once(' ').context("it is no key")?;
    let made = made.parse().context("it has no time")?;
    let mut secret = Zeroizing::new([0; KEY_BYTES]);
    if digits.len() != 2 * KEY_BYTES || !digits.is_ascii() {
        bail!("it has another length");
    }
    for (byte, pair) in secret.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair)?, 16)?;
    }
    Ok(Key::of(what, secret, Timestamp::from_millis(made)))
}

/// The ring as it is, or a first key.
pub fn open(dir: &Path, kind: &Kind, chance: &dyn Chance, now: Timestamp) -> anyhow::Result<Keys> {
    match read(dir, kind)? {
        Some(keys) => Ok(keys),
        None => open_locked(dir, kind, (chance, now), &Lock::of(dir)?),
    }
}

/// The same for who holds the lock.
pub fn open_locked(
    dir: &Path,
    kind: &Kind,
    (chance, now): (&dyn Chance, Timestamp),
    lock: &Lock,
) -> anyhow::Result<Keys> {
    if let Some(keys) = read(dir, kind)? {
        return Ok(keys);
    }
    let keys = Keys::new(Key::generate(kind.what, chance, now), Vec::new());
    write(dir, kind, &keys, lock)?;
    Ok(keys)
}

/// Held while a ring is changed: a server and a command may want to do so at once.
pub struct Lock(#[expect(dead_code, reason = "the lock ends with it")] File);

impl Lock {
    /// Waits for whoever holds it.
    pub fn of(dir: &Path) -> anyhow::Result<Self> {
        let lock = File::open(dir).and_then(|dir| dir.lock().map(|()| dir));
        lock.map(Self)
            .with_context(|| format!("could not lock {}", dir.display()))
    }
}

/// Adds a key that is the newest from now on; `alone` forgets those before it.
pub fn rotate(
    dir: &Path,
    kind: &Kind,
    (chance, now): (&dyn Chance, Timestamp),
    alone: bool,
) -> anyhow::Result<Keys> {
    let lock = Lock::of(dir)?;
    let key = Key::generate(kind.what, chance, now);
    let keys = match read(dir, kind)?.filter(|_| !alone) {
        Some(keys) => keys.rotated(key),
        None => Keys::new(key, Vec::new()),
    };
    write(dir, kind, &keys, &lock)?;
    Ok(keys)
}

/// Puts these keys in the place of those that are there, whole or not at all.
pub fn write(dir: &Path, kind: &Kind, keys: &Keys, _lock: &Lock) -> anyhow::Result<()> {
    let path = path(dir, kind);
    state::write_whole(&path, kind.mode, text(keys, kind).as_bytes())
        .with_context(|| format!("could not write {}", path.display()))
}

fn text(keys: &Keys, kind: &Kind) -> Zeroizing<String> {
    let mut text = Zeroizing::new(kind.head.to_owned());
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
    use super::super::{COOKIES, SECRETS};
    use super::*;
    use crate::system::KernelChance;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn ids(keys: &Keys) -> Vec<String> {
        keys.iter().map(|key| key.id().to_owned()).collect()
    }

    #[test]
    fn b38_the_ring_is_made_once_for_its_owner_alone_and_read_again() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(read(dir.path(), &COOKIES).expect("read").is_none());
        let made = open(dir.path(), &COOKIES, &KernelChance, at(7)).expect("made");
        let file = fs::metadata(path(dir.path(), &COOKIES)).expect("there");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        let again = open(dir.path(), &COOKIES, &KernelChance, at(9)).expect("read");
        assert_eq!(ids(&again), ids(&made));
        assert_eq!(again.newest().made(), at(7));
        let other = tempfile::tempdir().expect("a folder");
        let another = open(other.path(), &COOKIES, &KernelChance, at(7)).expect("made");
        assert_ne!(ids(&another), ids(&made), "made by chance");
    }

    #[test]
    fn b39_a_rotation_keeps_the_earlier_keys_or_forgets_them() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = open(dir.path(), &COOKIES, &KernelChance, at(1)).expect("made");
        let second = rotate(dir.path(), &COOKIES, (&KernelChance, at(2)), false).expect("rotated");
        assert_eq!(ids(&second)[1..], ids(&first));
        let kept = read(dir.path(), &COOKIES).expect("read").expect("there");
        assert_eq!(ids(&kept), ids(&second));
        let third = rotate(dir.path(), &COOKIES, (&KernelChance, at(3)), true).expect("rotated");
        assert_eq!(ids(&third).len(), 1);
        assert!(!ids(&second).contains(&ids(&third)[0]));
    }

    #[test]
    fn b38_a_ring_that_others_can_read_or_that_is_damaged_is_refused_with_the_mend() {
        let dir = tempfile::tempdir().expect("a folder");
        open(dir.path(), &COOKIES, &KernelChance, at(1)).expect("made");
        let file = path(dir.path(), &COOKIES);
        let said = || format!("{:#}", read(dir.path(), &COOKIES).expect_err("refused"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("chmod");
        assert!(said().contains("chmod 600"), "{}", said());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
        read(dir.path(), &COOKIES).expect("good again");
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

    #[test]
    fn b38_the_keys_of_secrets_are_a_ring_of_their_own_that_nobody_else_reads() {
        let dir = tempfile::tempdir().expect("a folder");
        let made = open(dir.path(), &SECRETS, &KernelChance, at(7)).expect("made");
        let file = path(dir.path(), &SECRETS);
        let file_mode = fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(file_mode & 0o777, 0o400);
        assert!(read(dir.path(), &COOKIES).expect("read").is_none());
        let again = open(dir.path(), &SECRETS, &KernelChance, at(9)).expect("read");
        assert_eq!(ids(&again), ids(&made));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).expect("chmod");
        let refused = format!("{:#}", read(dir.path(), &SECRETS).expect_err("refused"));
        assert!(
            refused.contains("open the stored secrets; run: chmod 400"),
            "{refused}"
        );
        assert!(
            refused.contains("stagedoor keys rotate --secrets"),
            "{refused}"
        );
    }
}
