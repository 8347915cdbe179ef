//! Runners and servers of another version: an earlier runner is taken over with what it holds.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde::Serialize;
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::sandbox::Enforced;
use stagedoor_domain::time::Timestamp;
use stagedoor_runner::handle::{Link, Received, Waiting};
use stagedoor_runner::protocol::{EARLIEST, ExitRecord, FromRunner, ToRunner, VERSION};
use stagedoor_runner::{Refusal, Report, Runner, StopKind};

use crate::house::*;

/// What version 5 can say, written down as it was then: to it, and by it.
#[derive(Serialize)]
enum ToVersion5 {
    Hello {
        version: u32,
    },
    Bye,
    #[expect(dead_code, reason = "it keeps the place of a plan")]
    Start,
    Stop {
        run: RunId,
        epoch: Epoch,
        kind: StopKind,
        cause: String,
    },
    Forget {
        run: RunId,
        epoch: Epoch,
    },
    Again {
        run: RunId,
        epoch: Epoch,
    },
    StartSealed {
        run: RunId,
        epoch: Epoch,
        bytes: u64,
    },
}

#[derive(Serialize)]
enum FromVersion5 {
    Welcome {
        version: u32,
        held: u32,
        settings: Vec<String>,
    },
    #[expect(
        dead_code,
        reason = "it comes with descriptors, and keeps its place here"
    )]
    Started,
    Refused {
        run: RunId,
        epoch: Epoch,
        reason: Refusal,
    },
    Exited {
        run: RunId,
        epoch: Epoch,
        record: ExitRecord,
    },
    Complete {
        starting: Vec<(RunId, Epoch)>,
    },
    /// With three descriptors, always.
    Ran {
        run: RunId,
        epoch: Epoch,
        pid: u32,
        started_at: Timestamp,
        enforced: Enforced,
        record: ExitRecord,
    },
}

fn packet(message: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(message).expect("a packet")
}

/// A runner that says what it was given, each with so many descriptors, and notes what it hears.
struct Earlier {
    says: Mutex<Vec<(Vec<u8>, usize)>>,
    heard: Mutex<Vec<(Vec<u8>, usize)>>,
}

impl Link for Earlier {
    fn send<'a>(&'a self, bytes: &'a [u8], fds: &'a [BorrowedFd<'a>]) -> Waiting<'a, ()> {
        Box::pin(async { self.try_send(bytes, fds) })
    }

    fn try_send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut heard = self.heard.lock().expect("no panic before");
        heard.push((bytes.to_vec(), fds.len()));
        Ok(())
    }

    fn receive<'a>(&'a self, buffer: &'a mut [u8]) -> Waiting<'a, Received> {
        let next = self.says.lock().expect("no panic before").pop();
        Box::pin(async move {
            let (packet, descriptors) = next.unwrap_or_default();
            buffer[..packet.len()].copy_from_slice(&packet);
            let pipes = (0..descriptors).map(|_| rustix::pipe::pipe().map(|(end, _)| end));
            Ok(Received {
                length: packet.len(),
                fds: pipes.collect::<Result<_, _>>()?,
                lacks_fds: false,
            })
        })
    }
}

impl Earlier {
    /// Says this once it is welcome.
    fn saying(says: Vec<FromVersion5>) -> Arc<Self> {
        assert_eq!(
            (EARLIEST, VERSION),
            (5, 6),
            "the earliest one is written down above"
        );
        let welcome = FromVersion5::Welcome {
            version: 5,
            held: 2,
            settings: vec!["x".into()],
        };
        let says = std::iter::once(welcome).chain(says).map(|said| {
            let comes_with = if matches!(said, FromVersion5::Ran { .. }) {
                3
            } else {
                0
            };
            (packet(&said), comes_with)
        });
        let mut says: Vec<_> = says.collect();
        says.reverse();
        Arc::new(Self {
            says: Mutex::new(says),
            heard: Mutex::default(),
        })
    }
}

#[tokio::test]
async fn a_runner_of_the_earliest_version_is_understood() {
    let (run, epoch) = (new_run(), Epoch(1));
    let record = ExitRecord {
        exit_code: Some(3),
        ..ExitRecord::default()
    };
    let reason = Refusal::Gone;
    let link = Earlier::saying(vec![
        FromVersion5::Exited {
            run,
            epoch,
            record: record.clone(),
        },
        FromVersion5::Ran {
            run,
            epoch,
            pid: 7,
            started_at: Timestamp::from_millis(7),
            enforced: Enforced::default(),
            record: record.clone(),
        },
        FromVersion5::Refused {
            run,
            epoch,
            reason: reason.clone(),
        },
        FromVersion5::Complete {
            starting: vec![(run, epoch)],
        },
    ]);
    let (_runner, mut reports, held) = Runner::over(link, false).await.expect("it is welcome");
    assert_eq!(held, 2);
    assert!(matches!(reports.recv().await, Report::Exited { record: told, .. } if told == record));
    // What has run comes with its pipes, also where it has printed nothing.
    assert!(matches!(reports.recv().await, Report::Started(told) if told.pid == 7));
    assert!(matches!(reports.recv().await, Report::Exited { record: told, .. } if told == record));
    assert!(matches!(reports.recv().await, Report::Refused { reason: told, .. } if told == reason));
    assert!(
        matches!(reports.recv().await, Report::Complete { starting } if starting == [(run, epoch)])
    );
}

