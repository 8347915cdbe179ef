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
use stagedoor_store::{AuditFilter, AuditLog, AuditRecord, LONGEST_PAGE};

use crate::args::{AuditLogCommand, ExportFormat, StateOption};
use crate::database;
use crate::system::SystemClock;
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
    let kept = match &earlier {
        Some((seq, hash)) => log.hash_of(*seq)?.is_some_and(|now| now == *hash),
        None => true,
    };
    if let Some((seq, _)) = earlier.filter(|_| !kept) {
        println!("NOT WHOLE: record {seq} is not the one that this end was noted of.");
    }
    if !found.is_whole() || !kept {
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
    println!(
        "Its end, to be noted elsewhere: {}:{}",
        found.end.0, found.end.1
    );
    Ok(EXIT_OK)
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

fn list(log: &AuditLog, mut filter: AuditFilter, limit: usize) -> anyhow::Result<u8> {
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
    out.flush()?;
    Ok(EXIT_OK)
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
        None => write_all(log, format, io::stdout().lock())?,
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

    #[test]
    fn a_terminal_is_given_nothing_but_text() {
        assert_eq!(plain("a\u{1b}[2J\n\u{202e}"), "a\\u{1b}[2J\\u{a}\\u{202e}");
    }
}
