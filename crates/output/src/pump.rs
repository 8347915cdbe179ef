//! Threads that move what scripts print from pipes into segments.
//!
//! One epoll per thread; a pipe is registered by whoever attaches it, so that a new run
//! wakes its thread by its first byte only. Both streams of an attempt are on one
//! thread: it alone knows in which order they were read.

mod flow;
mod trouble;

pub use trouble::is_shortage;
mod worker;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::live::{Attempt, Hub, lock};
use crate::outputs::NotTaken;
use crate::stream::Stream;
use flow::Flow;
use worker::Worker;

/// The token of the descriptor that announces orders.
const ORDERS: u64 = u64::MAX;

enum Order {
    Take(u64, Flow),
    Finish(Arc<Attempt>),
    Quit,
}

/// A pump thread, as others see it.
pub(crate) struct Pump {
    gate: Arc<Gate>,
    thread: Option<JoinHandle<()>>,
}

struct Gate {
    epoll: OwnedFd,
    bell: OwnedFd,
    orders: Mutex<Vec<Order>>,
}

impl Pump {
    /// Starts a thread.
    pub fn start(hub: Arc<Hub>, number: usize) -> io::Result<Self> {
        let gate = Arc::new(Gate {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            orders: Mutex::default(),
        });
        // Edge-triggered: the counter need not be read.
        let flags = EventFlags::IN | EventFlags::ET;
        epoll::add(&gate.epoll, &gate.bell, EventData::new_u64(ORDERS), flags)?;
        let worker = Worker::new(gate.clone(), hub);
        let name = format!("output-pump-{number}");
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || worker.run())?;
        Ok(Self {
            gate,
            thread: Some(thread),
        })
    }

    /// Hands a pipe over.
    pub fn take(
        &self,
        attempt: Arc<Attempt>,
        stream: Stream,
        pipe: OwnedFd,
        at: u64,
        cap: u64,
    ) -> Result<(), NotTaken> {
        let token = token(&attempt, stream);
        // Held over both steps: the event must not find the order missing.
        let mut orders = lock(&self.gate.orders);
        let data = EventData::new_u64(token);
        if let Err(error) = epoll::add(&self.gate.epoll, &pipe, data, EventFlags::IN) {
            let error = error.into();
            return Err(NotTaken { error, pipe });
        }
        orders.push(Order::Take(
            token,
            Flow::new(attempt, stream, pipe, at, cap),
        ));
        Ok(())
    }

    /// The process has ended; see [`crate::Outputs::finish`].
    pub fn finish(&self, attempt: Arc<Attempt>) {
        self.order(Order::Finish(attempt));
    }

    fn order(&self, order: Order) {
        lock(&self.gate.orders).push(order);
        if let Err(error) = rustix::io::write(&self.gate.bell, &1_u64.to_ne_bytes()) {
            tracing::error!(%error, "could not wake an output thread");
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.order(Order::Quit);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn token(attempt: &Attempt, stream: Stream) -> u64 {
    attempt.serial << 1 | u64::from(stream == Stream::Stderr)
}
