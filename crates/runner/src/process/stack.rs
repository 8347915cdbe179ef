//! Stacks for children that share the runner's memory until they execute.

use std::ffi::c_void;
use std::io;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

/// Kept for the next start.
const MOST_KEPT: usize = 16;

/// Memory for one child.
pub(super) struct Stack {
    bottom: NonNull<c_void>,
}

impl Stack {
    /// In bytes: far more than the steps of a child need, in a build without optimisation too.
    const SIZE: usize = 64 << 10;

    /// With the lowest page, which nothing may touch, so that a stack that grows too far ends its
    /// process and changes nothing. Pages have up to 64 KiB.
    pub(super) fn whole() -> usize {
        Self::SIZE + rustix::param::page_size()
    }

    pub(super) fn new() -> io::Result<Self> {
        let (access, flags) = (
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::STACK | MapFlags::NORESERVE,
        );
        // SAFETY: the kernel chooses a place where nothing is.
        let bottom = unsafe { mmap_anonymous(std::ptr::null_mut(), Self::whole(), access, flags) }?;
        let bottom = NonNull::new(bottom).ok_or(io::ErrorKind::OutOfMemory)?;
        let stack = Self { bottom };
        // SAFETY: it is the lowest page of the mapping above, which nothing uses yet.
        unsafe {
            mprotect(
                bottom.as_ptr(),
                rustix::param::page_size(),
                MprotectFlags::empty(),
            )
        }?;
        Ok(stack)
    }

    /// The lowest address.
    pub(super) fn bottom(&self) -> *mut c_void {
        self.bottom.as_ptr()
    }

    /// Where a stack begins that grows downwards.
    pub(super) fn top(&self) -> *mut c_void {
        self.bottom.as_ptr().wrapping_byte_add(Self::whole())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and whoever dropped it knows that no child runs
        // on it any more. It fails only for what is no mapping.
        let _ = unsafe { munmap(self.bottom.as_ptr(), Self::whole()) };
    }
}

/// Stacks that are free.
#[derive(Default)]
pub(super) struct Stacks(Vec<Stack>);

impl Stacks {
    pub(super) fn take(&mut self) -> io::Result<Stack> {
        self.0.pop().map_or_else(Stack::new, Ok)
    }

    /// The child that ran on it has executed or ended.
    pub(super) fn give_back(&mut self, stack: Stack) {
        if self.0.len() < MOST_KEPT {
            self.0.push(stack);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_that_was_given_back_is_used_again_and_few_are_kept() {
        let mut stacks = Stacks::default();
        let stack = stacks.take().expect("a stack");
        let top = stack.top();
        stacks.give_back(stack);
        let taken: Vec<_> = (0..MOST_KEPT + 4)
            .map(|_| stacks.take().expect("a stack"))
            .collect();
        assert_eq!(taken.first().map(Stack::top), Some(top));
        for stack in taken {
            stacks.give_back(stack);
        }
        assert_eq!(stacks.0.len(), MOST_KEPT);
    }
}
