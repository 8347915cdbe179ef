//! What argv, environment and standard input can carry: rules about values on their way to the
//! script, whatever their type.

use super::choices;
use super::fault::Fault;
use super::resolve::Outcome;
use crate::invocation::{self, Word};
use crate::param::{Kind, Multiple, Param, Pass, Value};

/// The kernel's limit of one argument or environment entry, with its closing NUL, in bytes.
const WORD_LIMIT: usize = 131_072;
/// What all arguments may weigh together; the kernel's limit is 2 MiB with pointers counted.
const TOGETHER_LIMIT: usize = 1_500_000;
/// What an entry weighs beyond its text: the closing NUL and a pointer.
const ENTRY_COST: usize = 9;

/// Checks a client's value on its way to the script.
pub(super) fn check(param: &Param, value: &Value) -> Result<(), Fault> {
    check_dash(param, value)?;
    check_lines(param, value)?;
    let longest = sizes(param, value).max().unwrap_or(0);
    if longest >= WORD_LIMIT {
        return Err(Fault::TooLongForArgument);
    }
    Ok(())
}

/// A text that is an argument of its own and begins with `-` would be read as an option.
fn check_dash(param: &Param, value: &Value) -> Result<(), Fault> {
    let stands_alone = invocation::route(param) == Pass::Arg && !invocation::is_attached(param);
    // A path is passed with its root in front.
    if !stands_alone || param.allow_leading_dash || param.kind == Kind::Path {
        return Ok(());
    }
    let bad = |text: &String| text.starts_with('-') && !choices::authors_own(param, text);
    let refused = match (value, &param.multiple) {
        (Value::Flag(_) | Value::Count(_), _) => false,
        (Value::Text(text), _) => bad(text),
        (Value::List(items), Some(Multiple::Join { .. })) => items.first().is_some_and(bad),
        (Value::List(items), _) => items.iter().any(bad),
    };
    if refused {
        Err(Fault::LeadingDash)
    } else {
        Ok(())
    }
}

/// Where the values of a list stand on lines of their own, a line end would make one more.
fn check_lines(param: &Param, value: &Value) -> Result<(), Fault> {
    let joined_by_line_ends = match (&param.multiple, invocation::route(param)) {
        (Some(_), Pass::Stdin) => true,
        (Some(Multiple::Join { .. }) | None, _) => false,
        (Some(_), Pass::Env | Pass::File) => true,
        (Some(_), Pass::Arg | Pass::None) => param.env.is_some(),
    };
    match value {
        Value::List(items) if joined_by_line_ends && items.iter().any(|i| i.contains('\n')) => {
            Err(Fault::OneLineHere)
        }
        _ => Ok(()),
    }
}

/// The bytes of each argument and environment entry that the value becomes.
fn sizes(param: &Param, value: &Value) -> impl Iterator<Item = usize> {
    let passed = invocation::passed(param, value);
    let args = passed.args.into_iter().map(|word| (0, word));
    let env = passed
        .env
        .into_iter()
        .map(|(name, word)| (name.len() + 1, word));
    args.chain(env).map(|(before, word)| {
        before
            + match word {
                Word::Text(text) => text.len(),
                Word::FilePath { before, .. } => before.len(),
            }
    })
}

/// Checks all values together; the faults belong to the parameters beside them.
pub(super) fn check_together<'a>(outcomes: &[(&'a Param, &Outcome)]) -> Vec<(&'a Param, Fault)> {
    let mut faults = gaps(outcomes);
    faults.extend(stray_lines(outcomes));
    faults.extend(too_much(outcomes));
    faults
}

/// A positional that was left out, where a later one was given: the later would take its place.
/// What is hidden was left out by the author.
fn gaps<'a>(outcomes: &[(&'a Param, &Outcome)]) -> Vec<(&'a Param, Fault)> {
    let mut left_out = Vec::new();
    let mut faults = Vec::new();
    for (param, outcome) in outcomes.iter().filter(|(param, _)| is_positional(param)) {
        match outcome {
            Outcome::Empty => left_out.push(*param),
            Outcome::Value(_) => faults.extend(left_out.drain(..).map(|earlier| {
                (
                    earlier,
                    Fault::Gap {
                        later: param.title.clone(),
                    },
                )
            })),
            Outcome::Hidden | Outcome::Unsure => {}
        }
    }
    faults
}

/// Whether scripts know the value by its place. Choices that all begin with `-` are options.
fn is_positional(param: &Param) -> bool {
    let placed = match invocation::route(param) {
        Pass::Arg => param.option.is_none(),
        Pass::File => !param.secret && param.option.is_none() && param.env.is_none(),
        Pass::Env | Pass::Stdin | Pass::None => false,
    };
    let named_option = |text: &str| text.starts_with('-');
    let are_options = match &param.fixed {
        Some(Value::Text(text)) => named_option(text),
        _ => {
            !param.choices.is_empty()
                && param
                    .choices
                    .iter()
                    .all(|choice| named_option(&choice.value))
        }
    };
    placed && !are_options && !matches!(param.kind, Kind::Flag | Kind::Count)
}

/// A value of several lines moves the lines after it: it must be the last on standard input.
fn stray_lines<'a>(outcomes: &[(&'a Param, &Outcome)]) -> Vec<(&'a Param, Fault)> {
    let mut faults = Vec::new();
    let mut is_last = true;
    for (param, outcome) in outcomes.iter().rev() {
        let Outcome::Value(value) = outcome else {
            continue;
        };
        if invocation::route(param) != Pass::Stdin {
            continue;
        }
        match value {
            Value::Text(text) if !is_last && text.contains('\n') => {
                faults.push((*param, Fault::OneLineHere));
            }
            _ => {}
        }
        is_last = false;
    }
    faults
}

/// All arguments together; the heaviest is to blame.
fn too_much<'a>(outcomes: &[(&'a Param, &Outcome)]) -> Option<(&'a Param, Fault)> {
    let weights = outcomes
        .iter()
        .filter_map(|(param, outcome)| match outcome {
            Outcome::Value(value) => {
                let weight: usize = sizes(param, value).map(|size| size + ENTRY_COST).sum();
                Some((*param, weight))
            }
            Outcome::Hidden | Outcome::Unsure | Outcome::Empty => None,
        });
    let mut total = 0usize;
    let mut heaviest: Option<(&Param, usize)> = None;
    for (param, weight) in weights {
        total = total.saturating_add(weight);
        if heaviest.is_none_or(|(_, most)| weight > most) {
            heaviest = Some((param, weight));
        }
    }
    let (param, _) = heaviest?;
    (total > TOGETHER_LIMIT).then_some((param, Fault::TooLongTogether))
}
