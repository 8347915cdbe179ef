//! What must hold, whatever happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Arguments;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use stagedoor_app::session_key::RequestKey;
use stagedoor_app::view::RunView;
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::run::{Outcome, State};
use stagedoor_domain::time::Timestamp;
use stagedoor_store::{LONGEST_PAGE, RunFilter, RunRecord};

use super::clients::IDEMPOTENT;
use super::machine::Process;
use super::world::World;

/// What was seen from outside.
#[derive(Default)]
pub struct Ledger {
    accepted: BTreeSet<RunId>,
    keys: BTreeMap<[u8; 32], RunId>,
    told: BTreeMap<RunId, Ending>,
    stops_asked: BTreeSet<RunId>,
    stops_answered: BTreeSet<RunId>,
    too_much: BTreeSet<RunId>,
    /// Attempts whose segments may hold a secret.
    pub unmasked: BTreeSet<(RunId, Epoch)>,
    runner_died: bool,
    runner_was_told: bool,
    wrong: Vec<String>,
}

/// How a run ended, as one is told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ending {
    outcome: Option<Outcome>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    epoch: Epoch,
    ended_at: Option<i64>,
}

impl Ending {
    fn of_row(row: &RunRecord) -> Self {
        Self {
            outcome: row.outcome,
            exit_code: row.exit_code,
            signal: row.signal,
            epoch: row.epoch,
            ended_at: row.ended_at.map(Timestamp::millis),
        }
    }

    fn of_view(view: &RunView) -> Self {
        Self {
            outcome: view.outcome,
            exit_code: view.exit_code,
            signal: view.signal,
            epoch: view.epoch,
            ended_at: view.ended_at.map(Timestamp::millis),
        }
    }
}

impl Ledger {
    /// While it held something.
    pub fn runner_died(&mut self) {
        self.runner_died = true;
    }

    /// To end, and to stop what runs.
    pub fn runner_is_told(&mut self) {
        self.runner_was_told = true;
    }

    pub fn stop_is_asked(&mut self, run: RunId) {
        self.stops_asked.insert(run);
    }

    pub fn stop_is_answered(&mut self, run: RunId) {
        self.stops_answered.insert(run);
    }

    pub fn stop_was_answered(&self, run: RunId) -> bool {
        self.stops_answered.contains(&run)
    }

    pub fn wrote_too_much(&mut self, run: RunId) {
        self.too_much.insert(run);
    }
}

/// A run's name in the trace.
pub fn say(run: RunId) -> String {
    let id = run.to_string();
    format!("run …{}", &id[id.len() - 4..])
}

/// The store without threads answers at once.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the disk lets one wait"),
    }
}

impl World {
    pub fn wrong(&self, what: Arguments<'_>) {
        self.note(format_args!("WRONG: {what}"));
        self.state().ledger.wrong.push(what.to_string());
    }

    pub fn all_wrong(&self) -> Vec<String> {
        std::mem::take(&mut self.state().ledger.wrong)
    }

    pub fn row(&self, run: RunId) -> Option<RunRecord> {
        at_once(self.eye.run(run)).expect("the disk")
    }

    pub fn rows(&self) -> Vec<RunRecord> {
        let filter = RunFilter {
            limit: LONGEST_PAGE,
            ..RunFilter::default()
        };
        at_once(self.eye.runs(&filter)).expect("the disk").items
    }

    /// Before a process is started.
    pub fn judge_start(&self, (run, epoch): (RunId, Epoch)) {
        let said = format!("{} attempt {}", say(run), epoch.0);
        match self.row(run) {
            None => self.wrong(format_args!("{said} starts without a row")),
            Some(row) if row.state == State::Ended => {
                self.wrong(format_args!("{said} starts after its end"));
            }
            Some(_) => {}
        }
        let state = self.state();
        let earlier = |process: &&Process| process.key.0 == run;
        let again = state
            .processes
            .all()
            .filter(earlier)
            .any(|process| process.key.1 >= epoch);
        let beside = state
            .processes
            .all()
            .filter(earlier)
            .any(|process| process.ended.is_none());
        let twice = state
            .processes
            .all()
            .filter(earlier)
            .any(|process| process.executes && !IDEMPOTENT.contains(&process.script.as_str()));
        drop(state);
        if again {
            self.wrong(format_args!(
                "{said} starts a second time, or after a later one"
            ));
        }
        if beside {
            self.wrong(format_args!(
                "{said} starts beside another process of the run"
            ));
        }
        if twice {
            self.wrong(format_args!(
                "{said} starts although the run had executed already"
            ));
        }
    }

