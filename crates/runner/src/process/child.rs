//! From a new process to the script: one irreversible step after the other.
//!
//! The child shares the runner's memory until it executes, which saves copying and dropping an
//! address space at each start. So everything between its start (see `launch`) and `execve` only
//! reads what was made before: no allocation, no lock, no `errno`. A step that fails notes its number
//! and its error in the [`Departure`], and the child ends.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;

use rustix::io::Errno;
use rustix::process::Signal;
use rustix::thread::{
    LinkNameSpaceType, move_into_link_name_space, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};

use super::cgroup::Joins;
use super::departure::Departure;
use super::launch::Shares;
use super::raw;
use super::sandbox::Confinement;
use super::stack::Stack;
use crate::account::Credentials;

/// Strings for `execve`, with the list of pointers that ends in a null one.
pub(super) struct Strings {
    pointers: Vec<*const c_char>,
    /// Never touched after `pointers` was made: it owns what they point to.
    _owned: Vec<CString>,
}

impl Strings {
    /// Keeps the strings alive as long as the pointers to them.
    pub(super) fn new(strings: Vec<CString>) -> Self {
        let mut pointers: Vec<_> = strings.iter().map(|string| string.as_ptr()).collect();
        pointers.push(std::ptr::null());
        Self {
            pointers,
            _owned: strings,
        }
    }
}

/// Where the script begins.
pub(super) enum Directory {
    /// An opened folder, and its path.
    Opened(Rc<OwnedFd>, CString),
    /// An absolute path, entered as the script's account.
    Path(CString),
}

/// What is executed.
pub(super) enum Program {
    /// An opened file: exactly the one that was checked.
    Opened(OwnedFd),
    /// A path, absolute or below the directory.
    Path(CString),
}

/// Everything that the steps need. Descriptors are owned here, or by what outlives the child's steps: the
/// child may use the runner's own table, in which a number that was closed is soon another file's.
pub(super) struct Steps {
    /// What becomes standard input, output and error. None is the runner's own, which is `/dev/null`.
    pub(super) streams: [Option<OwnedFd>; 3],
    /// What it shares with the runner at first.
    pub(super) shares: Shares,
    /// Files by which it joins the cgroups that bound it beside the one in which it begins, whose they are.
    pub(super) joins: Joins,
    /// What it was promised to be held by is held by its cgroup.
    pub(super) is_bound: bool,
    /// The mount namespace to enter.
    pub(super) view: Option<Rc<OwnedFd>>,
    /// Else it stays in the session of the runner, which has no terminal either.
    pub(super) begins_session: bool,
    /// The account to become; none keeps the runner's.
    pub(super) credentials: Option<Rc<Credentials>>,
    /// The umask, and what no script is given, are the runner's own: see [`super::prepare`].
    pub(super) confinement: Confinement,
    pub(super) directory: Directory,
    pub(super) program: Program,
    pub(super) argv: Strings,
    pub(super) envp: Strings,
}

impl Steps {
    /// From this number on, the child needs no descriptor once it is at its last steps.
    fn enough(&self) -> RawFd {
        let program = match &self.program {
            Program::Opened(file) => Some(file),
            Program::Path(_) => None,
        };
        let needed = self.streams.iter().flatten().chain(program);
        needed.map(|fd| fd.as_raw_fd() + 1).fold(3, RawFd::max)
    }
}

/// Which step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Step {
    Signals = 1,
    Session = 2,
    Streams = 3,
    Limits = 4,
    Account = 5,
    Parent = 6,
    Directory = 7,
    Descriptors = 8,
    Execute = 9,
    Process = 10,
    Departure = 11,
    Privileges = 12,
    Domain = 13,
    Filters = 14,
    View = 15,
    Join = 16,
}

/// A step and its errno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) errno: i32,
}

