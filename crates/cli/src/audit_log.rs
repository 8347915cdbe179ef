//! `stagedoor audit-log`: reads the log of a state directory, with or without a running server, and
//! writes nothing to it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use stagedoor_app::audit::zeek;
use stagedoor_domain::audit::{Act, Outcome};
use stagedoor_domain::quantity::parse_duration;
use stagedoor_domain::time::Clock as _;
use stagedoor_store::{AuditFilter, AuditLog, AuditRecord, LONGEST_PAGE, Start};

use crate::args::{AuditLogCommand, ExportFormat, StateOption};
use crate::database;
use crate::system::SystemClock;
use crate::terminal::is_unread;
use crate::{EXIT_FAILED, EXIT_OK};

pub fn run(state: &StateOption, command: AuditLogCommand) -> anyhow::Result<u8> {
    match command {
        AuditLogCommand::Verify { end } => verify(&open(state)?, end.as_deref()),
        AuditLogCommand::List {
            since,
            user,
            act,
            outcome,
            limit,
        } => {
            let filter = AuditFilter {
                act: one_of(act.as_deref(), Act::ALL, "act")?,
                outcome: one_of(outcome.as_deref(), Outcome::ALL, "outcome")?,
                user: user.as_deref().map(database::parse_user).transpose()?,
                from: match since {
                    Some(text) => Some(SystemClock::new().now().minus(parse_duration(&text)?)),
                    None => None,
                },
                ..AuditFilter::default()
            };
            list(&open(state)?, filter, limit)
        }
        AuditLogCommand::Export { format, output } => {
            // Before the rights of whoever asks are given up, for the file is theirs.
            database::find(state)?;
            let file = output.as_deref().map(make).transpose()?;
            export(&open(state)?, format, file)
        }
    }
}

fn open(option: &StateOption) -> anyhow::Result<AuditLog> {
    let dir = database::enter(option)?;
    AuditLog::open(&dir)
        .with_context(|| format!("could not open the audit log in {}", dir.display()))
}

fn verify(log: &AuditLog, earlier: Option<&str>) -> anyhow::Result<u8> {
    let earlier = earlier.map(parse_end).transpose()?;
    let found = log.verify()?;
    if let Some(fault) = &found.record {
        println!("NOT WHOLE: {fault}.");
    }
    if let Some(fault) = &found.line {
        println!("NOT WHOLE: {fault}.");
    }
    let compared = match &earlier {
        Some(end) => compare(log, &found.start, end)?,
        None => Compared::Same,
    };
    if let (Compared::Other, Some((seq, _))) = (compared, &earlier) {
        println!("NOT WHOLE: record {seq} is not the one that this end was noted of.");
    }
    if found.is_whole()
        && let (Compared::Gone, Some((seq, _))) = (compared, &earlier)
    {
        println!(
            "Record {seq} was removed by age, so this end cannot be compared. Everything from record {} on is as it \
             was written; note the end of now: {}:{}",
            found.start.first, found.end.0, found.end.1
        );
        return Ok(EXIT_FAILED);
    }
    if !found.is_whole() || compared == Compared::Other {
        println!(
            "Records before the first that is named are as they were written. Keep a copy of the state \
             directory before anything else is done to it."
        );
        return Ok(EXIT_FAILED);
    }
    println!(
        "The audit log is whole: {} records, {} lines.",
        found.records, found.lines
    );
    if let Some((seq, _)) = found.start.removed() {
        println!("Records up to {seq} were removed by age.");
    }
    println!(
        "Its end, to be noted elsewhere: {}:{}",
        found.end.0, found.end.1
    );
    Ok(EXIT_OK)
}

/// How the log stands to an end that was noted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    /// Its record is there as it was.
    Same,
    /// Another one is there, or none.
    Other,
    /// It was removed by age.
    Gone,
}

fn compare(log: &AuditLog, start: &Start, end: &(i64, String)) -> anyhow::Result<Compared> {
    let (seq, hash) = end;
    let now = match start.removed() {
        Some((last, _)) if *seq < last => return Ok(Compared::Gone),
        // The record of the removal has its hash.
        Some((last, before)) if *seq == last => Some(before),
        _ => log.hash_of(*seq)?,
    };
    Ok(if now.as_ref() == Some(hash) {
        Compared::Same
    } else {
        Compared::Other
    })
}

/// The number and the hash of a record.
fn parse_end(text: &str) -> anyhow::Result<(i64, String)> {
    let parts = text.split_once(':');
    let end = parts.and_then(|(seq, hash)| {
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some((seq.parse().ok()?, is_hash.then(|| hash.to_lowercase())?))
    });
    end.ok_or_else(|| anyhow!("`{text}` is not an end of the log; write it as `verify` printed it"))
}

/// Whoever reads may go away before the end.
fn quietly(written: anyhow::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if is_unread(&error) => Ok(()),
        written => written,
    }
}

fn list(log: &AuditLog, filter: AuditFilter, limit: usize) -> anyhow::Result<u8> {
    quietly(write_list(log, filter, limit))?;
    Ok(EXIT_OK)
}

