//! A cursor over untrusted bytes: nothing indexes, nothing unwraps, nothing allocates.

/// What is left to read of some bytes, and how far reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
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
        Reader { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What is left, without taking it.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The next byte, without taking it.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes one byte.
    pub fn byte(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        count(0);
        self.at += 1;
        Some(byte)
    }

    /// Takes `expected` if it comes next, and says whether it did.
    pub fn eat(&mut self, expected: u8) -> bool {
        let found = self.peek() == Some(expected);
        self.at += usize::from(found);
        found
    }

    /// Takes exactly `count` bytes, or none.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.rest().get(..count)?;
        self.at += count;
        self::count(count);
        Some(taken)
    }

    /// Takes bytes for as long as `wanted` says so.
    pub fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let count = rest
            .iter()
            .position(|&byte| !wanted(byte))
            .unwrap_or(rest.len());
        self.at += count;
        self::count(count);
        rest.get(..count).unwrap_or_default()
    }

    /// Takes bytes up to the first `end` and the `end` itself; returns them without it. `None`, and nothing taken,
    /// where `end` does not come.
    pub fn take_until(&mut self, end: u8) -> Option<&'a [u8]> {
        let Some(count) = memchr::memchr(end, self.rest()) else {
            self::count(self.rest().len());
            return None;
        };
        let taken = self.take(count)?;
        self.at += 1;
        Some(taken)
    }
}
