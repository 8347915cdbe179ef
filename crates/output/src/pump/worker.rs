//! What a pump thread does, event by event.

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::{Errno, ioctl_fionread};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::flow::{Course, Flow, PIECE, Poured};
use super::trouble::{may_pass, tell_given_up, tell_unwritten};
use super::{Gate, ORDERS, Order, token};
use crate::live::{Attempt, Hub, lock};
use crate::outputs::PumpEvent;
use crate::stream::{Pair, Stream};

/// A stream that cannot be written is tried again so often.
const RETRY: Duration = Duration::from_secs(1);
/// How often after the end of the process, where nothing but this one file can be the cause. A run must
/// have its outcome, and nobody mends a file of a run that has ended.
const TRIES: u32 = 30;
/// Pieces of one stream before the others have their turn.
const TURNS: usize = 4;
const EVENTS: usize = 64;

/// The thread's own state.
pub(super) struct Worker {
    gate: Arc<Gate>,
    hub: Arc<Hub>,
    flows: HashMap<u64, Flow>,
    /// Attempts whose output is complete, but whose chunk index could not be written yet.
    unwritten: Vec<(Arc<Attempt>, Pair<u64>)>,
    /// When to try those again that cannot be written, if there are any.
    retry_at: Option<Duration>,
}

impl Worker {
    pub fn new(gate: Arc<Gate>, hub: Arc<Hub>) -> Self {
        Self {
            gate,
            hub,
            flows: HashMap::new(),
            unwritten: Vec::new(),
            retry_at: None,
        }
    }

