//! Files that others could change, or that would run with rights of their own: they are not published.
//! The runner looks again when it starts one.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::Stat;
use rustix::io::Errno;
use stagedoor_config::document::{Problem, Problems};
use stagedoor_domain::acl::{self, Writer};

use crate::machine::FileFacts;

/// setuid, setgid and sticky: the runner starts no file that has one of them.
const SPECIAL_BITS: u32 = 0o7000;
const OTHERS_MAY_WRITE: u32 = 0o002;
/// With an access control list these bits are its mask: without them nobody whom it names may write.
const GROUP_MAY_WRITE: u32 = 0o020;
/// The longest value that the kernel gives an extended attribute.
const LONGEST: usize = 64 << 10;

/// What a mode does not show.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Marks {
    /// Started, it would have rights that its account has not.
    has_capabilities: bool,
    /// Whom its access control list lets change it.
    writer: Option<Writer>,
}

impl Marks {
    /// Of an opened file, be it opened as a path only. What cannot be looked at is the runner's to judge.
    pub fn of(file: BorrowedFd<'_>, stat: &Stat) -> Self {
        let may_have_writer = stat.st_mode & GROUP_MAY_WRITE != 0;
        let list = may_have_writer.then(|| attribute(file, acl::ATTRIBUTE));
        Self {
            has_capabilities: attribute(file, "security.capability").is_some(),
            writer: list
                .flatten()
                .and_then(|list| acl::writer(&list, stat.st_uid)),
        }
    }
}

fn attribute(file: BorrowedFd<'_>, name: &str) -> Option<Vec<u8>> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let size = match rustix::fs::fgetxattr_query(file, name) {
        Err(Errno::BADF) => rustix::fs::getxattr_query(&*path, name),
        size => size,
    };
    size.ok()?;
    let mut value = vec![0; LONGEST];
    let length = match rustix::fs::fgetxattr(file, name, &mut value[..]) {
        Err(Errno::BADF) => rustix::fs::getxattr(&*path, name, &mut value[..]),
        length => length,
    };
    value.truncate(length.ok()?);
    Some(value)
}

/// A script file.
pub(crate) fn check_script(path: &str, facts: &FileFacts, problems: &mut Problems) {
    if facts.mode & SPECIAL_BITS != 0 {
        let problem = Problem::of_file(
            path,
            "the file has a setuid, setgid or sticky bit, and such a file is never started",
        );
        problems.push(problem.mend(format!("run `chmod u-s,g-s,-t {path}`")));
    }
    if facts.marks.has_capabilities {
        let problem = Problem::of_file(
            path,
            "the file has capabilities, and such a file is never started",
        );
        problems.push(problem.mend(format!("run `setcap -r {path}`")));
    }
    check_writers(path, facts, "started", problems);
}

/// A file with definitions and nothing else.
pub(crate) fn check_definition(path: &str, facts: &FileFacts, problems: &mut Problems) {
    check_writers(path, facts, "followed", problems);
}

fn check_writers(path: &str, facts: &FileFacts, never: &str, problems: &mut Problems) {
    if facts.mode & OTHERS_MAY_WRITE != 0 {
        let problem = Problem::of_file(
            path,
            format!("every account of this machine may change the file, so it is never {never}"),
        );
        problems.push(problem.mend(format!("run `chmod o-w {path}`")));
    }
    if let Some(writer) = facts.marks.writer {
        let problem = Problem::of_file(
            path,
            format!("an access control list lets {writer} change the file, so it is never {never}"),
        );
        problems.push(problem.mend(format!("run `setfacl -b {path}`")));
    }
}
