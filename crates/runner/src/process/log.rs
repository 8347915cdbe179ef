//! Lines on standard error that can neither stop nor delay the runner. They stand among those of the
//! server, and look like them: for people on a terminal, else one JSON object each.

use std::fmt::{Arguments, Write as _};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use stagedoor_domain::plain::{Plain, ascii_json};
use stagedoor_domain::time::{Clock, Timestamp};

use super::clock::KernelClock;

/// A simulation has thousands of runners in one process, and a trace of its own.
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// From now on this process writes no line.
pub(super) fn be_quiet() {
    IS_QUIET.store(true, Ordering::Relaxed);
}

/// Tells what was done.
pub(super) fn log(line: Arguments<'_>) {
    write("INFO", line);
}

/// Tells what does not work, or holds less than it should.
pub(super) fn warn(line: Arguments<'_>) {
    write("WARN", line);
}

/// Writes one line, or drops it when nobody reads: standard error may be the pipe of a server that
/// is gone, or of a pager that waits.
fn write(level: &str, line: Arguments<'_>) {
    if IS_QUIET.load(Ordering::Relaxed) {
        return;
    }
    let stderr = rustix::stdio::stderr();
    let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    if poll(&mut ready, Some(&now)).is_ok_and(|count| count == 1) {
        let is_read_by_people = std::io::stderr().is_terminal();
        let text = said(
            level,
            &line.to_string(),
            KernelClock.now(),
            is_read_by_people,
        );
        // Nothing can be done about a line that does not arrive.
        let _ = rustix::io::write(stderr, text.as_bytes());
    }
}

/// A pipe takes 4 KiB at once or makes the writer wait, and a byte may be written as six.
const LONGEST: usize = 600;

fn said(level: &str, line: &str, now: Timestamp, is_read_by_people: bool) -> String {
    let line = line
        .get(..line.floor_char_boundary(LONGEST))
        .unwrap_or(line);
    if is_read_by_people {
        let mut text = String::new();
        let _ = write!(Plain(&mut text), "stagedoor runner: {line}");
        return text + "\n";
    }
    let message = serde_json::Value::from(format!("runner: {line}"));
    let now = now.rfc3339();
    let json = format!(r#"{{"timestamp":"{now}","level":"{level}","message":{message}}}"#);
    ascii_json(&json).into_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b11_a_hostile_text_is_one_line_that_reads_as_it_was() {
        let text = "a\n\u{1b}[2J\u{202e}\"b\\";
        let line = said("WARN", text, Timestamp::from_millis(0), false);
        assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line}");
        assert!(
            line.trim_end()
                .bytes()
                .all(|byte| (b' '..=b'~').contains(&byte))
        );
        let read: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read["message"], format!("runner: {text}"));
        assert_eq!(read["level"], "WARN");
        assert_eq!(read["timestamp"], "1970-01-01T00:00:00.000Z");

        let line = said("WARN", text, Timestamp::from_millis(0), true);
        assert_eq!(line.matches(char::is_control).count(), 1, "{line:?}");
        assert!(line.starts_with("stagedoor runner: a"));

        let long = said(
            "WARN",
            &"\u{1}".repeat(100_000),
            Timestamp::from_millis(0),
            false,
        );
        assert!(long.len() < 4096 && serde_json::from_str::<serde_json::Value>(&long).is_ok());
    }
}
