//! The secrets of a run as its row keeps them until it has ended: sealed, for the next server, which
//! may have to start it or to mask what it printed.

use std::collections::BTreeMap;

use serde::Deserialize;
use stagedoor_domain::id::RunId;
use stagedoor_domain::invocation::Invocation;
use stagedoor_domain::param::Value;
use stagedoor_domain::time::Chance;
use zeroize::Zeroizing;

use crate::sealed::{DoesNotOpen, Vault};
use crate::withheld::Withheld;

/// What is sealed in a row.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct RunSecrets {
    /// Secret arguments, by parameter.
    pub args: BTreeMap<String, Value>,
    /// What its attempts were given in secret beside them: it may be another thing by the time that
    /// their output is masked.
    pub given: Vec<Zeroizing<Vec<u8>>>,
}

/// How earlier versions kept them: arguments alone, or with what was given beside them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Earlier {
    Args(BTreeMap<String, Value>),
    Both(BTreeMap<String, Value>, Vec<Vec<u8>>),
}

/// The first byte of the form of now, which no JSON begins with.
const FORM: u8 = 1;

/// Why secrets could not be sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error("they have no form in which they could be kept")]
    Form(#[from] serde_json::Error),
    #[error("the key of this installation does not seal them")]
    Key(#[from] DoesNotOpen),
}

impl RunSecrets {
    /// As the row of this run keeps them: the key's name, and what is sealed with it.
    pub fn seal(
        &self,
        vault: &Vault,
        run: RunId,
        chance: &dyn Chance,
    ) -> Result<Vec<u8>, SealError> {
        let sealed = vault.seal(run.as_bytes(), &self.to_bytes()?, chance)?;
        Ok([vault.key_name().as_slice(), &sealed].concat())
    }

    /// What [`Self::seal`] made.
    pub fn open(vault: &Vault, run: RunId, sealed: &[u8]) -> Result<Self, Withheld> {
        let text = match sealed.strip_prefix(vault.key_name().as_slice()) {
            Some(rest) => vault
                .open(run.as_bytes(), rest)
                .map_err(|_| Withheld::Damaged)?,
            // Earlier versions did not say with which key.
            None => vault
                .open(run.as_bytes(), sealed)
                .map_err(|_| Withheld::OtherKey)?,
        };
        Self::parse(&text).ok_or(Withheld::NewerForm)
    }

    /// To be sealed: the form, then the arguments as JSON and each that was given as it is, behind their
    /// lengths. Credentials may be large and of any bytes, which JSON would write as numbers.
    fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let args = serde_json::to_vec(&self.args).map(Zeroizing::new)?;
        let parts = || std::iter::once(&args).chain(&self.given);
        let length = parts().map(|part| LENGTH + part.len()).sum::<usize>();
        // Made as large as it will be: what is moved stays in memory where it was.
        let mut bytes = Zeroizing::new(Vec::with_capacity(1 + length));
        bytes.push(FORM);
        for part in parts() {
            let length = u32::try_from(part.len()).map_err(|_| DoesNotOpen)?;
            bytes.extend(length.to_le_bytes());
            bytes.extend_from_slice(part);
        }
        Ok(bytes)
    }

    /// What was sealed; none if it is nothing of the kind.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let Some((&FORM, rest)) = bytes.split_first() else {
            return Self::parse_earlier(bytes);
        };
        let (args, mut rest) = part(rest)?;
        let mut given = Vec::new();
        while !rest.is_empty() {
            let (one, behind) = part(rest)?;
            given.push(Zeroizing::new(one.to_vec()));
            rest = behind;
        }
        let args = serde_json::from_slice(args).ok()?;
        Some(Self { args, given })
    }

    fn parse_earlier(text: &[u8]) -> Option<Self> {
        let (args, given) = match serde_json::from_slice(text).ok()? {
            Earlier::Args(args) => (args, Vec::new()),
            Earlier::Both(args, given) => (args, given.into_iter().map(Zeroizing::new).collect()),
        };
        Some(Self { args, given })
    }

    /// Adds what an attempt is given in secret and is not known yet. Says whether there was any.
    pub fn add_given(&mut self, invocation: &Invocation) -> bool {
        let before = self.given.len();
        for file in invocation.files.iter().filter(|file| file.secret) {
            let is_known = self.args.contains_key(&file.name)
                || self.given.iter().any(|given| **given == file.content);
            if !is_known {
                self.given.push(Zeroizing::new(file.content.clone()));
            }
        }
        self.given.len() > before
    }
}

