//! The elements of DER (X.690), as far as a certificate needs them.

pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OBJECT: u8 = 0x06;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;

/// What is in the element at the beginning, which is taken off.
pub(super) fn inside<'a>(from: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (found, content) = element(from)?;
    (found == tag).then_some(content)
}

/// Tag and content of the element at the beginning, which is taken off.
pub(super) fn element<'a>(from: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
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
