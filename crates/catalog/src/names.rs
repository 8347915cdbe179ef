//! The name of a script: its folders, and the file's name without extension or `name`.

use stagedoor_config::document::Problems;
use stagedoor_domain::name::{BadName, LONGEST_PART, ScriptName};

use crate::machine::join;
use crate::script::Declared;

/// The name of a definition.
pub(crate) fn of(declared: &Declared, problems: &mut Problems) -> Option<ScriptName> {
    let folder = &declared.folder;
    let (last, mark) = match declared.keys.entry("name") {
        Some(entry) => (entry.node.full_text(problems)?, &entry.node.mark),
        None => (declared.stem.clone(), &declared.mark),
    };
    if let Err(error) = check_part(&last) {
        let given = declared.keys.has("name");
        let what = if given {
            "this name is not allowed"
        } else {
            "the file's name cannot be the script's"
        };
        let problem = mark.problem(format!("{what}: {error}"));
        let add = if given { "write" } else { "add" };
        problems.push(problem.mend(format!("{add} `name = \"{}\"`", proposal(&last))));
        return None;
    }
    ScriptName::parse(&join(folder, &last))
        .map_err(|error| {
            let problem = declared.mark.problem(format!(
                "the folder `{folder}` cannot be part of a name: {error}"
            ));
            problems.push(problem.mend("rename the folder"));
        })
        .ok()
}

/// The last part alone: it may not bring folders of its own.
fn check_part(last: &str) -> Result<(), BadName> {
    if last.contains('/') {
        return Err(BadName::BadCharacter {
            text: last.to_owned(),
            character: '/',
            allowed: "letters, digits, dot, dash and underscore; the folders are those that the file lies in",
        });
    }
    ScriptName::parse(last).map(|_| ())
}

/// A name that is allowed and near to the one that is not.
pub(crate) fn proposal(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let c = match c {
            'ä' => "ae",
            'ö' => "oe",
            'ü' => "ue",
            'ß' => "ss",
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') => {
                name.push(c);
                continue;
            }
            _ if name.ends_with('-') => continue,
            _ => "-",
        };
        name.push_str(c);
    }
    let name = name
        .trim_start_matches(['.', '_', '-'])
        .trim_end_matches('-');
    let name: String = name.chars().take(LONGEST_PART).collect();
    if name.is_empty() {
        "script".to_owned()
    } else {
        name
    }
}

/// The file's name without its extension: `backup` of `backup.sh`.
pub(crate) fn stem(file: &str) -> &str {
    match file.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_is_always_a_name() {
        for (text, expected) in [
            ("Back up!", "Back-up"),
            ("größe", "groesse"),
            ("日本", "script"),
            ("_x", "x"),
            ("a/b", "a-b"),
        ] {
            assert_eq!(proposal(text), expected, "{text}");
        }
        assert!(ScriptName::parse(&proposal(&"ä".repeat(80))).is_ok());
    }

    #[test]
    fn a_stem_has_no_extension() {
        assert_eq!(
            ["backup.sh", "a.b.py", "backup", ".x"].map(stem),
            ["backup", "a.b", "backup", ".x"]
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_gets_a_proposal_that_is_a_name(text in ".{0,100}") {
            assert!(ScriptName::parse(&proposal(&text)).is_ok());
        }
    }
}
