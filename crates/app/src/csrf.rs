//! One-time tokens against cross-site request forgery (rows W77 to W82).
//!
//! The pool lives in memory: a token is worth five minutes, and a page that was open across a
//! restart is shown again with its values and a new token. What must not happen twice across a
//! restart, the start of a run, is guarded by its request key in the store.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stagedoor_domain::id::{RunId, UserId};
use stagedoor_domain::time::{Chance, Clock};

use crate::session_key::{RequestKey, SessionKey, digest, new_cookie_value, random_text};

/// How long a token may be used.
pub const LIFETIME: Duration = Duration::from_mins(5);
/// Tokens per session; the oldest is dropped.
pub const PER_SESSION: usize = 128;
/// Sessions that have a pool, signed in or not; beyond it the one that was quiet longest goes.
const SESSIONS: usize = 10_000;
/// Bytes of chance in a token, 64 characters as text (row W78).
const TOKEN_BYTES: usize = 48;

/// What a presented token was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// It was good and is used up now. A run that it starts is named by this key.
    Fresh(RequestKey),
    /// It was used before, perhaps for this run.
    Used(Option<RunId>),
    /// Not a token of this session, or too old.
    Unknown,
}

struct Token {
    key: RequestKey,
    minted: Duration,
    worth: Worth,
}

#[derive(Clone, Copy)]
enum Worth {
    Good,
    UsedUp(Option<RunId>),
}

#[derive(Default)]
struct Pool {
    tokens: VecDeque<Token>,
    last_minted: Duration,
}

/// All pools.
pub struct Csrf {
    pools: Mutex<HashMap<SessionKey, Pool>>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
}

impl Csrf {
    /// No tokens yet.
    pub fn new(clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        Self {
            pools: Mutex::default(),
            clock,
            chance,
        }
    }

    /// A cookie value and its key, for the forms of somebody who is not signed in.
    pub fn pre_session(&self) -> (String, SessionKey) {
        loop {
            let value = new_cookie_value(UserId(0), &*self.chance);
            if let Some(key) = SessionKey::of(&value) {
                return (value, key);
            }
        }
    }

    /// A new token of this session: 64 characters.
    pub fn mint(&self, session: &SessionKey) -> String {
        let text = random_text::<TOKEN_BYTES>(&*self.chance);
        let now = self.clock.monotonic();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if pools.len() >= SESSIONS && !pools.contains_key(session) {
            make_room(&mut pools, now);
        }
        let pool = pools.entry(*session).or_default();
        pool.last_minted = now;
        if pool.tokens.len() >= PER_SESSION {
            pool.tokens.pop_front();
        }
        pool.tokens.push_back(Token {
            key: key_of(&text),
            minted: now,
            worth: Worth::Good,
        });
        text
    }

    /// Uses a token up, whatever becomes of the request.
    pub fn spend(&self, session: &SessionKey, text: &str) -> Spent {
        let key = key_of(text);
        let now = self.clock.monotonic();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let token = pools
            .get_mut(session)
            .and_then(|pool| pool.tokens.iter_mut().find(|token| token.key == key));
        match token {
            Some(Token {
                worth: Worth::UsedUp(run),
                ..
            }) => Spent::Used(*run),
            Some(token) if now.saturating_sub(token.minted) <= LIFETIME => {
                token.worth = Worth::UsedUp(None);
                Spent::Fresh(key)
            }
            Some(_) | None => Spent::Unknown,
        }
    }

    /// Notes which run a token started, so that its second use leads there.
    pub fn started(&self, session: &SessionKey, key: &RequestKey, run: RunId) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let token = pools
            .get_mut(session)
            .and_then(|pool| pool.tokens.iter_mut().find(|token| token.key == *key));
        if let Some(token) = token {
            token.worth = Worth::UsedUp(Some(run));
        }
    }

    /// The session is over: its tokens are worth nothing.
    pub fn forget(&self, session: &SessionKey) {
        self.pools
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(session);
    }
}

/// The hash is looked up, not the text, so comparing leaks nothing about a token by its time.
fn key_of(text: &str) -> RequestKey {
    RequestKey(digest(&[b"form", text.as_bytes()]))
}

