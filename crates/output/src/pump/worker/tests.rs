//! A segment that cannot be written, in a time that passes as the test wishes.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{EventfdFlags, eventfd};
use stagedoor_domain::id::{Epoch, RunId};
use stagedoor_domain::time::{Clock, Timestamp};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::folder::{Folder, Key, Part, file_name};
use crate::hidden::HiddenOfRuns;
use crate::indexes::Indexes;
use crate::pump::is_shortage;
use crate::tail::TailQueue;

/// Each look at it is a retry later than the one before.
#[derive(Default)]
struct Leaping(AtomicU64);

impl Clock for Leaping {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn monotonic(&self) -> Duration {
        RETRY * u32::try_from(self.0.fetch_add(1, Ordering::Relaxed)).expect("few")
    }
}

struct Bench {
    dir: tempfile::TempDir,
    worker: Worker,
    attempt: Arc<Attempt>,
    events: UnboundedReceiver<PumpEvent>,
    writer: std::io::PipeWriter,
}

/// A worker with one attempt, of whose segment the test has done something.
fn bench(spoil: impl FnOnce(&std::path::Path)) -> Bench {
    let dir = tempfile::tempdir().expect("a folder");
    let (events, receiver) = unbounded_channel();
    let hub = Arc::new(Hub {
        folder: Folder::open(dir.path()).expect("opened"),
        clock: Arc::new(Leaping::default()),
        live: Mutex::new(HashMap::new()),
        indexes: Indexes::default(),
        hidden: HiddenOfRuns::default(),
        events,
        tails: TailQueue::default(),
    });
    let key = Key {
        run: RunId::from_bytes([1; 16]),
        epoch: Epoch(1),
    };
    let path = dir
        .path()
        .join(file_name(key, Part::Segment(Stream::Stdout)));
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let attempt = Arc::new(Attempt::begin(&hub, key, 0).expect("begun"));
    spoil(&path);
    let gate = Arc::new(Gate {
        epoll: epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll"),
        bell: eventfd(0, EventfdFlags::CLOEXEC).expect("a bell"),
        orders: Mutex::default(),
    });
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let token = token(&attempt, Stream::Stdout);
    let mut worker = Worker::new(gate, hub);
    attempt.open(Stream::Stdout).expect("not open");
    let data = EventData::new_u64(token);
    epoll::add(&worker.gate.epoll, &reader, data, EventFlags::IN).expect("added");
    let flow = Flow::new(
        Arc::clone(&attempt),
        Stream::Stdout,
        reader.into(),
        0,
        u64::MAX,
    );
    worker.flows.insert(token, flow);
    Bench {
        dir,
        worker,
        attempt,
        events: receiver,
        writer,
    }
}

/// Bytes of standard output, and those that are lost, once it is closed.
fn closed(bench: &mut Bench) -> Option<(u64, u64)> {
    let mut last = None;
    while let Ok(event) = bench.events.try_recv() {
        if let PumpEvent::Stalled { file, .. } = &event {
            assert!(bench.dir.path().join(file).exists(), "{file}");
        }
        last = Some(event);
    }
    match last {
        Some(PumpEvent::Closed { stdout, lost, .. }) => Some((stdout, lost)),
        _ => None,
    }
}

#[test]
fn an_attempt_whose_segment_cannot_be_written_ends_after_some_tries_once_its_process_has() {
    let mut bench = bench(|path| std::fs::create_dir(path).expect("in the way"));
    bench.writer.write_all(b"lost").expect("written");
    let token = token(&bench.attempt, Stream::Stdout);
    bench.worker.ready(token, EventFlags::IN);
    // While the process goes on it waits at its pipe for as long as it takes.
    for _ in 0..4 * TRIES {
        bench.worker.retry();
    }
    assert_eq!(closed(&mut bench), None);
    bench.worker.finish(&Arc::clone(&bench.attempt));
    for _ in 0..TRIES {
        assert_eq!(closed(&mut bench), None, "it is tried again");
        bench.worker.retry();
    }
    bench.worker.retry();
    assert_eq!(closed(&mut bench), Some((0, 4)));
    assert!(bench.worker.flows.is_empty());
}

#[test]
fn what_can_be_written_in_time_is_kept() {
    let mut bench = bench(|path| std::fs::create_dir(path).expect("in the way"));
    bench.writer.write_all(b"kept").expect("written");
    let token = token(&bench.attempt, Stream::Stdout);
    bench.worker.ready(token, EventFlags::IN);
    bench.worker.finish(&Arc::clone(&bench.attempt));
    bench.worker.retry();
    let path = bench
        .dir
        .path()
        .join(file_name(bench.attempt.key, Part::Segment(Stream::Stdout)));
    std::fs::remove_dir(&path).expect("out of the way");
    for _ in 0..4 {
        bench.worker.retry();
    }
    assert_eq!(closed(&mut bench), Some((4, 0)));
    assert_eq!(std::fs::read(path).expect("a segment"), b"kept");
}

#[test]
fn a_full_disk_is_waited_for_and_one_bad_file_is_not() {
    for (errno, is_waited_for, is_short) in [
        (Errno::NOSPC, true, true),
        (Errno::DQUOT, true, true),
        (Errno::ROFS, true, true),
        (Errno::MFILE, true, true),
        (Errno::IO, true, false),
        (Errno::ISDIR, false, false),
        (Errno::ACCESS, false, false),
        (Errno::PERM, false, false),
    ] {
        assert_eq!(may_pass(&errno.into()), is_waited_for, "{errno:?}");
        assert_eq!(is_shortage(&errno.into()), is_short, "{errno:?}");
    }
}
