//! The certificate and its key: read with checks, swapped while connections go on.
//!
//! A file that is bad when it is read again changes nothing: connections get the certificate of
//! before, and one line in the log says what is wrong.

mod files;
mod validity;
mod watch;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{Error, ServerConfig};
use stagedoor_config::Tls;
use stagedoor_domain::time::Timestamp;

pub use files::Keepers;
use files::Stamps;
use validity::Validity;

/// HTTP/2 in ALPN.
pub(crate) const H2: &[u8] = b"h2";
/// HTTP/1.1 in ALPN.
const HTTP_1_1: &[u8] = b"http/1.1";

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
        mend: &'static str,
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
    #[error(
        "others can read the key {path} (mode {mode:04o}), so it is not used; run: chmod 600 {path}"
    )]
    Open {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
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
    /// The TLS library refuses them.
    #[error("could not use {certificate} with {key}: {error}")]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        error: Error,
    },
}

/// The certificate that new connections get. Clones are the same.
#[derive(Debug, Clone)]
pub struct Certificates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: Tls,
    keepers: Keepers,
    current: Arc<Current>,
    /// How the files were when they were last looked at.
    seen: Mutex<Stamps>,
    validity: Mutex<Option<Validity>>,
    /// Nobody is told twice that one certificate has expired.
    told: AtomicBool,
}

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl TlsError {
    /// Whether the same files may be good at the next look: no descriptor was free, the disk failed.
    fn may_pass(&self) -> bool {
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

impl Certificates {
    /// Reads both files. A certificate that is not valid at `now` is used all the same, and the
    /// log says so: browsers warn, which is better than nothing at all.
    ///
    /// # Errors
    /// What is wrong, in which file, and how to mend it.
    pub fn load(files: &Tls, keepers: Keepers, now: Timestamp) -> Result<Self, TlsError> {
        // Before the files are read: a change in between is seen at the next look.
        let seen = Stamps::of(files);
        let (key, validity) = read(files, &keepers)?;
        let certificates = Self(Arc::new(Inner {
            files: files.clone(),
            keepers,
            current: Arc::new(Current(ArcSwap::from_pointee(key))),
            seen: Mutex::new(seen),
            validity: Mutex::new(validity),
            told: AtomicBool::new(false),
        }));
        certificates.warn_of_dates(now);
        Ok(certificates)
    }

    /// Reads both files again. One line in the log says what came of it.
    pub fn reload(&self, now: Timestamp) {
        // Held for all of it, so that of two at once the later one wins.
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *seen, Stamps::of(&self.0.files));
        let (key, validity) = match read(&self.0.files, &self.0.keepers) {
            Ok(read) => read,
            Err(error) => {
                tracing::error!("the certificate stays as it was: {error}");
                // No descriptor, a disk that fails: it may work at the next look.
                if error.may_pass() {
                    *seen = before;
                }
                return;
            }
        };
        self.0.current.0.store(Arc::new(key));
        *self.validity() = validity;
        self.0.told.store(false, Ordering::Relaxed);
        let until = validity.map(|validity| validity.until.rfc3339());
        let path = self.0.files.certificate.display();
        tracing::info!(
            until,
            "read the certificate {path} again; new connections get it"
        );
        self.warn_of_dates(now);
    }

    fn validity(&self) -> std::sync::MutexGuard<'_, Option<Validity>> {
        let validity = self.0.validity.lock();
        validity.unwrap_or_else(PoisonError::into_inner)
    }

    /// Once for each certificate.
    fn warn_of_dates(&self, now: Timestamp) {
        let Some(validity) = *self.validity() else {
            return;
        };
        let path = self.0.files.certificate.display();
        let wrong = if now < validity.from {
            format!("is not valid before {}", validity.from.rfc3339())
        } else if now > validity.until {
            format!("expired at {}", validity.until.rfc3339())
        } else {
            return;
        };
        if !self.0.told.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "the certificate in {path} {wrong}: it is served, and clients refuse it; renew it, \
                 or look at this machine's clock"
            );
        }
    }

    /// TLS 1.2 and 1.3 with this certificate, HTTP/2 before HTTP/1.1.
    pub(crate) fn server_config(&self) -> Result<ServerConfig, Error> {
        // Given, not looked up: a second provider in the tree would make the lookup panic.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let resolver = Arc::clone(&self.0.current);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
        // The order is ours, AES-256 first: what scanners ask for. Its price: a telephone without
        // AES in its processor would be faster with `ChaCha20`, and cannot say so any more. All that
        // is offered is strong, so nothing else hangs on it.
        config.ignore_client_order = true;
        Ok(config)
    }
}

fn read(files: &Tls, keepers: &Keepers) -> Result<(CertifiedKey, Option<Validity>), TlsError> {
    let chain = files::certificates(&files.certificate)?;
    let validity = chain.first().and_then(|first| Validity::of(first));
    let key = files::key(&files.key, keepers)?;
    let (certificate, path) = (files.certificate.clone(), files.key.clone());
    let read = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
    let key = read.map_err(|error| match error {
        Error::InconsistentKeys(_) => TlsError::Mismatch {
            certificate,
            key: path,
        },
        error => TlsError::Unusable {
            certificate,
            key: path,
            error,
        },
    })?;
    Ok((key, validity))
}
