//! `min`, `max`, `step`, lengths, `pattern`, numbers of items.

use std::sync::Arc;

use regex::Regex;
use stagedoor_config::document::{Node, Problems, Table};
use stagedoor_domain::arguments::{check_text, whole_value_pattern};
use stagedoor_domain::param::{Bounds, Kind, Multiple, Param};

use super::kind;

/// Reads the bounds; each of `min`, `max` and `step` must itself be a value of the type.
pub(super) fn read(keys: &Table, param: &Param, problems: &mut Problems) -> Bounds {
    let (min_length, max_length) = pair(keys, "min_length", "max_length", problems);
    let (min_items, max_items) = pair(keys, "min_items", "max_items", problems);
    check_items(keys, param, problems);
    Bounds {
        min_length,
        max_length,
        min_items,
        max_items,
        pattern: pattern(keys, problems).map(Arc::new),
        pattern_help: keys.text("pattern_help", problems),
        ..measures(keys, param, problems)
    }
}

fn measures(keys: &Table, param: &Param, problems: &mut Problems) -> Bounds {
    let mut probe = Param {
        bounds: Bounds::default(),
        choices: Vec::new(),
        ..param.clone()
    };
    // Told already: these keys mean nothing for the type.
    if !kind::has_measure(param.kind) {
        return Bounds::default();
    }
    let mut bound = |key: &str, probe: &Param| {
        let node = keys.get(key)?;
        let text = scalar(node, problems)?;
        let canonical = check_text(probe, &text).map_err(|message| {
            problems.push(node.mark.problem(format!(
                "`{key}` is not a value of the type {}: {message}",
                probe.kind.word()
            )));
        });
        canonical.is_ok().then_some(text)
    };
    let min = bound("min", &probe);
    let max = bound("max", &probe);
    probe.bounds.min.clone_from(&min);
    if let (Some(max), Some(node)) = (&max, keys.get("max"))
        && check_text(&probe, max).is_err()
    {
        let problem = node
            .mark
            .problem("`max` is less than `min`, so no value would do");
        problems.push(problem.mend("exchange the two"));
    }
    let step = step(keys, &probe, problems);
    Bounds {
        min,
        max,
        step,
        ..Bounds::default()
    }
}

/// A step is tried from `min`, or from the type's zero: there it fits, if it is a step at all.
fn step(keys: &Table, probe: &Param, problems: &mut Problems) -> Option<String> {
    let node = keys.get("step")?;
    let text = scalar(node, problems)?;
    let zero = match probe.kind {
        Kind::Date => "1970-01-01",
        Kind::Time => "00:00",
        Kind::DateTime => "1970-01-01T00:00",
        Kind::Duration => "0s",
        _ => "0",
    };
    let from = probe.bounds.min.clone().unwrap_or_else(|| zero.to_owned());
    let bounds = Bounds {
        step: Some(text.clone()),
        ..probe.bounds.clone()
    };
    let stepped = Param {
        bounds,
        ..probe.clone()
    };
    if check_text(&stepped, &from).is_err() {
        let problem = node.mark.problem(format!(
            "`{text}` is not a step of the type {}",
            probe.kind.word()
        ));
        problems.push(problem.mend(match probe.kind {
            Kind::Integer | Kind::Number => "write a number above zero",
            _ => "write a duration such as \"15m\" or \"1d\"",
        }));
    }
    Some(text)
}

fn scalar(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.scalar();
    if text.is_none() {
        node.wrong("a single value", "1", problems);
    }
    text
}

/// Two counts of which the first may not be greater.
fn pair(
    keys: &Table,
    least: &str,
    most: &str,
    problems: &mut Problems,
) -> (Option<usize>, Option<usize>) {
    let mut count = |key: &str| {
        let count = keys.get(key)?.count(0, problems)?;
        usize::try_from(count).ok()
    };
    let (min, max) = (count(least), count(most));
    if let (Some(min), Some(max), Some(node)) = (min, max, keys.get(most))
        && max < min
    {
        let problem = node.mark.problem(format!(
            "`{most}` is less than `{least}`, so no value would do"
        ));
        problems.push(problem.mend("exchange the two"));
    }
    (min, max)
}

/// What counts or joins several values means nothing for one.
fn check_items(keys: &Table, param: &Param, problems: &mut Problems) {
    let mut needs = |key: &str, fits: bool, mend: &str| {
        if let (false, Some(entry)) = (fits, keys.entry(key)) {
            let message = format!("`{key}` means nothing without `multiple`");
            problems.push(entry.key.problem(message).mend(mend));
        }
    };
    needs(
        "min_items",
        param.multiple.is_some(),
        "add `multiple = \"repeat\"`, or take it out",
    );
    needs(
        "max_items",
        param.multiple.is_some(),
        "add `multiple = \"repeat\"`, or take it out",
    );
    let joins = matches!(param.multiple, Some(Multiple::Join { .. }));
    needs(
        "separator",
        joins,
        "add `multiple = \"join\"`, or take it out",
    );
}

fn pattern(keys: &Table, problems: &mut Problems) -> Option<Regex> {
    if let (Some(entry), None) = (keys.entry("pattern_help"), keys.get("pattern")) {
        problems.push(
            entry
                .key
                .problem("`pattern_help` means nothing without `pattern`")
                .mend("take it out"),
        );
    }
    let node = keys.get("pattern")?;
    let text = node.full_text(problems)?;
    whole_value_pattern(&text)
        .map_err(|error| {
            // The engine's message draws the pattern over several lines; its last line says why.
            let error = error.to_string();
            let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let problem = node.mark.problem(format!("this is not a regular expression: {why}"));
            problems.push(problem.mend("look-around and back-references are not there, so that matching stays fast; in TOML, write patterns in single quotes"));
        })
        .ok()
}
