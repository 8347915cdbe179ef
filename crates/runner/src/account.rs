//! Accounts of the machine: who scripts run as, and how a process becomes one.

use std::ffi::{CStr, CString};
use std::io;

use rustix::fs::{Gid, Stat, Uid};

/// A user id with its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user id.
    pub uid: u32,
    /// The primary group id.
    pub gid: u32,
    /// The supplementary group ids.
    pub groups: Vec<u32>,
}

/// An account in the kernel's terms, made once, for children that may not allocate.
pub(crate) struct Credentials {
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    pub(crate) groups: Vec<Gid>,
}

impl Account {
    pub(crate) fn credentials(&self) -> Credentials {
        Credentials {
            uid: Uid::from_raw(self.uid),
            gid: Gid::from_raw(self.gid),
            groups: self.groups.iter().copied().map(Gid::from_raw).collect(),
        }
    }

    /// The account of this name, with the groups that the machine gives it; none if there is none.
    pub fn named(name: &str) -> io::Result<Option<Self>> {
        let Ok(name) = CString::new(name) else {
            return Ok(None);
        };
        let known = look_up(|entry, buffer, result| {
            // SAFETY: every pointer is valid for the call, and the length is the buffer's.
            unsafe {
                libc::getpwnam_r(
                    name.as_ptr(),
                    entry,
                    buffer.as_mut_ptr(),
                    buffer.len(),
                    result,
                )
            }
        })?;
        Ok(known.map(|(_, account)| account))
    }

    /// The account of this number. A number that the machine does not know has its own number as
    /// its group, and no other group.
    pub fn numbered(uid: u32) -> io::Result<Self> {
        let known = look_up(|entry, buffer, result| {
            // SAFETY: every pointer is valid for the call, and the length is the buffer's.
            unsafe { libc::getpwuid_r(uid, entry, buffer.as_mut_ptr(), buffer.len(), result) }
        })?;
        Ok(known.map_or_else(|| Self::alone(uid), |(_, account)| account))
    }

    /// This number with its own as its group, and no other group.
    pub(crate) fn alone(uid: u32) -> Self {
        Self {
            uid,
            gid: uid,
            groups: vec![uid],
        }
    }

    /// What the machine calls the account of this number, if it knows it.
    pub fn name_of(uid: u32) -> io::Result<Option<String>> {
        let known = look_up(|entry, buffer, result| {
            // SAFETY: every pointer is valid for the call, and the length is the buffer's.
            unsafe { libc::getpwuid_r(uid, entry, buffer.as_mut_ptr(), buffer.len(), result) }
        })?;
        Ok(known.map(|(name, _)| name))
    }

    /// The number of the group of this name, if the machine has one.
    pub fn group_named(name: &str) -> io::Result<Option<u32>> {
        let Ok(name) = CString::new(name) else {
            return Ok(None);
        };
        let mut buffer: Vec<libc::c_char> = vec![0; 1024];
        loop {
            // SAFETY: `group` is plain data for which all zeroes is a value.
            let mut entry: libc::group = unsafe { std::mem::zeroed() };
            let mut result = std::ptr::null_mut();
            // SAFETY: every pointer is valid for the call, and the length is the buffer's.
            let code = unsafe {
                libc::getgrnam_r(
                    name.as_ptr(),
                    &raw mut entry,
                    buffer.as_mut_ptr(),
                    buffer.len(),
                    &raw mut result,
                )
            };
            match code {
                libc::ERANGE if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 4, 0),
                // What the manual allows a database to say for "no such entry".
                0 | libc::ENOENT | libc::ESRCH if result.is_null() => return Ok(None),
                0 => return Ok(Some(entry.gr_gid)),
                code => return Err(io::Error::from_raw_os_error(code)),
            }
        }
    }

    /// Makes this process, with all its threads, run as this account for good. Needs root.
    pub fn assume(&self) -> io::Result<()> {
        // Groups first and the user last: each step needs the rights that the last one gives up.
        // SAFETY: the pointer and the length are those of one vector.
        check(unsafe { libc::setgroups(self.groups.len(), self.groups.as_ptr()) })?;
        // SAFETY: no pointer is passed.
        check(unsafe { libc::setresgid(self.gid, self.gid, self.gid) })?;
        // SAFETY: no pointer is passed.
        check(unsafe { libc::setresuid(self.uid, self.uid, self.uid) })
    }

    /// Whether this account can change the file, or, as its owner, let itself change it.
    pub fn can_change(&self, stat: &Stat) -> bool {
        stat.st_uid == self.uid
            || (stat.st_mode & 0o020 != 0 && self.has_group(stat.st_gid))
            || stat.st_mode & 0o002 != 0
    }

    /// Whether the mode lets this account enter the folder.
    pub(crate) fn can_enter(&self, stat: &Stat) -> bool {
        let bit = if stat.st_uid == self.uid {
            0o100
        } else if self.has_group(stat.st_gid) {
            0o010
        } else {
            0o001
        };
        self.uid == 0 || stat.st_mode & bit != 0
    }

    fn has_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Asks the account database, for a name and its account, with a buffer that grows until the entry fits.
