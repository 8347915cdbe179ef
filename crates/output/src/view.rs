//! Reading an attempt's output: raw bytes, windows of lines, the end.
//!
//! All of it reads files. Answers are bounded in lines, cells and raw bytes, so the cost
//! of a request does not depend on what a script printed.

mod masked;
mod scene;

use rustix::fd::OwnedFd;
use serde::Serialize;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::folder::{Key, Part};
use crate::hidden::Hidden;
use crate::index::Index;
use crate::line::Line;
use crate::live::{Attempt, Hub, Snapshot, lock};
use crate::paint::{MAX_CELLS, Painter};
use crate::record::Records;
use crate::stream::{Pair, Selection, Stream};
use crate::style::Style;
use crate::walk::{Cursor, Row, Segments, Step};
use scene::{Kept, Scene};

/// Lines in an answer at most.
pub const MAX_LINES: usize = 500;
/// Bytes that [`View::read`] gives at most.
pub const MAX_READ: usize = 256 * 1024;
/// Raw bytes that the lines of an answer are made from at most, if there is more than one.
const MAX_RAW: u64 = 2 << 20;
/// Bytes read at once for a window.
const PIECE: usize = 64 * 1024;

/// The output of one attempt, still coming or ended.
pub struct View {
    hub: Arc<Hub>,
    key: Key,
    live: Option<Arc<Attempt>>,
    files: Pair<OnceLock<OwnedFd>>,
    chunks: Option<Arc<OwnedFd>>,
    /// Of an ended attempt.
    sizes: Pair<u64>,
    /// What its segments may hold and nobody may see.
    hidden: Option<Arc<Hidden>>,
}

/// A window of lines.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// Number of the first line asked for; lines are numbered from 0.
    pub from: u64,
    /// Lines so far, with those that are not ended.
    pub total: u64,
    /// The lines, at most [`MAX_LINES`].
    pub lines: Vec<Line>,
    /// Where to go on, if there are more.
    pub next: Option<u64>,
    /// How many of the last lines (of `total`) may still change.
    pub partial: u64,
}

/// The last lines, and what the live tail says of them.
pub(crate) struct End {
    pub seq: u64,
    pub total: u64,
    pub partial: u64,
    pub ended: bool,
    pub lines: VecDeque<Line>,
}

impl View {
    /// Of an attempt whose output is still coming.
    pub(crate) fn of_live(hub: Arc<Hub>, attempt: Arc<Attempt>) -> Self {
        let key = attempt.key;
        let live = Some(attempt);
        let hidden = hub.hidden.get(key.run);
        Self {
            hub,
            key,
            live,
            files: Pair::default(),
            chunks: None,
            sizes: Pair::default(),
            hidden,
        }
    }

    /// Of an ended attempt; one that printed nothing has no files.
    pub(crate) fn of_ended(hub: Arc<Hub>, key: Key) -> io::Result<Self> {
        // First: what is not hidden any more is masked.
        let hidden = hub.hidden.get(key.run);
        let mut sizes = Pair::default();
        let files = Pair::<OnceLock<OwnedFd>>::default();
        for stream in Stream::ALL {
            if let Some(file) = hub.folder.find(key, Part::Segment(stream))? {
                *sizes.of_mut(stream) = rustix::fs::fstat(&file)?.st_size.unsigned_abs();
                let _ = files.of(stream).set(file);
            }
        }
        let chunks = hub.folder.find(key, Part::Chunks)?.map(Arc::new);
        Ok(Self {
            hub,
            key,
            live: None,
            files,
            chunks,
            sizes,
            hidden,
        })
    }