    /// Runs until it is ordered to quit.
    pub fn run(mut self) {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            events.clear();
            let timeout = self.retry_at.and(Timespec::try_from(RETRY).ok());
            let space = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.gate.epoll, space, timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "could not wait for output");
                    return;
                }
            }
            for event in &events {
                let (token, flags) = ({ event.data }.u64(), { event.flags });
                if token != ORDERS {
                    self.ready(token, flags);
                } else if self.take_orders() {
                    return self.quit();
                }
            }
            self.retry();
        }
    }

    /// Carries out what was ordered. Says whether to quit.
    fn take_orders(&mut self) -> bool {
        let orders = std::mem::take(&mut *lock(&self.gate.orders));
        let mut quit = false;
        for order in orders {
            match order {
                Order::Take(token, flow) => {
                    self.flows.insert(token, flow);
                }
                Order::Finish(attempt) => self.finish(&attempt),
                Order::Quit => quit = true,
            }
        }
        quit
    }

    /// Leaves the pipes to the runner, which holds their other ends for the next server.
    fn quit(mut self) {
        let live = self.flows.drain().map(|(_, flow)| flow.attempt);
        let complete = self.unwritten.drain(..).map(|(attempt, _)| attempt);
        for attempt in live.chain(complete) {
            if let Err(error) = attempt.write_chunks(&self.hub) {
                tell_unwritten(&attempt, &error);
            }
        }
    }

    /// A pipe has bytes, or nobody writes to it any more.
    fn ready(&mut self, token: u64, flags: EventFlags) {
        if !self.flows.contains_key(&token) && self.take_orders() {
            // Quitting was ordered; its own event follows.
            lock(&self.gate.orders).push(Order::Quit);
        }
        let Some(flow) = self.flows.get_mut(&token) else {
            return;
        };
        if !flags.contains(EventFlags::IN) || flow.course == Course::Over {
            return self.close(token);
        }
        for _ in 0..TURNS {
            match flow.pour(&self.hub, u64::MAX) {
                // Less than a piece: the pipe is empty, and epoll says when it is not.
                Poured::Moved(n) if n < PIECE && !flags.contains(EventFlags::HUP) => return,
                Poured::Moved(_) => {}
                Poured::Dry => return,
                Poured::End => return self.close(token),
                Poured::Over => return self.over(token),
                Poured::Stuck(error) => return self.stuck(token, error),
            }
        }
    }

    /// Takes what is in the pipes now, then closes them, whoever still holds them.
    fn finish(&mut self, attempt: &Arc<Attempt>) {
        attempt.finish();
        for stream in Stream::ALL {
            let token = token(attempt, stream);
            let Some(flow) = self.flows.get_mut(&token) else {
                continue;
            };
            flow.left = Some(ioctl_fionread(&flow.pipe).unwrap_or(0));
            if flow.course != Course::Stuck {
                self.drain(token);
            }
        }
        self.try_end(attempt);
    }

    /// Takes what was in the pipe when the process ended.
    fn drain(&mut self, token: u64) {
        let Some(flow) = self.flows.get_mut(&token) else {
            return;
        };
        while let Some(left) = flow
            .left
            .filter(|left| *left > 0 && flow.course == Course::Open)
        {
            match flow.pour(&self.hub, left) {
                Poured::Moved(n) => flow.left = Some(left.saturating_sub(n)),
                Poured::Dry | Poured::End => break,
                Poured::Over => {
                    tell_over(&self.hub, flow);
                    break;
                }
                Poured::Stuck(error) => return self.stuck(token, error),
            }
        }
        self.close(token);
    }

    fn close(&mut self, token: u64) {
        let Some(flow) = self.flows.remove(&token) else {
            return;
        };
        if flow.course != Course::Stuck {
            self.unregister(&flow);
        }
        flow.attempt.close(flow.stream);
        let attempt = flow.attempt.clone();
        drop(flow);
        self.try_end(&attempt);
    }

    /// The runner holds a duplicate, so closing alone would leave it in the epoll.
    fn unregister(&self, flow: &Flow) {
        if let Err(error) = epoll::delete(&self.gate.epoll, &flow.pipe) {
            tracing::error!(%error, "could not leave a pipe");
        }
    }

    fn try_end(&mut self, attempt: &Arc<Attempt>) {
        if let Some(sizes) = attempt.try_end() {
            self.conclude(attempt.clone(), sizes);
        }
    }

    /// The output is complete once the chunk index is written too. Where that may work later, it is
    /// waited for: the outcome has to wait for the same disk.
    fn conclude(&mut self, attempt: Arc<Attempt>, sizes: Pair<u64>) {
        match attempt.write_chunks(&self.hub) {
            Err(error) if may_pass(&error) => {
                self.unwritten.push((attempt, sizes));
                self.retry_later();
            }
            Err(error) => {
                tell_unwritten(&attempt, &error);
                self.tell_closed(&attempt, sizes);
            }
            Ok(()) => self.tell_closed(&attempt, sizes),
        }
    }

    fn tell_closed(&self, attempt: &Arc<Attempt>, sizes: Pair<u64>) {
        if let Some(hidden) = self.hub.hidden.get(attempt.key.run) {
            hidden.close(attempt.key.epoch);
        }
        lock(&self.hub.live).remove(&attempt.key);
        if attempt.is_watched() {
            self.hub.tails.touch(attempt);
        }
        self.hub.tell(PumpEvent::Closed {
            run: attempt.key.run,
            epoch: attempt.key.epoch,
            stdout: sizes.stdout,
            stderr: sizes.stderr,
            lost: attempt.lost(),
        });
    }

    /// Takes no more from this pipe, but waits for its end.
    fn over(&mut self, token: u64) {
        let Some(flow) = self.flows.get_mut(&token) else {
            return;
        };
        let data = EventData::new_u64(token);
        if let Err(error) = epoll::modify(&self.gate.epoll, &flow.pipe, data, EventFlags::empty()) {
            tracing::error!(%error, "could not leave a pipe");
        }
        tell_over(&self.hub, flow);
    }

    /// Leaves the pipe alone until [`RETRY`] has passed; the script waits meanwhile.
    fn stuck(&mut self, token: u64, error: io::Error) {
        let Some(flow) = self.flows.get_mut(&token) else {
            return;
        };
        if flow.left.is_some() && !may_pass(&error) {
            flow.tries += 1;
            if flow.tries > TRIES {
                tell_given_up(flow, &error);
                flow.attempt.lose(flow.left.unwrap_or(0));
                return self.close(token);
            }
        }
        if flow.course == Course::Stuck {
            return self.retry_later();
        }
        flow.course = Course::Stuck;
        let file = flow.file();
        let (run, epoch) = (flow.attempt.key.run, flow.attempt.key.epoch);
        if flow.attempt.stuck() {
            self.hub.tell(PumpEvent::Stalled {
                run,
                epoch,
                file,
                error,
            });
        }
        if let Some(flow) = self.flows.get(&token) {
            self.unregister(flow);
        }
        self.retry_later();
    }

    fn retry_later(&mut self) {
        self.retry_at
            .get_or_insert_with(|| self.hub.clock.monotonic() + RETRY);
    }

    fn retry(&mut self) {
        if self
            .retry_at
            .is_none_or(|at| self.hub.clock.monotonic() < at)
        {
            return;
        }
        self.retry_at = None;
        let stuck = self
            .flows
            .iter()
            .filter(|(_, flow)| flow.course == Course::Stuck);
        for token in stuck.map(|(token, _)| *token).collect::<Vec<_>>() {
            self.retry_one(token);
        }
        for (attempt, sizes) in std::mem::take(&mut self.unwritten) {
            self.conclude(attempt, sizes);
        }
    }

    fn retry_one(&mut self, token: u64) {
        let Some(flow) = self.flows.get_mut(&token) else {
            return;
        };
        match flow.pour(&self.hub, flow.left.unwrap_or(u64::MAX)) {
            Poured::Stuck(error) => return self.stuck(token, error),
            Poured::Moved(n) => {
                flow.left = flow.left.map(|left| left.saturating_sub(n));
                flow.tries = 0;
            }
            Poured::Dry | Poured::End | Poured::Over => {}
        }
        let data = EventData::new_u64(token);
        // What this call found, an end or too much, epoll will tell again.
        if let Err(error) = epoll::add(&self.gate.epoll, &flow.pipe, data, EventFlags::IN) {
            return self.stuck(token, error.into());
        }
        flow.course = Course::Open;
        if flow.attempt.unstuck() {
            let (run, epoch) = (flow.attempt.key.run, flow.attempt.key.epoch);
            self.hub.tell(PumpEvent::Resumed { run, epoch });
        }
        if flow.left.is_some() {
            self.drain(token);
        }
    }
}

fn tell_over(hub: &Hub, flow: &mut Flow) {
    flow.course = Course::Over;
    let (run, epoch) = (flow.attempt.key.run, flow.attempt.key.epoch);
    hub.tell(PumpEvent::OverLimit {
        run,
        epoch,
        stream: flow.stream,
    });
}

#[cfg(test)]
mod tests;
