//! Going through the lines of an attempt in the order in which they were completed.
//!
//! One walk serves everything: building the index, a window of lines, search. A single
//! stream is walked as two of which one is empty.

use std::io;

use crate::record::Records;
use crate::split::{Cut, Splitter};
use crate::stream::{Pair, Stream};
use crate::style::Style;

/// Where the bytes come from.
pub(crate) trait Segments {
    /// Reads from the offset; 0 only at the end.
    fn read_at(&self, stream: Stream, into: &mut [u8], at: u64) -> io::Result<usize>;
}

/// A place from which a walk can go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Lines completed so far.
    pub line: u64,
    /// The record of the chunk index that orders the next bytes.
    pub record: u64,
    pub streams: Pair<Splitter>,
    /// The stream of the last byte.
    pub latest: Stream,
}

impl Cursor {
    pub fn start() -> Self {
        Self {
            line: 0,
            record: 0,
            streams: Pair::default(),
            latest: Stream::Stdout,
        }
    }
}

/// A line that was completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub number: u64,
    pub stream: Stream,
    pub start: u64,
    pub end: u64,
    pub style: Style,
}

/// One step of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Line(Row),
    /// A long line begins later now; worth a mark.
    Restart,
}

/// Which bytes the walk takes next.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Record(u64),
    Rest(Stream),
    Done,
}

/// The bytes of one stream around the cursor.
#[derive(Debug, Default)]
struct Block {
    at: u64,
    bytes: Vec<u8>,
}

impl Block {
    fn slice(&self, from: u64, to: u64) -> &[u8] {
        let place = |offset: u64| usize::try_from(offset.saturating_sub(self.at)).ok();
        let (Some(start), Some(end)) = (place(from), place(to)) else {
            return &[];
        };
        self.bytes
            .get(start..end.min(self.bytes.len()))
            .unwrap_or_default()
    }

    /// Drops what stands before `keep` and reads more at the end.
    fn fill(
        &mut self,
        segments: &dyn Segments,
        stream: Stream,
        keep: u64,
        size: u64,
        piece: usize,
    ) -> io::Result<()> {
        let gone = usize::try_from(keep.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let gone = gone.min(self.bytes.len());
        self.bytes.drain(..gone);
        self.at += gone as u64;
        let held = self.bytes.len();
        let end = self.at + held as u64;
        let wanted = usize::try_from(size.saturating_sub(end))
            .unwrap_or(usize::MAX)
            .min(piece);
        self.bytes.resize(held + wanted, 0);
        let read = segments.read_at(stream, self.bytes.get_mut(held..).unwrap_or_default(), end);
        self.bytes.truncate(held + *read.as_ref().unwrap_or(&0));
        // A segment never shrinks below a size that it had.
        if read? == 0 {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(())
        }
    }
}

/// A walk over the first bytes of an attempt's streams.
pub(crate) struct Walk<'a> {
    segments: &'a dyn Segments,
    sizes: Pair<u64>,
    records: Records,
    cursor: Cursor,
    phase: Phase,
    /// The stream that is read now, and up to where.
    current: Option<(Stream, u64)>,
    blocks: Pair<Block>,
    piece: usize,
    walked: u64,
}

impl<'a> Walk<'a> {
    /// Walks from the cursor to these sizes, reading pieces of so many bytes.
    pub fn new(
        segments: &'a dyn Segments,
        sizes: Pair<u64>,
        records: Records,
        cursor: Cursor,
        piece: usize,
    ) -> Self {
        let block = |stream| Block {
            at: cursor.streams.of(stream).at(),
            bytes: Vec::new(),
        };
        Self {
            segments,
            sizes,
            records,
            phase: Phase::Record(cursor.record),
            current: None,
            blocks: Pair::new(block(Stream::Stdout), block(Stream::Stderr)),
            piece,
            walked: 0,
            cursor,
        }
    }

    /// The next line or restart; `None` where the bytes end.
    pub fn next(&mut self) -> io::Result<Option<Step>> {
        loop {
            let Some((stream, end)) = self.current else {
                self.current = self.next_piece()?;
                if self.current.is_none() {
                    return Ok(None);
                }
                continue;
            };
            let splitter = self.cursor.streams.of_mut(stream);
            let (before, block) = (splitter.at(), self.blocks.of_mut(stream));
            if before >= end {
                self.current = None;
                continue;
            }
            let bytes = block.slice(before, end);
            if bytes.is_empty() {
                let size = *self.sizes.of(stream);
                block.fill(self.segments, stream, splitter.start(), size, self.piece)?;
                continue;
            }
            let cut = splitter.next(bytes);
            self.walked += splitter.at() - before;
            self.cursor.latest = stream;
            if let Some(cut) = cut {
                return Ok(Some(self.step(stream, cut)));
            }
        }
    }

    fn step(&mut self, stream: Stream, cut: Cut) -> Step {
        match cut {
            Cut::Restart => Step::Restart,
            Cut::Line { start, end, style } => {
                let number = self.cursor.line;
                self.cursor.line += 1;
                Step::Line(Row {
                    number,
                    stream,
                    start,
                    end,
                    style,
                })
            }
        }
    }

    fn next_piece(&mut self) -> io::Result<Option<(Stream, u64)>> {
        if let Phase::Record(number) = self.phase {
            if let Some(record) = self.records.get(number)? {
                self.cursor.record = number;
                self.phase = Phase::Record(number + 1);
                let end = record.end.min(*self.sizes.of(record.stream));
                return Ok(Some((record.stream, end)));
            }
            self.phase = Phase::Rest(Stream::Stdout);
        }
        let Phase::Rest(stream) = self.phase else {
            return Ok(None);
        };
        self.phase = match stream {
            Stream::Stdout => Phase::Rest(Stream::Stderr),
            Stream::Stderr => Phase::Done,
        };
        Ok(Some((stream, *self.sizes.of(stream))))
    }

    /// The bytes of the line that was just completed, if the walk began before it did.
    pub fn raw(&self, row: &Row) -> &[u8] {
        self.blocks.of(row.stream).slice(row.start, row.end)
    }

    /// Bytes that were looked at.
    pub fn walked(&self) -> u64 {
        self.walked
    }

    /// Where the walk stands.
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Ends the walk, to go on later.
    pub fn into_cursor(self) -> Cursor {
        self.cursor
    }
}
