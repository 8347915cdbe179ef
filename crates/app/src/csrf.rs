//! One-time tokens against cross-site request forgery (rows W77 to W82).
//!
//! The pool lives in memory: a token is worth five minutes, and a page that was open across a
//! restart is shown again with its values and a new token. What must not happen twice across a
//! restart, the start of a run, is guarded by its request key in the store.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stagedoor_domain::id::RunId;
use stagedoor_domain::time::{Chance, Clock};

use crate::session_key::{RequestKey, SessionKey, digest, random_text};

/// How long a token may be used.
pub const LIFETIME: Duration = Duration::from_mins(5);
/// Tokens per session; the oldest is dropped.
pub const PER_SESSION: usize = 128;
/// Visitors who are not signed in and have a pool; beyond it the oldest one goes. They have a
/// place of their own, so that no number of visitors empties the pool of a user.
const VISITORS: usize = 10_000;
/// The same for sessions of users, each of which cost a password.
const SESSIONS: usize = 20_000;
/// Bytes of chance in a token, 64 characters as text (row W78).
const TOKEN_BYTES: usize = 48;

/// What a presented token was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// It was good and is used up now. A run that it starts is named by this key.
    Fresh(RequestKey),
    /// It was used before, perhaps for this run.
    Used(Option<RunId>),
    /// A token of this session that is too old.
    Expired,
    /// No token of this session as it is now.
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

/// The tokens of one session, and the secret that they count under: it goes with the session, and
/// with it every token that was minted from it (row B21).
struct Pool {
    secret: [u8; 32],
    tokens: VecDeque<Token>,
}

impl Pool {
    fn new(chance: &dyn Chance) -> Self {
        let mut secret = [0; 32];
        chance.fill(&mut secret);
        Self {
            secret,
            tokens: VecDeque::new(),
        }
    }

    /// The hash is looked up, not the text, so comparing leaks nothing about a token by its time.
    fn key_of(&self, text: &str) -> RequestKey {
        RequestKey(digest(&[b"form", &self.secret, text.as_bytes()]))
    }

    fn find(&mut self, key: &RequestKey) -> Option<&mut Token> {
        self.tokens.iter_mut().find(|token| token.key == *key)
    }
}

/// The pools of one kind of session, in the order in which they were made.
struct Pools {
    most: usize,
    by_session: HashMap<SessionKey, Pool>,
    order: VecDeque<SessionKey>,
}

