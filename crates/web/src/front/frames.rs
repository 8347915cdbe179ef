//! Counts the frames of HTTP/2 that cost work and carry nothing: pings, settings, resets,
//! priorities, empty pieces. Who sends too many of them in a while is cut off. What is inside of a
//! frame is for the library to judge.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::watched::{Watch, Watched};

/// What the counts are for.
const SPAN: Duration = Duration::from_secs(10);
/// Length, type, flags, stream (RFC 9113, 4.1).
const HEAD: usize = 9;
/// This piece of a body is the last one.
const END_STREAM: u8 = 1;
/// What a client says before its first frame.
const PREFACE: usize = 24;

/// How much of an answer earns a client one more window update.
const EARNS_UPDATE: usize = 1024;

/// Most frames of each kind in that time.
const BUDGETS: [(Kind, u32); 6] = [
    (Kind::Reset, 500),
    (Kind::Settings, 50),
    (Kind::Ping, 100),
    (Kind::Window, 2000),
    (Kind::Empty, 200),
    (Kind::Other, 1000),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Reset,
    Settings,
    Ping,
    Window,
    /// A piece of a body or of a head without content, which does not end it either.
    Empty,
    /// Priorities, and what nobody knows.
    Other,
}

/// Follows the bytes of a connection from frame to frame.
#[derive(Debug, Default)]
struct Meter {
    head: [u8; HEAD],
    /// How many bytes of the next head are there.
    has: usize,
    /// Bytes to pass over before the next head.
    skip: usize,
    counts: [u32; BUDGETS.len()],
    /// What earns window updates: bytes that went to the client.
    sent: usize,
}

impl Meter {
    fn new() -> Self {
        Self {
            skip: PREFACE,
            ..Self::default()
        }
    }

    /// False when there are too many.
    fn take(&mut self, mut bytes: &[u8]) -> bool {
        loop {
            let passed = self.skip.min(bytes.len());
            self.skip -= passed;
            bytes = bytes.get(passed..).unwrap_or_default();
            let Some((&byte, rest)) = bytes.split_first() else {
                return true;
            };
            bytes = rest;
            if let Some(place) = self.head.get_mut(self.has) {
                *place = byte;
            }
            self.has += 1;
            if self.has == HEAD && !self.count() {
                return false;
            }
        }
    }

    /// The head is whole.
    fn count(&mut self) -> bool {
        let [high, middle, low, kind, flags, ..] = self.head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        self.has = 0;
        self.skip = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(kind) = kind_of(kind, flags, length) else {
            return true;
        };
        let earned = match kind {
            Kind::Window => u32::try_from(self.sent / EARNS_UPDATE).unwrap_or(u32::MAX),
            _ => 0,
        };
        let mut budgets = self.counts.iter_mut().zip(BUDGETS);
        budgets
            .find(|(_, (other, _))| *other == kind)
            .is_none_or(|(count, (_, most))| {
                *count += 1;
                *count <= most.saturating_add(earned)
            })
    }

    fn forget(&mut self) {
        self.counts = Default::default();
        self.sent = 0;
    }
}

fn kind_of(kind: u8, flags: u8, length: u32) -> Option<Kind> {
    match kind {
        // DATA, HEADERS, CONTINUATION. Many clients end a body with an empty piece.
        0 if flags & END_STREAM != 0 => None,
        0 | 1 | 9 => (length == 0).then_some(Kind::Empty),
        3 => Some(Kind::Reset),
        4 => Some(Kind::Settings),
        6 => Some(Kind::Ping),
        8 => Some(Kind::Window),
        _ => Some(Kind::Other),
    }
}

/// Ends a stream whose client sends too many such frames.
pub(super) struct Metered {
    meter: Meter,
    until: Instant,
}

impl Metered {
    /// The stream of a connection that begins now.
    pub fn watch<S>(stream: S) -> Watched<S, Self> {
        let metered = Self {
            meter: Meter::new(),
            until: Instant::now() + SPAN,
        };
        Watched::new(stream, metered)
    }
}

impl Watch for Metered {
    fn read(
        &mut self,
        read: Poll<io::Result<()>>,
        came: &[u8],
        _: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if came.is_empty() {
            return read;
        }
        let now = Instant::now();
        if now >= self.until {
            self.until = now + SPAN;
            self.meter.forget();
        }
        if self.meter.take(came) {
            return read;
        }
        tracing::debug!("a client was cut off for its flood of HTTP/2 frames");
        Poll::Ready(Err(io::Error::other("too many frames that carry nothing")))
    }

    fn write(
        &mut self,
        done: Poll<io::Result<usize>>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(size)) = done {
            self.meter.sent = self.meter.sent.saturating_add(size);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).expect("short").to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, 1], content].concat()
    }

    fn takes(frames: &[Vec<u8>]) -> bool {
        let bytes = [&[b'x'; PREFACE][..], &frames.concat()].concat();
        Meter::new().take(&bytes)
    }

    #[test]
    fn b7_floods_of_frames_are_cut_off_and_ordinary_traffic_is_not() {
        for (kind, content, most) in [
            (3, &[0; 4][..], 500),
            (4, &[], 50),
            (6, &[0; 8], 100),
            (0, &[], 200),
            (9, &[], 200),
            (2, &[0; 5], 1000),
        ] {
            assert!(takes(&vec![frame(kind, content); most]), "{kind}");
            assert!(!takes(&vec![frame(kind, content); most + 1]), "{kind}");
        }
        let mut end = frame(0, &[]);
        end[4] = END_STREAM;
        let request = [frame(1, &[0x82; 30]), frame(0, &[b'x'; 100]), end].concat();
        assert!(takes(&vec![request; 5000]));
    }

    #[test]
    fn b7_window_updates_are_earned_by_reading() {
        let updates = vec![frame(8, &[0; 4]); 3000].concat();
        let mut meter = Meter::default();
        assert!(!meter.take(&updates));
        let mut meter = Meter {
            sent: 1 << 20,
            ..Meter::default()
        };
        assert!(meter.take(&updates));
    }

    proptest! {
        #[test]
        fn how_frames_are_split_changes_nothing(
            frames in proptest::collection::vec((0_u8..12, 0_usize..20), 0..1500),
            size in 1_usize..64,
        ) {
            let frames: Vec<_> = frames.iter().map(|(kind, length)| frame(*kind, &vec![6; *length])).collect();
            let bytes = [&[b'x'; PREFACE][..], &frames.concat()].concat();
            let mut meter = Meter::new();
            let split = bytes.chunks(size).all(|piece| meter.take(piece));
            prop_assert_eq!(split, takes(&frames));
        }
    }
}
