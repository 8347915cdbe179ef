//! A record as one line of JSON, in nothing but printable ASCII: whatever a text contains, it can
//! neither end the line nor change how a terminal shows it.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use stagedoor_domain::plain::ascii_json;
use stagedoor_domain::time::Timestamp;

use super::fields::{Fields, Hash};

/// The same record gives the same line, byte for byte; it ends with a newline.
pub(crate) fn line(record: &Fields<'_>, hash: &Hash) -> String {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("seq", record.seq.into());
    put("at", Timestamp::from_millis(record.at).rfc3339().into());
    put("actor", record.actor.into());
    if let Some(id) = record.user_id {
        put("user_id", id.into());
    }
    if let Some(name) = record.user_name {
        put("user", name.into());
    }
    if let Some(number) = record.number {
        put(number_name(record.actor), number.into());
    }
    if let Some(address) = record.address {
        put("address", address.into());
    }
    put("act", record.act.into());
    put("target", record.target.into());
    put("outcome", record.outcome.into());
    // What is no JSON was put there by somebody else, and stands here as it is.
    let detail = serde_json::from_str(record.detail);
    put("detail", detail.unwrap_or_else(|_| record.detail.into()));
    put("prev", hex(&record.prev).into());
    put("hash", hex(hash).into());
    let json = Value::Object(fields).to_string();
    let mut line = ascii_json(&json).into_owned();
    line.push('\n');
    line
}

/// What the number of an actor is of.
pub(crate) fn number_name(actor: &str) -> &'static str {
    if actor == "token" { "token" } else { "uid" }
}

/// The bytes that [`hex`] wrote.
pub(crate) fn from_hex(text: &str) -> Option<Hash> {
    let mut bytes = Hash::default();
    let digits = text.as_bytes();
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// In small letters.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record<'a>(target: &'a str, detail: &'a str) -> Fields<'a> {
        Fields {
            seq: 3,
            at: 0,
            actor: "token",
            user_id: Some(1),
            user_name: Some("ann"),
            number: Some(7),
            address: Some("::1"),
            act: "sign_in",
            target,
            outcome: "done",
            detail,
            prev: [0; 32],
        }
    }

    #[test]
    fn a_line_says_everything_by_its_name() {
        let text = line(&record("ann", r#"{"run":"x"}"#), &[0xab; 32]);
        let (zeros, hash) = ("00".repeat(32), "ab".repeat(32));
        assert_eq!(
            text,
            format!(
                "{{\"seq\":3,\"at\":\"1970-01-01T00:00:00.000Z\",\"actor\":\"token\",\
                 \"user_id\":1,\"user\":\"ann\",\"token\":7,\"address\":\"::1\",\"act\":\"sign_in\",\
                 \"target\":\"ann\",\"outcome\":\"done\",\"detail\":{{\"run\":\"x\"}},\
                 \"prev\":\"{zeros}\",\"hash\":\"{hash}\"}}\n"
            )
        );
    }

    fn is_one_plain_line_with(text: &str) {
        let detail = serde_json::json!({ "name": text }).to_string();
        let line = line(&record(text, &detail), &[0; 32]);
        let (body, end) = line.split_at(line.len() - 1);
        assert_eq!(end, "\n");
        assert!(
            body.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{body}"
        );
        let read: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(
            (&read["target"], &read["detail"]["name"]),
            (&text.into(), &text.into())
        );
    }

    #[test]
    fn a_hostile_text_is_one_plain_line_and_reads_as_it_was() {
        for text in [
            "\n{\"seq\":4}\n",
            "\r\n\u{85}\u{2028}\u{2029}\u{b}\u{c}",
            "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m",
            "\u{202e}gnp.exe\u{2066}\u{200b}\u{feff}",
            "\"><svg onload=alert(1)>\\u0041\\",
            "\u{0}\u{7f}\u{10ffff}🙂",
        ] {
            is_one_plain_line_with(text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_plain_line_and_reads_as_it_was(text in any::<String>()) {
            is_one_plain_line_with(&text);
        }
    }
}
