//! What the command may answer, and nothing else.

use std::collections::BTreeSet;

use serde::Deserialize;
use stagedoor_domain::name::{GroupName, UserName};

/// Groups of one user.
const MOST_GROUPS: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    user: String,
    groups: Vec<String>,
}

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadAnswer {
    #[error("its answer is not JSON with `user` and `groups` and nothing else")]
    Unreadable,
    #[error("it answers for somebody else than it was asked for")]
    Another,
    #[error("it names a group that cannot be, or too many")]
    Groups,
}

/// The groups of this user. `everyone` goes without saying.
pub(super) fn read(said: &[u8], name: &UserName) -> Result<BTreeSet<GroupName>, BadAnswer> {
    let answer: Answer = serde_json::from_slice(said).map_err(|_| BadAnswer::Unreadable)?;
    if answer.user != name.as_str() {
        return Err(BadAnswer::Another);
    }
    if answer.groups.len() > MOST_GROUPS {
        return Err(BadAnswer::Groups);
    }
    let groups = answer.groups.iter().map(|group| GroupName::parse(group));
    let mut groups = groups
        .collect::<Result<BTreeSet<_>, _>>()
        .map_err(|_| BadAnswer::Groups)?;
    groups.retain(|group| group.as_str() != GroupName::EVERYONE);
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(said: &str) -> Option<Vec<String>> {
        let ann = UserName::parse("ann").expect("a name");
        let groups = read(said.as_bytes(), &ann).ok()?;
        Some(groups.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn w30_an_answer_is_taken_whole_or_not_at_all() {
        let ops = Some(vec!["ops".to_owned()]);
        assert_eq!(
            groups(r#"{"user":"ann","groups":["ops","ops","everyone"]}"#),
            ops
        );
        assert_eq!(
            groups("{\"groups\":[],\n\"user\":\"ann\"}\n"),
            Some(Vec::new())
        );
        for bad in [
            "",
            "ann",
            "null",
            r#""ann""#,
            r#"{"user":"ann"}"#,
            r#"{"groups":["ops"]}"#,
            r#"{"user":"bob","groups":[]}"#,
            r#"{"user":"Ann","groups":[]}"#,
            r#"{"user":"ann","groups":"ops"}"#,
            r#"{"user":"ann","groups":[1]}"#,
            r#"{"user":"ann","groups":["Ops Team"]}"#,
            r#"{"user":"ann","groups":[],"admin":true}"#,
            r#"{"user":"bob","user":"ann","groups":[]}"#,
            r#"{"user":"ann","groups":[]} {"#,
            r#"{"user":"ann","groups":[]}{"user":"ann","groups":[]}"#,
        ] {
            assert_eq!(groups(bad), None, "{bad}");
        }
        let many: Vec<String> = (0..300).map(|n| format!("\"g{n}\"")).collect();
        let many = format!(r#"{{"user":"ann","groups":[{}]}}"#, many.join(","));
        assert_eq!(groups(&many), None);
    }
}
