//! Writing the chunk index (see `record`) while the pump moves the output.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::pwrite;
use stagedoor_domain::time::Timestamp;

use crate::record::{MAX_RECORDS, Record, Records, SIZE, file_size};
use crate::stream::{Pair, Stream};

/// Bytes of one stream that come within this time share a record.
const COALESCE: Duration = Duration::from_millis(100);
/// Records are written when so many wait, or when the last writing is so long ago.
const BATCH: usize = 32;
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// Records that wait at most when they cannot be written.
const MAX_WAITING: usize = 65_536;

/// The index of a live attempt, as its pump writes it.
#[derive(Debug, Default)]
pub(crate) struct ChunkLog {
    file: Option<Arc<OwnedFd>>,
    /// Records in the file.
    filed: u64,
    /// Newer records; the last one may still grow.
    waiting: Vec<Record>,
    last_began: Duration,
    last_written: Duration,
}

/// What was not as its server had left it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damage {
    /// The index was cut.
    pub is_cut: bool,
    /// At least so many bytes of a segment are gone.
    pub missing: u64,
}

impl ChunkLog {
    /// Goes on with the file of an earlier server. Call [`ChunkLog::add`] with the size
    /// of each segment then: it covers what was written but not recorded.
    ///
    /// The segments are the truth. From the first record that is none, or that speaks of bytes
    /// which its segment does not have, the index is cut: what follows would order bytes that come
    /// later.
    pub fn resume(file: OwnedFd, sizes: Pair<u64>) -> io::Result<(Self, Pair<u64>, Damage)> {
        let file = Arc::new(file);
        let found = file_size(&file)?;
        let (filed, covered, missing) = Records::of_file(file.clone())?.sound(sizes)?;
        let whole = filed * SIZE as u64;
        if found != whole {
            rustix::fs::ftruncate(&file, whole)?;
        }
        let log = Self {
            file: Some(file),
            filed,
            ..Self::default()
        };
        let damage = Damage {
            // The end of a record that was being written when its server died is no surprise.
            is_cut: found - whole >= SIZE as u64,
            missing,
        };
        Ok((log, covered, damage))
    }

    /// The stream has grown to this offset.
    pub fn add(&mut self, stream: Stream, end: u64, time: Timestamp, monotonic: Duration) {
        let recent = monotonic.saturating_sub(self.last_began) < COALESCE;
        let last = self.waiting.last_mut();
        if let Some(last) = last.filter(|last| last.stream == stream && recent) {
            last.end = end;
        } else if !self.is_full() {
            self.last_began = monotonic;
            self.waiting.push(Record { stream, end, time });
        }
    }

    fn is_full(&self) -> bool {
        self.filed + self.waiting.len() as u64 >= MAX_RECORDS || self.waiting.len() >= MAX_WAITING
    }

    /// Whether it is time for [`ChunkLog::write`].
    pub fn is_due(&self, monotonic: Duration) -> bool {
        let waits = self.waiting.len();
        waits >= BATCH || waits > 1 && monotonic.saturating_sub(self.last_written) >= WRITE_EVERY
    }

    /// Writes what waits, but for the last record, which may still grow.
    pub fn write(
        &mut self,
        monotonic: Duration,
        create: impl FnOnce() -> io::Result<OwnedFd>,
    ) -> io::Result<()> {
        self.last_written = monotonic;
        self.write_first(self.waiting.len().saturating_sub(1), create)
    }

    /// Writes all, at the end. Nothing is written where the order is clear without.
    pub fn close(&mut self, create: impl FnOnce() -> io::Result<OwnedFd>) -> io::Result<()> {
        if self.filed == 0 && self.is_implied() {
            return Ok(());
        }
        self.write_first(self.waiting.len(), create)
    }

    fn is_implied(&self) -> bool {
        match self.waiting.as_slice() {
            [] | [_] => true,
            [first, second] => first.stream == Stream::Stdout && second.stream == Stream::Stderr,
            _ => false,
        }
    }

