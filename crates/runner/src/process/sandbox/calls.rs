//! Filters of system calls: one that every script is given, one for `strict`, two for the network.
//!
//! They answer with EPERM: a program that tries a call and can do without it goes on. One that was
//! built for another kind of processor (a 32-bit one, say) is ended at its first call, because its calls
//! have other numbers.

use std::collections::BTreeMap;

use libc::{SYS_clone, SYS_clone3, c_long};
use rustix::io::Errno;
use seccompiler::{
    BackendError, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule, TargetArch,
    sock_filter,
};

use crate::filter;
use crate::process::raw;

/// Objects that stay when their maker has ended, and by whose keys runs of one account would meet.
const SHARED_OBJECTS: &[c_long] = &[libc::SYS_shmget, libc::SYS_semget, libc::SYS_msgget];

/// Calls that change how another process of the same account runs, each with the argument that names
/// it: 0 is the caller, whom it may be.
const OF_OTHERS: [(c_long, u8); 3] = [
    (libc::SYS_prlimit64, FIRST),
    (libc::SYS_setpriority, SECOND),
    (libc::SYS_ioprio_set, SECOND),
];
/// The same, of which a program's own threads make use.
const OF_OTHER_THREADS: [(c_long, u8); 4] = [
    (libc::SYS_sched_setaffinity, FIRST),
    (libc::SYS_sched_setscheduler, FIRST),
    (libc::SYS_sched_setparam, FIRST),
    (libc::SYS_sched_setattr, FIRST),
];

