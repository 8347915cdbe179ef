//! Processes of a tree, each held by a descriptor, so that a signal cannot meet another process
//! that was given the same number meanwhile.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags, Signal};

/// One process of a tree.
pub(super) struct Member {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Member {
    /// The process that has this number now. An error when there is none, or no descriptor is free.
    pub(super) fn open(pid: Pid) -> rustix::io::Result<Self> {
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self { pid, pidfd })
    }

    /// The process of this number, by this descriptor.
    pub(super) fn of(pid: Pid, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// It may have ended meanwhile, which is what the signal is for.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, signal);
    }
}

/// Every living process below this one, which itself is not among them. The caller's own child, so
/// that the number is its own.
pub(super) fn below(top: Pid) -> Vec<Member> {
    let mut parents = vec![top];
    let mut members = Vec::new();
    while let Some(parent) = parents.pop() {
        for child in children(parent) {
            let member = Member::open(child).ok();
            // Asked after it was opened: the child of a process of this tree, and no other that has
            // its number meanwhile. What its parent left behind has come to `top`.
            let now = stat(child).filter(|(now, _)| *now == parent || *now == top);
            let Some((_, state)) = now else { continue };
            parents.push(child);
            if !matches!(state, 'Z' | 'X') {
                members.extend(member);
            }
        }
    }
    members
}

/// The children of all threads of a process.
pub(super) fn children(pid: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter();
    let texts = tasks.flatten().flatten();
    let texts = texts.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    texts.flat_map(|text| numbers(&text)).collect()
}

fn numbers(text: &str) -> Vec<Pid> {
    let words = text.split_ascii_whitespace();
    words
        .filter_map(|word| Pid::from_raw(word.parse().ok()?))
        .collect()
}

/// The parent of a process and its state.
fn stat(pid: Pid) -> Option<(Pid, char)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // A name may hold anything, also what looks like the fields after it.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((Pid::from_raw(fields.next()?.parse().ok()?)?, state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    #[expect(clippy::disallowed_methods, reason = "a tree of real processes")]
    fn tree() -> Child {
        let command = "sleep 60 & sh -c 'sleep 60 & wait' & echo; wait";
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).stdout(Stdio::piped());
        shell.spawn().expect("a shell")
    }

    #[test]
    fn everything_below_a_process_is_found_and_can_be_ended() {
        let mut shell = tree();
        let top = Pid::from_child(&shell);
        for _ in 0..1000 {
            if below(top).len() == 3 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let members = below(top);
        assert_eq!(members.len(), 3);
        for member in &members {
            member.signal(Signal::KILL);
        }
        assert!(shell.wait().is_ok(), "it waits for its children and ends");
        assert!(below(Pid::from_child(&shell)).is_empty());
    }
}