#[tokio::test]
async fn a_runner_of_the_earliest_version_hears_nothing_that_it_does_not_know() {
    let earlier = Earlier::saying(Vec::new());
    let link: Arc<dyn Link> = earlier.clone();
    let (runner, _reports, _) = Runner::over(link, false).await.expect("it is welcome");
    let (run, epoch) = (new_run(), Epoch(1));
    let mut large = command(&["/bin/true"]);
    large.invocation.stdin = vec![7; 200_000];
    let (asked, bytes) = (
        large.run,
        postcard::to_stdvec(&large).expect("a plan").len() as u64,
    );
    runner.start(large).await.expect("sent");
    runner
        .stop(run, epoch, StopKind::Kill, "asked")
        .await
        .expect("sent");
    let both = [(run, epoch), (run, Epoch(2))];
    runner.forget(&both).await.expect("sent");
    runner.bye().await.expect("sent");
    let heard = earlier.heard.lock().expect("no panic before").clone();
    let wanted = [
        (packet(&ToVersion5::Hello { version: VERSION }), 0),
        (
            packet(&ToVersion5::StartSealed {
                run: asked,
                epoch,
                bytes,
            }),
            1,
        ),
        (
            packet(&ToVersion5::Stop {
                run,
                epoch,
                kind: StopKind::Kill,
                cause: "asked".to_owned(),
            }),
            0,
        ),
        (packet(&ToVersion5::Forget { run, epoch }), 0),
        (
            packet(&ToVersion5::Forget {
                run,
                epoch: Epoch(2),
            }),
            0,
        ),
        (packet(&ToVersion5::Bye), 0),
    ];
    assert_eq!(heard, wanted);
    let again = ToRunner::Again { run, epoch };
    assert_eq!(packet(&again), packet(&ToVersion5::Again { run, epoch }));
}

#[tokio::test]
async fn versions_that_nobody_knows_yet_are_told_apart_by_the_same_hello_and_welcome() {
    for version in [EARLIEST - 1, VERSION + 1] {
        let message = FromRunner::Welcome {
            version,
            held: 1,
            settings: Vec::new(),
        };
        let then = FromVersion5::Welcome {
            version,
            held: 1,
            settings: Vec::new(),
        };
        assert_eq!(packet(&message), packet(&then));
        assert_eq!(
            packet(&ToRunner::Hello { version }),
            packet(&ToVersion5::Hello { version })
        );
    }
}

/// What a server is told at its arrival.
fn told(house: &House) -> Vec<FromRunner> {
    let kind = SocketType::SEQPACKET;
    let socket = rustix::net::socket(AddressFamily::UNIX, kind, None).expect("a socket");
    let path = house.base.path().join("state/runner.sock");
    let address = SocketAddrUnix::new(&path).expect("an address");
    rustix::net::connect(&socket, &address).expect("connected");
    let hello = packet(&ToRunner::Hello { version: VERSION });
    rustix::net::send(&socket, &hello, SendFlags::NOSIGNAL).expect("sent");
    let mut told = Vec::new();
    while !matches!(told.last(), Some(FromRunner::Complete { .. })) {
        let mut buffer = [0; 4096];
        let (length, _) =
            rustix::net::recv(&socket, &mut buffer, RecvFlags::empty()).expect("a packet");
        told.push(postcard::from_bytes(&buffer[..length]).expect("a message"));
    }
    told
}

#[tokio::test]
async fn an_end_is_told_together_with_its_start_to_who_comes_later() {
    let mut house = House::open();
    let plan = command(&["/bin/false"]);
    let _ = house.start(plan.clone()).await;
    let ended = house.exited().await;
    let told = told(&house);
    let [
        _,
        FromRunner::Ran { run, record, .. } | FromRunner::RanSilently { run, record, .. },
        _,
    ] = &told[..]
    else {
        panic!("it is told once");
    };
    assert_eq!((*run, record), (plan.run, &ended));
    house.next_server();
    assert_eq!(house.started().await.run, plan.run);
    assert_eq!(house.exited().await, ended);
}

