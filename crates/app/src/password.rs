//! Passwords: how they are hashed and compared, and what is good enough.
//!
//! Hashing runs in the blocking pool, a few at once, so a flood of sign-ins cannot take all
//! cores or all memory.

mod strength;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use stagedoor_domain::name::UserName;
use stagedoor_domain::time::Chance;
use tokio::sync::Semaphore;

pub(crate) use strength::is_too_long;
pub use strength::{LONGEST, SHORTEST, Weak, judge};

/// A password as somebody typed it; prints as `[REDACTED]`.
pub type Password = SecretString;

/// Hashes computed at once. Each takes 19 MiB.
const AT_ONCE: usize = 2;
/// Sign-ins that may wait for a hash; beyond it they are told to try again.
const WAITING: usize = 64;
/// Of these, from one address.
const PER_ADDRESS: usize = 8;

/// The server has as many passwords to check as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins at once; try again in a moment")]
pub struct Busy;

/// Hashes and compares passwords with argon2id, 19 MiB, two passes.
#[derive(Clone)]
pub struct Hasher {
    permits: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// How many work or wait, by address.
    busy: Shares,
    /// Compared against when there is no such user, so that the answer takes as long.
    nobody: Arc<str>,
    /// What the server is called, which is in no good password.
    hosts: Arc<[String]>,
}

impl Hasher {
    /// Ready to hash.
    pub fn new(chance: &dyn Chance) -> Self {
        let mut salt = [0; 16];
        chance.fill(&mut salt);
        let nobody = hash_with(b"nobody has this password", &salt).unwrap_or_default();
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            queue: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
            busy: Arc::default(),
            nobody: nobody.into(),
            hosts: Arc::default(),
        }
    }

    /// The same, where the server is called so.
    #[must_use]
    pub fn on_hosts(self, hosts: Vec<String>) -> Self {
        Self {
            hosts: hosts.into(),
            ..self
        }
    }

    /// [`judge`], which may take long for a text that is made for it.
    pub async fn judge(
        &self,
        password: Password,
        user_name: UserName,
        address: String,
    ) -> Result<Result<(), Weak>, Busy> {
        let hosts = Arc::clone(&self.hosts);
        let judge = move || judge(&password, user_name.as_str(), &hosts);
        self.in_turn(address, judge).await
    }

    /// The hash of a new password, in PHC form.
    pub async fn hash(
        &self,
        password: Password,
        chance: &dyn Chance,
        address: String,
    ) -> Result<String, Busy> {
        let mut salt = [0; 16];
        chance.fill(&mut salt);
        let hash = move || hash_with(password.expose_secret().as_bytes(), &salt);
        self.in_turn(address, hash).await?.ok_or(Busy)
    }

    /// Is this the password of that hash? Without a hash: no, and it takes as long.
    pub async fn matches(
        &self,
        password: Password,
        hash: Option<String>,
        address: String,
    ) -> Result<bool, Busy> {
        if is_too_long(&password) {
            return Ok(false);
        }
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        let compare = move || compare(password.expose_secret().as_bytes(), &hash);
        let same = self.in_turn(address, compare).await?;
        Ok(same && known)
    }

    /// A few at once in all, and a share of the places for each address, so that a flood from one
    /// does not keep the others out.
    async fn in_turn<T: Send + 'static>(
        &self,
        address: String,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let share = Share::take(&self.busy, address, PER_ADDRESS)?;
        let place = Arc::clone(&self.queue)
            .try_acquire_owned()
            .map_err(|_| Busy)?;
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| Busy)?;
        tokio::task::spawn_blocking(move || {
            // Held to the end of the work, even when nobody waits for it any more.
            let _held = (permit, place, share);
            work()
        })
        .await
        .map_err(|_| Busy)
    }
}

/// How many work or wait, by address.
pub(crate) type Shares = Arc<Mutex<HashMap<String, usize>>>;

/// A place in the share of one address, given back when it is dropped.
pub(crate) struct Share {
    busy: Shares,
    address: String,
}

impl Share {
    /// One of `most`.
    pub(crate) fn take(busy: &Shares, address: String, most: usize) -> Result<Self, Busy> {
        let mut counts = busy.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address.clone()).or_insert(0);
        if *count >= most {
            return Err(Busy);
        }
        *count += 1;
        Ok(Self {
            busy: Arc::clone(busy),
            address,
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// The hash of a password outside the server, for the command line.
pub fn hash_now(password: &Password, chance: &dyn Chance) -> Option<String> {
    let mut salt = [0; 16];
    chance.fill(&mut salt);
    hash_with(password.expose_secret().as_bytes(), &salt)
}

fn argon2() -> Option<Argon2<'static>> {
    let params = Params::new(19 * 1024, 2, 1, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_with(password: &[u8], salt: &[u8]) -> Option<String> {
    let hash: PasswordHash = argon2()?.hash_password_with_salt(password, salt).ok()?;
    Some(hash.to_string())
}

fn compare(password: &[u8], hash: &str) -> bool {
    let (Some(argon2), Ok(hash)) = (argon2(), PasswordHash::new(hash)) else {
        return false;
    };
    argon2.verify_password(password, &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zero;
    impl Chance for Zero {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(5);
        }
    }

    fn here() -> String {
        "127.0.0.1".to_owned()
    }

    fn password(text: &str) -> Password {
        SecretString::from(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let hasher = Hasher::new(&Zero);
        let hash = hasher
            .hash(password("correct horse battery"), &Zero, here())
            .await
            .expect("hashes");
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let same = hasher
            .matches(
                password("correct horse battery"),
                Some(hash.clone()),
                here(),
            )
            .await;
        assert_eq!(same, Ok(true));
        let other = hasher
            .matches(password("correct horse batterz"), Some(hash), here())
            .await;
        assert_eq!(other, Ok(false));
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        let hasher = Hasher::new(&Zero);
        assert_eq!(
            hasher
                .matches(password("nobody has this password"), None, here())
                .await,
            Ok(false)
        );
    }

    #[tokio::test]
    async fn one_address_does_not_take_the_places_of_the_others() {
        let hasher = Hasher::new(&Zero);
        let flood: Vec<_> = (0..PER_ADDRESS)
            .map(|_| Share::take(&hasher.busy, here(), PER_ADDRESS).expect("a place"))
            .collect();
        let guess = |address: &str| {
            let (hasher, address) = (hasher.clone(), address.to_owned());
            async move {
                hasher
                    .matches(password("a guess of a password"), None, address)
                    .await
            }
        };
        assert_eq!(guess("127.0.0.1").await, Err(Busy));
        assert_eq!(guess("127.0.0.2").await, Ok(false));
        drop(flood);
        assert_eq!(guess("127.0.0.1").await, Ok(false));
        assert!(hasher.busy.lock().expect("not poisoned").is_empty());
    }
}
