//! Names: of scripts, parameters, users and groups. Text becomes a name here or not at all.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::plain::is_plain;

/// Longest part of a script's name, parameter, user or group, in bytes.
pub const LONGEST_PART: usize = 64;
/// Most folders above a script.
pub const DEEPEST: usize = 16;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// The text is empty, or has an empty part.
    #[error("a name may not be empty")]
    Empty,
    /// A part is longer than [`LONGEST_PART`].
    #[error("`{0}` is longer than 64 characters")]
    TooLong(String),
    /// A character that is not allowed, or not at this place.
    #[error("`{text}` has `{character}`; allowed are {allowed}")]
    BadCharacter {
        /// The whole part.
        text: String,
        /// The first character that is not allowed.
        character: char,
        /// What is allowed, for people.
        allowed: &'static str,
    },
    /// A character that is allowed, but not as the first.
    #[error("`{text}` begins with `{character}`; allowed are {allowed}")]
    BadBeginning {
        /// The whole part.
        text: String,
        /// Its first character.
        character: char,
        /// What is allowed, for people.
        allowed: &'static str,
    },
    /// More folders than [`DEEPEST`].
    #[error("a name may have at most 16 folders")]
    TooDeep,
}

/// Longest name of a token, in bytes.
pub const LONGEST_TOKEN_NAME: usize = 100;

/// Why a text is not the name of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTokenName {
    /// Longer than [`LONGEST_TOKEN_NAME`].
    #[error("the name of a token may have at most 100 bytes")]
    TooLong,
    /// It would steer the terminal or the order of reading of whoever lists it.
    #[error("the name of a token is one line without control characters")]
    NotPlain,
}

/// What a token is for, in its owner's words, which others read in lists: one short line.
pub fn check_token_name(text: &str) -> Result<(), BadTokenName> {
    if text.len() > LONGEST_TOKEN_NAME {
        return Err(BadTokenName::TooLong);
    }
    is_plain(text).then_some(()).ok_or(BadTokenName::NotPlain)
}

const SCRIPT_ALLOWED: &str =
    "letters, digits, dot, dash and underscore, beginning with a letter or digit";
const SLUG_ALLOWED: &str =
    "small letters, digits, dash and underscore, beginning with a small letter";
const PERSON_ALLOWED: &str =
    "small letters, digits, dot, dash and underscore, beginning with a letter or digit";

fn check(
    text: &str,
    first: impl Fn(char) -> bool,
    rest: impl Fn(char) -> bool,
    allowed: &'static str,
) -> Result<(), BadName> {
    if text.is_empty() {
        return Err(BadName::Empty);
    }
    if text.len() > LONGEST_PART {
        return Err(BadName::TooLong(text.chars().take(70).collect()));
    }
    let bad = text
        .char_indices()
        .find(|&(at, c)| if at == 0 { !first(c) } else { !rest(c) });
    match bad {
        None => Ok(()),
        Some((0, character)) if rest(character) => Err(BadName::BadBeginning {
            text: text.to_owned(),
            character,
            allowed,
        }),
        Some((_, character)) => Err(BadName::BadCharacter {
            text: text.to_owned(),
            character,
            allowed,
        }),
    }
}

fn script_part(text: &str) -> Result<(), BadName> {
    check(
        text,
        |c| c.is_ascii_alphanumeric(),
        |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'),
        SCRIPT_ALLOWED,
    )
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The only way from text to this name.
            pub fn parse(text: &str) -> Result<Self, BadName> {
                $check(text)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }
    };
}

name_type!(
    /// A script's name: `backup`, or `ops/db/backup`. Folders and last part match
    /// `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
    ScriptName,
    |text: &str| {
        let parts: Vec<&str> = text.split('/').collect();
        if parts.len() > DEEPEST + 1 {
            return Err(BadName::TooDeep);
        }
        parts.into_iter().try_for_each(script_part)
    }
);

name_type!(
    /// The name of a stored secret, by the rule of scripts: `smtp`, or `ops/db/password`.
    SecretName,
    |text: &str| ScriptName::parse(text).map(|_| ())
);

name_type!(
    /// The file below `$CREDENTIALS_DIRECTORY` in which a script finds a stored secret:
    /// `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
    CredentialName,
    script_part
);

