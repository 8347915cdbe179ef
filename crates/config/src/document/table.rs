//! Keys with their values, and the questions that readers ask them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::DeTable;

use super::node::{Node, node};
use super::{Mark, Problems, Text};

/// A key's value and the key's place.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where the key stands.
    pub key: Mark,
    /// What it is set to.
    pub node: Node,
}

/// Keys with their values.
#[derive(Debug, Clone)]
pub struct Table {
    /// Where it begins.
    pub mark: Mark,
    entries: BTreeMap<String, Entry>,
}

pub(super) fn table(
    text: &Arc<Text>,
    span: Range<usize>,
    tree: &DeTable<'_>,
    problems: &mut Problems,
) -> Table {
    let entries = tree
        .iter()
        .map(|(key, value)| {
            let node = node(text, value.span(), value.get_ref(), problems);
            let entry = Entry {
                key: Mark::new(text, key.span()),
                node,
            };
            (key.get_ref().to_string(), entry)
        })
        .collect();
    Table {
        mark: Mark::new(text, span),
        entries,
    }
}

impl Table {
    /// An empty table that stands at a place.
    pub fn empty(mark: Mark) -> Self {
        Self {
            mark,
            entries: BTreeMap::new(),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.get(key).map(|entry| &entry.node)
    }

    /// A key with its place and value.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Is the key there?
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        self.entries.remove(key)
    }

    /// Sets a key.
    pub fn insert(&mut self, key: &str, entry: Entry) {
        self.entries.insert(key.to_owned(), entry);
    }

    /// Every key, in the order in which the author wrote them.
    pub fn in_order(&self) -> Vec<(&str, &Entry)> {
        let mut entries: Vec<_> = self.entries.iter().map(|(k, e)| (k.as_str(), e)).collect();
        entries.sort_by_key(|(_, entry)| entry.key.offset());
        entries
    }

    /// This table, with what another says for keys that this one does not have.
    #[must_use]
    pub fn over(mut self, other: &Table) -> Self {
        for (key, entry) in &other.entries {
            self.entries
                .entry(key.clone())
                .or_insert_with(|| entry.clone());
        }
        self
    }

    /// [`Node::full_text`] of a key.
    pub fn text(&self, key: &str, problems: &mut Problems) -> Option<String> {
        self.get(key)?.full_text(problems)
    }

    /// [`Node::flag`] of a key.
    pub fn flag(&self, key: &str, problems: &mut Problems) -> Option<bool> {
        self.get(key)?.flag(problems)
    }

    /// [`Node::texts`] of a key.
    pub fn texts(&self, key: &str, problems: &mut Problems) -> Option<Vec<String>> {
        self.get(key)?.texts(problems)
    }

    /// [`Node::tables`] of a key; none when the key is not there.
    pub fn tables(&self, key: &str, problems: &mut Problems) -> Vec<&Table> {
        self.get(key)
            .map_or_else(Vec::new, |node| node.tables(key, problems))
    }
}