fn make_room(pools: &mut HashMap<SessionKey, Pool>, now: Duration) {
    pools.retain(|_, pool| now.saturating_sub(pool.last_minted) <= LIFETIME);
    if pools.len() >= SESSIONS {
        let quietest = pools
            .iter()
            .min_by_key(|(_, pool)| pool.last_minted)
            .map(|(key, _)| *key);
        if let Some(key) = quietest {
            pools.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stagedoor_domain::time::Timestamp;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Default)]
    struct Fake {
        seconds: AtomicU64,
        next: AtomicU64,
    }
    impl Clock for Fake {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }
        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.seconds.load(Ordering::Relaxed))
        }
    }
    impl Chance for Fake {
        fn fill(&self, buffer: &mut [u8]) {
            for chunk in buffer.chunks_mut(8) {
                let next = self.next.fetch_add(1, Ordering::Relaxed).to_le_bytes();
                chunk.copy_from_slice(&next[..chunk.len()]);
            }
        }
    }

    fn csrf() -> (Csrf, Arc<Fake>, SessionKey, SessionKey) {
        let fake = Arc::new(Fake::default());
        let csrf = Csrf::new(fake.clone(), fake.clone());
        (csrf, fake, SessionKey([1; 32]), SessionKey([2; 32]))
    }

    #[test]
    fn w78_a_token_has_48_bytes_in_64_characters() {
        let (csrf, _, ann, _) = csrf();
        assert_eq!(csrf.mint(&ann).len(), 64);
    }

    #[test]
    fn w79_a_token_is_good_once() {
        let (csrf, _, ann, _) = csrf();
        let token = csrf.mint(&ann);
        assert!(matches!(csrf.spend(&ann, &token), Spent::Fresh(_)));
        assert_eq!(csrf.spend(&ann, &token), Spent::Used(None));
    }

    #[test]
    fn w80_a_token_is_of_one_session() {
        let (csrf, _, ann, bob) = csrf();
        let token = csrf.mint(&ann);
        assert_eq!(csrf.spend(&bob, &token), Spent::Unknown);
        assert!(matches!(csrf.spend(&ann, &token), Spent::Fresh(_)));
    }

    #[test]
    fn w81_a_token_expires_after_300_seconds() {
        let (csrf, fake, ann, _) = csrf();
        let (a, b) = (csrf.mint(&ann), csrf.mint(&ann));
        fake.seconds.store(300, Ordering::Relaxed);
        assert!(matches!(csrf.spend(&ann, &a), Spent::Fresh(_)));
        fake.seconds.store(301, Ordering::Relaxed);
        assert_eq!(csrf.spend(&ann, &b), Spent::Unknown);
    }

    #[test]
    fn a_used_token_leads_to_the_run_that_it_started() {
        let (csrf, _, ann, _) = csrf();
        let token = csrf.mint(&ann);
        let Spent::Fresh(key) = csrf.spend(&ann, &token) else {
            panic!("not fresh")
        };
        let run = RunId::from_bytes([3; 16]);
        csrf.started(&ann, &key, run);
        assert_eq!(csrf.spend(&ann, &token), Spent::Used(Some(run)));
    }

    #[test]
    fn the_oldest_of_129_tokens_is_dropped() {
        let (csrf, _, ann, _) = csrf();
        let tokens: Vec<String> = (0..=PER_SESSION).map(|_| csrf.mint(&ann)).collect();
        assert_eq!(csrf.spend(&ann, &tokens[0]), Spent::Unknown);
        assert!(matches!(csrf.spend(&ann, &tokens[1]), Spent::Fresh(_)));
    }

    #[test]
    fn pools_are_bounded() {
        let (csrf, fake, ann, _) = csrf();
        let token = csrf.mint(&ann);
        fake.seconds.store(1, Ordering::Relaxed);
        for _ in 0..SESSIONS {
            let (_, key) = csrf.pre_session();
            csrf.mint(&key);
        }
        let pools = csrf.pools.lock().expect("not poisoned").len();
        assert_eq!(pools, SESSIONS);
        assert_eq!(
            csrf.spend(&ann, &token),
            Spent::Unknown,
            "the oldest made room"
        );
    }
}
