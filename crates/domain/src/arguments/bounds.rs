//! Bounds: least, greatest, step, length, pattern.

use regex::Regex;

use super::dates;
use super::decimal;
use super::fault::Fault;
use crate::param::{Kind, Param};
use crate::quantity::parse_duration;

/// Compiles the `pattern` of a definition so that it matches whole values only.
///
/// # Errors
/// The text is not a regular expression of the linear-time kind.
pub fn whole_value_pattern(pattern: &str) -> Result<Regex, regex::Error> {
    // First alone: `a)(b` would become legal by the frame around it.
    Regex::new(pattern)?;
    Regex::new(&format!(r"\A(?:{pattern})\z"))
}

/// Checks a canonical text against all bounds of its parameter.
pub(super) fn check(param: &Param, value: &str) -> Result<(), Fault> {
    check_measure(param, value)?;
    check_length(param, value)?;
    check_pattern(param, value)
}

fn check_length(param: &Param, value: &str) -> Result<(), Fault> {
    let (least, most) = (param.bounds.min_length, param.bounds.max_length);
    if least.is_none() && most.is_none() {
        return Ok(());
    }
    let length = value.chars().count();
    match (least, most) {
        (Some(least), _) if length < least => Err(Fault::TooShort { least }),
        (_, Some(most)) if length > most => Err(Fault::TooLong { most }),
        _ => Ok(()),
    }
}

fn check_pattern(param: &Param, value: &str) -> Result<(), Fault> {
    let Some(pattern) = &param.bounds.pattern else {
        return Ok(());
    };
    // The whole value, also should the pattern have been compiled without its anchors.
    let whole = pattern
        .find(value)
        .is_some_and(|found| found.range() == (0..value.len()));
    if whole {
        return Ok(());
    }
    let help = match (&param.bounds.pattern_help, &param.example) {
        (Some(help), _) => help.clone(),
        (None, Some(example)) => {
            format!("does not have the form that the script asks for, such as {example}")
        }
        (None, None) => "does not have the form that the script asks for".to_owned(),
    };
    Err(Fault::Pattern { help })
}

/// Least, greatest and step, in the measure of the kind.
pub(super) fn check_measure(param: &Param, value: &str) -> Result<(), Fault> {
    let (min, max, step) = (&param.bounds.min, &param.bounds.max, &param.bounds.step);
    if min.is_none() && max.is_none() && step.is_none() {
        return Ok(());
    }
    let Some(measure) = measure(param.kind, value) else {
        return Ok(());
    };
    let read = |key, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => self::measure(param.kind, text)
            .map(Some)
            .ok_or(Fault::BadBound { key }),
    };
    let (least, most) = (read("min", min)?, read("max", max)?);
    if least.is_some_and(|least| measure < least) {
        return Err(below(param.kind, min.clone().unwrap_or_default()));
    }
    if most.is_some_and(|most| measure > most) {
        return Err(above(param.kind, max.clone().unwrap_or_default()));
    }
    let Some(step) = step else {
        return Ok(());
    };
    let width = step_width(param.kind, step)
        .filter(|width| *width > 0)
        .ok_or(Fault::BadBound { key: "step" })?;
    if (measure - least.unwrap_or(0)) % width == 0 {
        return Ok(());
    }
    Err(match min {
        None => Fault::Step { step: step.clone() },
        Some(min) => Fault::StepFrom {
            least: min.clone(),
            step: step.clone(),
        },
    })
}

/// A value as a number that can be compared: units of 10⁻¹⁸, days, seconds or milliseconds.
/// `None` for kinds that have no order, and for texts that are not of the kind.
fn measure(kind: Kind, text: &str) -> Option<i128> {
    match kind {
        Kind::Integer | Kind::Number | Kind::Count => Some(decimal::parse(text).ok()?.units),
        Kind::Date => dates::date(text).map(dates::days),
        Kind::Time => dates::time(text).map(dates::seconds_of_day),
        Kind::DateTime => dates::date_time(text).map(dates::seconds),
        Kind::Duration => Some(i128::try_from(parse_duration(text).ok()?.as_millis()).ok()?),
        _ => None,
    }
}

/// A `step` in the measure of the kind. As in HTML, a bare number means days for dates and
/// seconds for times; a duration says its unit.
fn step_width(kind: Kind, text: &str) -> Option<i128> {
    let millis_per_unit = match kind {
        Kind::Date => 86_400_000,
        Kind::Time | Kind::DateTime => 1_000,
        _ => return measure(kind, text),
    };
    if let Ok(number) = text.parse::<u32>() {
        return Some(number.into());
    }
    let millis = i128::try_from(parse_duration(text).ok()?.as_millis()).ok()?;
    (millis % millis_per_unit == 0).then_some(millis / millis_per_unit)
}

fn is_moment(kind: Kind) -> bool {
    matches!(kind, Kind::Date | Kind::Time | Kind::DateTime)
}

fn below(kind: Kind, least: String) -> Fault {
    if is_moment(kind) {
        Fault::TooEarly { least }
    } else {
        Fault::Below { least }
    }
}

fn above(kind: Kind, most: String) -> Fault {
    if is_moment(kind) {
        Fault::TooLate { most }
    } else {
        Fault::Above { most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_value() {
        let pattern = whole_value_pattern("a|ab").expect("a pattern");
        assert!(pattern.is_match("ab") && pattern.is_match("a"));
        for value in ["abc", "xab", "ab\n", "", "b"] {
            assert!(!pattern.is_match(value), "{value:?}");
        }
        for bad in ["a)(b", "(", "(?=a)"] {
            assert!(whole_value_pattern(bad).is_err(), "{bad:?}");
        }
    }
}
