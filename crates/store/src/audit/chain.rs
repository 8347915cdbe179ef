//! The hashes of the chain: HMAC-SHA-256 over a canonical encoding.
//!
//! Every part is written with its length, so no two records have one encoding, and each kind of hash
//! begins with a word of its own.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::fields::{Fields, Hash};

/// Stands for the hash of a record before the first one.
pub(crate) const NONE: Hash = [0; 32];
/// Stands for the hash of the record before, where the end of the log is not as it was written:
/// what comes then follows nothing, and is found.
pub(crate) const NOT_OURS: Hash = [0xff; 32];
/// Bytes of the key.
pub(crate) const KEY_BYTES: usize = 32;
/// The block of SHA-256, in bytes.
const HASH_BLOCK: usize = 64;
/// What the hash of a record begins with; another encoding would have another number.
const RECORD: &[u8] = b"stagedoor audit record 1";
/// And the mark of the chain's end.
const END: &[u8] = b"stagedoor audit end 1";

/// Makes and checks hashes; keeps the two halves of HMAC with the key already in them.
#[derive(Clone)]
pub(crate) struct Chain {
    inner: Sha256,
    outer: Sha256,
}

impl Chain {
    /// Under this key.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        let keyed = |pad: u8| {
            let mut block = Zeroizing::new([pad; HASH_BLOCK]);
            let bytes = block.iter_mut().zip(key);
            bytes.for_each(|(byte, key)| *byte ^= key);
            Sha256::new().chain_update(*block)
        };
        Self {
            inner: keyed(0x36),
            outer: keyed(0x5c),
        }
    }

    /// The hash of a record, which covers that of the one before.
    pub fn hash(&self, record: &Fields<'_>) -> Hash {
        let mut mac = self.begin(RECORD);
        mac.number(record.seq);
        mac.number(record.at);
        mac.text(record.actor);
        mac.maybe(record.user_id, Mac::number);
        mac.maybe(record.user_name, Mac::text);
        mac.maybe(record.number, Mac::number);
        mac.maybe(record.address, Mac::text);
        mac.text(record.act);
        mac.text(record.target);
        mac.text(record.outcome);
        mac.text(record.detail);
        mac.bytes(&record.prev);
        mac.end()
    }

    /// The mark of a chain that ends with this record.
    pub fn mark(&self, seq: i64, hash: &Hash) -> Hash {
        let mut mac = self.begin(END);
        mac.number(seq);
        mac.bytes(hash);
        mac.end()
    }

    fn begin(&self, kind: &[u8]) -> Mac<'_> {
        let mut mac = Mac {
            inner: self.inner.clone(),
            outer: &self.outer,
        };
        mac.bytes(kind);
        mac
    }
}

/// A hash that is being made.
struct Mac<'a> {
    inner: Sha256,
    outer: &'a Sha256,
}

impl Mac<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.inner.update((bytes.len() as u64).to_le_bytes());
        self.inner.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn number(&mut self, number: i64) {
        self.bytes(&number.to_le_bytes());
    }

    /// What is missing differs from what is empty.
    fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.inner.update([u8::from(value.is_some())]);
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn end(self) -> Hash {
        let outer = self.outer.clone();
        outer.chain_update(self.inner.finalize()).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Fields<'_> = Fields {
        seq: 3,
        at: 5,
        actor: "user",
        user_id: Some(1),
        user_name: Some("ann"),
        number: None,
        address: Some("127.0.0.1"),
        act: "sign_in",
        target: "ann",
        outcome: "done",
        detail: "{}",
        prev: [9; 32],
    };

    #[test]
    fn a_hash_is_that_of_rfc_4231() {
        // Case 4, whose key of 25 bytes is one of 32 with zeros behind.
        let mut key = [0; KEY_BYTES];
        key.iter_mut().zip(1..=25).for_each(|(byte, n)| *byte = n);
        let chain = Chain::new(&key);
        let mut mac = Mac {
            inner: chain.inner.clone(),
            outer: &chain.outer,
        };
        mac.inner.update([0xcd; 50]);
        assert_eq!(
            mac.end(),
            [
                0x82, 0x55, 0x8a, 0x38, 0x9a, 0x44, 0x3c, 0x0e, 0xa4, 0xcc, 0x81, 0x98, 0x99, 0xf2,
                0x08, 0x3a, 0x85, 0xf0, 0xfa, 0xa3, 0xe5, 0x78, 0xf8, 0x07, 0x7a, 0x2e, 0x3f, 0xf4,
                0x67, 0x29, 0x66, 0x5b,
            ]
        );
    }

    #[test]
    fn the_hash_covers_every_field_and_the_key() {
        let chain = Chain::new(&[7; 32]);
        let others = [
            Fields { seq: 4, ..RECORD },
            Fields { at: 6, ..RECORD },
            Fields {
                actor: "token",
                ..RECORD
            },
            Fields {
                user_id: None,
                ..RECORD
            },
            Fields {
                user_name: Some("anne"),
                ..RECORD
            },
            Fields {
                number: Some(0),
                ..RECORD
            },
            Fields {
                address: None,
                ..RECORD
            },
            Fields {
                act: "sign_out",
                ..RECORD
            },
            Fields {
                target: "",
                ..RECORD
            },
            Fields {
                outcome: "refused",
                ..RECORD
            },
            Fields {
                detail: "{ }",
                ..RECORD
            },
            Fields {
                prev: [8; 32],
                ..RECORD
            },
            // The same bytes, cut elsewhere.
            Fields {
                act: "sign_i",
                target: "nann",
                ..RECORD
            },
        ];
        let hash = chain.hash(&RECORD);
        assert_eq!(hash, chain.hash(&RECORD));
        for other in others {
            assert_ne!(hash, chain.hash(&other), "{other:?}");
        }
        assert_ne!(hash, Chain::new(&[8; 32]).hash(&RECORD));
    }

    #[test]
    fn the_mark_of_an_end_is_of_this_end_alone() {
        let chain = Chain::new(&[7; 32]);
        let mark = chain.mark(3, &[1; 32]);
        assert_ne!(mark, chain.mark(4, &[1; 32]));
        assert_ne!(mark, chain.mark(3, &[2; 32]));
        assert_ne!(mark, Chain::new(&[8; 32]).mark(3, &[1; 32]));
    }
}