impl Step {
    /// The step of this number; 0 is none.
    pub(super) fn of(number: u32) -> Option<Self> {
        Some(match number {
            0 => return None,
            1 => Self::Signals,
            2 => Self::Session,
            3 => Self::Streams,
            4 => Self::Limits,
            5 => Self::Account,
            6 => Self::Parent,
            7 => Self::Directory,
            8 => Self::Descriptors,
            10 => Self::Process,
            11 => Self::Departure,
            12 => Self::Privileges,
            13 => Self::Domain,
            14 => Self::Filters,
            15 => Self::View,
            16 => Self::Join,
            _ => Self::Execute,
        })
    }
}

/// What a child is given, to read and to stand on. To be kept until the child has left (see
/// [`Departure::is_over`]) or was waited for.
pub(super) struct Order {
    pub(super) steps: Steps,
    pub(super) stack: Stack,
}

impl Order {
    /// What the child tells.
    pub(super) fn departure(&self) -> &Departure {
        self.stack.departure()
    }
}

/// Ends this process and does nothing else.
pub(super) fn exit(code: usize) -> c_int {
    // SAFETY: no pointer is passed. The call does not return.
    let _ = unsafe { raw::call(libc::SYS_exit_group, [code, 0, 0, 0, 0]) };
    127
}

/// The child. `extern "C"`, so that even a panic could not unwind into the runner's loop.
pub(super) extern "C" fn become_script(order: *mut c_void) -> c_int {
    // SAFETY: `launch` passes its order, which lives until this process executes or ends.
    let order = unsafe { &*order.cast::<Order>().cast_const() };
    order.departure().fail(take(order));
    exit(127)
}

/// Takes all steps; it returns only when one has failed.
fn take(order: &Order) -> Failure {
    let steps = &order.steps;
    let watched = order.departure().watch().map_err(at(Step::Departure));
    let result = watched
        .and_then(|()| let_signals_through())
        .and_then(|()| own_group(steps))
        .and_then(|()| limits(&steps.confinement))
        .and_then(|()| join(steps.joins))
        .and_then(|()| {
            let view = steps.view.as_ref();
            view.map_or(Ok(()), |view| see(view, &steps.directory))
        })
        .and_then(|()| steps.credentials.as_deref().map_or(Ok(()), become_account))
        .and_then(|()| end_with_the_runner())
        .and_then(|()| enter(steps))
        .and_then(|()| confine(&steps.confinement))
        .and_then(|()| leave_the_table(steps.enough()))
        .and_then(|()| standard_streams(steps))
        .and_then(|()| close_on_exec())
        .map(|()| take_turns(&steps.confinement))
        .and_then(|()| filter(&steps.confinement));
    match result {
        Ok(()) => execute(steps),
        Err(failure) => failure,
    }
}

fn at(step: Step) -> impl FnOnce(Errno) -> Failure {
    move |errno| Failure {
        step,
        errno: errno.raw_os_error(),
    }
}

/// The mask outlives `execve`. Actions need no reset: the runner has the default ones, see
/// `signals::take`.
fn let_signals_through() -> Result<(), Failure> {
    let none = 0_u64;
    let set = (&raw const none).addr();
    let how = usize::try_from(libc::SIG_SETMASK).unwrap_or_default();
    // SAFETY: the set is 8 bytes long, as is said, and the old one is not asked for.
    let done = unsafe { raw::call(libc::SYS_rt_sigprocmask, [how, set, 0, 8, 0]) };
    done.map(|_| ()).map_err(at(Step::Signals))
}

/// A process group that can be signalled as one, and no terminal. A session takes the scheduler a
/// group of its own, which is a good part of what a start costs.
fn own_group(steps: &Steps) -> Result<(), Failure> {
    let begun = if steps.begins_session {
        rustix::process::setsid().map(|_| ())
    } else {
        rustix::process::setpgid(None, None)
    };
    begun.map_err(at(Step::Session))
}