fn write_list(log: &AuditLog, mut filter: AuditFilter, limit: usize) -> anyhow::Result<()> {
    let mut left = limit;
    let mut out = BufWriter::new(io::stdout().lock());
    while left > 0 {
        filter.limit = left.min(LONGEST_PAGE);
        let page = log.page(&filter)?;
        for record in &page.items {
            writeln!(out, "{}", line(record))?;
        }
        left = left.saturating_sub(page.items.len());
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            break;
        }
    }
    Ok(out.flush()?)
}

/// For people. What a terminal could take for more than text is written by its number.
fn line(record: &AuditRecord) -> String {
    let number = record
        .number
        .map_or_else(String::new, |number| format!(" {number}"));
    let user = record.user.as_deref().unwrap_or_default();
    let mut words = vec![
        format!("{:>6}", record.seq),
        record.at.rfc3339(),
        format!("{:<18}", record.act),
        format!("{:<8}", record.outcome),
        format!("{}{number} {user}", record.actor)
            .trim_end()
            .to_owned(),
    ];
    words.extend(record.address.clone());
    if !record.target.is_empty() {
        words.push(format!("on {}", record.target));
    }
    for (name, value) in &record.detail {
        words.push(match value {
            serde_json::Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        });
    }
    plain(&words.join("  "))
}

fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' '..='~' => plain.push(character),
            _ => plain.extend(character.escape_unicode()),
        }
    }
    plain
}

/// A new file, for its owner alone.
fn make(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    made.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => anyhow!("{} is there already; name a new file", path.display()),
        _ => anyhow!(
            "could not make {}: {error}; name another place, or leave --output out to get the log on \
             standard output",
            path.display()
        ),
    })
}

fn export(log: &AuditLog, format: ExportFormat, file: Option<File>) -> anyhow::Result<u8> {
    match file {
        Some(file) => write_all(log, format, file).context("could not write the whole log")?,
        None => quietly(write_all(log, format, io::stdout().lock()))?,
    }
    Ok(EXIT_OK)
}

fn write_all(log: &AuditLog, format: ExportFormat, to: impl Write) -> anyhow::Result<()> {
    let (now, mut out) = (SystemClock::new().now(), BufWriter::new(to));
    match format {
        ExportFormat::Json => log.each(|record| out.write_all(record.line.as_bytes()))??,
        ExportFormat::Zeek => {
            zeek::header(&mut out, now)?;
            log.each(|record| zeek::row(&mut out, &record))??;
            zeek::footer(&mut out, now)?;
        }
    }
    Ok(out.flush()?)
}

/// A word of this list.
fn one_of<T: Copy>(
    word: Option<&str>,
    all: &[(&'static str, T)],
    what: &str,
) -> anyhow::Result<Option<T>> {
    let Some(word) = word else {
        return Ok(None);
    };
    if let Some((_, it)) = all.iter().find(|(known, _)| *known == word) {
        return Ok(Some(*it));
    }
    let known: Vec<&str> = all.iter().map(|(known, _)| *known).collect();
    bail!("`{word}` is no {what}; write one of {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_read_as_it_was_printed_and_nothing_else_is() {
        let hash = "0a".repeat(32);
        let end = parse_end(&format!("7:{hash}")).expect("an end");
        assert_eq!(end, (7, hash.clone()));
        for bad in [
            "",
            "7",
            "7:",
            ":",
            &format!("x:{hash}"),
            &format!("7:{hash}0"),
        ] {
            assert!(parse_end(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn an_end_that_went_by_age_is_told_from_one_that_is_not_there() {
        use stagedoor_domain::audit::{Entry, Origin};
        use stagedoor_domain::time::Timestamp;
        use stagedoor_store::{Old, Store, Trimmed};
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path()).expect("opens");
        let entry = |act, at| Entry::new(act, Origin::server(), Timestamp::from_millis(at));
        for at in 1..=9 {
            let recorded = store.record(entry(Act::UserAdded, at)).await;
            recorded.expect("recorded");
        }
        let log = AuditLog::open(dir.path()).expect("opens");
        let hash = |seq| log.hash_of(seq).expect("read").expect("there");
        let ends = [2, 4, 7].map(|seq| (seq, hash(seq)));
        let [before, settled] = [5, 99].map(Timestamp::from_millis);
        let old = Old { before, settled };
        let trimmed = store
            .trim_audit_log(entry(Act::LogTrimmed, 10), old, 99)
            .await;
        assert_eq!(trimmed.expect("trimmed"), Trimmed::Removed(4));
        let said = |end: &(i64, String)| {
            let start = log.verify().expect("read").start;
            compare(&log, &start, end).expect("compared")
        };
        assert_eq!(
            ends.each_ref().map(said),
            [Compared::Gone, Compared::Same, Compared::Same]
        );
        for seq in [4, 7, 99] {
            assert_eq!(said(&(seq, "00".repeat(32))), Compared::Other, "{seq}");
        }
        for (end, code) in [(&ends[0], EXIT_FAILED), (&ends[1], EXIT_OK)] {
            let text = format!("{}:{}", end.0, end.1);
            assert_eq!(verify(&log, Some(&text)).expect("read"), code, "{text}");
        }
        assert_eq!(verify(&log, None).expect("read"), EXIT_OK);
    }

    #[test]
    fn a_terminal_is_given_nothing_but_text() {
        assert_eq!(plain("a\u{1b}[2J\n\u{202e}"), "a\\u{1b}[2J\\u{a}\\u{202e}");
    }
}
