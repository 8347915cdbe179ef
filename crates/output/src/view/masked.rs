//! Reading output that may hold secret values: they are masked as they are read, and what may
//! become one is held back.
//!
//! A segment is read together with what is around the bytes that are wanted, as far as a value may
//! reach. So what is seen of a byte never depends on the window that it is seen in, nor on when.

use std::io;

use super::View;
use crate::hidden::Hidden;
use crate::live::Snapshot;
use crate::needles::{Scan, mask_all};
use crate::record::Records;
use crate::stream::Stream;

impl View {
    /// Bytes of a stream so far. What may turn out to be the beginning of a secret is not counted
    /// before that is known.
    pub fn size(&self, stream: Stream) -> u64 {
        let (size, is_final) = self.kept(stream);
        match &self.hidden {
            // What cannot be looked at is not shown.
            Some(hidden) if !is_final => self.decided(hidden, stream, size).unwrap_or(0),
            _ => size,
        }
    }

    /// Bytes in the segment of a stream, and whether no byte will follow.
    fn kept(&self, stream: Stream) -> (u64, bool) {
        match &self.live {
            Some(attempt) => attempt.size(stream),
            None => (*self.sizes.of(stream), self.is_closed()),
        }
    }

    /// The output at this moment, as far as it can be shown.
    pub(super) fn snapshot(&self) -> io::Result<Snapshot> {
        let mut snapshot = self.whole_snapshot()?;
        if let Some(hidden) = &self.hidden
            && !(snapshot.ended && (self.live.is_some() || self.is_closed()))
        {
            for stream in Stream::ALL {
                let size = snapshot.sizes.of_mut(stream);
                *size = self.decided(hidden, stream, *size)?;
            }
        }
        Ok(snapshot)
    }

    /// The output at this moment, with what may not be shown yet.
    fn whole_snapshot(&self) -> io::Result<Snapshot> {
        if let Some(attempt) = &self.live {
            return Ok(attempt.snapshot());
        }
        let records = self
            .chunks
            .clone()
            .map(Records::of_file)
            .transpose()?
            .unwrap_or_default();
        Ok(Snapshot {
            sizes: self.sizes,
            records,
            ended: true,
        })
    }

    /// Whether no byte will be added to this attempt, which is not live.
    fn is_closed(&self) -> bool {
        let hidden = self.hidden.as_ref();
        hidden.is_none_or(|hidden| hidden.is_closed(self.key.epoch))
    }

    /// How much of a segment of this size can be shown: up to what may be the beginning of a value.
    /// Never less than it was before.
    fn decided(&self, hidden: &Hidden, stream: Stream, size: u64) -> io::Result<u64> {
        let Some(needles) = hidden.needles()? else {
            return Ok(size);
        };
        // As long as a value that may be going on, and as one that may cover a part of it.
        let from = size.saturating_sub(2 * needles.reach() as u64);
        let bytes = self.read_between(hidden, stream, from, size)?;
        let mut scan = Scan::new(needles);
        scan.feed(&bytes);
        Ok(from + scan.undecided())
    }

    /// Reads bytes of which nothing is [undecided](Self::decided), with stars for secrets.
    pub(super) fn read_masked(
        &self,
        hidden: &Hidden,
        stream: Stream,
        into: &mut [u8],
        at: u64,
    ) -> io::Result<usize> {
        let Some(needles) = hidden.needles()? else {
            let count = self.read_kept(stream, into, at)?;
            mask_all(into.get_mut(..count).unwrap_or_default());
            return Ok(count);
        };
        let (size, is_final) = self.kept(stream);
        let reach = needles.reach() as u64;
        let from = at.saturating_sub(reach);
        let to = size.min(at.saturating_add(into.len() as u64 + reach));
        let mut bytes = self.read_between(hidden, stream, from, to)?;
        needles.mask(&mut bytes, is_final && to == size);
        let wanted = usize::try_from(at - from).unwrap_or(usize::MAX);
        let wanted = bytes.get(wanted..).unwrap_or_default();
        let count = wanted.len().min(into.len());
        for (into, byte) in into.iter_mut().zip(wanted) {
            *into = *byte;
        }
        Ok(count)
    }

    /// Reads what the segment holds, secrets included.
    pub(super) fn read_kept(&self, stream: Stream, into: &mut [u8], at: u64) -> io::Result<usize> {
        let Some(file) = self.file(stream)? else {
            return Ok(0);
        };
        Ok(rustix::io::retry_on_intr(|| {
            rustix::io::pread(file, &mut *into, at)
        })?)
    }

    /// The segment as it is at one moment: each value in it is whole, or masked.
    fn read_between(
        &self,
        hidden: &Hidden,
        stream: Stream,
        from: u64,
        to: u64,
    ) -> io::Result<Vec<u8>> {
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        let mut held = 0;
        let _reading = hidden.reading();
        while let Some(rest) = bytes.get_mut(held..).filter(|rest| !rest.is_empty()) {
            match self.read_kept(stream, rest, from + held as u64)? {
                0 => break,
                count => held += count,
            }
        }
        bytes.truncate(held);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use stagedoor_domain::id::{Epoch, RunId};
    use stagedoor_domain::time::{Clock, Timestamp};
    use zeroize::Zeroizing;

    use crate::{Outputs, Stream};

    struct NoClock;

    impl Clock for NoClock {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[test]
    fn nobody_reads_while_somebody_masks() {
        let dir = tempfile::tempdir().expect("a folder");
        let (outputs, _events) = Outputs::open(dir.path(), 1, Arc::new(NoClock)).expect("opened");
        let (run, epoch) = (RunId::from_bytes([1; 16]), Epoch(1));
        outputs.hide(run, &[], &[Zeroizing::new(b"hunter2".to_vec())]);
        let path = dir.path().join("010101").join(format!("{run}.1.out"));
        std::fs::create_dir(dir.path().join("010101")).expect("made");
        std::fs::write(path, b"it is hunter2\n").expect("written");
        let view = outputs.view(run, epoch).expect("view");
        let hidden = view.hidden.clone().expect("hidden");
        let (told, read) = channel();
        let masking = hidden.masking();
        std::thread::scope(|scope| {
            scope.spawn(move || told.send(view.read(Stream::Stdout, 0..99)));
            let early = read.recv_timeout(Duration::from_millis(50));
            assert!(early.is_err(), "{early:?}");
            drop(masking);
            let bytes = read.recv().expect("sent").expect("read");
            assert_eq!(bytes, b"it is *******\n");
        });
    }
}
