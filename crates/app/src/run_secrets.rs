//! The secrets of a run as its row keeps them until it has ended: sealed, for the next server, which
//! may have to start it or to mask what it printed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stagedoor_domain::invocation::Invocation;
use stagedoor_domain::param::Value;
use zeroize::Zeroizing;

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

impl RunSecrets {
    /// To be sealed.
    pub fn to_text(&self) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
        let form = if self.given.is_empty() {
            Form::Args(self.args.clone())
        } else {
            let given = self.given.iter().map(|given| given.to_vec());
            Form::Both(self.args.clone(), given.collect())
        };
        serde_json::to_vec(&form).map(Zeroizing::new)
    }

    /// What was sealed; none if it is nothing of the kind.
    pub fn parse(text: &[u8]) -> Option<Self> {
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
