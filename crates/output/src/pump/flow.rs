//! One pipe and the segment that it flows into.

use rustix::fd::OwnedFd;
use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{SpliceFlags, fcntl_setpipe_size, splice};
use std::io;
use std::sync::Arc;

use crate::folder::{Part, file_name};
use crate::live::{Attempt, Hub};
use crate::stream::Stream;

/// Bytes moved by one call at most; a pipe holds no more.
pub(crate) const PIECE: u64 = 1 << 20;
/// A stream that has so many bytes waiting, half of what a new pipe holds, is large.
const MANY: u64 = 32 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    Open,
    /// The limit is reached: nothing is taken any more.
    Over,
    /// The segment cannot be written at the moment.
    Stuck,
}

/// What one call did.
#[derive(Debug)]
pub(crate) enum Poured {
    Moved(u64),
    /// The pipe is empty.
    Dry,
    /// The pipe is empty, and nobody can write to it.
    End,
    /// The pipe has bytes above the limit.
    Over,
    /// The segment cannot be written.
    Stuck(io::Error),
}

/// One stream of a live attempt, owned by its pump thread.
pub(crate) struct Flow {
    pub attempt: Arc<Attempt>,
    pub stream: Stream,
    pub pipe: OwnedFd,
    pub course: Course,
    /// Bytes to take before closing, once the process has ended.
    pub left: Option<u64>,
    /// How often the segment could not be written since then.
    pub tries: u32,
    segment: Option<OwnedFd>,
    at: u64,
    cap: u64,
    /// The pipe was given the room of a large stream.
    is_large: bool,
}

impl Flow {
    pub fn new(attempt: Arc<Attempt>, stream: Stream, pipe: OwnedFd, at: u64, cap: u64) -> Self {
        Self {
            attempt,
            stream,
            pipe,
            course: Course::Open,
            left: None,
            tries: 0,
            segment: None,
            at,
            cap,
            is_large: false,
        }
    }

    /// The segment, below the output folder.
    pub fn file(&self) -> String {
        file_name(self.attempt.key, Part::Segment(self.stream))
    }

    /// Moves up to so many bytes. Call it only when the pipe has some: it makes the segment.
    pub fn pour(&mut self, hub: &Hub, most: u64) -> Poured {
        let room = self.cap.saturating_sub(self.at);
        if room == 0 {
            // Exactly the limit is within it.
            return if ioctl_fionread(&self.pipe).is_ok_and(|n| n == 0) {
                Poured::Dry
            } else {
                Poured::Over
            };
        }
        let moved = self.splice(hub, room.min(most).min(PIECE));
        let Poured::Moved(n) = moved else {
            return moved;
        };
        self.at += n;
        if n >= MANY && !self.is_large {
            self.enlarge();
        }
        if self.attempt.grew(hub, self.stream, self.at) {
            hub.tails.touch(&self.attempt);
        }
        moved
    }

    /// So that the script seldom waits. Not done for every pipe, because most streams are small, and
    /// making room costs as much as a good part of a start.
    fn enlarge(&mut self) {
        self.is_large = true;
        // Without rights there is room for a few large pipes only; a small one works as well.
        let _ = fcntl_setpipe_size(&self.pipe, usize::try_from(PIECE).unwrap_or_default());
    }

    /// The kernel takes from the pipe exactly what it wrote, whatever happens to us.
    fn splice(&mut self, hub: &Hub, length: u64) -> Poured {
        let segment = match &self.segment {
            Some(segment) => segment,
            None => match hub
                .folder
                .create(self.attempt.key, Part::Segment(self.stream))
            {
                Ok(segment) => self.segment.insert(segment),
                Err(error) => return Poured::Stuck(error),
            },
        };
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        loop {
            let mut at = self.at;
            match splice(&self.pipe, None, segment, Some(&mut at), length, flags) {
                Ok(0) => return Poured::End,
                Ok(n) => return Poured::Moved(n as u64),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Poured::Dry,
                Err(error) => return Poured::Stuck(error.into()),
            }
        }
    }
}
