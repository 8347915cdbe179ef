//! Making filters of system calls, for the server and for scripts.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch,
};

/// Calls, each with the conditions under which it is meant; none means always.
pub(crate) type Calls = BTreeMap<libc::c_long, Vec<SeccompRule>>;

/// Compiles a filter that answers these calls with this error and lets all others through.
pub(crate) fn compile(
    calls: Calls,
    answer: libc::c_int,
    arch: TargetArch,
) -> Result<BpfProgram, BackendError> {
    let answer = SeccompAction::Errno(answer.unsigned_abs());
    SeccompFilter::new(calls, SeccompAction::Allow, answer, arch)?.try_into()
}

/// Answers every call of the x32 kind, under whose numbers the forbidden ones could be had again,
/// with ENOSYS.
#[cfg(target_arch = "x86_64")]
pub(crate) fn without_x32() -> Option<BpfProgram> {
    /// Set in the number of each such call (`asm/unistd.h`).
    const X32: u32 = 0x4000_0000;
    /// Where a filter finds the number (`struct seccomp_data`).
    const NUMBER: u32 = 0;
    let step = |code: u32, jt: u8, jf: u8, k: u32| {
        let code = u16::try_from(code).ok()?;
        Some(seccompiler::sock_filter { code, jt, jf, k })
    };
    let unknown = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, NUMBER),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, X32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, unknown),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
    .into_iter()
    .collect()
}

/// Only `x86_64` has a second kind of calls under the same architecture.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn without_x32() -> Option<BpfProgram> {
    None
}
