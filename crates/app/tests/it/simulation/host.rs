//! The machine on which the runner lives: starts it, lets it work, and carries its packets.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use stagedoor_domain::time::Clock;
use stagedoor_runner::simulation::{SimulatedRunner, receive, send};

use super::machine::Below;
use super::wire::Pair;
use super::world::World;

pub struct Host {
    world: Arc<World>,
    runner: Option<Hosted>,
    buffer: Vec<u8>,
}

struct Hosted {
    runner: SimulatedRunner,
    connection: Option<(Arc<Pair>, OwnedFd)>,
}

impl Host {
    pub fn new(world: Arc<World>) -> Self {
        Self {
            world,
            runner: None,
            buffer: vec![0; 64 << 10],
        }
    }

    /// To be dropped when the server is.
    pub async fn go_on_for_ever(&mut self) {
        loop {
            self.go_on();
            let due = self.due();
            let now = self.world.monotonic();
            let sleep = async {
                match due {
                    Some(due) => tokio::time::sleep(due.saturating_sub(now)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.world.bell.notified() => {}
                () = sleep => {}
            }
        }
    }

    fn due(&self) -> Option<Duration> {
        let processes = self.world.state().processes.due();
        let hosted = self.runner.as_ref();
        let connection = hosted.and_then(|hosted| hosted.connection.as_ref());
        let packet = connection.and_then(|(pair, _)| pair.due());
        let runner = hosted.and_then(|hosted| hosted.runner.due());
        [processes, packet, runner].into_iter().flatten().min()
    }

    /// Does everything that is due.
    fn go_on(&mut self) {
        loop {
            self.bury();
            self.open_the_door();
            let now = self.world.monotonic();
            let happened = self.world.state().processes.go_on(now);
            if happened {
                self.world.ends.notify_waiters();
            }
            if !self.turn(now) && !happened {
                return;
            }
        }
    }

    /// What is left of a runner that was killed.
    fn bury(&mut self) {
        if !self.world.state().runner_is_alive
            && let Some(Hosted {
                connection: Some((pair, _)),
                ..
            }) = self.runner.take()
        {
            pair.runner_goes();
            self.world.mail.notify_one();
        }
    }

    /// Who knocks is let in, and whoever was there before is sent away.
    fn open_the_door(&mut self) {
        let Some(pair) = self.world.state().knocking.take() else {
            return;
        };
        let world = &self.world;
        let hosted = self.runner.get_or_insert_with(|| {
            world.state().runner += 1;
            let below = Below {
                world: Arc::clone(world),
            };
            Hosted {
                runner: SimulatedRunner::new(Rc::new(below), Arc::clone(world) as _)
                    .expect("a runner"),
                connection: None,
            }
        });
        world.state().runner_is_alive = true;
        if let Some((before, _)) = hosted.connection.take() {
            before.runner_goes();
        }
        let socket = hosted.runner.connect().expect("a connection");
        hosted.connection = Some((pair, socket));
    }

    /// Lets the runner read what has arrived and do what is due; whether anything happened.
    fn turn(&mut self, now: Duration) -> bool {
        let Some(hosted) = &mut self.runner else {
            return false;
        };
        let mut happened = hosted.runner.due().is_some_and(|due| due <= now);
        if let Some((pair, socket)) = &hosted.connection {
            while let Some(packet) = pair.take(now, &mut self.buffer) {
                send(socket, &self.buffer[..packet.length], &packet.fds).expect("room");
                happened = true;
            }
        }
        hosted.connection.take_if(|(pair, _)| pair.is_silent());
        if std::mem::take(&mut self.world.state().runner_is_told) {
            self.world.state().ledger.runner_is_told();
            hosted.runner.terminate().expect("told");
        }
        if self.world.state().processes.has_zombies() {
            hosted.runner.interrupt().expect("told");
        }
        let is_over = hosted.runner.turn().expect("a turn");
        self.world.state().held = hosted.runner.held();
        while let Some((pair, socket)) = &hosted.connection {
            let Ok(packet) = receive(socket, &mut self.buffer) else {
                break;
            };
            happened = true;
            if packet.length == 0 {
                pair.runner_goes();
                self.world.mail.notify_one();
                hosted.connection = None;
            } else if self.world.state().runner_is_alive {
                pair.tell(&self.world, &self.buffer[..packet.length], &packet.fds);
            }
        }
        if is_over {
            self.world.note(format_args!("the runner ends by itself"));
            self.world.kill_runner();
            return true;
        }
        happened
    }
}
