//! One viewer of one run: what to send next.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::json;
use stagedoor_app::find::FindError;
use stagedoor_app::view::RunView;
use stagedoor_domain::access::User;
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::run::State;
use stagedoor_output::{Selection, TAIL_LINES, Tail, View};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

use crate::api::run_json::RunJson;
use crate::cookies::Jar;
use crate::output::look;
use crate::problem::Problem;
use crate::session::{Arrival, Caller};
use crate::state::AppState;

/// How often a waiting run's place in the queue is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Looks between two checks that the viewer is still signed in, beside those when rights have
/// changed: a session ends by itself, too. The check also counts as its activity: someone is looking.
const LOOKS_PER_CHECK: u32 = 30;

/// How the viewer proved who they are; shown again while the stream is open.
enum Proof {
    Cookie(String, Arrival),
    Token(String, Arrival),
}

/// What one viewer has seen, and what they wait for.
pub(super) struct Feed {
    state: AppState,
    proof: Proof,
    user: User,
    run: RunView,
    states: Option<watch::Receiver<Arc<RunView>>>,
    tails: Option<watch::Receiver<Arc<Tail>>>,
    /// Somebody's rights may have changed.
    rights: watch::Receiver<u64>,
    /// The attempt that `tails` is of.
    epoch: Epoch,
    /// The number of the last tail that was sent, and whether it was the last one there is.
    sent: (u64, bool),
    ready: VecDeque<Event>,
    over: bool,
    looks: u32,
    clock: Interval,
}

impl Feed {
    /// Begins with the present state and tail.
    pub async fn open(
        state: AppState,
        caller: Caller,
        arrival: Arrival,
        headers: &HeaderMap,
        id: RunId,
    ) -> Result<Self, Problem> {
        // Before the first look, so that no change falls between the two.
        let rights = state.app.rights_changes();
        let proof = proof(headers, arrival, caller.session.is_some())?;
        let (permit, run) = state.app.readable(&caller.user, id).await?;
        let watch = state.app.watch(permit, &run);
        let mut clock = tokio::time::interval(LOOK);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        clock.reset();
        let mut feed = Self {
            proof,
            user: caller.user,
            epoch: run.epoch,
            run,
            states: watch.state,
            tails: watch.tail,
            rights,
            sent: (0, false),
            ready: VecDeque::new(),
            over: false,
            looks: 0,
            clock,
            state,
        };
        // It may have ended between the two questions.
        feed.refresh().await;
        feed.say_state();
        feed.say_tail();
        feed.end_if_over().await;
        Ok(feed)
    }