/// Bytes of a length.
const LENGTH: usize = 4;

/// One part, and what is behind it.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stagedoor_domain::invocation::PrivateFile;

    fn file(name: &str, content: &[u8], secret: bool) -> PrivateFile {
        PrivateFile {
            name: name.to_owned(),
            content: content.to_vec(),
            secret,
        }
    }

    fn key() -> BTreeMap<String, Value> {
        BTreeMap::from([("key".to_owned(), Value::Text("hunter2".to_owned()))])
    }

    #[test]
    fn what_is_sealed_comes_back_with_and_without_what_was_given() {
        let mut secrets = RunSecrets {
            args: key(),
            given: Vec::new(),
        };
        for given in [&b""[..], b"\xffviolet\n", b"", b"another"] {
            let bytes = secrets.to_bytes().expect("bytes");
            assert!(RunSecrets::parse(&bytes).as_ref() == Some(&secrets));
            for length in 0..bytes.len() {
                let cut = RunSecrets::parse(&bytes[..length]);
                // Between two parts it may end.
                assert!(cut.is_none_or(|cut| cut.given.len() < secrets.given.len()));
            }
            secrets.given.push(Zeroizing::new(given.to_vec()));
        }
        assert!(RunSecrets::parse(b"7").is_none());
    }

    #[test]
    fn what_an_earlier_version_sealed_is_read() {
        let secrets = RunSecrets::parse(br#"{"key":"hunter2"}"#).expect("read");
        assert!(secrets.args == key() && secrets.given.is_empty());
        let secrets = RunSecrets::parse(br#"[{"key":"hunter2"},[[255,10]]]"#).expect("read");
        assert!(secrets.args == key());
        assert_eq!(secrets.given, [Zeroizing::new(b"\xff\n".to_vec())]);
    }

    struct Seven;
    impl Chance for Seven {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    #[test]
    fn what_does_not_open_says_whether_it_may_another_day() {
        let (vault, other) = (Vault::new(&[1; 32]), Vault::new(&[2; 32]));
        let run = RunId::from_bytes([1; 16]);
        let secrets = RunSecrets {
            args: key(),
            given: Vec::new(),
        };
        let sealed = secrets.seal(&vault, run, &Seven).expect("sealed");
        let open = |vault, sealed: &[u8]| RunSecrets::open(vault, run, sealed).map(|_| ());
        assert_eq!(open(&vault, &sealed), Ok(()));
        assert_eq!(open(&other, &sealed), Err(Withheld::OtherKey));
        let mut damaged = sealed.clone();
        *damaged.last_mut().expect("a byte") ^= 1;
        assert_eq!(open(&vault, &damaged), Err(Withheld::Damaged));
        assert_eq!(open(&vault, &sealed[..20]), Err(Withheld::Damaged));
        let of_another = RunSecrets::open(&vault, RunId::from_bytes([2; 16]), &sealed);
        assert!(of_another.is_err_and(|why| why == Withheld::Damaged));
        let newer = vault.seal(run.as_bytes(), b"7", &Seven).expect("sealed");
        let newer = [vault.key_name().as_slice(), &newer].concat();
        assert_eq!(open(&vault, &newer), Err(Withheld::NewerForm));
        // As an earlier version wrote it.
        let earlier = vault.seal(run.as_bytes(), br#"{"key":"hunter2"}"#, &Seven);
        assert_eq!(open(&vault, &earlier.expect("sealed")), Ok(()));
    }

    #[test]
    fn what_is_given_beside_the_arguments_is_added_once() {
        let mut secrets = RunSecrets {
            args: key(),
            given: Vec::new(),
        };
        let invocation = Invocation {
            files: vec![
                file("key", b"hunter2", true),
                file("text", b"for all", false),
                file("smtp", b"violet-tractor", true),
            ],
            ..Invocation::default()
        };
        assert!(secrets.add_given(&invocation));
        assert!(!secrets.add_given(&invocation));
        assert_eq!(secrets.given, [Zeroizing::new(b"violet-tractor".to_vec())]);
    }
}
