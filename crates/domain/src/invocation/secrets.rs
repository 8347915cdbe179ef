//! What an attempt must not show, known in one place: the values of its secret parameters, however they
//! travel, and what its credentials hold.

use std::collections::BTreeSet;
use std::fmt;

use zeroize::Zeroize as _;

use super::{Invocation, plain, said};
use crate::arguments::CheckedArgs;
use crate::param::Value;
use crate::script::Script;

/// Each value once, none of them empty. Wiped when they are dropped, and never printed.
#[derive(Default, PartialEq, Eq)]
pub struct SecretValues(BTreeSet<Vec<u8>>);

impl SecretValues {
    /// In no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, value: impl Into<Vec<u8>>) {
        let mut value = value.into();
        if value.is_empty() || self.0.contains(&value) {
            value.zeroize();
        } else {
            self.0.insert(value);
        }
    }
}

impl Drop for SecretValues {
    fn drop(&mut self) {
        for mut value in std::mem::take(&mut self.0) {
            value.zeroize();
        }
    }
}

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretValues({})", self.0.len())
    }
}

/// The secret values of an attempt with this invocation, which was made from these arguments: each as
/// the script gets it, and the items of a list by themselves too.
pub fn secret_values(script: &Script, args: &CheckedArgs, invocation: &Invocation) -> SecretValues {
    let mut values = SecretValues::default();
    for file in invocation.files.iter().filter(|file| file.secret) {
        values.add(file.content.as_slice());
    }
    for param in script.params.iter().filter(|param| param.secret) {
        let Some(value) = args.get(param.name.as_str()) else {
            continue;
        };
        values.add(plain(param, value));
        if let Value::List(items) = value {
            for item in items {
                values.add(said(param, item));
            }
        }
    }
    values
}
