//! A key that an operator gives: a file, a credential of systemd, or a variable, which is out of the
//! environment before anything else is done.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use stagedoor_app::keys::{Key, KeyUse, Keys};
use stagedoor_config::Environment;
use stagedoor_domain::time::Timestamp;
use zeroize::Zeroizing;

use super::operator_file::OperatorFile;
use super::{COOKIES, Kind, SECRETS};

const VARIABLE: &str = "STAGEDOOR_COOKIE_KEY";
/// Where systemd puts credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// Standard input, over which a key comes that stood in the environment.
const INPUT: &str = "/proc/self/fd/0";
/// More is no key.
pub(super) const LARGEST: u64 = 4096;
/// From this age on an operator is told.
const OLD_DAYS: u64 = 90;

/// Keys of an operator.
pub struct Given {
    pub keys: Keys,
    /// None when they cannot be read a second time.
    pub file: Option<OperatorFile>,
}

/// A key in a variable stands in the memory that the kernel shows as this process's environment. So
/// the program is executed once more without it, and reads it from a pipe. Returns when there is none.
pub fn leave_environment(environment: &Environment) -> anyhow::Result<()> {
    // Else it would stay there, unused and unseen.
    for name in [
        VARIABLE,
        COOKIES.file_variable,
        SECRETS.file_variable,
        CREDENTIALS,
    ] {
        if environment.is_unreadable(name) {
            bail!("the value of {name} is not text in UTF-8: set it anew, or unset it");
        }
    }
    let Some(key) = environment.get(VARIABLE) else {
        return Ok(());
    };
    if environment.get(COOKIES.file_variable).is_some() {
        bail!(
            "both {VARIABLE} and {} are set; set one of the two",
            COOKIES.file_variable
        );
    }
    if key.len() as u64 > LARGEST {
        bail!("{VARIABLE} is longer than a key; 44 characters are enough");
    }
    let (reader, mut writer) = std::io::pipe().context("could not make a pipe")?;
    writer.write_all(key.as_bytes())?;
    drop(writer);
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_else(|| OsString::from("stagedoor"));
    #[expect(
        clippy::disallowed_methods,
        reason = "this process itself goes on, without the key in its environment"
    )]
    let error = std::process::Command::new("/proc/self/exe")
        .arg0(name)
        .args(words)
        .env_remove(VARIABLE)
        .env(COOKIES.file_variable, INPUT)
        .stdin(Stdio::from(reader))
        .exec();
    Err(error).with_context(|| {
        format!(
            "could not take {VARIABLE} out of the environment; use {}",
            COOKIES.file_variable
        )
    })
}

impl Given {
    /// The operator's keys, read with the rights that the process was started with; `server`: the account
    /// that may own their file beside root.
    pub fn of(
        kind: &Kind,
        environment: &Environment,
        server: u32,
        now: Timestamp,
    ) -> anyhow::Result<Option<Self>> {
        let credentials = environment.get(CREDENTIALS).map(PathBuf::from);
        let credential = || {
            let path = credentials.as_ref()?.join(kind.credential);
            path.exists().then_some(path)
        };
        let named = environment.get(kind.file_variable).map(PathBuf::from);
        let Some(path) = named.or_else(credential) else {
            return Ok(None);
        };
        if path == Path::new(INPUT) && kind.what == KeyUse::Cookies {
            let mut bytes = Zeroizing::new(Vec::new());
            std::io::stdin().take(LARGEST).read_to_end(&mut bytes)?;
            let keys = keys_of(&bytes, now, kind.what).with_context(|| mend(VARIABLE, kind))?;
            return Ok(Some(Self { keys, file: None }));
        }
        let file = OperatorFile {
            path,
            server,
            credentials,
        };
        let keys = file.read(kind)?;
        if kind.what == KeyUse::Cookies {
            warn_of_age(&file.path, &keys, now);
        }
        Ok(Some(Self {
            keys,
            file: Some(file),
        }))
    }
}

fn warn_of_age(path: &Path, keys: &Keys, now: Timestamp) {
    let days = now.since(keys.newest().made()).as_secs() / 86_400;
    if days > OLD_DAYS {
        tracing::warn!(
            key = %path.display(),
            days,
            "the key that signs cookies is old: put a new one on the first line, and leave the old \
             one below it for as long as sessions last"
        );
    }
}

pub(super) fn mend(place: &str, kind: &Kind) -> String {
    format!(
        "the {} in {place} is not taken; make one with: head -c 32 /dev/urandom | base64",
        kind.called
    )
}

/// One key on each line of a text, the newest first; else the bytes are the key.
pub(super) fn keys_of(bytes: &[u8], made: Timestamp, what: KeyUse) -> anyhow::Result<Keys> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut keys = lines
        .into_iter()
        .filter(|line| !line.is_empty())
        .map(|line| Key::of_operator(what, line.as_bytes(), made));
    let newest = match keys.next() {
        Some(key) => key?,
        None => Key::of_operator(what, bytes, made)?,
    };
    Ok(Keys::new(newest, keys.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "q8Zr1vTt5yXnC3mWb7kLh2pJd9fGs4aE";
    const OTHER: &str = "Zx7cV2bN9mQ4wE6rT1yU8iO3pA5sD0fG";

    fn taken(bytes: &[u8]) -> anyhow::Result<Vec<String>> {
        let keys = keys_of(bytes, Timestamp::default(), KeyUse::Cookies)?;
        Ok(keys.iter().map(|key| key.id().to_owned()).collect())
    }

    #[test]
    fn b38_a_key_is_a_line_or_bytes_and_the_first_line_signs() {
        let one = taken(GOOD.as_bytes()).expect("taken");
        assert_eq!(taken(format!("{GOOD}\n").as_bytes()).expect("taken"), one);
        let two = taken(format!("{OTHER}\n{GOOD}\n").as_bytes()).expect("taken");
        assert_eq!((two.len(), &two[1]), (2, &one[0]));
        let bytes: Vec<u8> = (200..240).collect();
        assert_eq!(taken(&bytes).expect("taken").len(), 1);
    }

    #[test]
    fn b38_a_weak_line_and_an_empty_file_are_refused() {
        for bad in [
            "",
            "\n\n",
            "short",
            &format!("{GOOD}\nshort"),
            &"a".repeat(40),
        ] {
            taken(bad.as_bytes()).expect_err(bad);
        }
    }
}
