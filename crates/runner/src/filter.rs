//! Making filters of system calls, for the server and for scripts.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch,
};

/// Calls, each with the conditions under which it is meant; none means always.
pub(crate) type Calls = BTreeMap<libc::c_long, Vec<SeccompRule>>;

/// What neither the server nor a script needs: parts of the kernel that are large and seldom used,
/// keyrings that runs of one account would share, and what only the operator of the machine may do
/// anyway.
pub(crate) const NEVER: &[libc::c_long] = &[
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_fanotify_init,
    libc::SYS_open_by_handle_at,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_syslog,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
];

/// The same, where the architecture has them.
#[cfg(target_arch = "x86_64")]
pub(crate) const NEVER_HERE: &[libc::c_long] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_kexec_file_load,
];
#[cfg(target_arch = "aarch64")]
pub(crate) const NEVER_HERE: &[libc::c_long] = &[
    // kexec_file_load, which not every libc names.
    294,
];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) const NEVER_HERE: &[libc::c_long] = &[];

/// Another view of the system, and the memory and descriptors of other processes.
pub(crate) const ELSEWHERE: &[libc::c_long] = &[
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_personality,
];

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
