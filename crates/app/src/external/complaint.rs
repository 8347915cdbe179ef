//! What a command says that fails, as far as the log may have it: not often, and never what was typed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret as _;
use stagedoor_domain::name::UserName;
use stagedoor_domain::plain::Plain;

use crate::password::Password;

/// So much of standard error is looked at: more than is shown and a password behind it, however that
/// is written.
pub(super) const LONGEST_COMPLAINT: u64 = 4096;
/// And so many characters are shown.
const SHOWN: usize = 200;
/// Between two lines of the log for the same reason.
const PACE: Duration = Duration::from_mins(1);
/// Of what was typed, parts that are shorter may stand in a complaint: they stand in any.
const SHORTEST: usize = 3;
/// Instead of what holds it.
const LEFT_OUT: &str = "(left out: it holds what was typed)";

/// Why a command gave no answer: in a word, with its code.
pub(super) type Kind = (&'static str, i32);

/// What the log has told of.
#[derive(Default)]
pub(crate) struct Complaints(Mutex<HashMap<Kind, Told>>);

struct Told {
    at: Duration,
    left_out: u32,
}

impl Complaints {
    /// How many were left out before this one; none when this one is left out too.
    pub(super) fn due(&self, kind: Kind, now: Duration) -> Option<u32> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = told.get_mut(&kind)
            && now.saturating_sub(last.at) < PACE
        {
            last.left_out = last.left_out.saturating_add(1);
            return None;
        }
        let (at, left_out) = (now, 0);
        let before = told.insert(kind, Told { at, left_out });
        Some(before.map_or(0, |last| last.left_out))
    }
}

/// The first line, on one line of plain characters; not if it holds the password or a line of it, or
/// the name of nobody: people type their password there.
pub(super) fn shown(complaint: &[u8], password: &Password, nobody: Option<&UserName>) -> String {
    let text = String::from_utf8_lossy(complaint);
    let line = text.lines().next().unwrap_or_default();
    let typed = password.expose_secret();
    let quoted = serde_json::to_string(typed).unwrap_or_default();
    let parts = typed
        .split(char::is_control)
        .chain([quoted.trim_matches('"')])
        .chain(nobody.map(UserName::as_str));
    if parts
        .filter(|part| part.chars().nth(SHORTEST - 1).is_some())
        .any(|part| line.contains(part))
    {
        return LEFT_OUT.to_owned();
    }
    let mut shown = String::new();
    let cut: String = line.chars().take(SHOWN).collect();
    // Writing to a text does not fail.
    let _ = Plain(&mut shown).write_str(&cut);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(complaint: &[u8], password: &str) -> String {
        shown(complaint, &Password::from(password.to_owned()), None)
    }

    #[test]
    fn w30_the_first_line_of_a_complaint_is_shown_plain_and_short() {
        assert_eq!(said(b"no server\nat all\n", "hunter two"), "no server");
        assert_eq!(said(b"", "hunter two"), "");
        assert_eq!(said(b"a\x1b[2J\xffb", "hunter two"), "a\\u{1b}[2J\u{fffd}b");
        assert_eq!(said(&[b'x'; 4000], "hunter two").len(), SHOWN);
    }

    #[test]
    fn w30_what_was_typed_is_in_no_complaint_however_it_is_written() {
        for (complaint, password) in [
            ("bind failed: hunter two", "hunter two"),
            ("asked: {\"password\":\"a\\\"b\"}", "a\"b"),
            ("bad password: first", "first\nsecond"),
            (&format!("{}hunter two", "x".repeat(195)), "hunter two"),
        ] {
            assert_eq!(
                said(complaint.as_bytes(), password),
                LEFT_OUT,
                "{complaint}"
            );
        }
        assert_eq!(said(b"bind failed", "\n"), "bind failed");
    }

    #[test]
    fn w30_what_was_typed_as_the_name_of_nobody_is_in_no_complaint() {
        let typed = UserName::parse("hunter2").expect("a name");
        let password = Password::from("something else".to_owned());
        let said = |complaint: &str, nobody| shown(complaint.as_bytes(), &password, nobody);
        let complaint = "no entry uid=hunter2,ou=people";
        assert_eq!(said(complaint, Some(&typed)), LEFT_OUT);
        assert_eq!(said(complaint, None), complaint, "there is such an account");
        assert_eq!(said("bind failed", Some(&typed)), "bind failed");
        let short = UserName::parse("ou").expect("a name");
        assert_eq!(said(complaint, Some(&short)), complaint);
    }

    #[test]
    fn w30_a_short_password_empties_no_complaint() {
        for short in ["i", "ai", "i\nl", "é"] {
            assert_eq!(said("bind failed é".as_bytes(), short), "bind failed é");
        }
        assert_eq!(said(b"bind failed", "ail"), LEFT_OUT);
    }

    #[test]
    fn w30_a_command_that_always_fails_fills_no_log() {
        let (complaints, at) = (Complaints::default(), Duration::from_secs);
        let (three, late) = (("exit", 3), ("late", 0));
        assert_eq!(complaints.due(three, at(5)), Some(0));
        assert_eq!(complaints.due(three, at(6)), None);
        assert_eq!(complaints.due(late, at(6)), Some(0), "another reason");
        assert_eq!(complaints.due(three, at(64)), None);
        assert_eq!(complaints.due(three, at(65)), Some(2));
    }
}
