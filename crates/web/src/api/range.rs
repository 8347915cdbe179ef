//! The header `Range` (RFC 9110, section 14): one range of bytes.

use std::ops::Range;

/// What part of a representation a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it: no range, or one that a server is free to ignore (another unit, several
    /// ranges, a syntax that is not understood).
    Whole,
    /// These bytes; never empty, never beyond the end.
    Bytes(Range<u64>),
    /// A range that has no byte in the representation: 416.
    Unsatisfiable,
}

/// Which part of `size` bytes the header asks for.
pub(crate) fn part(header: Option<&str>, size: u64) -> Part {
    let Some((first, last)) = header.and_then(one_range) else {
        return Part::Whole;
    };
    let bytes = match (first, last) {
        (Some(first), Some(last)) if last < first => return Part::Whole,
        (Some(first), last) => {
            let end = last.map_or(size, |last| last.saturating_add(1).min(size));
            first..end
        }
        (None, Some(suffix)) => size.saturating_sub(suffix)..size,
        (None, None) => return Part::Whole,
    };
    if bytes.is_empty() {
        Part::Unsatisfiable
    } else {
        Part::Bytes(bytes)
    }
}

/// `bytes=5-9`, `bytes=5-` or `bytes=-5`.
fn one_range(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, ranges) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || ranges.contains(',') {
        return None;
    }
    let (first, last) = ranges.trim().split_once('-')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (digits(first) && digits(last)).then(|| (position(first), position(last)))
}

/// Of digits; a number beyond 64 bits is as good as the largest one.
fn position(digits: &str) -> Option<u64> {
    (!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_rfc_9110_says() {
        let rows = [
            (None, 10, Part::Whole),
            (Some("bytes=0-0"), 10, Part::Bytes(0..1)),
            (Some("bytes=0-"), 10, Part::Bytes(0..10)),
            (Some("bytes=2-5"), 10, Part::Bytes(2..6)),
            (Some("BYTES= 2-5 "), 10, Part::Bytes(2..6)),
            (Some("bytes=2-99"), 10, Part::Bytes(2..10)),
            (
                Some("bytes=2-99999999999999999999999"),
                10,
                Part::Bytes(2..10),
            ),
            (Some("bytes=-3"), 10, Part::Bytes(7..10)),
            (Some("bytes=-99"), 10, Part::Bytes(0..10)),
            (Some("bytes=9-"), 10, Part::Bytes(9..10)),
            (Some("bytes=10-"), 10, Part::Unsatisfiable),
            (Some("bytes=10-12"), 10, Part::Unsatisfiable),
            (
                Some("bytes=99999999999999999999999-"),
                10,
                Part::Unsatisfiable,
            ),
            (Some("bytes=-0"), 10, Part::Unsatisfiable),
            (Some("bytes=0-"), 0, Part::Unsatisfiable),
            (Some("bytes=-5"), 0, Part::Unsatisfiable),
            (Some("bytes=5-2"), 10, Part::Whole),
            (Some("bytes=0-1,4-5"), 10, Part::Whole),
            (Some("bytes=-"), 10, Part::Whole),
            (Some("bytes="), 10, Part::Whole),
            (Some("bytes=+1-2"), 10, Part::Whole),
            (Some("bytes=1--2"), 10, Part::Whole),
            (Some("lines=1-2"), 10, Part::Whole),
            (Some("bytes"), 10, Part::Whole),
        ];
        for (header, size, expected) in rows {
            assert_eq!(part(header, size), expected, "{header:?} of {size}");
        }
    }
}
