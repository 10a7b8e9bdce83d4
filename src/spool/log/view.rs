//! A log as others look at it: how much it holds and since when, without a look at the disk.
//!
//! ```text
//!   numbers ──▶ LogView ──▶ the list of segments (short lock) ──▶ bytes · when the segment was begun
//! ```

use std::ops::Range;
use std::sync::Arc;

use super::{Log, Shared};
use crate::time::UnixMicros;

/// Looks at a log from any thread.
#[derive(Debug)]
pub struct LogView {
    shared: Arc<Shared>,
}

impl Log {
    /// A view of this log.
    pub fn view(&self) -> LogView {
        LogView {
            shared: self.shared.clone(),
        }
    }
}

impl LogView {
    /// The size of its segments, in bytes.
    pub fn bytes(&self) -> u64 {
        let list = self.shared.lock();
        list.extents.iter().map(|extent| extent.bytes).sum()
    }

    /// About how many bytes the records of `numbers` take: a segment's part is taken to be as large as its part of the
    /// segment's numbers.
    pub fn bytes_of(&self, numbers: Range<u64>) -> u64 {
        let list = self.shared.lock();
        let first = list
            .extents
            .partition_point(|extent| extent.end <= numbers.start);
        let behind = list.extents.range(first..);
        behind
            .take_while(|extent| extent.first < numbers.end)
            .map(|extent| part(extent.bytes, &(extent.first..extent.end), &numbers))
            .sum()
    }

    /// When the segment that holds `number`, or the next one behind it, was begun: its first record arrived then or a
    /// little before.
    pub fn begun_at(&self, number: u64) -> Option<UnixMicros> {
        let list = self.shared.lock();
        let index = list.extents.partition_point(|extent| extent.end <= number);
        list.extents.get(index)?.created
    }
}

/// The part of `bytes`, which `all` numbers take, that falls on `some` of them.
pub fn part(bytes: u64, all: &Range<u64>, some: &Range<u64>) -> u64 {
    let common = all
        .end
        .min(some.end)
        .saturating_sub(all.start.max(some.start));
    let count = all.end.saturating_sub(all.start).max(1);
    let bytes = u128::from(bytes) * u128::from(common) / u128::from(count);
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_proportional_and_never_more_than_the_whole() {
        assert_eq!(part(1000, &(10..20), &(0..100)), 1000);
        assert_eq!(part(1000, &(10..20), &(15..100)), 500);
        assert_eq!(part(1000, &(10..20), &(12..13)), 100);
        assert_eq!(part(1000, &(10..20), &(20..30)), 0);
        assert_eq!(part(1000, &(10..10), &(0..30)), 0);
    }
}
