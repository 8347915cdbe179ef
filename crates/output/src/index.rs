//! Marks in the lines of an attempt, so that a window of lines anywhere costs the same.
//!
//! Made when someone looks, from the segments alone, and continued as they grow.

use std::io;

use crate::record::Records;
use crate::split::Splitter;
use crate::stream::{Pair, Stream};
use crate::style::Style;
use crate::walk::{Cursor, Segments, Step, Walk};

/// A mark stands every so many lines, or bytes if that is sooner.
const EVERY: u64 = 1_000;
const SPAN: u64 = 1 << 20;
/// Marks at most; then every second one goes, and the distance doubles.
const MAX_MARKS: usize = 1 << 16;
/// Bytes read at once while building.
const PIECE: usize = 256 * 1024;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Mark {
    line: u64,
    record: u64,
    /// Start of each stream's current line, and the style there.
    starts: Pair<(u64, Style)>,
}

impl Mark {
    fn at(cursor: &Cursor) -> Self {
        let start = |stream| {
            let splitter: &Splitter = cursor.streams.of(stream);
            (splitter.start(), splitter.start_style())
        };
        Self {
            line: cursor.line,
            record: cursor.record,
            starts: Pair::new(start(Stream::Stdout), start(Stream::Stderr)),
        }
    }

    fn bytes(&self) -> u64 {
        self.starts.stdout.0 + self.starts.stderr.0
    }

    fn cursor(&self) -> Cursor {
        let begin = |(start, style)| Splitter::from_line_start(start, style);
        Cursor {
            line: self.line,
            record: self.record,
            streams: Pair::new(begin(self.starts.stdout), begin(self.starts.stderr)),
            latest: Stream::Stdout,
        }
    }
}

/// The index of one selection of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Index {
    /// Ordered by line and by bytes; the first is the beginning.
    marks: Vec<Mark>,
    /// Doubled when marks are thinned.
    scale: u64,
    /// How far the index reaches.
    head: Cursor,
}

impl Index {
    pub fn new() -> Self {
        Self {
            marks: vec![Mark::default()],
            scale: 1,
            head: Cursor::start(),
        }
    }

