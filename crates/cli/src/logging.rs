//! The log on standard error: text on a terminal, JSON lines otherwise. Either way one event is
//! one line, whatever texts of strangers it tells of, and a terminal that shows it obeys none.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;

use stagedoor_domain::plain::{Plain, ascii_json};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// Starts logging. `STAGEDOOR_LOG` chooses what is logged: `info` when unset.
pub fn start(filter: Option<&str>, no_color: bool) {
    let filter =
        EnvFilter::try_new(filter.unwrap_or("info")).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        // It would be told where nothing can be written any more, and end the thread.
        .log_internal_errors(false);
    if io::stderr().is_terminal() {
        builder
            .fmt_fields(plain_fields())
            .with_ansi(!no_color)
            .with_writer(io::stderr)
            .compact()
            .init();
    } else {
        builder
            .json()
            .flatten_event(true)
            .with_writer(|| AsciiLines(io::stderr()))
            .init();
    }
    std::panic::set_hook(Box::new(log_panic));
}

/// Fields for people. The library's own escape some characters of some kinds of fields.
fn plain_fields() -> impl for<'a> FormatFields<'a> + Send + Sync {
    debug_fn(|writer: &mut Writer<'_>, field, value| match field.name() {
        "message" => write!(Plain(writer), "{value:?}"),
        name => write!(Plain(writer), "{name}={value:?}"),
    })
    .delimited(" ")
}

/// Takes an event in JSON and its line end at once, and passes it on in printable ASCII.
struct AsciiLines<W>(W);

impl<W: Write> Write for AsciiLines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = ascii_json(text.trim_end_matches('\n')).into_owned();
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A panic is one event like others, not some lines of text among them.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let said = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map(ToString::to_string);
    let trace = Backtrace::capture();
    let trace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
    tracing::error!(said, place, trace, "a part of the program panicked");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    const HOSTILE: [&str; 6] = [
        "x\n{\"level\":\"ERROR\",\"message\":\"forged\"}",
        "\r\n\u{85}\u{2028}\u{2029}",
        "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{7f}",
        "\u{202e}gnp.exe\u{2066}\u{200f}",
        "\"><svg onload=alert(1)>{{7*7}}\\",
        "\u{0}ü漢🦀",
    ];

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("kept").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("kept").clone()).expect("text")
        }
    }

    /// In each way in which code can hand a text to the log.
    fn tell_of(text: &str) {
        let error = io::Error::other(text.to_owned());
        tracing::warn!(text, shown = %text, debug = ?text, %error, "it said {text}");
    }

    #[test]
    fn in_json_a_hostile_text_is_one_line_of_ascii_and_reads_as_it_was() {
        for text in HOSTILE {
            let kept = Kept::default();
            let writer = kept.clone();
            let subscriber = tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_writer(move || AsciiLines(writer.clone()))
                .finish();
            tracing::subscriber::with_default(subscriber, || tell_of(text));
            let written = kept.text();
            let line = written.strip_suffix('\n').expect("a line");
            assert!(
                line.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
                "{line}"
            );
            let read: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(
                (&read["text"], &read["shown"], &read["error"]),
                (&text.into(), &text.into(), &text.into())
            );
            assert_eq!(read["message"], format!("it said {text}"));
        }
    }

    #[test]
    fn on_a_terminal_a_hostile_text_is_one_line_that_steers_nothing() {
        for text in HOSTILE {
            let kept = Kept::default();
            let writer = kept.clone();
            let subscriber = tracing_subscriber::fmt()
                .fmt_fields(plain_fields())
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .compact()
                .finish();
            tracing::subscriber::with_default(subscriber, || tell_of(text));
            let written = kept.text();
            let line = written.strip_suffix('\n').expect("a line");
            let mut plain = String::new();
            write!(Plain(&mut plain), "{line}").expect("a string takes all");
            assert_eq!(line, plain, "it would change if something in it steered");
            let mut shown = String::new();
            write!(Plain(&mut shown), "it said {text}").expect("a string takes all");
            assert!(line.contains(&shown), "{line}");
        }
    }

    #[test]
    fn a_panic_is_one_event_with_its_place() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(move || AsciiLines(writer.clone()))
            .finish();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(log_panic));
        tracing::subscriber::with_default(subscriber, || {
            let failed = std::panic::catch_unwind(|| panic!("two\nlines"));
            assert!(failed.is_err());
        });
        std::panic::set_hook(before);
        let written = kept.text();
        assert_eq!(written.lines().count(), 1, "{written}");
        let read: Value = serde_json::from_str(&written).expect("JSON");
        assert_eq!(read["said"], "two\nlines");
        let place = read["place"].as_str().expect("a place");
        assert!(place.contains("logging.rs:"), "{place}");
    }
}
