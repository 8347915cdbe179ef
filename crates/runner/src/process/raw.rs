//! System calls whose errors come back as values.
//!
//! A child that shares the runner's memory also shares the place where libc puts `errno`, so between
//! its start and `execve` it must not touch that: two children that fail at once would tell each
//! other's reasons.

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