    /// Goes on to these sizes. After an error the index is good, but reaches less far.
    pub fn advance(
        &mut self,
        segments: &dyn Segments,
        sizes: Pair<u64>,
        records: Records,
    ) -> io::Result<()> {
        let head = std::mem::replace(&mut self.head, Cursor::start());
        let mut walk = Walk::new(segments, sizes, records, head, PIECE);
        let result = loop {
            match walk.next() {
                Ok(Some(Step::Line(_) | Step::Restart)) => self.mark(walk.cursor()),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.head = walk.into_cursor();
        result
    }

    fn mark(&mut self, cursor: &Cursor) {
        let (lines, bytes) = self
            .marks
            .last()
            .map_or((0, 0), |last| (last.line, last.bytes()));
        let here = cursor.streams.stdout.start() + cursor.streams.stderr.start();
        if cursor.line - lines < EVERY * self.scale && here - bytes < SPAN * self.scale {
            return;
        }
        self.marks.push(Mark::at(cursor));
        if self.marks.len() > MAX_MARKS {
            let mut keep = false;
            self.marks.retain(|_| {
                keep = !keep;
                keep
            });
            self.scale *= 2;
        }
    }

    /// How far the index reaches: its lines are the complete ones.
    pub fn head(&self) -> &Cursor {
        &self.head
    }

    /// Where to begin to read this line.
    pub fn before_line(&self, line: u64) -> Cursor {
        self.mark_below(self.marks.partition_point(|mark| mark.line <= line))
    }

    /// Where to begin to read the lines from this one to the end, but no more than the
    /// last `bytes` and what lies between two marks.
    pub fn before_end(&self, line: u64, bytes: u64) -> Cursor {
        let end = Mark::at(&self.head).bytes();
        let by_line = self.marks.partition_point(|mark| mark.line <= line);
        let by_bytes = self
            .marks
            .partition_point(|mark| mark.bytes() + bytes <= end);
        self.mark_below(by_line.max(by_bytes))
    }

    fn mark_below(&self, number: usize) -> Cursor {
        let mark = self.marks.get(number.saturating_sub(1));
        mark.map_or_else(Cursor::start, Mark::cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::split::SOFT;
    use proptest::prelude::*;
    use stagedoor_domain::time::Timestamp;
    use std::cell::Cell;

    /// Segments in memory, which count what is read of them.
    struct Memory {
        bytes: Pair<Vec<u8>>,
        read: Cell<u64>,
    }

    impl Memory {
        fn new(stdout: Vec<u8>, stderr: Vec<u8>) -> Self {
            Self {
                bytes: Pair::new(stdout, stderr),
                read: Cell::new(0),
            }
        }

        fn sizes(&self) -> Pair<u64> {
            Pair::new(
                self.bytes.stdout.len() as u64,
                self.bytes.stderr.len() as u64,
            )
        }
    }

    impl Segments for Memory {
        fn read_at(&self, stream: Stream, into: &mut [u8], at: u64) -> io::Result<usize> {
            let at = usize::try_from(at).expect("small");
            let from = self.bytes.of(stream).get(at..).unwrap_or_default();
            let count = into.len().min(from.len());
            into[..count].copy_from_slice(&from[..count]);
            self.read.set(self.read.get() + count as u64);
            Ok(count)
        }
    }

    fn record(stream: Stream, end: u64) -> Record {
        Record {
            stream,
            end,
            time: Timestamp::default(),
        }
    }

    fn index_of(memory: &Memory, records: &[Record]) -> Index {
        let mut index = Index::new();
        let records = Records::of(records.to_vec());
        index
            .advance(memory, memory.sizes(), records)
            .expect("advanced");
        index
    }

    /// All rows from a cursor.
    fn rows(memory: &Memory, records: &[Record], cursor: Cursor) -> Vec<crate::walk::Row> {
        let records = Records::of(records.to_vec());
        let mut walk = Walk::new(memory, memory.sizes(), records, cursor, 4096);
        let mut rows = Vec::new();
        while let Some(step) = walk.next().expect("step") {
            if let Step::Line(row) = step {
                assert_eq!(walk.raw(&row).len() as u64, row.end - row.start);
                rows.push(row);
            }
        }
        rows
    }

    fn piece() -> impl Strategy<Value = (bool, Vec<u8>)> {
        let bytes = prop_oneof![
            10 => "[a-z]{0,20}\n?".prop_map(String::into_bytes),
            3 => Just(b"\r".to_vec()),
            2 => Just(b"\x1b[3".to_vec()),
            2 => Just(b"1mred".to_vec()),
            2 => (0_usize..2_500).prop_map(|n| b"\n".repeat(n)),
            1 => (0_usize..70_000).prop_map(|n| b"x".repeat(n)),
            1 => (0_usize..30_000).prop_map(|n| b"\rstate".repeat(n)),
        ];
        (any::<bool>(), bytes)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn an_index_fed_in_pieces_equals_one_fed_at_once(
            pieces in prop::collection::vec(piece(), 0..40),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 8),
            start in any::<prop::sample::Index>(),
        ) {
            let mut memory = Memory::new(Vec::new(), Vec::new());
            let mut records = Vec::new();
            for (is_out, bytes) in &pieces {
                let stream = if *is_out { Stream::Stdout } else { Stream::Stderr };
                memory.bytes.of_mut(stream).extend(bytes);
                records.push(record(stream, memory.bytes.of(stream).len() as u64));
            }
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(records.len() + 1)).collect();
            cuts.sort_unstable();
            let mut in_pieces = Index::new();
            for cut in cuts {
                // The last record may have been seen before it had grown to its end.
                let mut known = records[..cut].to_vec();
                let mut sizes = Pair::<u64>::default();
                if let Some(last) = known.last_mut() {
                    let before = records[..cut - 1].iter().rfind(|r| r.stream == last.stream);
                    last.end = last.end.midpoint(before.map_or(0, |r| r.end));
                }
                for record in &known {
                    *sizes.of_mut(record.stream) = record.end;
                }
                in_pieces.advance(&memory, sizes, Records::of(known)).expect("advanced");
            }
            in_pieces.advance(&memory, memory.sizes(), Records::of(records.clone())).expect("advanced");
            let at_once = index_of(&memory, &records);
            prop_assert_eq!(&in_pieces, &at_once);

            let all = rows(&memory, &records, Cursor::start());
            prop_assert_eq!(all.len() as u64, at_once.head().line);
            let from = start.index(all.len() + 1);
            let mut there = rows(&memory, &records, at_once.before_line(from as u64));
            there.retain(|row| row.number >= from as u64);
            prop_assert_eq!(&there[..], &all[from..]);
        }
    }

    #[test]
    fn hostile_bytes_are_read_once_to_index_and_few_of_them_to_show_a_line() {
        let size = 3 << 20;
        let (line, soft) = (b"\x1b[31mx\x1b[0m\n", usize::try_from(SOFT).expect("small"));
        for bytes in [
            vec![b'x'; size],
            vec![b'\r'; size],
            vec![0x1b; size],
            b"\x1b[1;1;1;1m".repeat(size / 10),
            b"\x1b]0;".repeat(size / 4),
            line.repeat(size / line.len()),
            [b"\r".to_vec(), vec![b'x'; soft]]
                .concat()
                .repeat(size / soft),
            [b"x\r".to_vec(), vec![b'x'; soft - 1]]
                .concat()
                .repeat(size / soft),
        ] {
            let memory = Memory::new(bytes, Vec::new());
            let index = index_of(&memory, &[]);
            assert_eq!(memory.read.get(), memory.sizes().stdout);
            assert!(index.marks.len() < 1_000);
            let line = index.head().line / 2;
            let cursor = index.before_line(line);
            memory.read.set(0);
            let mut walk = Walk::new(&memory, memory.sizes(), Records::default(), cursor, 4096);
            while walk.cursor().line <= line && walk.next().expect("step").is_some() {}
            assert!(
                memory.read.get() <= SPAN + 3 * SOFT,
                "{}",
                memory.read.get()
            );
            let between = index
                .marks
                .windows(2)
                .map(|pair| pair[1].bytes() - pair[0].bytes());
            assert!(between.max().unwrap_or(0) <= SPAN + 2 * SOFT);
        }
    }

    #[test]
    fn two_streams_in_tiny_turns_are_read_once() {
        let mut records = Vec::new();
        for i in 1..=100_000 {
            records.extend([record(Stream::Stdout, i), record(Stream::Stderr, i)]);
        }
        let memory = Memory::new(vec![b'x'; 100_000], vec![b'y'; 100_000]);
        let index = index_of(&memory, &records);
        assert_eq!(memory.read.get(), 200_000);
        assert_eq!(index.head().line, 2);
    }

    #[test]
    fn marks_are_thinned_when_there_are_too_many() {
        let memory = Memory::new(vec![b'\n'; 1], Vec::new());
        let mut index = index_of(&memory, &[]);
        let mut cursor = Cursor::start();
        for line in 0..MAX_MARKS as u64 * 3 {
            cursor.line = line * EVERY;
            index.mark(&cursor);
        }
        assert!(index.marks.len() <= MAX_MARKS);
        assert_eq!(index.marks[0], Mark::default());
        assert!(
            index
                .marks
                .windows(2)
                .all(|pair| pair[0].line < pair[1].line)
        );
        assert_eq!(index.scale, 4);
    }
}
