//! Seeded chance, and what it makes of the seeds.

/// What parsers disagree about.
const WORDS: [&[u8]; 40] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"0",
    b"1",
    b"12",
    b"ffffffff",
    b"+",
    b"-",
    b"/",
    b"//",
    b"?",
    b"*",
    b"[",
    b"]",
    b"@",
    b"\xc3\xbc",
    b"\xff",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: localhost\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Expect: 100-continue\r\n",
    b"Upgrade: h2c\r\n",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"http://",
    b"OPTIONS * ",
    b"HEAD / ",
    b"0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
];
/// Larger seeds cost much and say little new.
const LARGE: usize = 2_000;

/// A generator of numbers that look random; the same seed gives the same ones.
pub(super) struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// At least 0 and less than `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("it fits")
    }

    /// Where bytes are cut: nowhere, at a few places, or everywhere.
    pub fn cuts(&mut self, size: usize) -> Vec<usize> {
        match self.below(4) {
            0 => Vec::new(),
            1 if size < LARGE => (1..size).collect(),
            _ => {
                let mut cuts: Vec<usize> = (0..4).map(|_| self.below(size + 1)).collect();
                cuts.sort_unstable();
                cuts
            }
        }
    }

    /// One to three seeds behind each other, changed in up to three places.
    pub fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..=self.below(3) {
            let seed = &seeds[self.below(seeds.len())];
            if seed.len() < LARGE || self.below(20) == 0 {
                bytes.extend_from_slice(seed);
            }
        }
        for _ in 0..self.below(4) {
            self.change(&mut bytes, seeds);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let end = (at + 1 + self.below(8)).min(bytes.len());
        match self.below(8) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            2 if at < bytes.len() => bytes[at] = self.next().to_le_bytes()[0],
            3 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            4 => bytes.truncate(at),
            5 => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len());
                bytes.splice(at..at, other[from..].iter().copied().take(64));
            }
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
        }
    }
}
