//! The moment that an answer is made from.

use std::collections::VecDeque;

use super::View;
use crate::line::Line;
use crate::live::Snapshot;
use crate::record::Records;
use crate::stream::{Pair, Stream};
use crate::walk::{Cursor, Row, Walk};

/// What a window is made from: the output at one moment, and where to begin.
pub(crate) struct Scene {
    sizes: Pair<u64>,
    records: Records,
    ended: bool,
    /// Lines that are complete.
    complete: u64,
    /// Lines that are not, behind them.
    pub partials: Vec<Row>,
    cursor: Cursor,
}

impl Scene {
    /// From the output at a moment, how far its index reaches, and where to begin.
    pub fn new(now: Snapshot, head: &Cursor, cursor: Cursor) -> Self {
        let Snapshot {
            sizes,
            records,
            ended,
        } = now;
        let (complete, partials) = (head.line, partials(head, sizes));
        Self {
            sizes,
            records,
            ended,
            complete,
            partials,
            cursor,
        }
    }

    /// No byte will follow.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Raw bytes of the streams that are shown.
    pub fn bytes(&self) -> u64 {
        self.sizes.stdout + self.sizes.stderr
    }

    /// Lines, with those that are not ended.
    pub fn total(&self) -> u64 {
        self.complete + self.partials.len() as u64
    }

    /// How many of the last lines may still change.
    pub fn partial(&self) -> u64 {
        if self.ended {
            0
        } else {
            self.partials.len() as u64
        }
    }

    /// A walk from where to begin to the end of the moment.
    pub fn walk<'a>(&self, view: &'a View, piece: usize) -> Walk<'a> {
        Walk::new(
            view,
            self.sizes,
            self.records.clone(),
            self.cursor.clone(),
            piece,
        )
    }
}

/// The lines that are not ended: behind all others, the one with the last byte last.
fn partials(head: &Cursor, sizes: Pair<u64>) -> Vec<Row> {
    let order = match head.latest {
        Stream::Stdout => [Stream::Stderr, Stream::Stdout],
        Stream::Stderr => [Stream::Stdout, Stream::Stderr],
    };
    let open = |stream: &Stream| head.streams.of(*stream).start() < *sizes.of(*stream);
    let rows = order
        .into_iter()
        .filter(open)
        .zip(head.line..)
        .map(|(stream, number)| {
            let splitter = head.streams.of(stream);
            let (start, end, style) = (splitter.start(), *sizes.of(stream), splitter.start_style());
            Row {
                number,
                stream,
                start,
                end,
                style,
            }
        });
    rows.collect()
}

/// The last lines of those pushed that were made from so many bytes.
pub(super) struct Kept {
    most: u64,
    held: u64,
    sizes: VecDeque<u64>,
    pub lines: VecDeque<Line>,
}

impl Kept {
    pub fn new(most: u64) -> Self {
        Self {
            most,
            held: 0,
            sizes: VecDeque::new(),
            lines: VecDeque::new(),
        }
    }

    pub fn push(&mut self, size: u64, line: Line) {
        self.held += size;
        self.sizes.push_back(size);
        self.lines.push_back(line);
        while self.held > self.most && self.lines.len() > 1 {
            self.held -= self.sizes.pop_front().unwrap_or(0);
            self.lines.pop_front();
        }
    }
}