name_type!(
    /// A parameter's name: `[a-z][a-z0-9_-]{0,63}`.
    ParamName,
    |text: &str| check(
        text,
        |c| c.is_ascii_lowercase(),
        |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'),
        SLUG_ALLOWED,
    )
);

fn person(text: &str) -> Result<(), BadName> {
    check(
        text,
        |c| c.is_ascii_lowercase() || c.is_ascii_digit(),
        |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'),
        PERSON_ALLOWED,
    )
}

name_type!(
    /// What a user signs in with: small letters, so that two spellings are never two users.
    UserName,
    person
);

name_type!(
    /// A group's name.
    GroupName,
    person
);

impl ScriptName {
    /// The folders, `ops/db` of `ops/db/backup`; empty for a script in the root.
    pub fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The last part, `backup` of `ops/db/backup`.
    pub fn last(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, last)| last)
    }
}

impl GroupName {
    /// The built-in group whose members may do everything.
    pub const ADMINS: &'static str = "admins";
    /// The built-in group of every signed-in user.
    pub const EVERYONE: &'static str = "everyone";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_token_is_one_short_line_of_any_letters() {
        for good in [
            "",
            "nightly backup",
            "Sicherung für “ops” 🦀",
            &"x".repeat(100),
        ] {
            assert_eq!(check_token_name(good), Ok(()), "{good}");
        }
        assert_eq!(
            check_token_name(&"x".repeat(101)),
            Err(BadTokenName::TooLong)
        );
        for bad in ["a\nb", "\u{1b}[2J", "a\u{202e}b", "\u{9b}m", "\0"] {
            assert_eq!(
                check_token_name(bad),
                Err(BadTokenName::NotPlain),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_script_name_keeps_its_folders_apart() {
        let name = ScriptName::parse("ops/db/backup").expect("a good name");
        assert_eq!((name.folder(), name.last()), ("ops/db", "backup"));
        let name = ScriptName::parse("backup").expect("a good name");
        assert_eq!((name.folder(), name.last()), ("", "backup"));
    }

    #[test]
    fn a_name_that_could_leave_its_folder_is_refused() {
        for text in [
            "", "/", "a//b", "../a", "a/..", ".a", "_a", "a/_b", "a b", "a\0", "ä", "a/", "-a",
        ] {
            assert!(ScriptName::parse(text).is_err(), "{text:?}");
        }
        assert!(ScriptName::parse(&"a/".repeat(17)).is_err());
        assert!(ScriptName::parse(&"a".repeat(65)).is_err());
        assert!(ScriptName::parse(&"a".repeat(64)).is_ok());
    }

    #[test]
    fn a_secret_is_named_as_a_script_is_and_a_credential_as_a_file() {
        for text in ["smtp", "ops/db/Password-2", "a.b_c"] {
            assert!(SecretName::parse(text).is_ok(), "{text:?}");
        }
        for text in ["", "/", "a//b", "../a", "_a", ".a", "a b", "ä", "a\n"] {
            assert!(SecretName::parse(text).is_err(), "{text:?}");
            assert!(CredentialName::parse(text).is_err(), "{text:?}");
        }
        assert!(CredentialName::parse("db.password").is_ok());
        assert!(CredentialName::parse("ops/db").is_err());
    }

    #[test]
    fn a_character_that_is_only_wrong_at_the_beginning_is_told_as_that() {
        let said = |text| ScriptName::parse(text).expect_err("no name").to_string();
        assert!(
            said(".x").starts_with("`.x` begins with `.`"),
            "{}",
            said(".x")
        );
        assert!(said("x y").starts_with("`x y` has ` `"), "{}", said("x y"));
        assert!(said("!x").starts_with("`!x` has `!`"), "{}", said("!x"));
        assert!(ScriptName::parse("x.y").is_ok());
    }

    #[test]
    fn a_parameter_name_is_a_slug() {
        assert!(ParamName::parse("keep_days-2").is_ok());
        for text in ["Keep", "2keep", "_keep", "keep days", ""] {
            assert!(ParamName::parse(text).is_err(), "{text:?}");
        }
    }
}