impl Pools {
    fn new(most: usize) -> Self {
        Self {
            most,
            by_session: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    fn of(&mut self, session: &SessionKey, chance: &dyn Chance) -> &mut Pool {
        if !self.by_session.contains_key(session) {
            while self.order.len() >= self.most {
                if let Some(oldest) = self.order.pop_front() {
                    self.by_session.remove(&oldest);
                }
            }
            self.order.push_back(*session);
        }
        let pool = self.by_session.entry(*session);
        pool.or_insert_with(|| Pool::new(chance))
    }
}

/// All pools.
pub struct Csrf {
    users: Mutex<Pools>,
    visitors: Mutex<Pools>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
}

impl Csrf {
    /// No tokens yet.
    pub fn new(clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        Self {
            users: Mutex::new(Pools::new(SESSIONS)),
            visitors: Mutex::new(Pools::new(VISITORS)),
            clock,
            chance,
        }
    }

    fn pools(&self, session: &SessionKey) -> MutexGuard<'_, Pools> {
        let pools = if session.is_anonymous() {
            &self.visitors
        } else {
            &self.users
        };
        pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new token of this session: 64 characters.
    pub fn mint(&self, session: &SessionKey) -> String {
        let text = random_text::<TOKEN_BYTES>(&*self.chance);
        let minted = self.clock.monotonic();
        let mut pools = self.pools(session);
        let pool = pools.of(session, &*self.chance);
        if pool.tokens.len() >= PER_SESSION {
            pool.tokens.pop_front();
        }
        pool.tokens.push_back(Token {
            key: pool.key_of(&text),
            minted,
            worth: Worth::Good,
        });
        text
    }

    /// Uses a token up, whatever becomes of the request.
    pub fn spend(&self, session: &SessionKey, text: &str) -> Spent {
        let now = self.clock.monotonic();
        let mut pools = self.pools(session);
        let Some(pool) = pools.by_session.get_mut(session) else {
            return Spent::Unknown;
        };
        let key = pool.key_of(text);
        match pool.find(&key) {
            Some(Token {
                worth: Worth::UsedUp(run),
                ..
            }) => Spent::Used(*run),
            Some(token) if now.saturating_sub(token.minted) <= LIFETIME => {
                token.worth = Worth::UsedUp(None);
                Spent::Fresh(key)
            }
            Some(_) => Spent::Expired,
            None => Spent::Unknown,
        }
    }

    /// Notes which run a token started, so that its second use leads there.
    pub fn started(&self, session: &SessionKey, key: &RequestKey, run: RunId) {
        let mut pools = self.pools(session);
        let pool = pools.by_session.get_mut(session);
        if let Some(token) = pool.and_then(|pool| pool.find(key)) {
            token.worth = Worth::UsedUp(Some(run));
        }
    }

    /// The session is over: its tokens are worth nothing.
    pub fn forget(&self, session: &SessionKey) {
        let mut pools = self.pools(session);
        if pools.by_session.remove(session).is_some() {
            pools.order.retain(|key| key != session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session_key::new_session_value;
    use stagedoor_domain::id::UserId;
    use stagedoor_domain::time::Timestamp;
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

    #[derive(Default)]
    struct Fake {
        seconds: AtomicU64,
        wall: AtomicI64,
        next: AtomicU64,
    }
    impl Clock for Fake {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.wall.load(Ordering::Relaxed))
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
        let session = |user| SessionKey::of(&new_session_value(UserId(user), &*fake));
        let (ann, bob) = (session(1).expect("a key"), session(2).expect("a key"));
        (csrf, fake, ann, bob)
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
        assert_eq!(csrf.spend(&ann, &b), Spent::Expired);
    }

    #[test]
    fn w81_a_clock_that_jumps_neither_ends_a_token_nor_lengthens_it() {
        let (csrf, fake, ann, _) = csrf();
        for hours in [-10_i64, 10] {
            let (a, b) = (csrf.mint(&ann), csrf.mint(&ann));
            fake.wall.fetch_add(hours * 3_600_000, Ordering::Relaxed);
            fake.seconds.fetch_add(300, Ordering::Relaxed);
            assert!(matches!(csrf.spend(&ann, &a), Spent::Fresh(_)), "{hours}");
            fake.seconds.fetch_add(1, Ordering::Relaxed);
            assert_eq!(csrf.spend(&ann, &b), Spent::Expired, "{hours}");
        }
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
    fn visitors_are_bounded_and_take_no_users_place() {
        let (csrf, fake, ann, _) = csrf();
        let token = csrf.mint(&ann);
        let visitor = || SessionKey::of(&new_session_value(UserId(0), &*fake)).expect("a key");
        let first = visitor();
        let old = csrf.mint(&first);
        for _ in 0..VISITORS {
            csrf.mint(&visitor());
        }
        let visitors = csrf.visitors.lock().expect("not poisoned");
        assert_eq!(
            (visitors.by_session.len(), visitors.order.len()),
            (VISITORS, VISITORS)
        );
        drop(visitors);
        assert_eq!(csrf.spend(&first, &old), Spent::Unknown, "the oldest went");
        assert!(matches!(csrf.spend(&ann, &token), Spent::Fresh(_)));
    }

    #[test]
    fn b21_a_token_goes_with_the_secret_that_it_was_minted_from() {
        let (csrf, _, ann, _) = csrf();
        let old = csrf.mint(&ann);
        csrf.forget(&ann);
        let new = csrf.mint(&ann);
        assert_eq!(csrf.spend(&ann, &old), Spent::Unknown);
        assert!(matches!(csrf.spend(&ann, &new), Spent::Fresh(_)));
    }

    #[test]
    fn a_session_that_is_over_leaves_nothing() {
        let (csrf, _, ann, _) = csrf();
        let token = csrf.mint(&ann);
        csrf.forget(&ann);
        assert_eq!(csrf.spend(&ann, &token), Spent::Unknown);
        let users = csrf.users.lock().expect("not poisoned");
        assert!(users.by_session.is_empty() && users.order.is_empty());
    }
}
