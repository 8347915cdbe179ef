//! Which scripts are meant: one by its name, all below a folder, or all.

use std::fmt;

use crate::name::ScriptName;

/// `ops/backup`, `ops/*` (everything below), or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptPattern {
    /// Every script.
    All,
    /// Every script below this folder; the text ends with a slash.
    Below(Box<str>),
    /// This script.
    One(ScriptName),
}

/// This is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a script's name nor a pattern; write `folder/name`, `folder/*` for all below a folder, or `*` for all"
)]
pub struct BadPattern(pub String);

impl ScriptPattern {
    /// The only way from text. `ops*` is refused: it would reach `ops2/x` as well, which nobody
    /// sees coming.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let bad = || BadPattern(text.chars().take(100).collect());
        match text.strip_suffix('*') {
            Some("") => Ok(Self::All),
            Some(below) => below
                .strip_suffix('/')
                .filter(|folder| ScriptName::parse(folder).is_ok())
                .map(|_| Self::Below(below.into()))
                .ok_or_else(bad),
            None => ScriptName::parse(text).map(Self::One).map_err(|_| bad()),
        }
    }

    /// Is this script meant?
    pub fn covers(&self, name: &ScriptName) -> bool {
        match self {
            Self::All => true,
            Self::Below(folder) => name.as_str().starts_with(&**folder),
            Self::One(only) => only == name,
        }
    }

    /// Are all scripts that the other one means, now and later, meant by this?
    pub fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Below(folder), Self::Below(inner)) => inner.starts_with(&**folder),
            (_, Self::One(name)) => self.covers(name),
            (Self::All, _) => true,
            _ => false,
        }
    }
}

impl fmt::Display for ScriptPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Below(folder) => write!(f, "{folder}*"),
            Self::One(name) => name.fmt(f),
        }
    }
}

/// Several, as people and the store write them: between blanks or commas.
pub fn parse_patterns(text: &str) -> Result<Vec<ScriptPattern>, BadPattern> {
    text.split([' ', ',', '\n', '\r', '\t'])
        .filter(|word| !word.is_empty())
        .map(ScriptPattern::parse)
        .collect()
}

/// Several in one line.
pub fn say_patterns(patterns: &[ScriptPattern], between: &str) -> String {
    let words: Vec<String> = patterns.iter().map(ToString::to_string).collect();
    words.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_one_script_a_folder_or_all() {
        for (pattern, name, is_meant) in [
            ("*", "a", true),
            ("*", "ops/db/a", true),
            ("ops/*", "ops/a", true),
            ("ops/*", "ops/db/a", true),
            ("ops/*", "ops2/a", false),
            ("ops/*", "ops", false),
            ("ops/a", "ops/a", true),
            ("ops/a", "ops/a/b", false),
            ("ops/a", "ops/A", false),
        ] {
            let name = ScriptName::parse(name).expect("a name");
            let parsed = ScriptPattern::parse(pattern).expect("a pattern");
            assert_eq!(parsed.covers(&name), is_meant, "{pattern} {name}");
            assert_eq!(parsed.to_string(), pattern);
        }
    }

    #[test]
    fn a_pattern_includes_what_means_no_script_beside_its_own() {
        for (all, one, is_in) in [
            ("*", "*", true),
            ("*", "ops/*", true),
            ("*", "a", true),
            ("ops/*", "ops/*", true),
            ("ops/*", "ops/db/*", true),
            ("ops/*", "ops/a", true),
            ("ops/*", "*", false),
            ("ops/db/*", "ops/*", false),
            ("ops/*", "ops2/*", false),
            ("a", "a", true),
            ("a", "b", false),
            ("a", "a/*", false),
            ("a", "*", false),
        ] {
            let parse = |text| ScriptPattern::parse(text).expect("a pattern");
            assert_eq!(parse(all).includes(&parse(one)), is_in, "{all} {one}");
        }
    }

    #[test]
    fn what_reaches_more_than_it_shows_is_no_pattern() {
        for bad in [
            "", "ops*", "/*", "../*", "**", "o*s", "*/a", "ops/**", "a b", "/a", "ops//*",
        ] {
            assert!(ScriptPattern::parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse_patterns("a, ops/* *").is_ok_and(|all| all.len() == 3));
        assert!(parse_patterns("a, ops*").is_err());
    }
}
