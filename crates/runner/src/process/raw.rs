//! System calls whose errors come back as values.
//!
//! A child that shares the runner's memory also shares the place where libc puts `errno`, so between
//! its start and `execve` it must not touch that: two children that fail at once would tell each
//! other's reasons.

use std::ffi::{c_int, c_void};

use rustix::io::Errno;

/// Makes a system call with up to five arguments.
///
/// # Safety
///
/// The arguments must be what this system call demands, pointers above all.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn call(number: libc::c_long, args: [usize; 5]) -> Result<usize, Errno> {
    let [first, second, third, fourth, fifth] = args;
    let result: libc::c_long;
    // SAFETY: the kernel's convention on this architecture; the rest is the caller's promise.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") first, in("rsi") second, in("rdx") third, in("r10") fourth, in("r8") fifth,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    checked(result)
}

/// Makes a system call with up to five arguments.
///
/// # Safety
///
/// The arguments must be what this system call demands, pointers above all.
#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn call(number: libc::c_long, args: [usize; 5]) -> Result<usize, Errno> {
    let [first, second, third, fourth, fifth] = args;
    let result: libc::c_long;
    // SAFETY: the kernel's convention on this architecture; the rest is the caller's promise.
    unsafe {
        core::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") first => result,
            in("x1") second, in("x2") third, in("x3") fourth, in("x4") fifth,
            options(nostack),
        );
    }
    checked(result)
}

/// Starts a child as `clone3` does, which begins in `entry` on the stack that `args` names.
///
/// # Safety
///
/// `args` must be valid, with a stack that nothing else uses. `entry` must never return, and do only
/// what a process may that shares this memory.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn clone3(
    args: &libc::clone_args,
    entry: unsafe extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> Result<usize, Errno> {
    let result: libc::c_long;
    // SAFETY: the kernel keeps all registers but these. The child has only what is in registers, a
    // stack that is aligned as a call needs it, and no caller.
    unsafe {
        core::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r9",
            "call r8",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") &raw const *args, in("rsi") size_of::<libc::clone_args>(),
            in("r8") entry, in("r9") argument,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    checked(result)
}

/// Starts a child as `clone3` does, which begins in `entry` on the stack that `args` names.
///
/// # Safety
///
/// `args` must be valid, with a stack that nothing else uses. `entry` must never return, and do only
/// what a process may that shares this memory.
#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn clone3(
    args: &libc::clone_args,
    entry: unsafe extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> Result<usize, Errno> {
    let result: libc::c_long;
    // SAFETY: the kernel keeps all registers but the result's. The child has only what is in
    // registers, a stack that is aligned as a call needs it, and no caller.
    unsafe {
        core::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x10",
            "blr x9",
            "brk #1",
            "2:",
            in("x8") libc::SYS_clone3,
            inlateout("x0") &raw const *args => result,
            in("x1") size_of::<libc::clone_args>(),
            in("x9") entry, in("x10") argument,
        );
    }
    checked(result)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!(
    "the runner starts processes on x86_64 and aarch64: add this architecture's system call here"
);

/// An error is a small negative number.
fn checked(result: libc::c_long) -> Result<usize, Errno> {
    match i32::try_from(result) {
        Ok(code @ -4095..=-1) => Err(Errno::from_raw_os_error(-code)),
        _ => Ok(usize::try_from(result).unwrap_or(usize::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_and_an_error_are_told_apart() {
        // SAFETY: neither call takes a pointer.
        let (pid, closed) = unsafe {
            (
                call(libc::SYS_getpid, [0; 5]),
                call(libc::SYS_close, [usize::MAX, 0, 0, 0, 0]),
            )
        };
        let own = usize::try_from(std::process::id()).expect("it fits");
        assert_eq!((pid, closed), (Ok(own), Err(Errno::BADF)));
    }
}
