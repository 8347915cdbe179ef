//! Where secret values stand in a stream: a pure function of the bytes, whatever the sizes of the
//! pieces that they come in.
//!
//! A byte is *covered* if it lies in an occurrence of a value, also in one that overlaps another.
//! So whether it is depends on nothing further away than the longest value is long, and a window
//! that is read with so much more on both sides says the same as the whole stream. The bytes at
//! the end of a stream that goes on may still turn out to be the beginning of a value: they are
//! *undecided*. What is decided stays so, whatever follows.

mod automaton;

use std::collections::HashSet;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};
use zeroize::Zeroizing;

use automaton::{Automaton, State};

/// Lines of a value that have fewer bytes are not looked for: they would cover half of what a script
/// prints, and tell the value by what they cover.
const LEAST: usize = 4;
/// A longer line is looked for in pieces of no more bytes.
const LONGEST: usize = 4 << 10;
/// Bytes that are looked for at most, in all values of a run. As no text is shorter than [`LEAST`],
/// it bounds their number, too.
const MOST: usize = 256 << 10;
/// So much of the beginning of each text is looked for at the speed of memory.
const BEGINNING: usize = 8;
/// Stands for each byte that is covered.
const STAR: u8 = b'*';

/// The texts to look for in these groups of values, those of an earlier group first; and whether all
/// of them are. The shortest of a group come first, so that nobody pushes out a password with a book.
///
/// A value is taken apart into its lines, without the white space around each: a script seldom
/// prints more than that in one piece, and no line end is ever covered, so that what else a script
/// prints keeps its lines.
pub(crate) fn texts(groups: &[&[Zeroizing<Vec<u8>>]]) -> (Vec<Zeroizing<Vec<u8>>>, bool) {
    let (mut texts, mut known, mut bytes, mut is_all) = (Vec::new(), HashSet::new(), 0, true);
    for values in groups {
        let mut group: Vec<_> = values.iter().flat_map(|value| pieces(value)).collect();
        group.sort_by_key(|text| text.len());
        for text in group.into_iter().filter(|text| text.len() >= LEAST) {
            if known.contains(text) {
                continue;
            }
            if bytes + text.len() > MOST {
                is_all = false;
                continue;
            }
            bytes += text.len();
            known.insert(text);
            texts.push(Zeroizing::new(text.to_vec()));
        }
    }
    (texts, is_all)
}

/// The lines of a value; a long one in pieces of nearly one length, since a short rest would stand in
/// output by chance.
fn pieces(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = value.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.map(<[u8]>::trim_ascii).flat_map(|line| {
        let count = line.len().div_ceil(LONGEST).max(1);
        line.chunks(line.len().div_ceil(count).max(1))
    })
}

/// Puts a star for each byte that is no end of a line.
pub(crate) fn mask_all(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = STAR;
    }
}

/// Finds all occurrences of some texts.
pub(crate) struct Needles {
    /// Knows after each byte how much of a text was just read.
    automaton: Automaton,
    /// Jumps to where a text may begin. It knows no more than their beginnings: of what it reads
    /// behind the place that it finds, nothing must be paid again and again.
    finder: AhoCorasick,
    longest: usize,
}

impl Needles {
    /// Of what [`texts`] gives; there must be one at least.
    pub fn new(texts: &[Zeroizing<Vec<u8>>]) -> Result<Self, BuildError> {
        let mut sorted: Vec<&[u8]> = texts.iter().map(|text| text.as_slice()).collect();
        sorted.sort_unstable();
        let mut beginnings: Vec<&[u8]> = sorted
            .iter()
            .map(|text| text.get(..BEGINNING).unwrap_or(text))
            .collect();
        beginnings.dedup();
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            // The other kinds take a kilobyte for each byte of a text, this one for the first ones.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .dense_depth(2)
            .build(beginnings)?;
        Ok(Self {
            automaton: Automaton::new(&sorted),
            finder,
            longest: texts.iter().map(|text| text.len()).max().unwrap_or(0),
        })
    }

    /// How far from a byte a value may begin or end that covers it.
    pub fn reach(&self) -> usize {
        self.longest.saturating_sub(1)
    }

    /// Puts a star for each byte that is covered; `is_end`: the stream ends behind them.
    pub fn mask(&self, bytes: &mut [u8], is_end: bool) {
        let mut scan = Scan::new(self);
        scan.feed(bytes);
        if is_end {
            scan.end();
        }
        for span in scan.spans {
            let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
            if let Some(covered) = bytes.get_mut(place(span.start)..place(span.end)) {
                covered.fill(STAR);
            }
        }
    }
}

/// Goes through a stream, piece by piece.
pub(crate) struct Scan<'a> {
    needles: &'a Needles,
    state: State,
    at: u64,
    /// What is covered, in order and apart from each other; but what was [taken](Self::settled).
    spans: Vec<Range<u64>>,
}

impl<'a> Scan<'a> {
    pub fn new(needles: &'a Needles) -> Self {
        Self {
            needles,
            state: State::default(),
            at: 0,
            spans: Vec::new(),
        }
    }

    /// The next piece.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Needles {
            automaton, finder, ..
        } = self.needles;
        let mut place = 0;
        while let Some(mut rest) = bytes.get(place..).filter(|rest| !rest.is_empty()) {
            if self.state == State::default() {
                // Behind what is found, no fewer bytes are read before it looks again than the
                // shortest text has. In the last bytes, one may begin that ends in the next piece.
                let last = rest.len().saturating_sub(BEGINNING - 1);
                let found = finder.find(rest).map(|found| found.start());
                let to = found.unwrap_or(last).min(last);
                place += to;
                rest = rest.get(to..).unwrap_or_default();
            }
            for byte in rest {
                self.state = automaton.next(self.state, *byte);
                place += 1;
                if let Some(length) = automaton.ended(self.state) {
                    let end = self.at + place as u64;
                    self.cover(end.saturating_sub(length as u64)..end);
                }
                if self.state == State::default() && bytes.len() - place >= BEGINNING {
                    break;
                }
            }
        }
        self.at += bytes.len() as u64;
    }

    /// One more that is covered. It ends behind all others.
    fn cover(&mut self, mut span: Range<u64>) {
        while let Some(last) = self.spans.pop_if(|last| last.end >= span.start) {
            span.start = span.start.min(last.start);
        }
        self.spans.push(span);
    }

    /// Where the text begins that may be going on; the end if there is none.
    fn begun(&self) -> u64 {
        self.at - self.needles.automaton.depth(self.state) as u64
    }

    /// The first byte that is undecided; the end if there is none.
    pub fn undecided(&self) -> u64 {
        let begun = self.begun();
        let first = self.spans.partition_point(|span| span.end <= begun);
        let behind = self.spans.get(first..).unwrap_or_default();
        behind.iter().fold(
            begun,
            |at, span| {
                if span.start <= at { span.end } else { at }
            },
        )
    }

    /// The stream ends here. A text that is cut off is covered as far as it came, if that is as much
    /// as is looked for at all: less of it would be covered by chance, and tell how values begin.
    pub fn end(&mut self) {
        let begun = self.begun();
        if self.at - begun >= LEAST as u64 {
            self.cover(begun..self.at);
        }
        self.state = State::default();
    }

    /// Takes the spans that nothing which follows can lengthen.
    pub fn settled(&mut self) -> impl Iterator<Item = Range<u64>> {
        let begun = self.begun();
        let count = self.spans.partition_point(|span| span.end <= begun);
        self.spans.drain(..count)
    }
}

#[cfg(test)]
pub(crate) mod tests;
