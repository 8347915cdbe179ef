//! Several clients that start runs of every kind all the time, and note what they were promised.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::chance::Dice;
use super::scripts::Kind;
use super::server::now;
use super::stage::Stage;
use super::wire::{Address, Wire};

const CLIENTS: u64 = 4;
/// How many runs a client starts between two blows, so that a slow machine is not buried.
const PER_ROUND: u32 = 20;
/// The longest pause of a client between two requests, in ms.
const PAUSE: u64 = 50;
/// A client starts a slow run this seldom.
const SLOW_EACH: Duration = Duration::from_millis(1500);

/// What the clients were told.
#[derive(Default)]
pub struct Notes {
    /// Runs that were answered 201.
    pub accepted: BTreeMap<String, Kind>,
    /// The run of each `Idempotency-Key`.
    pub keys: BTreeMap<String, String>,
    /// What no client should ever see.
    pub faults: Vec<String>,
    /// Requests that got no answer.
    pub unanswered: u32,
    /// Keys that were sent again and named the same run.
    pub repeated: u32,
}

/// The clients at work.
pub struct Load {
    clients: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    notes: Mutex<Notes>,
    round: AtomicU32,
    is_over: AtomicBool,
}

impl Load {
    pub fn begin(stage: &Stage, address: &Address, dice: &mut Dice) -> Self {
        let shared = Arc::<Shared>::default();
        let clients = (0..CLIENTS).map(|number| {
            let name = format!("client{number}");
            let client = Client {
                wire: Wire::new(stage, address, &name, &[]),
                name,
                dice: dice.for_another(),
                shared: Arc::clone(&shared),
                keys: 0,
                owed: Vec::new(),
                again: Vec::new(),
                to_stop: Vec::new(),
                next_slow: now(),
            };
            thread::spawn(move || client.work())
        });
        let clients = clients.collect();
        Self { clients, shared }
    }

    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        self.shared.notes.lock().expect("the notes")
    }

    /// After a blow the clients start more.
    pub fn next_round(&self) {
        self.shared.round.fetch_add(1, Ordering::Relaxed);
    }

    /// With a server there: the clients send again what got no answer, and end.
    pub fn finish(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            client.join().expect("a client");
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

struct Client {
    wire: Wire,
    name: String,
    dice: Dice,
    shared: Arc<Shared>,
    keys: u32,
    /// Keys of requests that got no answer.
    owed: Vec<String>,
    /// Keys of requests that had an answer, to be sent again all the same.
    again: Vec<String>,
    /// Runs to be stopped, and when.
    to_stop: Vec<(String, Instant)>,
    next_slow: Instant,
}

impl Client {
    fn work(mut self) {
        let (mut round, mut started) = (0, 0);
        while !self.shared.is_over.load(Ordering::Relaxed) {
            let current = self.shared.round.load(Ordering::Relaxed);
            if current != round {
                (round, started) = (current, 0);
            }
            self.pay();
            self.stop_some();
            if started < PER_ROUND && self.start_one() {
                started += 1;
            }
            let pause = self.dice.millis(PAUSE);
            thread::sleep(pause);
        }
        self.settle();
    }

    /// The server is there to stay: what was begun is brought to an end.
    fn settle(&mut self) {
        let begin = now();
        while !self.owed.is_empty() && begin.elapsed() < Duration::from_mins(1) {
            self.pay();
            thread::sleep(Duration::from_millis(20));
        }
        for key in std::mem::take(&mut self.again) {
            self.ask_with_key(key);
        }
        if !self.owed.is_empty() {
            self.fault(&format!("never answered: {:?}", self.owed));
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.shared.notes.lock().expect("the notes")
    }

    fn fault(&self, what: &str) {
        self.notes().faults.push(format!("{}: {what}", self.name));
    }

    /// Requests with a key that got no answer are sent again until they have one; now and then
    /// those that had one, too.
    fn pay(&mut self) {
        for key in std::mem::take(&mut self.owed) {
            self.ask_with_key(key);
        }
        if self.dice.percent(20)
            && let Some(key) = self.again.pop()
        {
            self.ask_with_key(key);
        }
    }

    fn kind(&mut self) -> Kind {
        let dice = self.dice.between(0, 100);
        match dice {
            0..8 => Kind::True,
            8..30 => Kind::Quick,
            30..45 => Kind::Bulk,
            45..55 => Kind::Fails,
            55..70 => Kind::Keyed,
            70..80 => Kind::LinedUp,
            80..86 => Kind::Stays,
            86..93 => Kind::Again,
            _ if self.next_slow > now() => Kind::Quick,
            _ => {
                self.next_slow = now() + SLOW_EACH;
                Kind::Slow
            }
        }
    }

    /// Whether a server answered.
    fn start_one(&mut self) -> bool {
        let kind = self.kind();
        if kind == Kind::Keyed {
            self.keys += 1;
            let key = format!("{}-{}", self.name, self.keys);
            return self.ask_with_key(key);
        }
        let body = json!({"script": kind.name(), "args": kind.args(&mut self.dice)});
        let Some(run) = self.ask(&body, None) else {
            return false;
        };
        if kind == Kind::Stays {
            self.to_stop
                .push((run.clone(), now() + self.dice.millis(1500)));
        }
        self.notes().accepted.insert(run, kind);
        true
    }

    fn ask_with_key(&mut self, key: String) -> bool {
        let body = json!({"script": Kind::Keyed.name()});
        let Some(run) = self.ask(&body, Some(&key)) else {
            self.owed.push(key);
            return false;
        };
        if self.dice.percent(50) {
            self.again.push(key.clone());
        }
        let earlier = {
            let mut notes = self.notes();
            notes.accepted.insert(run.clone(), Kind::Keyed);
            notes.keys.insert(key.clone(), run.clone())
        };
        match earlier {
            None => {}
            Some(earlier) if earlier == run => self.notes().repeated += 1,
            Some(earlier) => self.fault(&format!("{key} was {earlier} and is {run}")),
        }
        true
    }

    /// The id of the run, when the answer is 201.
    fn ask(&self, body: &Value, key: Option<&str>) -> Option<String> {
        let Some(answer) = self.wire.post("/api/v1/runs", body, key) else {
            self.notes().unanswered += u32::from(self.wire.is_up());
            return None;
        };
        match answer.status {
            201 => Some(crate::robot::id(&answer.json()).to_owned()),
            // The queue is full, or the server is about to end.
            429 | 503 => None,
            other => {
                self.fault(&format!("{body} was answered {other}: {}", answer.text()));
                None
            }
        }
    }

    fn stop_some(&mut self) {
        let now = now();
        let all = std::mem::take(&mut self.to_stop);
        let (due, later): (Vec<_>, _) = all.into_iter().partition(|(_, at)| *at <= now);
        self.to_stop = later;
        for (run, at) in due {
            let path = format!("/api/v1/runs/{run}/stop");
            match self.wire.post(&path, &json!({}), None) {
                None => self.to_stop.push((run, at)),
                Some(answer) => match answer.status {
                    // Told; or an earlier stop had no answer; or the run was lost; or nobody is there
                    // to tell, and the judge does it in the end.
                    202 | 409 | 503 => {}
                    other => {
                        self.fault(&format!("the stop of {run}: {other}: {}", answer.text()));
                    }
                },
            }
        }
    }
}
