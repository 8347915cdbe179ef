//! Names of the machine's accounts. Whether there is such an account is the machine's matter.

use crate::document::{Node, Problems, Value};

/// The longest that the usual tools make is 32.
const LONGEST: usize = 64;

/// An account's name, or its number.
pub(crate) fn account(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.full_text(problems)?;
    if !is_name(&text) {
        not_a_name(
            node,
            &text,
            "write a name such as `stagedoor`, or a number in quotes such as `\"7373\"`",
            problems,
        );
        return None;
    }
    Some(text)
}

/// The name of an account that scripts run as, in a permit or in a definition. A number would have no
/// groups, and root is never one of them.
pub fn run_as(node: &Node, problems: &mut Problems) -> Option<String> {
    if !matches!(node.value, Value::Text(_)) {
        node.wrong("the name of an account", "\"backup\"", problems);
        return None;
    }
    let text = node.full_text(problems)?;
    if text == "root" {
        let problem = node.mark.problem("no script runs as root");
        problems
            .push(problem.mend("name an account that has just the rights that the script needs"));
        return None;
    }
    if !is_name(&text) || text.chars().all(|c| c.is_ascii_digit()) {
        not_a_name(
            node,
            &text,
            "write the name of an account, such as `backup`",
            problems,
        );
        return None;
    }
    Some(text)
}

fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !text.starts_with('-') && text.len() <= LONGEST && text.chars().all(fits)
}

fn not_a_name(node: &Node, text: &str, mend: &str, problems: &mut Problems) {
    let problem = node
        .mark
        .problem(format!("`{text}` is not an account's name"));
    problems.push(problem.mend(mend));
}
