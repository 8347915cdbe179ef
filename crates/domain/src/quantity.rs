//! Durations and sizes as people write them: `1h30m`, `10MiB`. A bare number is an error.

use std::time::Duration;

/// Why a text is not a duration or a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadQuantity {
    /// No unit behind the number.
    #[error("`{0}` has no unit; write {1}")]
    NoUnit(String, &'static str),
    /// Not a quantity at all.
    #[error("`{0}` is not understood; write {1}")]
    NotUnderstood(String, &'static str),
    /// Larger than can be counted.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

const DURATION_FORM: &str = "30s, 10m, 2h, 1d or 1h30m";
const SIZE_FORM: &str = "64KiB, 10MiB or 1GB";

/// Reads `30s`, `10m`, `2h`, `1d`, `1h30m`, `250ms`.
pub fn parse_duration(text: &str) -> Result<Duration, BadQuantity> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    if text.is_empty() {
        return Err(BadQuantity::NotUnderstood(text.to_owned(), DURATION_FORM));
    }
    while !rest.is_empty() {
        let (number, unit, after) = number_and_unit(rest, text, DURATION_FORM)?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(BadQuantity::NotUnderstood(text.to_owned(), DURATION_FORM)),
        };
        let part = number
            .checked_mul(millis)
            .ok_or_else(|| BadQuantity::TooLarge(text.to_owned()))?;
        total = total
            .checked_add(Duration::from_millis(part))
            .ok_or_else(|| BadQuantity::TooLarge(text.to_owned()))?;
        rest = after;
    }
    Ok(total)
}

/// Reads `10B`, `64KiB`, `10MiB`, `1GiB`, `10KB`, `10MB`, `1GB`; the result is in bytes.
pub fn parse_size(text: &str) -> Result<u64, BadQuantity> {
    let (number, unit, after) = number_and_unit(text, text, SIZE_FORM)?;
    let factor: u64 = match (unit, after) {
        ("B", "") => 1,
        ("KB" | "kB", "") => 1_000,
        ("MB", "") => 1_000_000,
        ("GB", "") => 1_000_000_000,
        ("KiB", "") => 1 << 10,
        ("MiB", "") => 1 << 20,
        ("GiB", "") => 1 << 30,
        _ => return Err(BadQuantity::NotUnderstood(text.to_owned(), SIZE_FORM)),
    };
    number
        .checked_mul(factor)
        .ok_or_else(|| BadQuantity::TooLarge(text.to_owned()))
}

fn number_and_unit<'a>(
    rest: &'a str,
    whole: &str,
    form: &'static str,
) -> Result<(u64, &'a str, &'a str), BadQuantity> {
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (number, after) = rest.split_at(digits);
    let letters = after
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(after.len());
    let (unit, after) = after.split_at(letters);
    if number.is_empty() {
        return Err(BadQuantity::NotUnderstood(whole.to_owned(), form));
    }
    if unit.is_empty() && after.is_empty() {
        return Err(BadQuantity::NoUnit(whole.to_owned(), form));
    }
    let number = number
        .parse()
        .map_err(|_| BadQuantity::TooLarge(whole.to_owned()))?;
    Ok((number, unit, after))
}

/// A duration for people, in the two largest units: `3 min 12 s`, `41 s`, `0.4 s`.
pub fn say_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        0 if millis == 0 => "0 s".to_owned(),
        0..10 => format!("{}.{} s", seconds, (millis % 1000) / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A size for people: `64 MiB`, `1.5 KiB`, `12 B`.
pub fn say_size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, size) in UNITS {
        if bytes >= size {
            let tenths = bytes.saturating_mul(10) / size;
            return if tenths.is_multiple_of(10) {
                format!("{} {unit}", tenths / 10)
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let seconds = |text| parse_duration(text).map(|d| d.as_secs());
        assert_eq!(seconds("30s"), Ok(30));
        assert_eq!(seconds("1h30m"), Ok(5400));
        assert_eq!(seconds("1d"), Ok(86_400));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
    }

    #[test]
    fn a_bare_number_is_an_error_that_shows_the_form() {
        let error = parse_duration("30").expect_err("no unit");
        assert_eq!(
            error.to_string(),
            "`30` has no unit; write 30s, 10m, 2h, 1d or 1h30m"
        );
        assert!(parse_size("10").is_err());
        for text in [
            "",
            "s",
            "-3s",
            "3 s",
            "3w",
            "99999999999999999999s",
            "9999999999999999d",
        ] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_are_in_bytes() {
        assert_eq!(parse_size("10MiB"), Ok(10 << 20));
        assert_eq!(parse_size("1GB"), Ok(1_000_000_000));
        assert!(parse_size("10MiB5").is_err());
        assert!(parse_size("10XB").is_err());
    }

    #[test]
    fn durations_and_sizes_are_said_for_people() {
        assert_eq!(say_duration(Duration::from_millis(412)), "0.4 s");
        assert_eq!(say_duration(Duration::from_secs(192)), "3 min 12 s");
        assert_eq!(say_size(64 << 20), "64 MiB");
        assert_eq!(say_size(1536), "1.5 KiB");
    }
}