    /// The next event; none when nothing more will come, or the server stops.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            let shutdown = self.state.shutdown.clone();
            tokio::select! {
                // Who may not look any more gets nothing more.
                biased;
                () = shutdown.cancelled() => return None,
                _ = self.rights.changed() => if !self.still_allowed().await { return None },
                _ = self.clock.tick() => if !self.look().await { return None },
                news = changed(&mut self.states) => self.state_changed(news.is_ok()).await,
                news = changed(&mut self.tails) => match news {
                    Ok(()) => self.say_tail(),
                    Err(_) => self.tails = None,
                },
            }
            self.end_if_over().await;
        }
    }

    async fn state_changed(&mut self, more: bool) {
        if let Some(states) = self.states.as_mut().filter(|_| more) {
            self.run = RunView::clone(&states.borrow_and_update());
        } else {
            self.states = None;
            self.refresh().await;
        }
        self.say_state();
        self.listen_to_output().await;
    }

    /// A run has output from its start on; a second attempt has its own.
    async fn listen_to_output(&mut self) {
        if self.tails.is_some() && self.epoch == self.run.epoch {
            return;
        }
        let found = self.state.app.readable(&self.user, self.run.id).await;
        if let Ok((permit, run)) = found {
            self.tails = self.state.app.watch(permit, &run).tail;
            self.epoch = run.epoch;
            self.say_tail();
        }
    }

    async fn refresh(&mut self) -> bool {
        match self.state.app.readable(&self.user, self.run.id).await {
            Ok((_, run)) => {
                self.run = run;
                true
            }
            Err(_) => false,
        }
    }

    /// False when the viewer may not look any more.
    async fn look(&mut self) -> bool {
        self.looks = self.looks.wrapping_add(1);
        let is_allowed = if self.looks.is_multiple_of(LOOKS_PER_CHECK) {
            self.still_allowed().await
        } else {
            // A script's own `access` may have changed; while the run goes on, both are in memory.
            !matches!(
                self.state.app.readable(&self.user, self.run.id).await,
                Err(FindError::Absent)
            )
        };
        if !is_allowed {
            return false;
        }
        if self.run.state == State::Queued {
            let place = self.run.queue_position;
            self.refresh().await;
            if self.run.queue_position != place {
                self.say_state();
            }
        }
        true
    }

    async fn still_allowed(&mut self) -> bool {
        let app = &self.state.app;
        let user = match &self.proof {
            Proof::Cookie(value, arrival) => app
                .session(value, arrival.peer)
                .await
                .map(|found| found.map(|signed_in| signed_in.user)),
            Proof::Token(token, arrival) => {
                let found = app.bearer(token, arrival.peer).await;
                found.map(|found| found.map(|by_token| by_token.user))
            }
        };
        match user {
            Ok(Some(user)) => {
                self.user = user;
                self.state
                    .app
                    .readable(&self.user, self.run.id)
                    .await
                    .is_ok()
            }
            Ok(None) | Err(_) => false,
        }
    }

    fn say_state(&mut self) {
        let run = serde_json::to_string(&RunJson::from(&self.run)).unwrap_or_default();
        self.ready
            .push_back(Event::default().event("state").data(run));
    }

    fn say_tail(&mut self) {
        let Some(tails) = self.tails.as_mut() else {
            return;
        };
        let tail = Arc::clone(&tails.borrow_and_update());
        // 0 means that none was made yet; the first one comes as a change.
        if tail.seq == 0 {
            return;
        }
        self.sent = (tail.seq, tail.ended);
        self.ready.push_back(tail_event(tail.seq, tail.json()));
    }

    /// After the run's end its last lines, unless they were sent, and `end`.
    async fn end_if_over(&mut self) {
        if !self.run.is_ended() || self.over {
            return;
        }
        self.over = true;
        if !self.sent.1
            && let Some(tail) = self.last_tail().await
        {
            let seq = self.sent.0.saturating_add(1);
            self.ready.push_back(tail_event(seq, &tail));
        }
        self.ready
            .push_back(Event::default().event("end").data("{}"));
    }

    /// From the segments, which are complete.
    async fn last_tail(&self) -> Option<String> {
        let (app, id) = (&self.state.app, self.run.id);
        let tail = |view: View| view.tail(Selection::Both, TAIL_LINES);
        let (_, lines) = look(app, &self.user, id, tail).await.ok()?;
        let lines = lines.ok()?;
        let seq = self.sent.0.saturating_add(1);
        let tail = json!({
            "seq": seq, "total": lines.total, "first": lines.from, "partial": lines.partial,
            "lines": lines.lines, "ended": true,
        });
        Some(tail.to_string())
    }
}

fn proof(headers: &HeaderMap, arrival: Arrival, by_session: bool) -> Result<Proof, Problem> {
    let found = if by_session {
        Jar::Session
            .read(headers, arrival)
            .map(|value| Proof::Cookie(value.to_owned(), arrival))
    } else {
        let line = headers
            .get(AUTHORIZATION)
            .and_then(|line| line.to_str().ok());
        let token = line
            .and_then(|line| line.split_once(' '))
            .map(|(_, token)| token.trim());
        token.map(|token| Proof::Token(token.to_owned(), arrival))
    };
    found.ok_or_else(|| Problem::internal("a caller without cookie and token passed the guard"))
}

fn tail_event(seq: u64, json: &str) -> Event {
    Event::default()
        .event("tail")
        .id(seq.to_string())
        .data(json)
}

/// Waits for ever where there is nothing to wait for.
async fn changed<T>(
    receiver: &mut Option<watch::Receiver<T>>,
) -> Result<(), watch::error::RecvError> {
    match receiver {
        Some(receiver) => receiver.changed().await,
        None => pending().await,
    }
}