/// Flags of `clone` that make a namespace.
const NAMESPACES: &[libc::c_int] = &[
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// Families of sockets that a script may have: this machine's, the internet's, and the one by which
/// programs ask for addresses and routes. Not those of devices, virtual machines and clusters.
const FAMILIES: &[libc::c_int] = &[
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
];

/// Protocols of the internet that a list of ports is kept for, and those that it need not be: none
/// named, ICMP, TCP, UDP, ICMP of IPv6. Not MPTCP, which reaches what TCP reaches by a way of its own.
const PROTOCOLS: &[libc::c_int] = &[0, 1, 6, 17, 58];
/// Types of sockets that mean another protocol (SCTP, DCCP) where none is named.
const OTHER_TYPES: [libc::c_int; 2] = [libc::SOCK_SEQPACKET, libc::SOCK_DCCP];
/// Where a type of socket ends and its flags begin.
const TYPE: u64 = 0xf;
/// Calls that may connect while they send, each with the argument that holds its flags.
const SENDING: [(c_long, u8); 3] = [
    (libc::SYS_sendto, 3),
    (libc::SYS_sendmsg, 2),
    (libc::SYS_sendmmsg, 3),
];

/// The first argument: of `clone` its flags, of `socket` its family.
const FIRST: u8 = 0;
const SECOND: u8 = 1;
const THIRD: u8 = 2;
/// The argument of `ioctl` that says what is asked.
const REQUEST: u8 = 1;

/// A compiled filter, or several to be installed one after the other.
pub(in crate::process) struct Filter(Vec<Vec<sock_filter>>);

impl Filter {
    /// What every script is given.
    pub(super) fn baseline() -> Result<Self, BackendError> {
        let mut calls = all(filter::NEVER.iter().chain(filter::NEVER_HERE));
        let typing = [libc::TIOCSTI, libc::TIOCLINUX].map(|request| {
            let is = SeccompCmpOp::Eq;
            rule(vec![condition(REQUEST, is, request)?])
        });
        calls.insert(
            libc::SYS_ioctl,
            typing.into_iter().collect::<Result<_, _>>()?,
        );
        calls.insert(libc::SYS_socket, vec![other_families(FAMILIES)?]);
        for (call, named) in OF_OTHERS {
            calls.insert(call, vec![others(named)?]);
        }
        // All processes of the account, by its number or by 0.
        let whole_account = condition(FIRST, SeccompCmpOp::Eq, u64::from(libc::PRIO_USER))?;
        let priorities = vec![others(SECOND)?, rule(vec![whole_account])?];
        calls.insert(libc::SYS_setpriority, priorities);
        let mut filter = Self::of([(calls, libc::EPERM)])?;
        filter.0.extend(filter::without_x32());
        Ok(filter)
    }

    /// What `strict` adds.
    pub(super) fn strict() -> Result<Self, BackendError> {
        let mut calls = all(filter::ELSEWHERE.iter().chain(SHARED_OBJECTS));
        calls.insert(libc::SYS_kcmp, Vec::new());
        for (call, named) in OF_OTHER_THREADS {
            calls.insert(call, vec![others(named)?]);
        }
        let namespaces = NAMESPACES.iter().map(|flag| {
            let flag = u64::from(flag.unsigned_abs());
            rule(vec![condition(FIRST, SeccompCmpOp::MaskedEq(flag), flag)?])
        });
        calls.insert(SYS_clone, namespaces.collect::<Result<_, _>>()?);
        // Its flags lie in memory, where no filter can look. Told that there is no such call, a libc
        // uses `clone`.
        let unknown = BTreeMap::from([(SYS_clone3, Vec::new())]);
        Self::of([(unknown, libc::ENOSYS), (calls, libc::EPERM)])
    }

    /// No sockets but those of this machine.
    pub(super) fn without_network() -> Result<Self, BackendError> {
        let local = other_families(&[libc::AF_UNIX])?;
        let calls = BTreeMap::from([(libc::SYS_socket, vec![local])]);
        Self::of([(calls, libc::EPERM)])
    }

    /// No way to a TCP port but `connect`, which Landlock looks at.
    pub(super) fn plain_tcp() -> Result<Self, BackendError> {
        let mut sockets = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let of = || condition(FIRST, SeccompCmpOp::Eq, u64::from(family.unsigned_abs()));
            let mut other = vec![of()?];
            for protocol in PROTOCOLS {
                let protocol = u64::from(protocol.unsigned_abs());
                other.push(condition(THIRD, SeccompCmpOp::Ne, protocol)?);
            }
            sockets.push(rule(other)?);
            for kind in OTHER_TYPES {
                let kind = u64::from(kind.unsigned_abs());
                let is = SeccompCmpOp::MaskedEq(TYPE);
                sockets.push(rule(vec![of()?, condition(SECOND, is, kind)?])?);
            }
        }
        let mut calls = BTreeMap::from([(libc::SYS_socket, sockets)]);
        let open = u64::from(libc::MSG_FASTOPEN.unsigned_abs());
        for (call, flags) in SENDING {
            let connects = condition(flags, SeccompCmpOp::MaskedEq(open), open)?;
            calls.insert(call, vec![rule(vec![connects])?]);
        }
        Self::of([(calls, libc::EPERM)])
    }

    fn of<const N: usize>(parts: [(filter::Calls, libc::c_int); N]) -> Result<Self, BackendError> {
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let compiled = parts.map(|(calls, answer)| filter::compile(calls, answer, arch));
        Ok(Self(compiled.into_iter().collect::<Result<_, _>>()?))
    }

    /// Installs it on the calling thread for good; with no allocation and no `errno`, so that a
    /// child that shares the runner's memory may do it. No new privileges must be possible.
    pub(in crate::process) fn install(&self) -> Result<(), Errno> {
        self.0.iter().try_for_each(|program| {
            let program = libc::sock_fprog {
                len: u16::try_from(program.len()).unwrap_or(u16::MAX),
                filter: program.as_ptr().cast_mut().cast(),
            };
            let mode = usize::try_from(libc::SECCOMP_SET_MODE_FILTER).unwrap_or_default();
            let program = (&raw const program).addr();
            // SAFETY: the program is a valid `sock_fprog`, which the kernel copies and only reads.
            unsafe { raw::call(libc::SYS_seccomp, [mode, 0, program, 0, 0]) }.map(|_| ())
        })
    }
}

fn all<'a>(calls: impl IntoIterator<Item = &'a c_long>) -> filter::Calls {
    calls.into_iter().map(|call| (*call, Vec::new())).collect()
}

fn rule(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions)
}

fn condition(argument: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, value)
}

/// Anybody but the caller.
fn others(named: u8) -> Result<SeccompRule, BackendError> {
    rule(vec![condition(named, SeccompCmpOp::Ne, 0)?])
}

/// Any family but these.
fn other_families(families: &[libc::c_int]) -> Result<SeccompRule, BackendError> {
    let is_not =
        |family: &libc::c_int| condition(FIRST, SeccompCmpOp::Ne, u64::from(family.unsigned_abs()));
    rule(families.iter().map(is_not).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_is_made_here() {
        let made = [
            Filter::baseline(),
            Filter::strict(),
            Filter::without_network(),
            Filter::plain_tcp(),
        ];
        for filter in made {
            let filter = filter.expect("compiles");
            assert!(filter.0.iter().all(|program| program.len() > 3));
        }
    }
}
