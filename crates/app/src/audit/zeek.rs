//! The audit log in the tab-separated form of Zeek (row F3), with names and types in its header.
//!
//! Whatever a text contains, it is one value: what is not printable ASCII is written as `\xHH`, so
//! are backslashes, and so is a text that would read as "nothing" or "empty".

use std::fmt::Write as _;
use std::io::{self, Write};

use stagedoor_domain::time::Timestamp;
use stagedoor_store::AuditRecord;

/// Name and type of each field. `uid` is the beginning of the record's hash; `actor_id` the number of
/// the token, or the user id at the command line.
const FIELDS: [(&str, &str); 11] = [
    ("ts", "time"),
    ("uid", "string"),
    ("seq", "count"),
    ("actor", "string"),
    ("user", "string"),
    ("actor_id", "count"),
    ("id.orig_h", "addr"),
    ("act", "string"),
    ("target", "string"),
    ("outcome", "string"),
    ("detail", "string"),
];
const UNSET: &str = "-";
const EMPTY: &str = "(empty)";
/// Digits of the hash in `uid`.
const UID_DIGITS: usize = 32;

/// What stands before the first record.
pub fn header(out: &mut impl Write, now: Timestamp) -> io::Result<()> {
    let (names, types): (Vec<_>, Vec<_>) = FIELDS.into_iter().unzip();
    writeln!(out, "#separator \\x09")?;
    writeln!(out, "#set_separator\t,")?;
    writeln!(out, "#empty_field\t{EMPTY}")?;
    writeln!(out, "#unset_field\t{UNSET}")?;
    writeln!(out, "#path\tstagedoor_audit")?;
    writeln!(out, "#open\t{}", moment(now))?;
    writeln!(out, "#fields\t{}", names.join("\t"))?;
    writeln!(out, "#types\t{}", types.join("\t"))
}

/// What stands behind the last one.
pub fn footer(out: &mut impl Write, now: Timestamp) -> io::Result<()> {
    writeln!(out, "#close\t{}", moment(now))
}

/// One record.
pub fn row(out: &mut impl Write, record: &AuditRecord) -> io::Result<()> {
    let millis = record.at.millis();
    let (seconds, rest) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    let detail = serde_json::to_string(&record.detail).unwrap_or_default();
    let values = [
        format!("{seconds}.{rest:03}000"),
        value(record.hash.get(..UID_DIGITS).unwrap_or_default()),
        record.seq.to_string(),
        value(&record.actor),
        maybe(record.user.as_deref()),
        record
            .number
            .map_or_else(|| UNSET.to_owned(), |number| number.to_string()),
        maybe(record.address.as_deref()),
        value(&record.act),
        value(&record.target),
        value(&record.outcome),
        value(&detail),
    ];
    writeln!(out, "{}", values.join("\t"))
}

fn maybe(text: Option<&str>) -> String {
    text.map_or_else(|| UNSET.to_owned(), value)
}

fn value(text: &str) -> String {
    if text.is_empty() {
        return EMPTY.to_owned();
    }
    let is_sign = [UNSET, EMPTY].contains(&text);
    let mut written = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b' '..=b'~' if byte != b'\\' && !(is_sign && at == 0) => written.push(byte.into()),
            _ => {
                let _ = write!(written, "\\x{byte:02x}");
            }
        }
    }
    written
}

/// As Zeek writes when a file was opened and closed.
fn moment(at: Timestamp) -> String {
    let text: String = at.rfc3339().chars().take(19).collect();
    text.replace(['T', ':'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(target: &str) -> AuditRecord {
        AuditRecord {
            seq: 3,
            at: Timestamp::from_millis(1_795_291_200_007),
            actor: "user".to_owned(),
            user_id: Some(1),
            user: Some("ann".to_owned()),
            number: None,
            address: Some("192.0.2.1".to_owned()),
            act: "sign_in".to_owned(),
            target: target.to_owned(),
            outcome: "done".to_owned(),
            detail: serde_json::Map::new(),
            prev: "cd".repeat(32),
            hash: "ab".repeat(32),
            line: String::new(),
        }
    }

    fn written(target: &str) -> String {
        let mut out = Vec::new();
        row(&mut out, &record(target)).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn f3_a_record_is_a_row_of_as_many_values_as_the_header_names() {
        let mut out = Vec::new();
        header(&mut out, Timestamp::from_millis(0)).expect("written");
        footer(&mut out, Timestamp::from_millis(0)).expect("written");
        let text = String::from_utf8(out).expect("text");
        assert!(text.starts_with("#separator \\x09\n"), "{text}");
        assert!(text.contains("#open\t1970-01-01-00-00-00\n"), "{text}");
        let columns = |start: &str| {
            let line = text.lines().find(|line| line.starts_with(start));
            line.expect(start).split('\t').count() - 1
        };
        assert_eq!((columns("#fields"), columns("#types")), (11, 11));
        let uid = "ab".repeat(16);
        assert_eq!(
            written("ann"),
            format!(
                "1795291200.007000\t{uid}\t3\tuser\tann\t-\t192.0.2.1\tsign_in\tann\tdone\t{{}}\n"
            )
        );
    }

    #[test]
    fn f3_a_text_is_one_value_whatever_it_contains() {
        for (text, value) in [
            ("a\tb\n#close", "a\\x09b\\x0a#close"),
            ("\\x09", "\\x5cx09"),
            ("-", "\\x2d"),
            ("(empty)", "\\x28empty)"),
            ("", "(empty)"),
            ("--", "--"),
            ("ä\u{202e}", "\\xc3\\xa4\\xe2\\x80\\xae"),
        ] {
            let row = written(text);
            assert_eq!(row.matches('\n').count(), 1, "{row}");
            let values: Vec<&str> = row.trim_end().split('\t').collect();
            assert_eq!((values.len(), values[8]), (11, value));
        }
    }
}
