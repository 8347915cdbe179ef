//! Decimal numbers without rounding: 19 digits before the point and 18 after it.

use super::fault::Fault;

const WHOLE_DIGITS: usize = 19;
const FRACTION_DIGITS: usize = 18;
/// No exponent beyond this can give a number within the digits above.
const FARTHEST_EXPONENT: i32 = 40;
/// Longer texts are not numbers that anyone means.
const LONGEST: usize = 100;

/// A number as text without exponent, `+` and needless zeros in front, and in units of 10⁻¹⁸.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// `-0.50`; zeros at the end are kept, because a script may print them.
    pub(super) text: String,
    /// Exact, for comparisons.
    pub(super) units: i128,
}

/// Reads `7`, `-2.50`, `.5`, `1e3`.
pub(super) fn parse(text: &str) -> Result<Decimal, Fault> {
    if text.len() > LONGEST {
        return Err(Fault::TooManyDigits);
    }
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole)
        || !all_digits(fraction)
        || mantissa.len() == mantissa.matches('.').count()
    {
        return Err(Fault::NotNumber);
    }
    let exponent: i32 = exponent.parse().map_err(|_| Fault::NotNumber)?;
    let (whole, fraction) = shifted(whole, fraction, exponent)?;
    compose(negative, whole.trim_start_matches('0'), &fraction)
}

/// Moves the point by the exponent.
fn shifted(whole: &str, fraction: &str, exponent: i32) -> Result<(String, String), Fault> {
    if !(-FARTHEST_EXPONENT..=FARTHEST_EXPONENT).contains(&exponent) {
        return Err(Fault::TooManyDigits);
    }
    let mut digits: Vec<char> = whole.chars().chain(fraction.chars()).collect();
    let before = i32::try_from(whole.len())
        .unwrap_or(i32::MAX)
        .saturating_add(exponent);
    // Zeros in front, so that the point stands within the digits; behind, likewise.
    let missing = usize::try_from(before.saturating_neg()).unwrap_or(0);
    digits.splice(0..0, std::iter::repeat_n('0', missing));
    let before = usize::try_from(before).unwrap_or(0);
    if digits.len() < before {
        digits.resize(before, '0');
    }
    let fraction = digits.split_off(before);
    Ok((digits.into_iter().collect(), fraction.into_iter().collect()))
}

fn compose(negative: bool, whole: &str, fraction: &str) -> Result<Decimal, Fault> {
    if whole.len() > WHOLE_DIGITS || fraction.len() > FRACTION_DIGITS {
        return Err(Fault::TooManyDigits);
    }
    let digits = format!("{whole}{fraction:0<FRACTION_DIGITS$}");
    let units: i128 = digits.parse().map_err(|_| Fault::NotNumber)?;
    let negative = negative && units != 0;
    let sign = if negative { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    let text = if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    };
    Ok(Decimal {
        text,
        units: if negative { -units } else { units },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_without_rounding() {
        for (text, canonical) in [
            ("7", "7"),
            ("+7", "7"),
            ("007", "7"),
            ("-0", "0"),
            ("-0.50", "-0.50"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1000"),
            ("1.25e1", "12.5"),
            ("125E-4", "0.0125"),
            ("1e-18", "0.000000000000000001"),
            ("0e40", "0"),
            (
                "9223372036854775807.123456789012345678",
                "9223372036854775807.123456789012345678",
            ),
        ] {
            assert_eq!(parse(text).expect(text).text, canonical);
        }
        assert_eq!(
            parse("0.1").expect("a number").units,
            100_000_000_000_000_000
        );
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "", "-", ".", "e3", "1e", "1,5", "0x10", "1_000", "NaN", "inf", "--1", "1.2.3", "٣",
            " 1",
        ] {
            assert_eq!(parse(text), Err(Fault::NotNumber), "{text:?}");
        }
        for text in [
            "1e41",
            "1e-41",
            "1e-19",
            "12345678901234567890",
            &"0".repeat(101),
        ] {
            assert_eq!(parse(text), Err(Fault::TooManyDigits), "{text:?}");
        }
    }
}
