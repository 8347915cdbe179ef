//! A record as its columns are, whatever stands in them: what is hashed, written and compared.

/// A hash of the chain.
pub(crate) type Hash = [u8; 32];

/// One record. Its texts are borrowed from an entry, or from a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fields<'a> {
    pub seq: i64,
    pub at: i64,
    pub actor: &'a str,
    pub user_id: Option<i64>,
    pub user_name: Option<&'a str>,
    pub number: Option<i64>,
    pub address: Option<&'a str>,
    pub act: &'a str,
    pub target: &'a str,
    pub outcome: &'a str,
    /// JSON, as it was written.
    pub detail: &'a str,
    pub prev: Hash,
}
