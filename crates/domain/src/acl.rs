//! Access control lists of files, as Linux stores them (`acl(5)`): whom one lets change a file beside
//! what its mode says.
//!
//! The form is that of `linux/posix_acl_xattr.h`: a version of four bytes, then entries of eight
//! (tag, permissions, number), each in small-end order.

use std::fmt;

/// The extended attribute that holds a file's list.
pub const ATTRIBUTE: &str = "system.posix_acl_access";

const VERSION: &[u8] = &[2, 0, 0, 0];
const WRITE: u16 = 2;
const USER: u16 = 2;
const GROUP: u16 = 8;
const MASK: u16 = 16;

/// Somebody whom a list names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Writer {
    /// An account, by its number.
    User(u32),
    /// Everybody in this group.
    Group(u32),
    /// The list cannot be read, so nobody knows.
    Unknown,
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(uid) => write!(f, "uid {uid}"),
            Self::Group(gid) => write!(f, "the group {gid}"),
            Self::Unknown => write!(f, "somebody"),
        }
    }
}

/// The first whom the list names and lets write, beside root and the owner. Those who are not named
/// have what the file's mode says.
pub fn writer(list: &[u8], owner: u32) -> Option<Writer> {
    let Some(entries) = entries(list) else {
        return Some(Writer::Unknown);
    };
    let mask = entries.iter().find(|(tag, ..)| *tag == MASK);
    let mask = mask.map_or(u16::MAX, |(_, permissions, _)| *permissions);
    let mut named = entries
        .iter()
        .filter(|(_, permissions, _)| permissions & mask & WRITE != 0);
    named.find_map(|(tag, _, number)| match *tag {
        USER if *number != 0 && *number != owner => Some(Writer::User(*number)),
        GROUP => Some(Writer::Group(*number)),
        _ => None,
    })
}

/// Tag, permissions and number of each; none where it is no list.
fn entries(list: &[u8]) -> Option<Vec<(u16, u16, u32)>> {
    let rest = list.strip_prefix(VERSION)?;
    let (entries, odd) = rest.as_chunks::<8>();
    let read = |entry: &[u8; 8]| {
        let [t0, t1, p0, p1, n0, n1, n2, n3] = *entry;
        let number = u32::from_le_bytes([n0, n1, n2, n3]);
        (
            u16::from_le_bytes([t0, t1]),
            u16::from_le_bytes([p0, p1]),
            number,
        )
    };
    odd.is_empty().then(|| entries.iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: u32 = u32::MAX;

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = VERSION.to_vec();
        for (tag, permissions, number) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(number.to_le_bytes());
        }
        bytes
    }

    /// Owner, group and others as a mode has them, with these between.
    fn with(named: &[(u16, u16, u32)], mask: u16) -> Vec<u8> {
        let mut all = vec![(1, 7, NOBODY), (4, 7, NOBODY)];
        all.extend(named);
        all.extend([(MASK, mask, NOBODY), (32, 5, NOBODY)]);
        list(&all)
    }

    #[test]
    fn an_account_or_a_group_that_may_write_is_named() {
        let writer = |named: &[_], mask| writer(&with(named, mask), 1000);
        assert_eq!(writer(&[(USER, 6, 7501)], 7), Some(Writer::User(7501)));
        assert_eq!(
            writer(&[(USER, 4, 1), (GROUP, 2, 50)], 6),
            Some(Writer::Group(50))
        );
        // None of these may, or may already.
        assert_eq!(writer(&[], 7), None);
        assert_eq!(writer(&[(USER, 5, 7501), (GROUP, 5, 50)], 7), None);
        assert_eq!(
            writer(&[(USER, 6, 7501)], 5),
            None,
            "the mask takes it away"
        );
        assert_eq!(
            writer(&[(USER, 6, 0), (USER, 6, 1000)], 7),
            None,
            "root and the owner"
        );
    }

    #[test]
    fn what_is_no_list_may_say_anything() {
        let cut = with(&[(USER, 4, 1)], 7);
        let cut = cut.get(..cut.len() - 1).expect("a part");
        for bytes in [&b""[..], b"\x01\0\0\0", b"\x02\0\0", cut] {
            assert_eq!(writer(bytes, 0), Some(Writer::Unknown), "{bytes:?}");
        }
        assert_eq!(writer(VERSION, 0), None, "an empty one names nobody");
    }
}