    fn write_first(
        &mut self,
        count: usize,
        create: impl FnOnce() -> io::Result<OwnedFd>,
    ) -> io::Result<()> {
        let file = if let Some(file) = &self.file {
            file.clone()
        } else {
            let file = create()?;
            // One without its segments may lie there; its records are of other bytes.
            rustix::fs::ftruncate(&file, 0)?;
            self.file.insert(Arc::new(file)).clone()
        };
        let bytes: Vec<u8> = self
            .waiting
            .iter()
            .take(count)
            .flat_map(|r| r.to_bytes())
            .collect();
        write_all_at(&file, &bytes, self.filed * SIZE as u64)?;
        self.waiting.drain(..count);
        self.filed += count as u64;
        Ok(())
    }

    /// A view of the index as it is now.
    pub fn records(&self) -> Records {
        Records::new(self.file.clone(), self.filed, self.waiting.clone())
    }
}

/// Writes all of it at an offset.
pub(crate) fn write_all_at(file: &OwnedFd, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = pwrite(file, bytes, at)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        at += written as u64;
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Stream::{Stderr, Stdout};

    fn file() -> io::Result<OwnedFd> {
        Ok(tempfile::tempfile()?.into())
    }

    fn ends(log: &ChunkLog) -> Vec<(Stream, u64)> {
        let mut records = log.records();
        (0..)
            .map_while(|i| records.get(i).expect("read"))
            .map(|r| (r.stream, r.end))
            .collect()
    }

    fn add(log: &mut ChunkLog, stream: Stream, end: u64, millis: u64) {
        let millis_signed = i64::try_from(millis).expect("small");
        log.add(
            stream,
            end,
            Timestamp::from_millis(millis_signed),
            Duration::from_millis(millis),
        );
    }

    #[test]
    fn bytes_of_one_stream_share_a_record_for_a_tenth_of_a_second() {
        let mut log = ChunkLog::default();
        for (stream, end, millis) in [
            (Stdout, 5, 0),
            (Stdout, 9, 99),
            (Stdout, 12, 100),
            (Stderr, 1, 101),
            (Stdout, 13, 102),
        ] {
            add(&mut log, stream, end, millis);
        }
        assert_eq!(
            ends(&log),
            [(Stdout, 9), (Stdout, 12), (Stderr, 1), (Stdout, 13)]
        );
    }

    #[test]
    fn the_last_record_grows_although_the_others_are_written() {
        let mut log = ChunkLog::default();
        for i in 0..1_000 {
            add(&mut log, if i % 2 == 0 { Stdout } else { Stderr }, i, i);
            if log.is_due(Duration::from_millis(i)) {
                log.write(Duration::from_millis(i), file).expect("written");
            }
        }
        add(&mut log, Stderr, 2_000, 1_000);
        assert_eq!(ends(&log).len(), 1_000);
        assert_eq!(ends(&log)[999], (Stderr, 2_000));
        assert!(log.waiting.len() <= BATCH);
        assert_eq!(ends(&log)[500], (Stdout, 500));
    }

    #[test]
    fn no_file_is_made_where_the_order_is_clear() {
        let none = || -> io::Result<OwnedFd> { Err(io::Error::other("made")) };
        let mut log = ChunkLog::default();
        add(&mut log, Stdout, 11, 0);
        add(&mut log, Stderr, 3, 0);
        log.close(none).expect("no file");
        add(&mut log, Stdout, 12, 0);
        log.close(none).expect_err("a file");
    }

    #[test]
    fn a_log_is_resumed_where_its_file_ends_even_in_the_middle_of_a_record() {
        let (file_a, file_b) = (file().expect("file"), tempfile::tempfile().expect("file"));
        drop(file_a);
        let handle = || Ok(file_b.try_clone().expect("clone").into());
        let mut log = ChunkLog::default();
        add(&mut log, Stderr, 3, 0);
        add(&mut log, Stdout, 11, 0);
        log.close(handle).expect("written");
        file_b
            .set_len(file_b.metadata().expect("size").len() + 5)
            .expect("torn");
        let (mut again, covered, damage) =
            ChunkLog::resume(handle().expect("file"), Pair::new(11, 3)).expect("resumed");
        assert_eq!((covered, damage), (Pair::new(11, 3), Damage::default()));
        add(&mut again, Stderr, 30, 0);
        again.close(handle).expect("written");
        assert_eq!(ends(&again), [(Stderr, 3), (Stdout, 11), (Stderr, 30)]);
        let len = file_b.metadata().expect("size").len();
        assert!(len >= 3 * SIZE as u64);
    }

    /// An index of three records, and what becomes of it beside segments of these sizes.
    fn resumed(sizes: Pair<u64>, spoil: impl Fn(&std::fs::File)) -> (usize, Pair<u64>, bool) {
        let file = tempfile::tempfile().expect("file");
        let handle = || Ok(file.try_clone().expect("clone").into());
        let mut log = ChunkLog::default();
        add(&mut log, Stderr, 3, 0);
        add(&mut log, Stdout, 11, 1);
        add(&mut log, Stderr, 9, 2);
        log.close(handle).expect("written");
        spoil(&file);
        let (log, covered, damage) =
            ChunkLog::resume(handle().expect("file"), sizes).expect("resumed");
        let left = file.metadata().expect("size").len();
        assert_eq!(left, log.filed * SIZE as u64, "nothing stands behind it");
        assert!(damage.is_cut || damage.missing == 0);
        (ends(&log).len(), covered, damage.is_cut)
    }

    #[test]
    fn an_index_that_agrees_with_its_segments_is_taken_whole() {
        for sizes in [Pair::new(11, 9), Pair::new(99, 99)] {
            assert_eq!(resumed(sizes, |_| ()), (3, Pair::new(11, 9), false));
        }
    }

    #[test]
    fn an_index_of_longer_segments_is_cut_where_they_end() {
        let cut = resumed(Pair::new(11, 8), |_| ());
        assert_eq!(cut, (2, Pair::new(11, 3), true));
        let cut = resumed(Pair::new(0, 9), |_| ());
        assert_eq!(cut, (1, Pair::new(0, 3), true));
    }

    #[test]
    fn an_index_that_reaches_beyond_its_segments_says_how_far() {
        let file = tempfile::tempfile().expect("file");
        let handle = || Ok(file.try_clone().expect("clone").into());
        let mut log = ChunkLog::default();
        add(&mut log, Stderr, 3, 0);
        add(&mut log, Stdout, 11, 1);
        log.close(handle).expect("written");
        for (stdout, missing) in [(11, 0), (10, 1), (0, 11)] {
            let copy = tempfile::tempfile().expect("file");
            let bytes = std::os::unix::fs::FileExt::read_at;
            let mut all = [0; 2 * SIZE];
            bytes(&file, &mut all, 0).expect("read");
            std::io::Write::write_all(&mut &copy, &all).expect("written");
            let resumed = ChunkLog::resume(copy.into(), Pair::new(stdout, 3));
            let (_, _, damage) = resumed.expect("resumed");
            assert_eq!((damage.missing, damage.is_cut), (missing, missing > 0));
        }
    }

    #[test]
    fn an_index_is_cut_where_garbage_begins() {
        use std::os::unix::fs::FileExt as _;
        let sizes = Pair::new(11, 9);
        let spoil = |at: u64, byte: u8| {
            resumed(sizes, move |file| {
                file.write_all_at(&[byte], at).expect("spoilt");
            })
        };
        // No such stream, an offset out of reach, and one that goes back.
        assert_eq!(spoil(17, 7), (1, Pair::new(0, 3), true));
        assert_eq!(spoil(17 + 8, 0xff), (1, Pair::new(0, 3), true));
        assert_eq!(spoil(34 + 1, 2), (2, Pair::new(11, 3), true));
    }

    #[test]
    fn an_index_that_is_full_takes_no_more_records() {
        let mut log = ChunkLog {
            filed: MAX_RECORDS - 1,
            ..ChunkLog::default()
        };
        add(&mut log, Stdout, 1, 0);
        add(&mut log, Stderr, 1, 0);
        assert_eq!(log.waiting.len(), 1);
    }
}
