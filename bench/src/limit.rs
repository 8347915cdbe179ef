//! The machine's own limit: a small program that starts `/bin/true` and reads its pipe.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Starts per second with so many in flight: the better of `posix_spawn` and `fork`.
pub fn starts_per_second(in_flight: usize, count: usize) -> f64 {
    let by_spawn = rate(in_flight, count, || Command::new("/bin/true"));
    let by_fork = rate(in_flight, count, || {
        let mut command = Command::new("/bin/true");
        // Setting the user id, even to what it is, makes the standard library fork.
        command.uid(own_uid());
        command
    });
    by_spawn.max(by_fork)
}

fn rate(in_flight: usize, count: usize, command: impl Fn() -> Command + Sync) -> f64 {
    let next = AtomicUsize::new(0);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..in_flight {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    one(command());
                }
            });
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "a count of starts")]
    let rate = count as f64 / begin.elapsed().as_secs_f64();
    rate
}

fn one(mut command: Command) {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    if let Ok(mut child) = child {
        let mut output = Vec::new();
        if let Some(pipe) = child.stdout.as_mut() {
            let _ = pipe.read_to_end(&mut output);
        }
        let _ = child.wait();
    }
}

fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").map_or(0, |metadata| metadata.uid())
}
