//! What must hold after every restart, and when everything has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::load::Notes;
use super::scripts::Kind;
use super::server::now;
use super::stage::Stage;
use super::wire::Wire;
use crate::robot::id;

/// How long the last runs may take on a machine that does much else.
const LAST: Duration = Duration::from_mins(4);
/// How long it may take until what a dead runner left is ended.
const LEFT: Duration = Duration::from_secs(30);

pub struct Judge {
    stage: Arc<Stage>,
    admin: Wire,
    /// The runner was killed too: nobody can tell how what it watched has ended.
    loses: bool,
    /// Outcome and end of what has ended: they never change again.
    ended: BTreeMap<String, Value>,
}

/// What a loop saw, for whoever reads its output.
#[derive(Debug, Default)]
pub struct Tally {
    pub runs: usize,
    pub lost: usize,
    pub cancelled: usize,
    /// Started without an answer: the server died on the way.
    pub unanswered: usize,
    pub bytes: usize,
}

impl Judge {
    pub fn new(stage: &Arc<Stage>, admin: Wire, loses: bool) -> Self {
        Self {
            stage: Arc::clone(stage),
            admin,
            loses,
            ended: BTreeMap::new(),
        }
    }

    /// Every run that was answered 201 is there with a state that is true.
    pub fn after_restart(&mut self, accepted: &[String]) {
        let open: Vec<_> = accepted
            .iter()
            .filter(|run| !self.ended.contains_key(*run))
            .collect();
        for run in open {
            let starts = self.stage.starts(run);
            let row = self.get(&format!("/api/v1/runs/{run}"));
            self.look(&row, starts);
        }
        self.nothing_of_lost_runs_is_left();
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.admin.get(path).expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// `starts` was counted before the row was read.
    fn look(&mut self, row: &Value, starts: usize) {
        let kind = Kind::of(&row["script"]);
        let is_ended = row["state"] == "ended";
        assert_eq!(
            is_ended,
            row["outcome"].is_string(),
            "an outcome, and only then: {row}"
        );
        assert_eq!(is_ended, row["ended_at"].is_string(), "{row}");
        if kind != Kind::Again {
            let waits = row["state"] == "queued";
            assert!(!(waits && starts > 0), "it has started: {row}");
            assert!(
                starts <= 1,
                "it was started {starts} times, at epoch {}: {row}",
                row["epoch"]
            );
        }
        if is_ended {
            let end = json!([row["outcome"], row["exit_code"], row["ended_at"]]);
            let first = self
                .ended
                .entry(id(row).to_owned())
                .or_insert_with(|| end.clone());
            assert_eq!(*first, end, "an outcome changed: {row}");
        }
    }

    /// A lost run's processes are ended, or its page says which they are.
    fn nothing_of_lost_runs_is_left(&self) {
        if !self.loses {
            return;
        }
        let begin = now();
        loop {
            let processes = self.stage.processes();
            let left: Vec<_> = processes
                .iter()
                .filter(|(pid, run)| self.is_unaccounted(**pid, run))
                .collect();
            if left.is_empty() {
                return;
            }
            assert!(
                begin.elapsed() < LEFT,
                "their runs are lost, and yet they live: {left:?}"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn is_unaccounted(&self, pid: i32, run: &str) -> bool {
        let Some(answer) = self.admin.get(&format!("/api/v1/runs/{run}")) else {
            return false;
        };
        // A process whose run is not known at all is worse still.
        if answer.status == 404 {
            return true;
        }
        let row = answer.json();
        let reason = row["reason"].as_str().unwrap_or_default();
        row["outcome"] == "lost" && !reason.contains(&pid.to_string())
    }

    /// Waits until every run has an outcome, and stops those that would never have one.
    fn all_ended(&self) -> Vec<Value> {
        let begin = now();
        loop {
            let rows = self.rows();
            let open: Vec<&Value> = rows.iter().filter(|row| row["state"] != "ended").collect();
            if open.is_empty() {
                return rows;
            }
            assert!(begin.elapsed() < LAST, "they do not end: {open:?}");
            for row in open {
                if Kind::of(&row["script"]) == Kind::Stays && row["state"] != "stopping" {
                    let path = format!("/api/v1/runs/{}/stop", id(row));
                    self.admin.post(&path, &json!({}), None);
                }
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// The whole history.
    fn rows(&self) -> Vec<Value> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("/api/v1/runs?limit=200{cursor}"));
            rows.extend(page["items"].as_array().expect("items").iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return rows,
            }
        }
    }

    /// Everything has ended as it should have.
    pub fn at_end(&mut self, notes: &Notes) -> Tally {
        assert_eq!(notes.faults, Vec::<String>::new());
        let rows = self.all_ended();
        assert_eq!(
            self.stage.processes(),
            BTreeMap::new(),
            "every run has ended, and yet they live"
        );
        let known: BTreeSet<&str> = rows.iter().map(id).collect();
        assert_eq!(known.len(), rows.len(), "a run stands there twice");
        for run in notes.accepted.keys() {
            assert!(known.contains(run.as_str()), "{run} was forgotten");
        }
        for run in self.stage.started() {
            assert!(
                known.contains(run.as_str()),
                "{run} has run, and nobody knows it"
            );
        }
        one_run_for_each_key(&rows, notes);
        let mut tally = Tally::default();
        for row in &rows {
            self.look(row, self.stage.starts(id(row)));
            self.judge(row, notes, &mut tally);
        }
        assert!(
            tally.bytes > 0 && notes.accepted.len() > Kind::ALL.len(),
            "this was no load: {tally:?}"
        );
        tally
    }

    fn judge(&self, row: &Value, notes: &Notes, tally: &mut Tally) {
        let (run, kind) = (id(row), Kind::of(&row["script"]));
        let starts = self.stage.starts(run);
        tally.runs += 1;
        tally.unanswered += usize::from(!notes.accepted.contains_key(run));
        tally.bytes += self.output_is_whole(row);
        let epochs = row["epoch"].as_u64().expect("a number");
        assert!(
            starts as u64 <= epochs,
            "{starts} starts, {epochs} attempts: {row}"
        );
        let outcome = row["outcome"].as_str().expect("an outcome");
        if outcome == "lost" {
            let may_be = self.loses && kind != Kind::Again;
            assert!(may_be, "lost: {row}, started {starts} times");
            assert!(row["exit_code"].is_null(), "{row}");
            tally.lost += 1;
            return;
        }
        assert_eq!(json!(outcome), wanted(kind), "{row}");
        tally.cancelled += usize::from(outcome == "cancelled");
        if kind == Kind::Fails {
            let code = row["exit_code"].to_string();
            assert_eq!(row["args"]["number"], code, "{row}");
        }
        if outcome != "cancelled" && kind.counts() {
            assert!(starts > 0, "it ended and never began: {row}");
        }
    }

    /// Compares what the run has printed with what it says that it printed; the bytes.
    fn output_is_whole(&self, row: &Value) -> usize {
        let whole = matches!(row["outcome"].as_str(), Some("succeeded" | "failed"));
        let streams = ["stdout", "stderr"].map(|stream| {
            let path = format!("/api/v1/runs/{}/output?stream={stream}", id(row));
            let answer = self.admin.get(&path).expect("an answer");
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let (kept, printed) = (answer.body, self.stage.printed(id(row), stream));
            if whole {
                let at = kept.iter().zip(&printed).position(|(a, b)| a != b);
                let sizes = (kept.len(), printed.len());
                assert!(
                    kept == printed,
                    "{stream} differs at {at:?} of {sizes:?}: {row}"
                );
            } else {
                assert!(
                    printed.starts_with(&kept),
                    "{stream} is not what was printed: {row}"
                );
            }
            kept.len()
        });
        streams.iter().sum()
    }
}

fn wanted(kind: Kind) -> Value {
    json!(match kind {
        Kind::Fails => "failed",
        Kind::Stays => "cancelled",
        _ => "succeeded",
    })
}

/// A key that was sent again after a crash started nothing more.
fn one_run_for_each_key(rows: &[Value], notes: &Notes) {
    let promised: BTreeSet<&str> = notes.keys.values().map(String::as_str).collect();
    let there: BTreeSet<&str> = rows
        .iter()
        .filter(|row| Kind::of(&row["script"]) == Kind::Keyed)
        .map(id)
        .collect();
    assert_eq!(promised.len(), notes.keys.len(), "two keys, one run");
    assert_eq!(promised, there);
}
