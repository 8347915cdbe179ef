//! Masks secret values in the segments of an attempt that has ended: in place, byte for byte, so
//! that no offset moves.
//!
//! A value that is half masked would not be found again. So what is to be masked is first written
//! down, as offsets, in a file beside the segment, and only masked once that is on the disk. Whoever
//! comes after a death in the middle does again what is written down, then looks for what is left:
//! every value is whole then, or masked.

use std::cell::OnceCell;
use std::io;
use std::ops::Range;

use rustix::fd::OwnedFd;
use rustix::io::{pread, retry_on_intr};

use crate::chunk_log::write_all_at;
use crate::folder::{Folder, Key, Part, file_name};
use crate::hidden::Hidden;
use crate::needles::{Needles, Scan, mask_all};
use crate::pump::is_shortage;
use crate::stream::Stream;

/// Bytes read at once.
const PIECE: usize = 256 << 10;
/// Spans that are written down together. Readers wait while they are masked.
const BATCH: usize = 16 << 10;
/// Bytes of one span as it is written down, and of what stands before and behind all.
const SPAN: usize = 16;
const HEAD: usize = 8;
const SUM: usize = 8;

/// Masks both streams of an attempt, the second also where the first cannot be. The error names the file.
pub(crate) fn mask(folder: &Folder, key: Key, hidden: &Hidden) -> io::Result<()> {
    let masked = Stream::ALL.map(|stream| {
        let named = |error: io::Error| {
            // That is nothing of this file, and whoever tries again tells it by its number.
            if is_shortage(&error) {
                return error;
            }
            let file = file_name(key, Part::Segment(stream));
            io::Error::new(error.kind(), format!("{file}: {error}"))
        };
        mask_stream(folder, key, stream, hidden).map_err(named)
    });
    masked.into_iter().collect()
}

fn mask_stream(folder: &Folder, key: Key, stream: Stream, hidden: &Hidden) -> io::Result<()> {
    if folder.size(key, Part::Segment(stream))? == 0 {
        return Ok(());
    }
    let disk = Files {
        folder,
        key,
        stream,
        segment: folder.create(key, Part::Segment(stream))?,
        spans: OnceCell::new(),
    };
    mask_segment(&disk, hidden, PIECE, BATCH)
}

/// What masking needs of the disk: one segment, and the file of spans beside it.
trait Disk {
    fn read(&self, into: &mut [u8], at: u64) -> io::Result<usize>;
    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
    /// None where there is no such file.
    fn read_spans(&self) -> io::Result<Option<Vec<u8>>>;
    /// From the beginning of the file; what is longer stays behind it.
    fn write_spans(&self, bytes: &[u8]) -> io::Result<()>;
    fn sync_spans(&self) -> io::Result<()>;
    fn remove_spans(&self) -> io::Result<()>;
    /// Has the disk keep that a file was removed.
    fn sync_names(&self) -> io::Result<()>;
}

fn mask_segment(disk: &dyn Disk, hidden: &Hidden, piece: usize, batch: usize) -> io::Result<()> {
    let left_behind = disk.read_spans()?;
    let mut is_written = left_behind.is_some();
    if let Some(spans) = left_behind.as_deref().and_then(decode) {
        // Who wrote it down may have died before it was on the disk.
        disk.sync_spans()?;
        cover(disk, hidden, &spans)?;
    }
    match hidden.needles()? {
        Some(needles) => mask_values(disk, hidden, needles, (piece, batch), &mut is_written)?,
        None => mask_whole(disk, hidden, piece)?,
    }
    if is_written {
        disk.remove_spans()?;
        // Else it could be back when the machine has been switched off, and stay: nobody looks for it once
        // the run has its outcome, and it tells where values stood.
        disk.sync_names()?;
    }
    Ok(())
}

fn mask_values(
    disk: &dyn Disk,
    hidden: &Hidden,
    needles: &Needles,
    (piece, batch): (usize, usize),
    is_written: &mut bool,
) -> io::Result<()> {
    let mut scan = Scan::new(needles);
    let (mut buffer, mut at) = (vec![0; piece], 0);
    loop {
        let count = disk.read(&mut buffer, at)?;
        scan.feed(buffer.get(..count).unwrap_or_default());
        at += count as u64;
        if count == 0 {
            scan.end();
        }
        let spans: Vec<_> = scan.settled().collect();
        for spans in spans.chunks(batch) {
            *is_written = true;
            disk.write_spans(&encode(spans))?;
            disk.sync_spans()?;
            cover(disk, hidden, spans)?;
        }
        if count == 0 {
            return Ok(());
        }
    }
}

