//! Which process a runner is.

use std::fs;

/// What no other process has, on this machine or after its next start: the boot, the number, and
/// the moment at which the process began. None where the system does not tell.
pub(super) fn of_process(pid: u32) -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(format!("{} {pid} {}", boot.trim(), begin(&stat)?))
}

/// Field 22 of `proc_pid_stat(5)`, in ticks since the boot. A process may be called anything, with
/// brackets and blanks, so the fields are counted from behind its name.
fn begin(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(") ")?;
    behind_name.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_are_not_taken_for_each_other_and_one_is_always_itself() {
        let own = std::process::id();
        let parent = std::os::unix::process::parent_id();
        assert!(of_process(own).is_some());
        assert_eq!(of_process(own), of_process(own));
        assert_ne!(of_process(own), of_process(parent));
        assert_eq!(of_process(u32::MAX), None);
    }

    #[test]
    fn the_begin_is_found_behind_any_name() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(begin(&format!("1 (name) {fields}")), Some(4711));
        assert_eq!(begin(&format!("1 (a ) b) c) {fields}")), Some(4711));
        assert_eq!(begin("1 (name) S 1 2"), None);
    }
}