    pub fn was_accepted(&self, view: &RunView, key: Option<RequestKey>) {
        let mut state = self.state();
        let ledger = &mut state.ledger;
        ledger.accepted.insert(view.id);
        let other = key.map(|key| *ledger.keys.entry(key.0).or_insert(view.id));
        drop(state);
        if other.is_some_and(|other| other != view.id) {
            self.wrong(format_args!("one key, and a second run: {}", say(view.id)));
        }
        if self.row(view.id).is_none() {
            self.wrong(format_args!(
                "{} was accepted and is not on disk",
                say(view.id)
            ));
        }
    }

    /// Somebody was told how a run ended: it must be so on disk at that moment, and for ever.
    pub fn was_told(&self, view: &RunView) {
        let told = Ending::of_view(view);
        let said = say(view.id);
        self.note(format_args!("{said} ended: {told:?}"));
        let on_disk = self.row(view.id).map(|row| Ending::of_row(&row));
        if on_disk.as_ref() != Some(&told) {
            self.wrong(format_args!(
                "of {said} was told {told:?}, and on disk is {on_disk:?}"
            ));
        }
        let before = self.state().ledger.told.insert(view.id, told.clone());
        if before.as_ref().is_some_and(|before| *before != told) {
            self.wrong(format_args!("of {said} was told {before:?}, then {told:?}"));
        }
    }

    /// The words of all outcomes.
    pub fn outcomes(&self) -> BTreeSet<&'static str> {
        self.rows()
            .iter()
            .filter_map(|row| row.outcome)
            .map(Outcome::word)
            .collect()
    }

    /// Once everything had its time.
    pub fn judge_end(&self) {
        let rows = self.rows();
        let accepted = self.state().ledger.accepted.clone();
        let known: BTreeSet<RunId> = rows.iter().map(|row| row.id).collect();
        for run in accepted.difference(&known) {
            self.wrong(format_args!(
                "{} was accepted and is not on disk",
                say(*run)
            ));
        }
        for row in &rows {
            self.judge_row(row);
        }
        self.judge_secrets();
        let processes = self
            .state()
            .processes
            .all()
            .filter(|process| process.ended.is_none())
            .count();
        if processes > 0 {
            self.wrong(format_args!("{processes} processes are left"));
        }
    }

    fn judge_row(&self, row: &RunRecord) {
        let said = say(row.id);
        let Some(outcome) = row.outcome else {
            return self.wrong(format_args!("{said} has no outcome: {:?}", row.state));
        };
        let told = self.state().ledger.told.get(&row.id).cloned();
        if told
            .as_ref()
            .is_some_and(|told| *told != Ending::of_row(row))
        {
            self.wrong(format_args!(
                "of {said} was told {told:?}, and now it is {outcome:?}"
            ));
        }
        if let Err(why) = self.is_true(row, outcome) {
            self.wrong(format_args!("{said} is {outcome:?}, but {why}"));
        }
    }

    /// Whether the outcome says what happened.
    fn is_true(&self, row: &RunRecord, outcome: Outcome) -> Result<(), &'static str> {
        let state = self.state();
        let ledger = &state.ledger;
        let process = state.processes.of((row.id, row.epoch));
        let status = process
            .and_then(|process| process.ended)
            .map(|(_, status)| status);
        let told = status == Some((row.exit_code, row.signal));
        let by_itself = process.is_some_and(|process| process.by_itself);
        let fine = |fine: bool, why: &'static str| if fine { Ok(()) } else { Err(why) };
        match outcome {
            Outcome::Succeeded => fine(told && row.exit_code == Some(0), "its process did not"),
            Outcome::Failed => fine(
                told && row.exit_code.is_some_and(|code| code != 0),
                "its process did not",
            ),
            Outcome::Signalled => fine(
                told && by_itself && row.signal.is_some(),
                "no such signal came from elsewhere",
            ),
            Outcome::TimedOut => fine(
                told && process.is_some_and(|process| process.script == "timed"),
                "it has all the time",
            ),
            // On a full disk the reason for a stop may not outlive the server that stopped it.
            Outcome::Cancelled => fine(
                ledger.stops_asked.contains(&row.id)
                    || ledger.too_much.contains(&row.id)
                    || ledger.runner_was_told,
                "nobody stopped it",
            ),
            Outcome::OverLimit => fine(ledger.too_much.contains(&row.id), "it wrote little"),
            Outcome::Refused => fine(process.is_none(), "it had a process"),
            // A server that dies just before it hands a run over leaves nobody who could tell that.
            Outcome::Lost => fine(process.is_none() || ledger.runner_died, "no runner died"),
        }
    }
}
