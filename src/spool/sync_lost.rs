//! What a failed sync took, or one could not reach: numbers that are below `synced` and are not on the disk for sure.
//!
//! ```text
//!   written 0..9, sync fails ─▶ 0..4 are not in memory any more: lost{disk_sync}       kept here: 0..4
//!                               4..9 are written once more, synced ─▶ `synced` is 9
//!   written 0..9, the segment of 0..4 cannot be opened ─▶ `synced` is 9, 0..4 stay pending      kept here: 0..4
//! ```
//!
//! Whoever waits for one of them must not be told that it is safe.

use std::collections::VecDeque;
use std::ops::Range;

/// Ranges that are kept. A sync that fails takes one, or a few where some of its records were delivered before; who waits
/// for a record waits for minutes at most. What is more joins the oldest two, and what lies between them is called lost.
const RANGES_MAX: usize = 16;

/// The numbers, as ranges in the order in which they were lost.
#[derive(Debug, Default)]
pub(super) struct SyncLost(VecDeque<Range<u64>>);

impl SyncLost {
    /// Adds a range.
    pub fn add(&mut self, numbers: Range<u64>) {
        if self.0.len() >= RANGES_MAX
            && let (Some(first), Some(second)) = (self.0.pop_front(), self.0.pop_front())
        {
            let joined = first.start.min(second.start)..first.end.max(second.end);
            self.0.push_front(joined);
        }
        self.0.push_back(numbers);
    }

    /// Whether one of these numbers was lost.
    pub fn contains_any(&self, numbers: &Range<u64>) -> bool {
        let mut lost = self.0.iter();
        lost.any(|lost| lost.start < numbers.end && numbers.start < lost.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_never_forgotten_however_much_there_is() {
        let mut lost = SyncLost::default();
        for number in 0..100 {
            lost.add(number * 10..number * 10 + 5);
        }
        assert!((0..100).all(|number| lost.contains_any(&(number * 10 + 4..number * 10 + 5))));
        assert!(lost.0.len() <= RANGES_MAX);
        assert!(!lost.contains_any(&(997..998)) && !lost.contains_any(&(1_000..2_000)));
        assert!(lost.contains_any(&(985..998)) && !lost.contains_any(&(985..985)));
    }
}