/// Makes a table of descriptors for this process, with those below that number. So all others need
/// be neither copied nor closed.
pub(super) fn leave_the_table(enough: RawFd) -> Result<(), Failure> {
    close_range(enough, libc::CLOSE_RANGE_UNSHARE)
}

fn close_range(first: RawFd, flag: libc::c_uint) -> Result<(), Failure> {
    let wide = |number: u32| usize::try_from(number).unwrap_or_default();
    let (first, flag) = (wide(first.unsigned_abs()), wide(flag));
    // SAFETY: no pointer is passed, and nothing is closed that this process still uses.
    let done = unsafe { raw::call(libc::SYS_close_range, [first, wide(u32::MAX), flag, 0, 0]) };
    done.map(|_| ()).map_err(at(Step::Descriptors))
}

/// In a table that is its own. The only descriptors that stay open: duplicates do not close on exec.
fn standard_streams(steps: &Steps) -> Result<(), Failure> {
    let [stdin, stdout, stderr] = &steps.streams;
    let put = |fd: &Option<OwnedFd>, place: fn(&OwnedFd) -> Result<(), Errno>| {
        fd.as_ref().map_or(Ok(()), place)
    };
    put(stdin, |fd| rustix::stdio::dup2_stdin(fd))
        .and_then(|()| put(stdout, |fd| rustix::stdio::dup2_stdout(fd)))
        .and_then(|()| put(stderr, |fd| rustix::stdio::dup2_stderr(fd)))
        .map_err(at(Step::Streams))
}

/// While still root, because a lowered hard limit cannot be raised.
fn limits(confinement: &Confinement) -> Result<(), Failure> {
    for (resource, limit) in &confinement.limits {
        rustix::process::setrlimit(*resource, *limit).map_err(at(Step::Limits))?;
    }
    let nice = confinement.nice.map_or(Ok(()), |nice| {
        rustix::process::setpriority_process(None, nice)
    });
    nice.map_err(at(Step::Limits))
}

/// While still root, whose files these are. 0 is whoever writes it.
fn join(cgroups: Joins) -> Result<(), Failure> {
    for file in cgroups.into_iter().flatten() {
        // SAFETY: it is open as long as the cgroup is kept, which the attempt does longer than its order.
        let file = unsafe { BorrowedFd::borrow_raw(file) };
        rustix::io::write(file, b"0").map_err(at(Step::Join))?;
    }
    Ok(())
}

/// Groups first and the user last: each step needs the rights that the last one gives up. For this
/// thread alone, because libc would talk to threads that are not there.
fn become_account(account: &Credentials) -> Result<(), Failure> {
    let (uid, gid) = (account.uid, account.gid);
    set_thread_groups(&account.groups)
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .map_err(at(Step::Account))
}

/// A script whose runner is killed is out of control: nobody could stop it or end it in time, so its
/// main process ends, too. After the account was changed, which takes this back.
fn end_with_the_runner() -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(at(Step::Parent))
}

/// While still root, which this needs. An opened folder is one of the runner's view, from which a way
/// leads to all that the script's own hides: it is entered by its path instead.
fn see(view: &OwnedFd, directory: &Directory) -> Result<(), Failure> {
    let mount = Some(LinkNameSpaceType::Mount);
    move_into_link_name_space(view.as_fd(), mount).map_err(at(Step::View))?;
    if let Directory::Opened(folder, path) = directory {
        let entered = rustix::process::chdir::<&CStr>(path);
        let entered = entered.and_then(|()| is_here(folder.as_fd()));
        entered.map_err(at(Step::Directory))?;
    }
    Ok(())
}

/// As the script's account, so that its own rights decide; an opened folder needs no way to it.
fn enter(steps: &Steps) -> Result<(), Failure> {
    let entered = match &steps.directory {
        // It is in there already, as root, who may enter everything.
        Directory::Opened(..) if steps.view.is_some() => rustix::process::chdir(c"."),
        Directory::Opened(folder, _) => rustix::process::fchdir(folder),
        Directory::Path(path) => rustix::process::chdir::<&CStr>(path),
    };
    entered.map_err(at(Step::Directory))
}

