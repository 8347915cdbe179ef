//! From when until when a certificate is valid: the one thing in it that the TLS library does not
//! tell a server. Only what stands before it is walked over (RFC 5280, 4.1).

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use stagedoor_domain::time::Timestamp;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Both ends count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Validity {
    /// Of a certificate in DER; none when it is not one.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let mut whole = certificate;
        let mut certificate = inside(&mut whole, SEQUENCE)?;
        let mut fields = inside(&mut certificate, SEQUENCE)?;
        if fields.first() == Some(&VERSION) {
            inside(&mut fields, VERSION)?;
        }
        inside(&mut fields, INTEGER)?; // the serial number
        inside(&mut fields, SEQUENCE)?; // how it is signed
        inside(&mut fields, SEQUENCE)?; // by whom
        let mut validity = inside(&mut fields, SEQUENCE)?;
        Some(Self {
            from: time(&mut validity)?,
            until: time(&mut validity)?,
        })
    }
}

/// What is in the element at the beginning, which is taken off.
fn inside<'a>(from: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (found, content) = element(from)?;
    (found == tag).then_some(content)
}

fn element<'a>(from: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&[tag, short], mut rest) = from.split_first_chunk()?;
    let length = match short {
        0..=0x7f => usize::from(short),
        // More than four bytes of length is no certificate.
        0x81..=0x84 => {
            let (bytes, behind) = rest.split_at_checked(usize::from(short & 0x7f))?;
            rest = behind;
            bytes
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte))
        }
        _ => return None,
    };
    let (content, behind) = rest.split_at_checked(length)?;
    *from = behind;
    Some((tag, content))
}

/// `YYMMDDHHMMSSZ`, where 50 is 1950, or `YYYYMMDDHHMMSSZ`.
fn time(from: &mut &[u8]) -> Option<Timestamp> {
    let (tag, text) = element(from)?;
    let digits = text.strip_suffix(b"Z")?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let mut parts = rest.chunks(2).map(|part| i8::try_from(number(part)?).ok());
    let mut next = || parts.next()?;
    let (month, day, hour, minute, second) = (next()?, next()?, next()?, next()?, next()?);
    let civil = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let instant = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp::from_millis(instant.as_millisecond()))
}

fn number(digits: &[u8]) -> Option<i16> {
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| all_digits)?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(from: (i32, u8, u8), until: (i32, u8, u8)) -> Option<Validity> {
        let mut params =
            rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        let key = rcgen::KeyPair::generate().expect("a key");
        Validity::of(params.self_signed(&key).expect("a certificate").der())
    }

    #[test]
    fn both_ends_are_found_in_either_spelling_of_time() {
        let found = of((1999, 12, 31), (2049, 1, 2)).expect("a certificate");
        assert_eq!(found.from.rfc3339(), "1999-12-31T00:00:00.000Z");
        assert_eq!(found.until.rfc3339(), "2049-01-02T00:00:00.000Z");
        let found = of((2026, 11, 22), (4096, 1, 1)).expect("a certificate");
        assert_eq!(found.from.rfc3339(), "2026-11-22T00:00:00.000Z");
        assert_eq!(found.until.rfc3339(), "4096-01-01T00:00:00.000Z");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Validity::of(&bytes);
        }

        #[test]
        fn a_spoiled_certificate_neither(at in 0_usize..200, byte: u8) {
            let key = rcgen::KeyPair::generate().expect("a key");
            let params = rcgen::CertificateParams::new(vec!["a".to_owned()]).expect("a name");
            let mut der = params.self_signed(&key).expect("a certificate").der().to_vec();
            der[at] = byte;
            let _ = Validity::of(&der);
        }
    }
}
