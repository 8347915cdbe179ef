//! Why a certificate cannot be used, and how to mend it.

use std::path::PathBuf;

use rustls::Error;

/// A key that every client takes, and the request that an authority wants for it.
const NEW_KEY: &str = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=NAME \
                       -keyout NEW.key -out NEW.csr";

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of the files is not there, may not be read, or is no file.
    #[error("could not read {path}: {error}{mend}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
        /// What to do, where that is known.
        mend: String,
    },
    /// There is no certificate in the file.
    #[error(
        "{path} holds no certificate; write the server's certificate first and those between it and \
         a root after it, each from `-----BEGIN CERTIFICATE-----` to `-----END CERTIFICATE-----`"
    )]
    NoCertificate {
        /// Which.
        path: PathBuf,
    },
    /// There is no key in the file.
    #[error(
        "{path} holds no private key that is open; write it from `-----BEGIN PRIVATE KEY-----` to \
         `-----END PRIVATE KEY-----`, without a passphrase (`openssl pkey -in OLD -out NEW` takes it off)"
    )]
    NoKey {
        /// Which.
        path: PathBuf,
    },
    /// Certificate and key were not made for each other.
    #[error(
        "the key in {key} does not belong to the first certificate in {certificate}; name the key \
         that the certificate was made for, and put the server's own certificate first"
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// Others could read or change the key.
    #[error("others can read the key {path} (mode {mode:04o}), so it is not used; run: {mend}")]
    Open {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// The command that closes it and leaves it to the server.
        mend: String,
    },
    /// The key's owner is neither root nor the server nor who started it.
    #[error(
        "the key {path} belongs to uid {owner}, who could read and change it, so it is not used; \
         run: chown {wanted} {path}"
    )]
    Owner {
        /// Which.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose it may be.
        wanted: u32,
    },
    /// A certificate of the first kind, which names nobody.
    #[error(
        "the certificate in {path} is of version {version}, which no browser takes; have it made again as \
         version 3 with the server's names in `subjectAltName` (`openssl x509 -req` does so with `-extfile`)"
    )]
    OldVersion {
        /// Which.
        path: PathBuf,
        /// As people count it.
        version: u8,
    },
    /// An RSA key that clients do not take, or that costs too much.
    #[error(
        "the certificate in {path} is for an RSA key of {bits} bits, and only 2048 to 8192 are taken; make a \
         new key and get a certificate for it, as in: {NEW_KEY}"
    )]
    RsaSize {
        /// The certificate's file.
        path: PathBuf,
        /// Of its modulus.
        bits: usize,
    },
    /// A key that the TLS library does not know.
    #[error(
        "the key in {path} is damaged, or of a kind that is not spoken here; take ECDSA (P-256, P-384, P-521), \
         Ed25519, or RSA with 2048 to 8192 bits, and get a certificate for it, as in: {NEW_KEY}"
    )]
    UnknownKey {
        /// Which.
        path: PathBuf,
    },
    /// The TLS library refuses them.
    #[error(
        "could not use {certificate} with {key}: {error}; if a file is damaged, put it there again, the \
         server's own certificate first"
    )]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        error: Error,
    },
}

impl TlsError {
    /// Whether the same files may be good at the next look: no descriptor was free, the disk failed.
    pub(super) fn may_pass(&self) -> bool {
        use std::io::ErrorKind::{InvalidData, InvalidInput, NotFound, PermissionDenied};
        let is_lasting = |kind| {
            matches!(
                kind,
                NotFound | PermissionDenied | InvalidInput | InvalidData
            )
        };
        matches!(self, Self::Unreadable { error, .. } if !is_lasting(error.kind()))
    }
}
