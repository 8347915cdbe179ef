//! Processes of a tree, each held by a descriptor, so that a signal cannot meet another process
//! that was given the same number meanwhile.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal};

use super::low;

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

    /// The same by a descriptor that has no low number.
    pub(super) fn raised(self) -> Self {
        let pidfd = low::raise(self.pidfd);
        Self { pidfd, ..self }
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
            let now =
                stat(Path::new("/proc"), child).filter(|(now, _)| *now == parent || *now == top);
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
    children_in(Path::new("/proc"), pid)
}

fn children_in(proc: &Path, pid: Pid) -> Vec<Pid> {
    listed(proc, pid).unwrap_or_else(|| searched(proc, pid))
}

/// What the kernel lists as its children; none where it was built without such lists
/// (`CONFIG_PROC_CHILDREN`).
fn listed(proc: &Path, pid: Pid) -> Option<Vec<Pid>> {
    let mut children = Vec::new();
    let tasks = fs::read_dir(proc.join(format!("{pid}/task"))).into_iter();
    for task in tasks.flatten().flatten() {
        match fs::read_to_string(task.path().join("children")) {
            Ok(text) => children.extend(numbers(&text)),
            // A thread that has ended meanwhile has no folder either.
            Err(error) if error.kind() == ErrorKind::NotFound && task.path().exists() => {
                return None;
            }
            Err(_) => {}
        }
    }
    Some(children)
}

/// All processes whose parent it is.
fn searched(proc: &Path, parent: Pid) -> Vec<Pid> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter(|pid| stat(proc, *pid).is_some_and(|(its_parent, _)| its_parent == parent))
        .collect()
}

fn numbers(text: &str) -> Vec<Pid> {
    let words = text.split_ascii_whitespace();
    words
        .filter_map(|word| Pid::from_raw(word.parse().ok()?))
        .collect()
}

/// What is above a process.
pub(super) enum Above {
    Parent(Pid),
    /// Nothing that can be seen.
    Nothing,
}

/// What is above a process; none where there is no such process.
pub(super) fn above(pid: Pid) -> Option<Above> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let parent = text.rsplit_once(") ")?.1.split(' ').nth(1)?;
    let parent = Pid::from_raw(parent.parse().ok()?);
    Some(parent.map_or(Above::Nothing, Above::Parent))
}

/// The parent of a process and its state.
fn stat(proc: &Path, pid: Pid) -> Option<(Pid, char)> {
    let text = fs::read_to_string(proc.join(format!("{pid}/stat"))).ok()?;
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

    fn sorted(pids: &[Pid]) -> Vec<i32> {
        let mut numbers: Vec<i32> = pids.iter().map(|pid| pid.as_raw_nonzero().get()).collect();
        numbers.sort_unstable();
        numbers
    }

    /// A `/proc` with process 100, its threads and its children.
    fn proc(has_lists: bool) -> tempfile::TempDir {
        let proc = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = proc.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        for (pid, parent) in [(100, 1), (107, 100), (108, 100), (109, 107)] {
            let stat = format!("{pid} (a ) name) S {parent} 1 1 0");
            write(&format!("{pid}/stat"), &stat);
        }
        for (thread, children) in [("100", "107 "), ("101", "108 ")] {
            let file = if has_lists { "children" } else { "comm" };
            write(&format!("100/task/{thread}/{file}"), children);
        }
        proc
    }

    #[test]
    fn children_are_found_with_the_kernels_lists_and_without_them() {
        let pid = |number| Pid::from_raw(number).expect("a number");
        for has_lists in [true, false] {
            let proc = proc(has_lists);
            assert_eq!(listed(proc.path(), pid(100)).is_some(), has_lists);
            let found = children_in(proc.path(), pid(100));
            assert_eq!(sorted(&found), [107, 108]);
            assert_eq!(children_in(proc.path(), pid(4)), []);
        }
    }

    #[test]
    fn a_search_finds_what_the_kernel_lists() {
        let mut shell = tree();
        let top = Pid::from_child(&shell);
        let mut searched_for = Vec::new();
        for _ in 0..1000 {
            searched_for = searched(Path::new("/proc"), top);
            if searched_for.len() == 2 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let listed = listed(Path::new("/proc"), top).unwrap_or_else(|| searched_for.clone());
        assert_eq!(sorted(&searched_for), sorted(&listed));
        for member in below(top) {
            member.signal(Signal::KILL);
        }
        assert!(shell.wait().is_ok());
    }
}