fn look_up(
    ask: impl Fn(*mut libc::passwd, &mut [libc::c_char], *mut *mut libc::passwd) -> libc::c_int,
) -> io::Result<Option<(String, Account)>> {
    let mut buffer: Vec<libc::c_char> = vec![0; 1024];
    loop {
        // SAFETY: `passwd` is plain data for which all zeroes is a value.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut result = std::ptr::null_mut();
        match ask(&raw mut entry, &mut buffer, &raw mut result) {
            libc::ERANGE if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 4, 0),
            // What the manual allows a database to say for "no such entry".
            0 | libc::ENOENT | libc::ESRCH if result.is_null() => return Ok(None),
            0 => {
                // SAFETY: the call succeeded, so the name is a C string inside `buffer`.
                let name = unsafe { CStr::from_ptr(entry.pw_name) };
                let groups = groups_of(name, entry.pw_gid);
                let account = Account {
                    uid: entry.pw_uid,
                    gid: entry.pw_gid,
                    groups,
                };
                return Ok(Some((name.to_string_lossy().into_owned(), account)));
            }
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

/// Every group of this account, the primary one among them.
fn groups_of(name: &CStr, gid: u32) -> Vec<u32> {
    let mut groups: Vec<libc::gid_t> = vec![gid; 64];
    loop {
        let mut count = libc::c_int::try_from(groups.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: `count` is the room in `groups`, which the call does not exceed.
        let fits =
            unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &raw mut count) };
        let needed = usize::try_from(count).unwrap_or(0);
        if fits >= 0 || needed <= groups.len() {
            groups.truncate(needed);
            return groups;
        }
        groups.resize(needed, gid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_by_name_and_by_number() {
        let root = Account::named("root").expect("a database").expect("root");
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
        assert_eq!(Account::numbered(0).expect("a database"), root);
        let name = Account::name_of(0).expect("a database");
        assert_eq!(name.as_deref(), Some("root"));
        let group = Account::group_named("root").expect("a database");
        assert_eq!(group, Some(0));
        let none = Account::group_named("no-such-group-here").expect("a database");
        assert_eq!(none, None);
    }

    #[test]
    fn a_name_that_nobody_has_is_none_and_a_number_is_its_own_group() {
        assert_eq!(
            Account::named("no-such-account-here").expect("a database"),
            None
        );
        assert_eq!(Account::named("nul\0inside").expect("a database"), None);
        let unknown = Account::numbered(3_999_999_998).expect("a database");
        assert_eq!(
            (unknown.gid, unknown.groups),
            (3_999_999_998, vec![3_999_999_998])
        );
        assert_eq!(Account::name_of(3_999_999_998).expect("a database"), None);
    }
}
