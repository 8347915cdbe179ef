//! The secrets of a run as its row keeps them until it has ended: sealed, for the next server, which
//! may have to start it or to mask what it printed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
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

/// Arguments alone, as most runs have them, or with what was given beside them.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Args(BTreeMap<String, Value>),
    Both(BTreeMap<String, Value>, Vec<Vec<u8>>),
}

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
        let sealed = vault.seal(run.as_bytes(), &self.to_text()?, chance)?;
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

    /// To be sealed.
    fn to_text(&self) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
        let form = if self.given.is_empty() {
            Form::Args(self.args.clone())
        } else {
            let given = self.given.iter().map(|given| given.to_vec());
            Form::Both(self.args.clone(), given.collect())
        };
        serde_json::to_vec(&form).map(Zeroizing::new)
    }

    /// What was sealed; none if it is nothing of the kind.
    fn parse(text: &[u8]) -> Option<Self> {
        let (args, given) = match serde_json::from_slice(text).ok()? {
            Form::Args(args) => (args, Vec::new()),
            Form::Both(args, given) => (args, given.into_iter().map(Zeroizing::new).collect()),
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
        let text = secrets.to_text().expect("text");
        assert_eq!(*text, br#"{"key":"hunter2"}"#);
        assert!(
            RunSecrets::parse(&text)
                == Some(RunSecrets {
                    args: key(),
                    given: Vec::new()
                })
        );
        secrets.given.push(Zeroizing::new(b"\xffviolet\n".to_vec()));
        let text = secrets.to_text().expect("text");
        assert!(RunSecrets::parse(&text) == Some(secrets));
        assert!(RunSecrets::parse(b"7").is_none());
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
