//! Noise for tests of whatever reads foreign bytes: good texts that are spoilt, the same way on every run.

/// Xorshift: small, quick, and the same everywhere.
pub(crate) struct Noise(u64);

/// What stands between the parts of most formats.
const MARKS: &[u8] = b"\"'{}[]()\\/0,.-:;=+&%#*?\r\n\t \0\x1b\x7f\xff\xc3";

impl Noise {
    /// The noise of this number, moved on by `TEAL_NOISE_SEED`.
    pub fn new(seed: u64) -> Noise {
        let more = number("TEAL_NOISE_SEED").unwrap_or(0) as u64;
        Noise(seed ^ more.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Changes, removes, doubles, swaps or inserts some bytes.
    pub fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let end = at + self.below((bytes.len() - at).min(40));
            match self.below(7) {
                0 if !bytes.is_empty() => bytes[at] = self.next() as u8,
                1 => bytes.truncate(at),
                2 | 3 => bytes.insert(at, *self.one_of(MARKS)),
                4 if bytes.len() < 100_000 => {
                    let again = bytes[at..end].repeat(1 + self.below(3));
                    bytes.splice(at..at, again);
                }
                5 => bytes[at..end].reverse(),
                _ => drop(bytes.drain(at..end)),
            }
        }
    }

    /// One of the good texts, spoilt.
    pub fn spoilt(&mut self, good: &[&str]) -> Vec<u8> {
        let mut bytes = self.one_of(good).as_bytes().to_vec();
        self.spoil(&mut bytes);
        bytes
    }
}

/// How many cases to try: a few in every run of the tests, as many as `TEAL_NOISE` says by hand.
pub(crate) fn rounds(few: usize) -> usize {
    number("TEAL_NOISE").unwrap_or(few)
}

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}
