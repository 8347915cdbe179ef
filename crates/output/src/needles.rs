//! Where secret values stand in a stream: a pure function of the bytes, whatever the sizes of the
//! pieces that they come in.
//!
//! A byte is *covered* if it lies in an occurrence of a value, also in one that overlaps another.
//! So whether it is depends on nothing further away than the longest value is long, and a window
//! that is read with so much more on both sides says the same as the whole stream. The bytes at
//! the end of a stream that goes on may still turn out to be the beginning of a value: they are
//! *undecided*. What is decided stays so, whatever follows.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, BuildError, MatchKind};
use zeroize::Zeroizing;

/// Lines of a value that have fewer bytes are not looked for: they would cover half of what a script
/// prints, and tell the value by what they cover.
const LEAST: usize = 4;
/// A longer line is looked for in pieces of so many bytes.
const LONGEST: usize = 64 << 10;
/// Bytes that are looked for at most, in all values of a run: each takes some 65 in memory.
const MOST: usize = 256 << 10;
/// Stands for each byte that is covered.
const STAR: u8 = b'*';

/// The texts to look for in these values, sorted; and whether all of them are.
///
/// A value is taken apart into its lines, without the white space around each: a script seldom
/// prints more than that in one piece, and no line end is ever covered, so that what else a script
/// prints keeps its lines.
pub(crate) fn texts(values: &[Zeroizing<Vec<u8>>]) -> (Vec<Zeroizing<Vec<u8>>>, bool) {
    let lines = values
        .iter()
        .flat_map(|value| value.split(|byte| matches!(byte, b'\n' | b'\r')));
    let mut texts: Vec<_> = lines
        .flat_map(|line| line.trim_ascii().chunks(LONGEST))
        .filter(|text| text.len() >= LEAST)
        .map(|text| Zeroizing::new(text.to_vec()))
        .collect();
    texts.sort_by(|a, b| a.as_slice().cmp(b));
    texts.dedup_by(|a, b| a.as_slice() == b.as_slice());
    let mut bytes = 0;
    let fitting = texts.iter().take_while(|text| {
        bytes += text.len();
        bytes <= MOST
    });
    let fitting = fitting.count();
    let is_all = fitting == texts.len();
    texts.truncate(fitting);
    (texts, is_all)
}

/// Finds all occurrences of some texts.
pub(crate) struct Needles {
    /// Knows after each byte how much of a text was just read.
    automaton: NFA,
    start: StateID,
    /// Jumps over what contains none, at the speed of memory.
    finder: AhoCorasick,
    /// How many bytes of a text have been read in each state.
    depths: HashMap<StateID, u32>,
    longest: usize,
}

impl Needles {
    /// Of what [`texts`] gives; there must be one at least.
    pub fn new(texts: &[Zeroizing<Vec<u8>>]) -> Result<Self, BuildError> {
        let patterns = || texts.iter().map(|text| text.as_slice());
        let automaton = NFA::builder()
            .match_kind(MatchKind::Standard)
            .build(patterns())?;
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            // The other kind takes a kilobyte for each byte of a text.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(patterns())?;
        let start = automaton.start_state(Anchored::No).unwrap_or_default();
        let mut depths = HashMap::new();
        for text in texts {
            let mut state = start;
            for (byte, depth) in text.iter().zip(1..) {
                state = automaton.next_state(Anchored::No, state, *byte);
                depths.insert(state, depth);
            }
        }
        Ok(Self {
            automaton,
            start,
            finder,
            depths,
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
    state: StateID,
    at: u64,
    /// What is covered, in order and apart from each other; but what was [taken](Self::settled).
    spans: Vec<Range<u64>>,
}

impl<'a> Scan<'a> {
    pub fn new(needles: &'a Needles) -> Self {
        Self {
            needles,
            state: needles.start,
            at: 0,
            spans: Vec::new(),
        }
    }

    /// The next piece.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Needles {
            automaton, start, ..
        } = self.needles;
        let (mut place, mut may_jump) = (0, true);
        while let Some(rest) = bytes.get(place..).filter(|rest| !rest.is_empty()) {
            if may_jump && self.state == *start {
                // In the last bytes, a text may begin that ends in the next piece.
                let last = rest.len().saturating_sub(self.needles.reach());
                let found = self.needles.finder.find(rest).map(|found| found.start());
                let to = found.unwrap_or(last).min(last);
                may_jump = found == Some(to);
                place += to;
                if to > 0 {
                    continue;
                }
            }
            let Some(byte) = rest.first() else { break };
            self.state = automaton.next_state(Anchored::No, self.state, *byte);
            place += 1;
            if automaton.is_match(self.state) {
                // The first is the longest.
                let length = automaton.pattern_len(automaton.match_pattern(self.state, 0));
                let end = self.at + place as u64;
                self.cover(end.saturating_sub(length as u64)..end);
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
        let depth = self.needles.depths.get(&self.state);
        self.at - depth.map_or(0, |depth| u64::from(*depth))
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
        self.state = self.needles.start;
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
