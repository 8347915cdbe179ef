//! Following changes: which folder a watch belongs to, and what a change touches.

use std::os::fd::OwnedFd;

use super::state::FolderState;
use super::{Tree, is_below};
use crate::machine::join;
use crate::watch::{Changes, WatchId};

impl Tree {
    /// Notes what the kernel told. False when nothing of it matters here.
    pub fn note_changes(&mut self, changes: Changes) -> bool {
        let Changes { anything, names } = changes;
        if anything {
            self.note_everything();
        }
        let mut noted = anything;
        for (id, name) in names {
            if let Some(path) = self.by_watch.get(&id).cloned() {
                noted = true;
                self.note(&path, name);
            }
        }
        noted
    }

    /// A name in a folder changed, or the folder itself.
    fn note(&mut self, path: &str, name: Option<String>) {
        // Where a folder stood, another one may stand now, with others below it.
        let child = name.as_deref().map(|name| join(path, name));
        if let Some(child) = child.filter(|child| self.folders.contains_key(child)) {
            let below = self
                .folders
                .iter_mut()
                .filter(|(other, _)| **other == child || is_below(&child, other));
            below.for_each(|(_, state)| state.changed = true);
        }
        if let Some(state) = self.folders.get_mut(path) {
            state.changed = true;
            state.touched.extend(name);
        }
    }

    /// Watches a folder, which may be another one than before.
    pub(super) fn watch_folder(&mut self, path: &str, folder: &OwnedFd, state: &mut FolderState) {
        let id = self.watch.as_ref().and_then(|watch| watch.add(folder).ok());
        if state.watch != id {
            self.unwatch(path, state.watch);
        }
        if let Some(id) = id {
            self.by_watch.insert(id, path.to_owned());
        }
        state.watch = id;
    }

    /// Ends a watch, unless it moved on with its folder to another path.
    pub(super) fn unwatch(&mut self, path: &str, id: Option<WatchId>) {
        let Some(id) = id.filter(|id| self.by_watch.get(id).is_some_and(|at| at == path)) else {
            return;
        };
        self.by_watch.remove(&id);
        if let Some(watch) = &self.watch {
            watch.remove(id);
        }
    }
}
