//! Rules between the parameters of one script.

use stagedoor_config::document::Problems;
use stagedoor_domain::param::Param;

use super::{Declared, is_positional};

/// Names and variables are each used once, and no place among the arguments can stay empty.
pub(super) fn check(all: &[Declared], problems: &mut Problems) {
    for (at, declared) in all.iter().enumerate() {
        let earlier = all.get(..at).unwrap_or_default();
        let key_mark = |key: &str| {
            declared
                .keys
                .get(key)
                .map_or(&declared.keys.mark, |node| &node.mark)
        };
        let param = &declared.param;
        if earlier.iter().any(|other| other.param.name == param.name) {
            let problem =
                key_mark("name").problem(format!("there are two parameters `{}`", param.name));
            problems.push(problem.mend("give one of the two another name"));
        }
        let same_variable = |other: &&Declared| param.env.is_some() && other.param.env == param.env;
        if let Some(other) = earlier.iter().find(same_variable) {
            let variable = param.env.as_deref().unwrap_or_default();
            let message = format!(
                "`{}` already sets the variable `{variable}`",
                other.param.name
            );
            problems.push(
                key_mark("env")
                    .problem(message)
                    .mend("write `env = \"…\"` with another name"),
            );
        }
    }
    check_places(all, problems);
}

/// A positional that may be left out, before one that must be given: leaving it out is always an
/// error, so it is required in truth, or its place is wrong.
fn check_places(all: &[Declared], problems: &mut Problems) {
    let placed = || all.iter().filter(|declared| is_positional(&declared.param));
    let Some(last_required) = placed().rfind(|d| d.param.required && d.param.when.is_empty())
    else {
        return;
    };
    for declared in placed().take_while(|d| !std::ptr::eq(*d, last_required)) {
        if may_be_missing(&declared.param) {
            let (name, later) = (&declared.param.name, &last_required.param.name);
            let message =
                format!("`{name}` may be left out, but `{later}` behind it must be given");
            problems.push(declared.keys.mark.problem(message).mend(format!(
                "declare `{later}` first, give `{name}` an `option` or a `default`, or make it required"
            )));
        }
    }
}

fn may_be_missing(param: &Param) -> bool {
    let are_options = !param.choices.is_empty()
        && param
            .choices
            .iter()
            .all(|choice| choice.value.starts_with('-'));
    !param.required
        && param.default.is_none()
        && param.fixed.is_none()
        && param.when.is_empty()
        && !param.pass_empty
        && !are_options
}