#[tokio::test]
async fn many_are_let_go_of_at_once_and_no_other_is() {
    let mut house = House::open();
    let stays = command(&["/bin/false"]);
    let _ = house.start(stays.clone()).await;
    house.exited().await;
    let mut over = vec![(new_run(), Epoch(1))];
    for _ in 0..3 {
        let plan = command(&["/bin/true"]);
        over.push((plan.run, plan.epoch));
        let _ = house.start(plan).await;
        house.exited().await;
    }
    // More than one message holds; one that is held is in the last.
    over.resize_with(200, || (new_run(), Epoch(1)));
    over.swap(1, 199);
    house.runner.forget(&over).await.expect("sent");
    let held = told(&house);
    let [
        FromRunner::Welcome { held: 1, .. },
        FromRunner::Ran { run, .. } | FromRunner::RanSilently { run, .. },
        ..,
    ] = &held[..]
    else {
        panic!("{held:?}");
    };
    assert_eq!(*run, stays.run);
}

#[tokio::test]
async fn a_large_plan_whose_file_does_not_arrive_is_refused_and_the_next_one_runs() {
    let mut house = House::open();
    let mut large = command(&["/usr/bin/wc", "-c"]);
    large.invocation.stdin = vec![b'x'; 200_000];
    let runner = Pid::from_raw(i32::try_from(house.pid).expect("it fits")).expect("a pid");
    let Ok(open) = std::fs::read_dir(format!("/proc/{}/fd", house.pid)) else {
        println!("skipped: this account may not see the runner's descriptors");
        return;
    };
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let open: BTreeSet<u64> = open.flatten().filter_map(number).collect();
    let free = (0..=open.len() as u64).find(|number| !open.contains(number));
    let before = prlimit(
        Some(runner),
        Resource::Nofile,
        Rlimit {
            current: free,
            maximum: getrlimit(Resource::Nofile).maximum,
        },
    );
    let before = before.expect("lowered");
    let reason = house.refusal(large.clone()).await;
    assert!(
        matches!(&reason, Refusal::Resources(text) if text.contains("no descriptor free")),
        "{reason:?}"
    );
    prlimit(Some(runner), Resource::Nofile, before).expect("raised");
    assert_eq!(house.run(large).await.text(), "200000\n");
}

/// Something that listens where the runner would and says that it speaks this version and holds so
/// many attempts. It leaves when it is told goodbye.
fn listener(base: &Path, version: u32, held: u32) -> std::thread::JoinHandle<()> {
    let path = base.join("state/runner.sock");
    let kind = SocketType::SEQPACKET;
    let socket = rustix::net::socket(AddressFamily::UNIX, kind, None).expect("a socket");
    let address = SocketAddrUnix::new(&path).expect("an address");
    rustix::net::bind(&socket, &address).expect("bound");
    rustix::net::listen(&socket, 1).expect("listening");
    std::thread::spawn(move || {
        let server = rustix::net::accept(&socket).expect("a server");
        let welcome = packet(&FromRunner::Welcome {
            version,
            held,
            settings: Vec::new(),
        });
        let mut buffer = [0; 4096];
        loop {
            match rustix::net::recv(&server, &mut buffer, RecvFlags::empty()) {
                Ok((length, _)) if length > 0 => {
                    match postcard::from_bytes(&buffer[..length]).expect("a message") {
                        ToRunner::Hello { .. } => {
                            rustix::net::send(&server, &welcome, SendFlags::NOSIGNAL)
                                .expect("sent");
                        }
                        ToRunner::Bye => break,
                        other => panic!("{other:?}"),
                    }
                }
                _ => break,
            }
        }
        std::fs::remove_file(&path).expect("removed");
    })
}

#[test]
fn a_runner_of_a_version_that_is_not_known_and_holds_runs_is_refused_with_what_to_do() {
    for version in [EARLIEST - 1, VERSION + 1] {
        let base = new_base();
        let other = listener(base.path(), version, 3);
        let error = Runner::ensure(binary(), &options(base.path())).expect_err("not understood");
        let said = error.to_string();
        let names = [
            format!("speaks version {version}"),
            format!("knows {EARLIEST} to {VERSION}"),
            "holds 3 runs".to_owned(),
            "start the version of stagedoor that began them".to_owned(),
        ];
        for name in names {
            assert!(said.contains(&name), "{name}: {said}");
        }
        other.join().expect("it only listened");
    }
}

#[test]
fn a_runner_of_each_version_that_is_known_is_taken_over() {
    for version in EARLIEST..=VERSION {
        let base = new_base();
        let other = listener(base.path(), version, 3);
        let path = base.path().join("state/runner.sock");
        let connection = Runner::connect(&path).expect("understood");
        assert_eq!(connection.held(), 3);
        drop(connection);
        other.join().expect("it only listened");
    }
}

#[tokio::test]
async fn a_runner_of_another_version_that_holds_nothing_is_replaced() {
    for version in [EARLIEST - 1, VERSION + 1] {
        let base = new_base();
        let other = listener(base.path(), version, 0);
        let connection = Runner::ensure(binary(), &options(base.path())).expect("a runner");
        other.join().expect("it was told goodbye");
        let mut house = House::with(base, connection);
        assert_eq!(
            house.run(command(&["/bin/true"])).await.record.exit_code,
            Some(0)
        );
    }
}
