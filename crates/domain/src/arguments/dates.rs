//! Days, times of day, and both together, without zone: what a calendar on a wall says.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime;

use crate::param::Kind;

/// Reads `2026-11-21`, years 0001 to 9999.
pub(super) fn date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let year = digits(year, 4).filter(|year| *year > 0)?;
    let (month, day) = (two_digits(month)?, two_digits(day)?);
    parts
        .next()
        .is_none()
        .then(|| Date::new(year, month, day).ok())?
}

/// Reads `14:30` and `14:30:05`.
pub(super) fn time(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let (hour, minute) = (two_digits(parts.next()?)?, two_digits(parts.next()?)?);
    let second = parts.next().map_or(Some(0), two_digits)?;
    parts
        .next()
        .is_none()
        .then(|| Time::new(hour, minute, second, 0).ok())?
}

/// Reads `2026-11-21T14:30`, also with seconds, also with a space in place of the `T`.
pub(super) fn date_time(text: &str) -> Option<DateTime> {
    let (day, clock) = text.split_once(['T', ' '])?;
    Some(date(day)?.to_datetime(time(clock)?))
}

fn two_digits(text: &str) -> Option<i8> {
    digits(text, 2).and_then(|number| i8::try_from(number).ok())
}

fn digits(text: &str, how_many: usize) -> Option<i16> {
    let fits = text.len() == how_many && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

/// Days since 1970.
pub(super) fn days(date: Date) -> i128 {
    seconds(date.to_datetime(Time::midnight())).div_euclid(86_400)
}

/// Seconds since the beginning of 1970, or since midnight for [`seconds_of_day`].
pub(super) fn seconds(moment: DateTime) -> i128 {
    let start = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
    moment.duration_since(start).as_secs().into()
}

/// Seconds since midnight.
pub(super) fn seconds_of_day(time: Time) -> i128 {
    time.duration_since(Time::midnight()).as_secs().into()
}

/// How the script wants to read a date: `strftime`'s form of a canonical value. `None` when the
/// kind has no dates, the value is none, or the format asks for what the value does not have.
pub fn formatted(kind: Kind, value: &str, format: &str) -> Option<String> {
    match kind {
        Kind::Date => strtime::format(format, date(value)?).ok(),
        Kind::Time => strtime::format(format, time(value)?).ok(),
        Kind::DateTime => strtime::format(format, date_time(value)?).ok(),
        _ => None,
    }
}

/// The author's side: can values of this kind be written in this format?
///
/// # Errors
/// A message for people that says why not.
pub fn check_format(kind: Kind, format: &str) -> Result<(), String> {
    let sample = match kind {
        Kind::Date => "2026-11-21",
        Kind::Time => "14:30:05",
        Kind::DateTime => "2026-11-21T14:30:05",
        _ => return Err("`format` is for the types date, time and datetime".to_owned()),
    };
    match formatted(kind, sample, format) {
        None => Err(format!(
            "`{format}` cannot be written for the type {}; see strftime, such as %d.%m.%Y or %H:%M",
            kind.word()
        )),
        Some(text) if text.is_empty() || text.chars().any(char::is_control) => {
            Err("`format` must give one line of text".to_owned())
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_reaches_the_script_in_its_own_format() {
        for (kind, value, format, text) in [
            (Kind::Date, "2026-11-21", "%d.%m.%Y", Some("21.11.2026")),
            (Kind::Time, "14:30", "%H%M%S", Some("143000")),
            (
                Kind::DateTime,
                "2026-11-21T14:30",
                "%Y-%m-%dT%H:%M:%S",
                Some("2026-11-21T14:30:00"),
            ),
            (Kind::Date, "2026-11-21", "%H", None),
            (Kind::Date, "2026-11-21", "%Q%", None),
            (Kind::Text, "2026-11-21", "%Y", None),
        ] {
            assert_eq!(formatted(kind, value, format).as_deref(), text, "{format}");
        }
    }

    #[test]
    fn a_format_that_the_value_cannot_fill_is_the_authors_error() {
        assert_eq!(check_format(Kind::Date, "%d.%m.%Y"), Ok(()));
        assert_eq!(
            check_format(Kind::Date, "%H:%M"),
            Err("`%H:%M` cannot be written for the type date; see strftime, such as %d.%m.%Y or %H:%M".to_owned())
        );
        assert!(check_format(Kind::Date, "").is_err());
        assert!(check_format(Kind::Date, "%Y%n%d").is_err());
        assert!(check_format(Kind::Text, "%Y").is_err());
    }
}