    /// Bytes of a stream as they were printed, but for secrets: those of the range that there are,
    /// [`MAX_READ`] at most.
    pub fn read(&self, stream: Stream, range: Range<u64>) -> io::Result<Vec<u8>> {
        let end = range.end.min(self.size(stream));
        let length = usize::try_from(end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        self.read_exactly(stream, range.start, length.min(MAX_READ))
    }

    /// At most `n` lines (and [`MAX_LINES`]) from this one on.
    pub fn lines(&self, selection: Selection, from: u64, n: usize) -> io::Result<Lines> {
        let n = n.min(MAX_LINES);
        let scene = self.scene(selection, |index| index.before_line(from))?;
        let mut walk = scene.walk(self, PIECE);
        let mut painter = Painter::default();
        let (mut lines, mut skipped) = (Vec::new(), 0);
        while lines.len() < n {
            match walk.next()? {
                Some(Step::Line(row)) if row.number >= from => {
                    lines.push(show(&mut painter, walk.raw(&row), &row, selection));
                }
                Some(_) => {}
                None => {
                    let rows = scene.partials.iter().filter(|row| row.number >= from);
                    for row in rows.take(n - lines.len()) {
                        lines.push(self.show_partial(&mut painter, row, selection)?);
                    }
                    break;
                }
            }
            if lines.is_empty() {
                skipped = walk.walked();
            } else if walk.walked() - skipped > MAX_RAW {
                break;
            }
        }
        let (total, partial) = (scene.total(), scene.partial());
        let next = Some(from.saturating_add(lines.len() as u64)).filter(|next| *next < total);
        Ok(Lines {
            from,
            total,
            lines,
            next,
            partial,
        })
    }

    /// The last `n` lines, [`MAX_LINES`] at most.
    pub fn tail(&self, selection: Selection, n: usize) -> io::Result<Lines> {
        let end = self.end(selection, n.min(MAX_LINES), MAX_RAW)?;
        let from = end.total - end.lines.len() as u64;
        let (total, partial, lines) = (end.total, end.partial, end.lines.into());
        Ok(Lines {
            from,
            total,
            lines,
            next: None,
            partial,
        })
    }

    /// The last lines of both streams, for the live tail.
    pub(crate) fn live_tail(&self, n: usize, bytes: u64) -> io::Result<End> {
        self.end(Selection::Both, n, bytes)
    }

    fn end(&self, selection: Selection, n: usize, bytes: u64) -> io::Result<End> {
        let scene = self.scene(selection, |index| {
            index.before_end(index.head().line.saturating_sub(n as u64), bytes)
        })?;
        let first = scene.total().saturating_sub(n as u64);
        let mut walk = scene.walk(self, PIECE);
        let (mut painter, mut kept) = (Painter::default(), Kept::new(bytes));
        while let Some(step) = walk.next()? {
            if let Step::Line(row) = step
                && row.number >= first
            {
                kept.push(
                    row.end - row.start,
                    show(&mut painter, walk.raw(&row), &row, selection),
                );
            }
        }
        for row in scene.partials.iter().filter(|row| row.number >= first) {
            kept.push(
                row.end - row.start,
                self.show_partial(&mut painter, row, selection)?,
            );
        }
        let size = scene.bytes();
        Ok(End {
            seq: 1 + 2 * size + u64::from(scene.ended()),
            total: scene.total(),
            partial: scene.partial(),
            ended: scene.ended(),
            lines: kept.lines,
        })
    }

    /// Brings the index up to date and asks it where to begin.
    pub(crate) fn scene(
        &self,
        selection: Selection,
        begin: impl FnOnce(&Index) -> Cursor,
    ) -> io::Result<Scene> {
        let index = self.hub.indexes.get(self.key, selection);
        let mut index = lock(&index);
        // Taken under the lock: an index must never be ahead of what it is asked for.
        let Snapshot {
            mut sizes,
            mut records,
            ended,
        } = self.snapshot()?;
        if selection != Selection::Both {
            records = Records::default();
            for stream in Stream::ALL
                .into_iter()
                .filter(|stream| !selection.shows(*stream))
            {
                *sizes.of_mut(stream) = 0;
            }
        }
        index.advance(self, sizes, records.clone())?;
        let cursor = begin(&index);
        Ok(Scene::new(
            Snapshot {
                sizes,
                records,
                ended,
            },
            index.head(),
            cursor,
        ))
    }

    /// The raw bytes of a line that is not complete.
    pub(crate) fn raw_partial(&self, row: &Row) -> io::Result<Vec<u8>> {
        let length = usize::try_from(row.end - row.start).unwrap_or(usize::MAX);
        self.read_exactly(row.stream, row.start, length)
    }

    fn show_partial(&self, painter: &mut Painter, row: &Row, of: Selection) -> io::Result<Line> {
        Ok(show(painter, &self.raw_partial(row)?, row, of))
    }

    fn read_exactly(&self, stream: Stream, from: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut held = 0;
        while let Some(rest) = bytes.get_mut(held..).filter(|rest| !rest.is_empty()) {
            match self.read_at(stream, rest, from + held as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => held += n,
            }
        }
        Ok(bytes)
    }

    /// The segment; it may have been made after this view.
    fn file(&self, stream: Stream) -> io::Result<Option<&OwnedFd>> {
        let cell = self.files.of(stream);
        if cell.get().is_none()
            && let Some(file) = self.hub.folder.find(self.key, Part::Segment(stream))?
        {
            let _ = cell.set(file);
        }
        Ok(cell.get())
    }
}

impl Segments for View {
    fn read_at(&self, stream: Stream, into: &mut [u8], at: u64) -> io::Result<usize> {
        match &self.hidden {
            None => self.read_kept(stream, into, at),
            Some(hidden) => self.read_masked(hidden, stream, into, at),
        }
    }
}

/// A line as it is shown.
pub(crate) fn show(painter: &mut Painter, raw: &[u8], row: &Row, selection: Selection) -> Line {
    let marked = selection == Selection::Both && row.stream == Stream::Stderr;
    let extra = if marked { Style::STDERR } else { 0 };
    painter.paint(raw, row.style, MAX_CELLS, extra)
}
