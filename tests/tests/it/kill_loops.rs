//! Server and runner are killed, ended and replaced at random moments under load, and nothing that
//! was promised is forgotten: the real binary, real files, real processes.
//!
//! `STAGEDOOR_KILLS` says how often the server is killed (20 when not set; the other loops hit less
//! often, in proportion). `STAGEDOOR_SEED` repeats what a failed loop has printed.

mod binary;
pub mod chance;
mod judge;
mod load;
mod scripts;
pub mod server;
mod stage;
mod wire;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use self::binary::Binary;
use self::chance::{Dice, number, seed};
use self::judge::{Judge, Tally};
use self::load::Load;
use self::server::{Server, now};
use self::stage::{Stage, kill};
use self::wire::{Address, Wire};

/// How often the server is killed when nobody says.
const KILLS: u64 = 20;
/// Between a server that is ready and the blow, at most so many ms.
const LULL: u64 = 900;

/// What hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// `kill -9` of the server.
    Server,
    /// `kill -9` of the runner.
    Runner,
    /// Both, in either order.
    Both,
    /// TERM to the server.
    Term,
    /// Another copy of the binary takes its place, then TERM or `kill -9`.
    Upgrade,
}

#[test]
fn kill_9_of_the_server_loses_no_run_and_no_byte() {
    survive(Blow::Server, KILLS);
}

#[test]
fn kill_9_of_the_runner_makes_runs_lost_and_never_failed_and_leaves_no_process() {
    survive(Blow::Runner, 6);
}

#[test]
fn kill_9_of_both_makes_runs_lost_and_never_failed_and_leaves_no_process() {
    survive(Blow::Both, 6);
}

#[test]
fn a_server_that_is_told_to_end_hands_everything_to_the_next() {
    survive(Blow::Term, 6);
}

#[test]
fn an_upgrade_loses_no_run_and_no_byte() {
    survive(Blow::Upgrade, 6);
}

/// One loop.
struct Loop {
    blow: Blow,
    dice: Dice,
    stage: Arc<Stage>,
    binary: Binary,
    address: Address,
    /// How long starts took.
    ready: Vec<Duration>,
    /// How long servers took to end whose runner had died.
    left: Vec<Duration>,
    early: u32,
}

fn survive(blow: Blow, usual: u64) {
    let times = number("STAGEDOOR_KILLS").map_or(usual, |kills| (kills * usual).div_ceil(KILLS));
    let seed = seed();
    println!("{blow:?}: {times} times, STAGEDOOR_SEED={seed}");
    let stage = Arc::new(Stage::new());
    let binary = match blow {
        Blow::Upgrade => Binary::replaceable(&stage),
        _ => Binary::fixed(),
    };
    let mut the = Loop {
        blow,
        dice: Dice::new(seed),
        stage,
        binary,
        address: Address::default(),
        ready: Vec::new(),
        left: Vec::new(),
        early: 0,
    };
    the.turn(times);
}

impl Loop {
    fn turn(&mut self, times: u64) {
        let mut server = self.serve();
        let admin = Wire::new(&self.stage, &self.address, "judge", &["admins"]);
        let mut load = Load::begin(&self.stage, &self.address, &mut self.dice);
        let loses = matches!(self.blow, Blow::Runner | Blow::Both);
        let mut judge = Judge::new(&self.stage, admin, loses);
        for _ in 0..times {
            load.next_round();
            thread::sleep(self.dice.millis(LULL));
            self.strike(&mut server);
            self.look_at_what_is_left();
            self.perhaps_strike_early();
            server = self.serve();
            // Else the next blow may hit while the server still sorts out what it has found.
            if self.dice.percent(70) {
                let accepted: Vec<String> = load.notes().accepted.keys().cloned().collect();
                judge.after_restart(&accepted);
            }
        }
        load.finish();
        let tally = judge.at_end(&load.notes());
        assert_eq!(tally.lost > 0, loses, "{tally:?}");
        server.terminate();
        self.stage.check_database();
        self.stage.check_audit_log();
        self.tell(&load, &tally);
    }

    fn tell(&mut self, load: &Load, tally: &Tally) {
        self.ready.sort_unstable();
        let (median, worst) = (self.ready[self.ready.len() / 2], self.ready.last());
        let notes = load.notes();
        if let Some(longest) = self.left.iter().max() {
            println!("servers ended within {longest:?} of their runner");
        }
        println!(
            "{:?}: {tally:?}, {} requests without an answer, {} keys sent again, {} kills before it \
             was ready; ready after {median:?} (median) to {worst:?}",
            self.blow, notes.unanswered, notes.repeated, self.early
        );
    }

    /// Starts a server and tells the clients once it is ready.
    fn serve(&mut self) -> Server {
        let mut server = Server::start(&self.stage, &self.binary.path);
        let (url, took) = server.ready();
        self.ready.push(took);
        *self.address.write().expect("the address") = Some(url);
        server
    }

    fn strike(&mut self, server: &mut Server) {
        match self.blow {
            Blow::Server => server.kill(),
            Blow::Runner => {
                kill(self.stage.runner().expect("a runner"));
                let hit = now();
                assert_eq!(server.wait(), Some(70), "{}", server.log());
                server.until_logged("start `stagedoor serve` again");
                self.left.push(hit.elapsed());
                return;
            }
            Blow::Both => self.strike_both(server),
            Blow::Term => return server.terminate(),
            Blow::Upgrade => {
                self.binary.replace(&mut self.dice);
                if self.dice.percent(50) {
                    return server.terminate();
                }
                server.kill();
            }
        }
        server.wait_killed();
    }

    fn strike_both(&mut self, server: &mut Server) {
        let runner = self.stage.runner().expect("a runner");
        let pause = self.dice.millis(5);
        if self.dice.percent(50) {
            server.kill();
            thread::sleep(pause);
            kill(runner);
        } else {
            kill(runner);
            thread::sleep(pause);
            server.kill();
        }
    }

    /// The clients meet a closed port for a while, then wait for an address: by then the port may
    /// be somebody else's.
    fn look_at_what_is_left(&mut self) {
        thread::sleep(self.dice.millis(20));
        *self.address.write().expect("the address") = None;
        self.stage.check_database();
        thread::sleep(self.dice.millis(100));
    }

    /// A server may die before it is ready, too.
    fn perhaps_strike_early(&mut self) {
        if self.blow != Blow::Server || !self.dice.percent(25) {
            return;
        }
        let mut server = Server::start(&self.stage, &self.binary.path);
        thread::sleep(self.dice.millis(150));
        server.kill();
        server.wait_killed();
        self.early += 1;
        self.look_at_what_is_left();
    }
}