/// Masks every byte but line ends. Whoever does it again finds what is left, so nothing is written down.
fn mask_whole(disk: &dyn Disk, hidden: &Hidden, piece: usize) -> io::Result<()> {
    let (mut buffer, mut at) = (vec![0; piece], 0);
    loop {
        let count = disk.read(&mut buffer, at)?;
        let bytes = buffer.get_mut(..count).unwrap_or_default();
        if bytes.is_empty() {
            return disk.sync();
        }
        mask_all(bytes);
        let gate = hidden.masking();
        disk.write(bytes, at)?;
        drop(gate);
        at += count as u64;
    }
}

/// Puts stars there, and on the disk.
fn cover(disk: &dyn Disk, hidden: &Hidden, spans: &[Range<u64>]) -> io::Result<()> {
    const STARS: &[u8] = &[b'*'; 16 << 10];
    let gate = hidden.masking();
    for span in spans {
        let mut at = span.start;
        while at < span.end {
            let left = usize::try_from(span.end - at).unwrap_or(usize::MAX);
            let stars = STARS.get(..left).unwrap_or(STARS);
            disk.write(stars, at)?;
            at += stars.len() as u64;
        }
    }
    drop(gate);
    disk.sync()
}

/// How many there are, each as its two offsets, and a sum over all; little endian.
fn encode(spans: &[Range<u64>]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + spans.len() * SPAN + SUM);
    bytes.extend((spans.len() as u64).to_le_bytes());
    for span in spans {
        bytes.extend(span.start.to_le_bytes());
        bytes.extend(span.end.to_le_bytes());
    }
    bytes.extend(sum(&bytes).to_le_bytes());
    bytes
}

/// None of what was not written to its end: nothing of it was masked yet.
fn decode(bytes: &[u8]) -> Option<Vec<Range<u64>>> {
    let number = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
    let count = usize::try_from(number(bytes.get(..HEAD)?)?).ok()?;
    let length = count.checked_mul(SPAN)?.checked_add(HEAD)?;
    let (body, rest) = bytes.split_at_checked(length)?;
    if number(rest.get(..SUM)?)? != sum(body) {
        return None;
    }
    let spans = body.get(HEAD..)?.chunks_exact(SPAN).map(|span| {
        let (start, end) = span.split_at_checked(SPAN / 2)?;
        Some(number(start)?..number(end)?)
    });
    spans.collect()
}

/// FNV-1a: tells what was written to its end from what was not; nobody is kept out by it.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The files of one stream of an attempt.
struct Files<'a> {
    folder: &'a Folder,
    key: Key,
    stream: Stream,
    segment: OwnedFd,
    spans: OnceCell<OwnedFd>,
}

impl Files<'_> {
    fn part(&self) -> Part {
        Part::Spans(self.stream)
    }

    /// Made, with its name on the disk, where it was not there.
    fn spans(&self) -> io::Result<&OwnedFd> {
        if let Some(spans) = self.spans.get() {
            return Ok(spans);
        }
        let spans = self.folder.create(self.key, self.part())?;
        self.folder.sync_names(self.key.run)?;
        Ok(self.spans.get_or_init(|| spans))
    }
}

impl Disk for Files<'_> {
    fn read(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        Ok(retry_on_intr(|| pread(&self.segment, &mut *into, at))?)
    }

    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        write_all_at(&self.segment, bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.segment)?)
    }

    fn read_spans(&self) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.folder.find(self.key, self.part())? else {
            return Ok(None);
        };
        let mut bytes = vec![0; HEAD + BATCH * SPAN + SUM];
        let mut held = 0;
        while let Some(rest) = bytes.get_mut(held..).filter(|rest| !rest.is_empty()) {
            match retry_on_intr(|| pread(&file, &mut *rest, held as u64))? {
                0 => break,
                count => held += count,
            }
        }
        bytes.truncate(held);
        Ok(Some(bytes))
    }

    fn write_spans(&self, bytes: &[u8]) -> io::Result<()> {
        write_all_at(self.spans()?, bytes, 0)
    }

    fn sync_spans(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(self.spans()?)?)
    }

    fn remove_spans(&self) -> io::Result<()> {
        self.folder.remove_part(self.key, self.part())
    }

    fn sync_names(&self) -> io::Result<()> {
        self.folder.sync_names(self.key.run)
    }
}

#[cfg(test)]
mod tests;
