//! Masking on a disk that fails, and whose machine dies, at each of its steps.

use super::*;
use crate::hidden::HiddenOfRuns;
use crate::needles::tests::values;
use proptest::prelude::*;
use stagedoor_domain::id::RunId;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A file, as everybody sees it and as the disk has it.
#[derive(Clone, Default, Debug)]
struct Paper {
    seen: Vec<u8>,
    kept: Vec<u8>,
}

impl Paper {
    fn write(&mut self, bytes: &[u8], at: u64) {
        let at = usize::try_from(at).expect("small");
        let end = at + bytes.len();
        self.seen.resize(self.seen.len().max(end), 0);
        self.seen[at..end].copy_from_slice(bytes);
    }

    fn sync(&mut self) {
        self.kept.clone_from(&self.seen);
    }

    /// The machine stops: of what was not synced, some bytes are on the disk and others are not.
    fn lose_power(&mut self, luck: u64) {
        self.kept.resize(self.seen.len(), 0);
        let mut luck = luck | 1;
        for (kept, seen) in self.kept.iter_mut().zip(&self.seen) {
            luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if luck >> 40 & 3 > 0 {
                *kept = *seen;
            }
        }
        self.seen.clone_from(&self.kept);
    }
}

/// A disk on which the process that masks dies at one of its steps.
struct Failing {
    segment: RefCell<Paper>,
    spans: RefCell<Option<Paper>>,
    /// Removed, and perhaps still there when the machine has been switched off.
    removed: RefCell<Option<Paper>>,
    /// Steps that are still done; then a write is half done, and nothing else is.
    steps: Cell<usize>,
    half: usize,
    /// What must be closed to readers while the segment is written.
    hidden: Arc<Hidden>,
}

const FOR_EVER: usize = usize::MAX;

impl Failing {
    fn of(text: &[u8], hidden: &Arc<Hidden>) -> Self {
        let paper = Paper {
            seen: text.to_vec(),
            kept: text.to_vec(),
        };
        Self {
            segment: RefCell::new(paper),
            spans: RefCell::default(),
            removed: RefCell::default(),
            steps: Cell::new(FOR_EVER),
            half: 0,
            hidden: Arc::clone(hidden),
        }
    }

    fn step(&self) -> io::Result<()> {
        let left = self
            .steps
            .get()
            .checked_sub(1)
            .ok_or(io::ErrorKind::Other)?;
        self.steps.set(left);
        Ok(())
    }

    fn write_to(&self, paper: &mut Paper, bytes: &[u8], at: u64) -> io::Result<()> {
        let done = self.step();
        let length = done
            .as_ref()
            .map_or(bytes.len() * self.half / 8, |()| bytes.len());
        if length > 0 {
            paper.write(&bytes[..length], at);
        }
        done
    }

    /// Another process comes, perhaps on a machine that was switched off.
    fn begin_again(&mut self, steps: usize, luck: Option<u64>) {
        self.steps.set(steps);
        if let Some(luck) = luck {
            self.segment.borrow_mut().lose_power(luck);
            let removed = self.removed.borrow_mut().take();
            if let Some(removed) = removed.filter(|_| luck & 2 > 0) {
                self.spans.borrow_mut().get_or_insert(removed);
            }
            if let Some(spans) = self.spans.borrow_mut().as_mut() {
                spans.lose_power(luck.rotate_left(7));
            }
        }
    }
}

