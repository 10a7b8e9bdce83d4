//! A cursor over untrusted bytes: nothing indexes, nothing unwraps, nothing allocates.

/// What is left to read of some bytes, and how far reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// How many bytes there were, so that a step moves nothing but `rest`.
    whole: usize,
}

#[cfg(test)]
thread_local! {
    /// Steps of all readers of this thread: what reading costs, whatever the machine does.
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How many bytes were looked at while `work` ran, each as often as that happened.
#[cfg(test)]
pub(crate) fn steps_of(work: impl FnOnce()) -> u64 {
    STEPS.set(0);
    work();
    STEPS.get()
}

/// Counts steps; nothing but a test wants to know.
#[inline(always)]
pub(crate) fn count(bytes: usize) {
    #[cfg(test)]
    STEPS.set(STEPS.get() + 1 + bytes as u64);
    #[cfg(not(test))]
    let _ = bytes;
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader {
            rest: bytes,
            whole: bytes.len(),
        }
    }

    /// How many bytes were read.
    pub fn at(&self) -> usize {
        self.whole - self.rest.len()
    }

    /// What is left, without taking it.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte, without taking it.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes one byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (byte, behind) = self.rest.split_first()?;
        count(0);
        self.rest = behind;
        Some(*byte)
    }

    /// Takes `expected` if it comes next, and says whether it did.
    pub fn eat(&mut self, expected: u8) -> bool {
        match self.rest {
            [first, behind @ ..] if *first == expected => {
                self.rest = behind;
                true
            }
            _ => false,
        }
    }

    /// Takes exactly `count` bytes, or none.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, behind) = self.rest.split_at_checked(count)?;
        self::count(count);
        self.rest = behind;
        Some(taken)
    }

    /// Takes bytes for as long as `wanted` says so.
    pub fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let mut left = self.rest;
        while let [first, behind @ ..] = left
            && wanted(*first)
        {
            left = behind;
        }
        self.take_all_but(left.len())
    }

    /// Takes bytes up to the first `end` and the `end` itself; returns them without it. `None`, and nothing taken,
    /// where `end` does not come.
    pub fn take_until(&mut self, end: u8) -> Option<&'a [u8]> {
        let Some(count) = memchr::memchr(end, self.rest) else {
            self::count(self.rest.len());
            return None;
        };
        let taken = self.take(count)?;
        self.byte();
        Some(taken)
    }

    /// Takes bytes up to the first of `ends`, which is left; all, where none comes.
    ///
    /// Eight bytes are looked at together. The fields of a message are short: calling `memchr` takes longer than looking.
    pub fn take_to<const N: usize>(&mut self, ends: [u8; N]) -> &'a [u8] {
        let mut left = self.rest;
        while let Some((word, behind)) = left.split_first_chunk::<8>() {
            let word = u64::from_le_bytes(*word);
            let marks = ends
                .iter()
                .fold(0, |marks, end| marks | marks_of(*end, word));
            if marks != 0 {
                // The first byte is the lowest.
                return self.take_all_but(left.len() - marks.trailing_zeros() as usize / 8);
            }
            left = behind;
        }
        while let [first, behind @ ..] = left
            && !ends.contains(first)
        {
            left = behind;
        }
        self.take_all_but(left.len())
    }

    /// Takes what stands in front of the last `left` bytes.
    fn take_all_but(&mut self, left: usize) -> &'a [u8] {
        let count = self.rest.len() - left;
        self::count(count);
        let (taken, behind) = self.rest.split_at_checked(count).unwrap_or_default();
        self.rest = behind;
        taken
    }
}

/// The lowest bit that is set is the upper one of the first byte that is `end`. (A bit above it may be set wrongly: the
/// subtraction borrows there.)
fn marks_of(end: u8, word: u64) -> u64 {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let zeros = word ^ (EACH * u64::from(end));
    zeros.wrapping_sub(EACH) & !zeros & (EACH << 7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_taken_to_an_end_is_what_a_look_at_each_byte_takes(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b','), Just(b'-'), Just(0xac)], 0..40),
            ends in any::<[u8; 2]>(),
        ) {
            for ends in [ends, [b',', b'-'], [0, 0x80]] {
                let (mut by_word, mut by_byte) = (Reader::new(&bytes), Reader::new(&bytes));
                let expected = by_byte.take_while(|byte| !ends.contains(&byte));
                prop_assert_eq!(by_word.take_to(ends), expected);
                prop_assert_eq!(by_word, by_byte);
                prop_assert_eq!((by_word.at(), by_word.rest()), (expected.len(), &bytes[expected.len()..]));
            }
        }
    }
}
