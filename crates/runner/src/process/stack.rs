//! Stacks for children that share the runner's memory until they execute, with what they tell it.

use std::ffi::c_void;
use std::io;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use super::departure::Departure;

/// Kept for the next start.
const MOST_KEPT: usize = 16;

/// Memory for one child.
pub(super) struct Stack {
    stack: Mapping,
    /// Shared also with a child that has a copy of all other memory.
    departure: Mapping,
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
        let private = MapFlags::PRIVATE | MapFlags::STACK | MapFlags::NORESERVE;
        let stack = Mapping::new(Self::whole(), private)?;
        let page = rustix::param::page_size();
        // SAFETY: it is the lowest page of the mapping above, which nothing uses yet.
        unsafe { mprotect(stack.start.as_ptr(), page, MprotectFlags::empty()) }?;
        let departure = Mapping::new(page, MapFlags::SHARED)?;
        Ok(Self { stack, departure })
    }

    /// The lowest address.
    pub(super) fn bottom(&self) -> *mut c_void {
        self.stack.start.as_ptr()
    }

    /// Where a stack begins that grows downwards.
    pub(super) fn top(&self) -> *mut c_void {
        self.bottom().wrapping_byte_add(Self::whole())
    }

    /// What the child tells.
    pub(super) fn departure(&self) -> &Departure {
        // SAFETY: the page is mapped as long as this value lives, and aligned for it. All zeroes, as it
        // is at first, is a value, and whoever else changes it changes whole words.
        unsafe { self.departure.start.cast().as_ref() }
    }
}

/// Pages of this process.
struct Mapping {
    start: NonNull<c_void>,
    length: usize,
}

impl Mapping {
    fn new(length: usize, flags: MapFlags) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a place where nothing is.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), length, access, flags) }?;
        let start = NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the pages are this value's own, and whoever dropped it knows that no child uses them
        // any more. It fails only for what is no mapping.
        let _ = unsafe { munmap(self.start.as_ptr(), self.length) };
    }
}

/// Stacks that are free.
#[derive(Default)]
pub(super) struct Stacks(Vec<Stack>);

impl Stacks {
    pub(super) fn take(&mut self) -> io::Result<Stack> {
        self.0.pop().map_or_else(Stack::new, Ok)
    }

    /// The child that ran on it has left.
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
