//! The certificate and its key: read with checks, swapped while connections go on.
//!
//! A file that is bad when it is read again changes nothing: connections get the certificate of
//! before, and one line in the log says what is wrong.

mod der;
mod error;
mod facts;
mod files;
mod names;
mod watch;

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{Error, ServerConfig};
use stagedoor_config::Tls;
use stagedoor_domain::time::Timestamp;

pub use error::TlsError;
use facts::Facts;
pub use files::Keepers;
use files::Stamps;

/// HTTP/2 in ALPN.
pub(crate) const H2: &[u8] = b"h2";
/// HTTP/1.1 in ALPN.
const HTTP_1_1: &[u8] = b"http/1.1";
/// Keys that the TLS library signs with.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

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
    /// Of the current one, where it can be read.
    facts: Mutex<Option<Facts>>,
    /// That people call this server by.
    hosts: Vec<String>,
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

impl Certificates {
    /// Reads both files. A certificate that is not valid at `now` is used all the same, and the
    /// log says so: browsers warn, which is better than nothing at all. The same with one that is not
    /// for all of `hosts`, or signed in a way that clients take no more.
    ///
    /// # Errors
    /// What is wrong, in which file, and how to mend it.
    pub fn load(
        files: &Tls,
        keepers: Keepers,
        hosts: &[String],
        now: Timestamp,
    ) -> Result<Self, TlsError> {
        // Before the files are read: a change in between is seen at the next look.
        let seen = Stamps::of(files);
        let (key, facts) = read(files, &keepers)?;
        let certificates = Self(Arc::new(Inner {
            files: files.clone(),
            keepers,
            current: Arc::new(Current(ArcSwap::from_pointee(key))),
            seen: Mutex::new(seen),
            facts: Mutex::new(facts),
            hosts: hosts.to_vec(),
            told: AtomicBool::new(false),
        }));
        certificates.warn_of_names();
        certificates.warn_of_dates(now);
        Ok(certificates)
    }

    /// Reads both files again. One line in the log says what came of it.
    pub fn reload(&self, now: Timestamp) {
        // Held for all of it, so that of two at once the later one wins.
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *seen, Stamps::of(&self.0.files));
        let (key, facts) = match read(&self.0.files, &self.0.keepers) {
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
        let until = facts.as_ref().map(|facts| facts.until.rfc3339());
        *self.facts() = facts;
        self.0.told.store(false, Ordering::Relaxed);
        let path = self.0.files.certificate.display();
        tracing::info!(
            until,
            "read the certificate {path} again; new connections get it"
        );
        self.warn_of_names();
        self.warn_of_dates(now);
    }

    fn facts(&self) -> MutexGuard<'_, Option<Facts>> {
        self.0.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What clients will say that the TLS library does not.
    fn warn_of_names(&self) {
        let facts = self.facts();
        let Some(facts) = facts.as_ref() else { return };
        let path = self.0.files.certificate.display();
        if let Some(weak) = facts.weak {
            tracing::error!(
                "the certificate in {path} is signed with {weak}: it is served, and clients refuse it; \
                 have it signed again, with SHA-256"
            );
        }
        let missing = facts.names.missing(&self.0.hosts);
        if !missing.is_empty() {
            tracing::warn!(
                "the certificate in {path} is for {}, and not for {} of `public_host`: browsers that go \
                 there refuse it; get one that names them all in `subjectAltName`, or mend `public_host`",
                facts.names,
                missing.join(", ")
            );
        }
    }

    /// Once for each certificate.
    fn warn_of_dates(&self, now: Timestamp) {
        let facts = self.facts();
        let Some(validity) = facts.as_ref() else {
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

fn read(files: &Tls, keepers: &Keepers) -> Result<(CertifiedKey, Option<Facts>), TlsError> {
    let chain = files::certificates(&files.certificate)?;
    let facts = chain.first().and_then(|first| Facts::of(first));
    if let Some(facts) = &facts {
        judge(facts, &files.certificate)?;
    }
    let key = files::key(&files.key, keepers)?;
    let read = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
    let key = read.map_err(|error| refused(error, files))?;
    Ok((key, facts))
}

/// What the TLS library would refuse in its own words.
fn judge(facts: &Facts, path: &Path) -> Result<(), TlsError> {
    let (path, version) = (path.to_owned(), facts.version);
    if version < 3 {
        return Err(TlsError::OldVersion { path, version });
    }
    match facts.rsa_bits {
        Some(bits) if !RSA_BITS.contains(&bits) => Err(TlsError::RsaSize { path, bits }),
        _ => Ok(()),
    }
}

fn refused(error: Error, files: &Tls) -> TlsError {
    let (certificate, key) = (files.certificate.clone(), files.key.clone());
    match error {
        Error::InconsistentKeys(_) => TlsError::Mismatch { certificate, key },
        // The provider says no more than that.
        Error::General(_) => TlsError::UnknownKey { path: key },
        error => TlsError::Unusable {
            certificate,
            key,
            error,
        },
    }
}
