//! The line indexes of the attempts that were looked at last.

use stagedoor_domain::id::RunId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::folder::Key;
use crate::index::Index;
use crate::live::lock;
use crate::stream::Selection;

/// Indexes kept. Each is bounded, and can be made again from the segments.
const MAX_INDEXES: usize = 32;

/// Indexes by attempt and selection; the one unused for longest makes room.
#[derive(Debug, Default)]
pub(crate) struct Indexes(Mutex<Held>);

/// When it was used last, and the index.
type Used = (u64, Arc<Mutex<Index>>);

#[derive(Debug, Default)]
struct Held {
    /// Counts uses.
    clock: u64,
    indexes: HashMap<(Key, Selection), Used>,
}

impl Indexes {
    /// The index, empty if there was none.
    pub fn get(&self, key: Key, selection: Selection) -> Arc<Mutex<Index>> {
        let mut held = lock(&self.0);
        held.clock += 1;
        let now = held.clock;
        if held.indexes.len() >= MAX_INDEXES && !held.indexes.contains_key(&(key, selection)) {
            let oldest = held
                .indexes
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(k, _)| *k);
            oldest.map(|oldest| held.indexes.remove(&oldest));
        }
        let (last_used, index) = held
            .indexes
            .entry((key, selection))
            .or_insert_with(|| (0, Arc::new(Mutex::new(Index::new()))));
        *last_used = now;
        index.clone()
    }

    /// Forgets the indexes of a run.
    pub fn forget(&self, run: RunId) {
        lock(&self.0).indexes.retain(|(key, _), _| key.run != run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stagedoor_domain::id::Epoch;

    fn key(epoch: u32) -> Key {
        Key {
            run: RunId::from_bytes([1; 16]),
            epoch: Epoch(epoch),
        }
    }

    #[test]
    fn the_index_unused_for_longest_makes_room() {
        let indexes = Indexes::default();
        let first = indexes.get(key(0), Selection::Both);
        let second = indexes.get(key(1), Selection::Both);
        for epoch in 2..32 {
            indexes.get(key(epoch), Selection::Both);
        }
        assert!(Arc::ptr_eq(&first, &indexes.get(key(0), Selection::Both)));
        indexes.get(key(99), Selection::Both);
        assert!(Arc::ptr_eq(&first, &indexes.get(key(0), Selection::Both)));
        assert!(!Arc::ptr_eq(&second, &indexes.get(key(1), Selection::Both)));
        assert_eq!(lock(&indexes.0).indexes.len(), MAX_INDEXES);
    }
}
