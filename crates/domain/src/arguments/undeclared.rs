//! Names that the script does not declare, each with the nearest one that it does.

use super::ArgError;
use crate::name::LONGEST_PART;
use crate::script::Script;

/// More than these are not listed: comparing names costs time, and nobody reads on.
const MOST_LISTED: usize = 20;
/// Least likeness (0 to 1) of a name that is proposed.
const LIKE: f64 = 0.6;

/// An error for each name, at most [`MOST_LISTED`].
pub(super) fn errors<'a>(
    script: &Script,
    names: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = ArgError> {
    names.take(MOST_LISTED).map(|name| {
        let given_name = printable(name);
        let message = match nearest(script, &given_name) {
            Some(near) => format!("there is no parameter `{given_name}`; did you mean `{near}`?"),
            None => format!("there is no parameter `{given_name}`; leave it out"),
        };
        ArgError {
            param: None,
            given_name,
            message,
        }
    })
}

fn printable(name: &str) -> String {
    name.chars()
        .take(LONGEST_PART)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn nearest<'a>(script: &'a Script, name: &str) -> Option<&'a str> {
    let name = name.to_lowercase();
    script
        .params
        .iter()
        .filter(|param| param.fixed.is_none())
        .map(|param| {
            let declared = param.name.as_str();
            (
                strsim::normalized_damerau_levenshtein(declared, &name),
                declared,
            )
        })
        .filter(|(likeness, _)| *likeness >= LIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, declared)| declared)
}
