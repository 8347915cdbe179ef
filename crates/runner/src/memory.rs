//! Memory of the process that calls.
#![expect(unsafe_code, reason = "the C library's own function for it")]

/// Gives what was freed back to the system: after a burst of connections the C library keeps it, for
/// a next one that may never come. Costs well under a millisecond for some tens of MiB.
pub fn give_back() {
    // SAFETY: it takes the allocator's own locks and changes nothing that is in use.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
