//! Paths below a root, as text. Whether one exists, and is no link that leaves the root, is
//! asked of the file system elsewhere.

use super::fault::Fault;
use crate::param::PathRule;

/// Longest path and longest name of Linux, in bytes.
const LONGEST_PATH: usize = 4095;
const LONGEST_NAME: usize = 255;

/// Whether the rule lets a client give this path: relative, never upwards, matching.
pub fn fits(rule: &PathRule, value: &str) -> bool {
    check(rule, value).is_ok()
}

/// As [`fits`], with the reason.
pub(super) fn check(rule: &PathRule, value: &str) -> Result<(), Fault> {
    let name_is_bad = |name: &str| matches!(name, "" | "." | "..") || name.len() > LONGEST_NAME;
    // Room for the root and the slash between.
    let too_long = value.len() + rule.root.len() + 1 > LONGEST_PATH;
    if too_long || value.chars().any(char::is_control) || value.split('/').any(name_is_bad) {
        return Err(Fault::NotPath);
    }
    if !rule.recursive && value.contains('/') {
        return Err(Fault::PathTooDeep);
    }
    // A folder that is left out takes everything below it along.
    let left_out = |name: &str| rule.exclude.iter().any(|glob| glob_matches(glob, name));
    if value.split('/').any(left_out) {
        return Err(Fault::PathExcluded);
    }
    let last = value.rsplit('/').next().unwrap_or(value);
    match &rule.matching {
        Some(glob) if !glob_matches(glob, last) => Err(Fault::PathUnmatched {
            pattern: glob.clone(),
        }),
        _ => Ok(()),
    }
}

/// `*` any characters, `?` one, `[a-z]` or `[!a-z]` one of a set; all else stands for itself.
/// Only the latest `*` is ever tried again, so the time is at most the product of the lengths.
fn glob_matches(glob: &str, name: &str) -> bool {
    let (mut glob, mut name) = (glob, name);
    let mut retry: Option<(&str, &str)> = None;
    loop {
        if let Some(rest) = glob.strip_prefix('*') {
            retry = Some((rest, name));
            glob = rest;
            continue;
        }
        if glob.is_empty() && name.is_empty() {
            return true;
        }
        if let Some((rest_of_glob, rest_of_name)) = one_character(glob, name) {
            (glob, name) = (rest_of_glob, rest_of_name);
            continue;
        }
        let Some((after_star, from)) = retry else {
            return false;
        };
        let mut shorter = from.chars();
        if shorter.next().is_none() {
            return false;
        }
        (glob, name) = (after_star, shorter.as_str());
        retry = Some((after_star, shorter.as_str()));
    }
}

/// What is left of both when the glob's first item matches the name's first character.
fn one_character<'a, 'b>(glob: &'a str, name: &'b str) -> Option<(&'a str, &'b str)> {
    let mut characters = name.chars();
    let character = characters.next()?;
    let mut items = glob.chars();
    let (matches, rest) = match items.next()? {
        '?' => (true, items.as_str()),
        '[' => set(items.as_str(), character).unwrap_or((character == '[', items.as_str())),
        literal => (literal == character, items.as_str()),
    };
    matches.then_some((rest, characters.as_str()))
}

/// Reads `a-z0]…` behind a `[`: whether the character is in the set, and what follows it. `None`
/// when the bracket is never closed: then it stands for itself.
fn set(body: &str, character: char) -> Option<(bool, &str)> {
    let negated = body.starts_with(['!', '^']);
    let body = body.strip_prefix(['!', '^']).unwrap_or(body);
    // A `]` that comes first is a member.
    let close = body.char_indices().skip(1).find(|(_, c)| *c == ']')?.0;
    let (members, rest) = body.split_at(close);
    let mut members = members.chars().peekable();
    let mut found = false;
    while let Some(first) = members.next() {
        let mut ahead = members.clone();
        let last = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(last)) => {
                members = ahead;
                last
            }
            _ => first,
        };
        found |= (first..=last).contains(&character);
    }
    Some((found != negated, rest.strip_prefix(']').unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_names_as_a_shell_does() {
        for (glob, name, expected) in [
            ("*.log", "a.log", true),
            ("*.log", "a.log.gz", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "axxbxbxc", true),
            ("a*b*c", "axxbxbx", false),
            ("?.txt", "ä.txt", true),
            ("?.txt", ".txt", false),
            ("[a-c]1", "b1", true),
            ("[!a-c]1", "b1", false),
            ("[^a-c]1", "d1", true),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("[a", "[a", true),
            ("report-????-??.csv", "report-2026-11.csv", true),
        ] {
            assert_eq!(glob_matches(glob, name), expected, "{glob} {name}");
        }
    }

    #[test]
    fn a_glob_of_many_stars_stays_cheap() {
        let glob = "*a".repeat(100);
        assert!(!glob_matches(&glob, &"a".repeat(99)));
        assert!(!glob_matches(&format!("{glob}b"), &"a".repeat(4000)));
    }
}
