//! So many places and no more: what is cheapest to lose makes room.

use std::collections::HashMap;
use std::time::Duration;

use stagedoor_domain::id::UserId;
use stagedoor_domain::time::Timestamp;

use super::bucket::Bucket;
use super::place::Place;

/// How much of a full table makes room at once, so that making room is rare.
const SHARE: usize = 16;

/// What is known of a place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    pub bucket: Bucket,
    /// Whose account it is; for showing only.
    pub user: Option<UserId>,
    /// The last failure, on the wall.
    pub noted_at: Timestamp,
}

/// The places of one kind.
#[derive(Debug)]
pub(super) struct Table {
    most: usize,
    entries: HashMap<Place, Entry>,
}

impl Table {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            entries: HashMap::new(),
        }
    }

    pub fn get(&self, place: &Place) -> Option<&Entry> {
        self.entries.get(place)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Place, &Entry)> {
        self.entries.iter()
    }

    pub fn remove(&mut self, place: &Place) -> bool {
        self.entries.remove(place).is_some()
    }

    /// The entry of this place. Those that made room for a new one are added to `gone`.
    pub fn entry(&mut self, place: Place, now: Duration, gone: &mut Vec<Place>) -> &mut Entry {
        if self.entries.len() >= self.most && !self.entries.contains_key(&place) {
            self.make_room(now, gone);
        }
        self.entries.entry(place).or_default()
    }

    /// First who is not blocked and has failed least and longest ago, at last whose block ends
    /// soonest.
    fn make_room(&mut self, now: Duration, gone: &mut Vec<Place>) {
        let mut places: Vec<_> = self.entries.iter().collect();
        places.sort_unstable_by_key(|(_, entry)| entry.bucket.weight(now));
        let blocked = places.partition_point(|(_, entry)| entry.bucket.left(now).is_none());
        let share = (self.most / SHARE).min(blocked).max(1);
        let from = gone.len();
        gone.extend(places.iter().take(share).map(|(place, _)| **place));
        for place in gone.iter().skip(from) {
            self.entries.remove(place);
        }
    }

    /// Forgets what this holds for.
    pub fn drop_if(&mut self, is_over: impl Fn(&Entry) -> bool, gone: &mut Vec<Place>) {
        self.entries.retain(|place, entry| {
            let is_over = is_over(entry);
            if is_over {
                gone.push(*place);
            }
            !is_over
        });
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}
