//! The environment of the process, read once.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

/// What the names of our own begin with.
const OURS: &str = "STAGEDOOR_";

/// Variables by name. What has a name that is not UTF-8 is none of ours.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    values: BTreeMap<String, String>,
    /// Those whose value is not UTF-8: set, and not to be used.
    unreadable: BTreeSet<String>,
}

impl Environment {
    /// The process's own.
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// Is it set to something that is not UTF-8?
    pub fn is_unreadable(&self, name: &str) -> bool {
        self.unreadable.contains(name)
    }

    /// Those that begin with `STAGEDOOR_` and are set to something that is not UTF-8.
    pub(crate) fn ours_unreadable(&self) -> impl Iterator<Item = &str> {
        let names = self.unreadable.iter().map(String::as_str);
        names.filter(|name| name.starts_with(OURS))
    }

    /// A variable; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// All that begin with `STAGEDOOR_`, with what follows it.
    pub(crate) fn ours(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(OURS)?, value.as_str())))
            .filter(|(_, value)| !value.is_empty())
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(iter: I) -> Self {
        Self {
            values: iter.into_iter().collect(),
            unreadable: BTreeSet::new(),
        }
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(iter: I) -> Self {
        let mut environment = Self::default();
        for (name, value) in iter {
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => drop(environment.values.insert(name, value)),
                Err(_) => drop(environment.unreadable.insert(name)),
            }
        }
        environment
    }
}

/// Names only: values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.values.keys().chain(&self.unreadable);
        f.debug_set().entries(names).finish()
    }
}
