//! Whether a name may stand more than once among many.

/// Finds it in one pass: a bit for each name seen. Two names can share a bit; so a repeat is only a reason to look
/// closer, and no repeat is certain.
#[derive(Debug, Default)]
pub(super) struct Names {
    seen: u64,
    repeats: bool,
}

impl Names {
    fn bit(name: &[u8]) -> u64 {
        let first = name.first().copied().map_or(0, u32::from);
        let last = name.last().copied().map_or(0, u32::from);
        let middle = name.get(name.len() / 2).copied().map_or(0, u32::from);
        1 << ((first * 31 + middle * 7 + last * 3 + name.len() as u32) % 64)
    }

    pub(super) fn add(&mut self, name: &[u8]) {
        let bit = Self::bit(name);
        self.repeats |= self.seen & bit != 0;
        self.seen |= bit;
    }

    pub(super) fn may_repeat(&self) -> bool {
        self.repeats
    }
}