/// An error where this is not the folder that the process is in: somebody has put another one there.
fn is_here(folder: BorrowedFd<'_>) -> Result<(), Errno> {
    let there = rustix::fs::fstat(folder)?;
    let here = rustix::fs::statat(rustix::fs::CWD, c".", rustix::fs::AtFlags::empty())?;
    if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino) {
        return Ok(());
    }
    Err(Errno::STALE)
}

/// All descriptors of the runner close on exec already; this holds even if one did not.
fn close_on_exec() -> Result<(), Failure> {
    close_range(3, libc::CLOSE_RANGE_CLOEXEC)
}

/// So late, because a child with the runner's short turns gets there at once, whatever others do. Where
/// the kernel refuses, nothing is lost but time of others.
fn take_turns(confinement: &Confinement) {
    if let Some(turns) = &confinement.turns {
        let _ = turns.take();
    }
}

/// So late, because every step above needs something that is given up here; and in this order, because a
/// domain is for processes that can gain no privileges.
fn confine(confinement: &Confinement) -> Result<(), Failure> {
    if confinement.no_speculation {
        hold_speculation();
    }
    if confinement.no_new_privileges {
        rustix::thread::set_no_new_privs(true).map_err(at(Step::Privileges))?;
    }
    for ruleset in confinement.domains.iter().flatten() {
        let ruleset = usize::try_from(ruleset.as_raw_fd()).unwrap_or(usize::MAX);
        // SAFETY: no pointer is passed.
        let done = unsafe { raw::call(libc::SYS_landlock_restrict_self, [ruleset, 0, 0, 0, 0]) };
        done.map_err(at(Step::Domain))?;
    }
    Ok(())
}

/// Last, because a filter may refuse what a step above needs; like a domain, it is for processes that can
/// gain no privileges.
fn filter(confinement: &Confinement) -> Result<(), Failure> {
    for filter in &confinement.filters {
        filter.install().map_err(at(Step::Filters))?;
    }
    Ok(())
}

/// What another process of the same core could learn by it. Where the processor or the kernel needs no
/// such thing, it is not needed.
fn hold_speculation() {
    // By the numbers of `linux/prctl.h`, which libc does not name on every architecture.
    const SET: usize = 53;
    const OFF_FOR_GOOD: usize = 1 << 3;
    const STORE_BYPASS: usize = 0;
    const INDIRECT_BRANCH: usize = 1;
    for feature in [STORE_BYPASS, INDIRECT_BRANCH] {
        // SAFETY: no pointer is passed.
        let _ = unsafe { raw::call(libc::SYS_prctl, [SET, feature, OFF_FOR_GOOD, 0, 0]) };
    }
}

fn execute(steps: &Steps) -> Failure {
    let argv = steps.argv.pointers.as_ptr().addr();
    let envp = steps.envp.pointers.as_ptr().addr();
    let result = match &steps.program {
        // SAFETY: both lists end in a null pointer and point to C strings that `steps` owns.
        Program::Path(path) => unsafe {
            raw::call(libc::SYS_execve, [path.as_ptr().addr(), argv, envp, 0, 0])
        },
        // SAFETY: as above; the descriptor is open until the exec.
        Program::Opened(file) => unsafe {
            let file = usize::try_from(file.as_raw_fd()).unwrap_or(usize::MAX);
            let flags = usize::try_from(libc::AT_EMPTY_PATH).unwrap_or_default();
            raw::call(
                libc::SYS_execveat,
                [file, c"".as_ptr().addr(), argv, envp, flags],
            )
        },
    };
    at(Step::Execute)(result.err().unwrap_or(Errno::NOEXEC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_number_and_none_has_0() {
        for number in 1..=16 {
            assert_eq!(Step::of(number).map(|step| step as u32), Some(number));
        }
        assert_eq!(Step::of(0), None);
    }
}
