//! What a certificate says of itself that the TLS library does not tell a server: its dates, its
//! names, and what clients refuse it for (RFC 5280, 4.1).

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use stagedoor_domain::time::Timestamp;

use super::der::{BIT_STRING, BOOLEAN, INTEGER, OBJECT, OCTETS, SEQUENCE, element, inside};
use super::names::Names;

const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `rsaEncryption` (RFC 8017, appendix C).
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// `id-ce-subjectAltName` (RFC 5280, 4.2.1.6).
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// Signatures that clients take no more (RFC 8017, appendix C; RFC 3279, 2.2).
const WEAK: [(&[u8], &str); 5] = [
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 2], "MD2"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4], "MD5"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5], "SHA-1"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], "SHA-1"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3], "SHA-1"),
];

/// Both dates count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// As people count it, from 1.
    pub version: u8,
    /// The hash of its signature, if that is a weak one.
    pub weak: Option<&'static str>,
    pub from: Timestamp,
    pub until: Timestamp,
    /// Of the modulus, if its key is one of RSA.
    pub rsa_bits: Option<usize>,
    /// Whom it is for.
    pub names: Names,
}

impl Facts {
    /// Of a certificate in DER; none when it is not one.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let mut whole = certificate;
        let mut certificate = inside(&mut whole, SEQUENCE)?;
        let mut fields = inside(&mut certificate, SEQUENCE)?;
        let mut version = 1;
        if fields.first() == Some(&VERSION) {
            let mut number = inside(&mut fields, VERSION)?;
            version = inside(&mut number, INTEGER)?.last()?.saturating_add(1);
        }
        inside(&mut fields, INTEGER)?; // the serial number
        let mut signed = inside(&mut fields, SEQUENCE)?;
        let signed = inside(&mut signed, OBJECT)?;
        inside(&mut fields, SEQUENCE)?; // by whom
        let mut validity = inside(&mut fields, SEQUENCE)?;
        let (from, until) = (time(&mut validity)?, time(&mut validity)?);
        inside(&mut fields, SEQUENCE)?; // for whom, as nobody looks at it any more
        let key = inside(&mut fields, SEQUENCE)?;
        Some(Self {
            version,
            weak: WEAK
                .iter()
                .find_map(|(object, hash)| (*object == signed).then_some(*hash)),
            from,
            until,
            rsa_bits: rsa_bits(key),
            names: names(fields).map(Names::of).unwrap_or_default(),
        })
    }
}

fn rsa_bits(mut key: &[u8]) -> Option<usize> {
    let mut kind = inside(&mut key, SEQUENCE)?;
    if inside(&mut kind, OBJECT)? != RSA {
        return None;
    }
    // The first byte says how many bits at the end do not count.
    let mut numbers = inside(&mut key, BIT_STRING)?.strip_prefix(&[0])?;
    let mut numbers = inside(&mut numbers, SEQUENCE)?;
    let modulus = inside(&mut numbers, INTEGER)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let first = modulus.get(zeros)?.leading_zeros();
    Some((modulus.len() - zeros) * 8 - usize::try_from(first).ok()?)
}

/// What the extension holds, among the fields behind the key.
fn names(mut fields: &[u8]) -> Option<&[u8]> {
    let mut extensions = loop {
        if let (EXTENSIONS, content) = element(&mut fields)? {
            break content;
        }
    };
    let mut extensions = inside(&mut extensions, SEQUENCE)?;
    loop {
        let mut extension = inside(&mut extensions, SEQUENCE)?;
        let object = inside(&mut extension, OBJECT)?;
        if extension.first() == Some(&BOOLEAN) {
            inside(&mut extension, BOOLEAN)?;
        }
        if object == SUBJECT_ALT_NAME {
            let mut names = inside(&mut extension, OCTETS)?;
            return inside(&mut names, SEQUENCE);
        }
    }
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

    fn of(from: (i32, u8, u8), until: (i32, u8, u8)) -> Option<Facts> {
        let mut params =
            rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        let key = rcgen::KeyPair::generate().expect("a key");
        Facts::of(params.self_signed(&key).expect("a certificate").der())
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

    /// One that OpenSSL made.
    fn made(pem: &str) -> Facts {
        use rustls::pki_types::pem::PemObject as _;
        let der = rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes());
        Facts::of(&der.expect("PEM")).expect("a certificate")
    }

    #[test]
    fn w2_what_clients_refuse_a_certificate_for_is_found() {
        let short = made(include_str!("../../tests/certificates/rsa-1024.pem"));
        let md5 = made(include_str!("../../tests/certificates/md5.pem"));
        let sha = made(include_str!("../../tests/certificates/sha-1.pem"));
        let old = made(include_str!("../../tests/certificates/version-1.pem"));
        let found = [short, md5, sha, old].map(|it| {
            let names = it.names.to_string();
            (it.version, it.weak, it.rsa_bits, names)
        });
        let names = || "localhost, 192.0.2.1".to_owned();
        let nobody = "no name in `subjectAltName`".to_owned();
        let wanted = [
            (3, None, Some(1024), names()),
            (3, Some("MD5"), Some(2048), names()),
            (3, Some("SHA-1"), None, names()),
            (1, None, None, nobody),
        ];
        assert_eq!(found, wanted);
        let good = of((2026, 1, 1), (2027, 1, 1)).expect("a certificate");
        assert_eq!((good.version, good.weak, good.rsa_bits), (3, None, None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Facts::of(&bytes);
        }

        #[test]
        fn a_spoiled_certificate_neither(at in 0_usize..200, byte: u8) {
            let key = rcgen::KeyPair::generate().expect("a key");
            let params = rcgen::CertificateParams::new(vec!["a".to_owned()]).expect("a name");
            let mut der = params.self_signed(&key).expect("a certificate").der().to_vec();
            der[at] = byte;
            let _ = Facts::of(&der);
        }
    }
}
