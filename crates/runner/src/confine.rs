//! What the server gives up once its runner is there: to execute, to make processes, and whatever
//! else a web server never needs. Whoever breaks in finds no way to start a program but the runner's
//! narrow protocol.
//!
//! A list of what is forbidden, not of what is allowed: the libraries below the server may change
//! which harmless calls they make, and then it must go on working.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use libc::{SYS_clock_adjtime, SYS_clone, SYS_clone3, SYS_execve, SYS_execveat};
use rustix::process::DumpableBehavior;
use seccompiler::{
    BpfProgram, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule, TargetArch,
};

use crate::filter;

/// Answered with EPERM, whatever the arguments are, beside what [`filter`] lists: programs and
/// processes (`clone` has a rule of its own), and the clock.
const FORBIDDEN: &[libc::c_long] = &[SYS_execve, SYS_execveat, SYS_clock_adjtime];

/// The same, where the architecture has them.
#[cfg(target_arch = "x86_64")]
const FORBIDDEN_HERE: &[libc::c_long] = &[libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const FORBIDDEN_HERE: &[libc::c_long] = &[];

/// The argument of `clone` that holds its flags.
const CLONE_FLAGS: u8 = 0;
/// The argument of `ioctl` that says what is asked.
const IOCTL_REQUEST: u8 = 1;
/// Lists what a filter may answer; there is no such file where the kernel knows no filters.
const KNOWN_ACTIONS: &str = "/proc/sys/kernel/seccomp/actions_avail";

/// How far it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confined {
    /// No thread of this process can execute anything any more.
    Fully,
    /// This machine knows no filters of system calls: only what the account's rights forbid is
    /// forbidden.
    NoFilters,
}

/// Why the process is not confined. It must not serve then.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// It could still be looked into.
    #[error("could not close its memory to other processes: {0}")]
    Dumpable(#[source] io::Error),
    /// The filter was not made, or the kernel refused it.
    #[error("could not install the filter of system calls: {0}")]
    Filter(#[source] seccompiler::Error),
}

/// Confines this process, with all threads that it has and will have, for good.
///
/// To be called after the runner was started and after the last change of account.
pub fn confine() -> Result<Confined, ConfineError> {
    // No core file, and no look into its memory by other processes of its account.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|errno| ConfineError::Dumpable(errno.into()))?;
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(Confined::NoFilters);
    };
    for filter in filters(arch).map_err(|error| ConfineError::Filter(error.into()))? {
        match seccompiler::apply_filter_all_threads(&filter) {
            Ok(()) => {}
            Err(error) if has_no_filters(&error) => return Ok(Confined::NoFilters),
            Err(error) => return Err(ConfineError::Filter(error)),
        }
    }
    Ok(Confined::Fully)
}

/// A kernel without filters is told from one that refuses this filter: only the former is no fault.
fn has_no_filters(error: &seccompiler::Error) -> bool {
    let seccompiler::Error::Seccomp(error) = error else {
        return false;
    };
    error.raw_os_error() == Some(libc::ENOSYS)
        || (error.raw_os_error() == Some(libc::EINVAL) && !Path::new(KNOWN_ACTIONS).exists())
}

fn filters(arch: TargetArch) -> Result<Vec<BpfProgram>, seccompiler::BackendError> {
    let always = |call: &libc::c_long| (*call, Vec::new());
    let own = FORBIDDEN.iter().chain(FORBIDDEN_HERE);
    let shared = [filter::NEVER, filter::NEVER_HERE, filter::ELSEWHERE].concat();
    let mut forbidden: BTreeMap<_, _> = own.chain(&shared).map(always).collect();
    // A thread may be made, a process may not.
    let no_thread = SeccompCondition::new(
        CLONE_FLAGS,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(u64::from(libc::CLONE_THREAD.unsigned_abs())),
        0,
    )?;
    forbidden.insert(SYS_clone, vec![SeccompRule::new(vec![no_thread])?]);
    // Types into the terminal that the server was started from, where the kernel still allows that.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX].map(|request| {
        let (size, is) = (SeccompCmpArgLen::Dword, SeccompCmpOp::Eq);
        SeccompRule::new(vec![SeccompCondition::new(
            IOCTL_REQUEST,
            size,
            is,
            request,
        )?])
    });
    forbidden.insert(
        libc::SYS_ioctl,
        typing.into_iter().collect::<Result<_, _>>()?,
    );
    // Its flags lie in memory, where no filter can look. Told that there is no such call, libc makes
    // its threads by `clone`.
    let unknown = BTreeMap::from([(SYS_clone3, Vec::new())]);
    let mut programs = vec![
        filter::compile(unknown, libc::ENOSYS, arch)?,
        filter::compile(forbidden, libc::EPERM, arch)?,
    ];
    programs.extend(filter::without_x32());
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_are_made_for_every_architecture_that_is_known() {
        for arch in [TargetArch::x86_64, TargetArch::aarch64] {
            for filter in filters(arch).expect("compiles") {
                assert!(filter.len() > 3 && filter.len() < 4096);
            }
        }
    }

    #[test]
    fn only_a_kernel_without_filters_excuses_that_there_is_none() {
        let refused = |errno| {
            has_no_filters(&seccompiler::Error::Seccomp(io::Error::from_raw_os_error(
                errno,
            )))
        };
        assert!(refused(libc::ENOSYS));
        assert!(!refused(libc::EPERM));
        assert!(!refused(libc::ENOMEM));
        assert!(!has_no_filters(&seccompiler::Error::ThreadSync(7)));
        assert_eq!(refused(libc::EINVAL), !Path::new(KNOWN_ACTIONS).exists());
    }
}