impl Disk for Failing {
    fn read(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let segment = self.segment.borrow();
        let rest = &segment.seen[usize::try_from(at).expect("small")..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        assert!(
            self.hidden.is_being_masked(),
            "readers meet half a value otherwise"
        );
        self.write_to(&mut self.segment.borrow_mut(), bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.step()?;
        self.segment.borrow_mut().sync();
        Ok(())
    }

    fn read_spans(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.spans.borrow().as_ref().map(|paper| paper.seen.clone()))
    }

    fn write_spans(&self, bytes: &[u8]) -> io::Result<()> {
        let mut spans = self.spans.borrow_mut();
        self.write_to(spans.get_or_insert_default(), bytes, 0)
    }

    fn sync_spans(&self) -> io::Result<()> {
        self.step()?;
        self.spans.borrow_mut().as_mut().expect("written").sync();
        Ok(())
    }

    fn remove_spans(&self) -> io::Result<()> {
        self.step()?;
        *self.removed.borrow_mut() = self.spans.borrow_mut().take();
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        self.step()?;
        *self.removed.borrow_mut() = None;
        Ok(())
    }
}

fn hidden(values: &[Vec<u8>]) -> Arc<Hidden> {
    let runs = HiddenOfRuns::default();
    let run = RunId::from_bytes([1; 16]);
    let values: Vec<_> = values.iter().cloned().map(Zeroizing::new).collect();
    runs.add(run, &[], &values);
    runs.get(run).expect("hidden")
}

fn masked(hidden: &Hidden, text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    match hidden.needles().expect("built") {
        Some(needles) => needles.mask(&mut bytes, true),
        None => crate::needles::mask_all(&mut bytes),
    }
    bytes
}

/// Pieces and batches so small that a short text has many.
fn mask_in_steps(disk: &Failing, hidden: &Hidden) -> io::Result<()> {
    mask_segment(disk, hidden, 16, 2)
}

/// Dies once after so many steps, then is done to the end.
fn die_once(
    text: &[u8],
    hidden: &Arc<Hidden>,
    steps: usize,
    half: usize,
    luck: Option<u64>,
) -> bool {
    let mut disk = Failing::of(text, hidden);
    disk.half = half;
    disk.steps.set(steps);
    let has_died = mask_in_steps(&disk, hidden).is_err();
    disk.begin_again(FOR_EVER, luck.filter(|_| has_died));
    mask_in_steps(&disk, hidden).expect("done");
    let segment = disk.segment.borrow().clone();
    assert_eq!(segment.seen, masked(hidden, text), "after {steps} steps");
    assert_eq!(segment.kept, segment.seen, "on the disk");
    assert!(disk.spans.borrow().is_none(), "nothing is left behind");
    if !has_died {
        disk.begin_again(FOR_EVER, Some(2));
        assert!(disk.spans.borrow().is_none(), "and nothing comes back");
    }
    has_died
}

#[test]
fn whatever_dies_at_whichever_step_the_next_one_masks_all() {
    let hidden = hidden(&[b"abab".to_vec(), b"hunter2-and-a-longer-one".to_vec()]);
    let text =
        b"one ababab two hunter2-and-a-longer-one\nabababab three abab, no hunter2.\nhunter2-an";
    for half in 0..8 {
        for luck in [None, Some(1), Some(77), Some(4711)] {
            let deaths = (0..).take_while(|steps| die_once(text, &hidden, *steps, half, luck));
            assert!(deaths.count() > 10, "there are steps to die at");
        }
    }
}

#[test]
fn whatever_dies_while_all_is_masked_the_next_one_masks_all() {
    let runs = HiddenOfRuns::default();
    let run = RunId::from_bytes([1; 16]);
    runs.add_all(run);
    // What is known of it later does not show more.
    runs.add(run, &[], &[Zeroizing::new(b"hunter2".to_vec())]);
    let hidden = runs.get(run).expect("hidden");
    let text = b"one hunter2\n\ntwo, and a longer line\nthree";
    assert_eq!(
        masked(&hidden, text),
        b"***********\n\n**********************\n*****"
    );
    for half in 0..8 {
        for luck in [None, Some(1), Some(77)] {
            let deaths = (0..).take_while(|steps| die_once(text, &hidden, *steps, half, luck));
            assert!(deaths.count() >= 3, "there are steps to die at");
        }
    }
}

#[test]
fn what_holds_no_value_is_neither_written_nor_synced() {
    let hidden = hidden(&[b"hunter2".to_vec()]);
    let disk = Failing::of(b"hunter1, hunter3\nhun", &hidden);
    disk.steps.set(0);
    mask_in_steps(&disk, &hidden).expect("no step");
    assert_eq!(disk.segment.borrow().seen, b"hunter1, hunter3\nhun");
}

#[test]
fn what_was_not_written_down_to_its_end_is_nothing() {
    let spans = [3..9, 20..21];
    let whole = encode(&spans);
    assert_eq!(decode(&whole), Some(spans.to_vec()));
    assert_eq!(
        decode(&[whole.as_slice(), b"of before"].concat()),
        Some(spans.to_vec())
    );
    for length in 0..whole.len() {
        assert_eq!(decode(&whole[..length]), None, "{length}");
    }
    let mut spoilt = whole;
    spoilt[HEAD + 3] ^= 1;
    assert_eq!(decode(&spoilt), None);
    assert_eq!(decode(&[0xff; 64]), None);
}

proptest! {
    #[test]
    fn however_often_it_dies_all_is_masked_in_the_end(
        values in values(),
        text in "([ab]{0,9}|[a-d\n]{0,5}|abbaabbaab){0,20}",
        deaths in prop::collection::vec((0_usize..30, 0_usize..8, prop::option::of(any::<u64>())), 0..6),
    ) {
        let hidden = hidden(&values);
        let mut disk = Failing::of(text.as_bytes(), &hidden);
        for (steps, half, luck) in deaths {
            disk.steps.set(steps);
            disk.half = half;
            let has_died = mask_in_steps(&disk, &hidden).is_err();
            disk.begin_again(FOR_EVER, luck.filter(|_| has_died));
        }
        mask_in_steps(&disk, &hidden).expect("done");
        let text = masked(&hidden, text.as_bytes());
        prop_assert_eq!(&disk.segment.borrow().seen, &text);
    }
}
