//! Which numbers of a lane are settled: a low-water mark, and ranges above it.
//!
//! ```text
//!   settled ──────────────┐ low              ┌──┐     ┌─────┐
//!   0 1 2 3 4 5 6 7 8 9 10│11 12 13 14 15 16 │17│18 19│20 21│ 22 ...
//! ```
//!
//! Delivery reports come in order within a partition and in any order between partitions, so the ranges above the
//! mark are few: at most one a partition and fault.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of numbers that only grows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    low: u64,
    /// start → end, disjoint, not touching, all above `low`.
    above: BTreeMap<u64, u64>,
}

impl Settled {
    /// The lowest number that is not settled.
    pub fn low(&self) -> u64 {
        self.low
    }

    /// Whether `number` is settled.
    pub fn contains(&self, number: u64) -> bool {
        number < self.low
            || self
                .above
                .range(..=number)
                .next_back()
                .is_some_and(|(_, &end)| number < end)
    }

    /// The lowest number from `number` on that is not settled.
    pub fn first_unsettled(&self, number: u64) -> u64 {
        let number = number.max(self.low);
        let range = self.above.range(..=number).next_back();
        range.map_or(number, |(_, &end)| end.max(number))
    }

    /// How many numbers of `range` are settled.
    pub fn count_in(&self, range: Range<u64>) -> u64 {
        let below = self.low.min(range.end).saturating_sub(range.start);
        let overlap = |(&start, &end): (&u64, &u64)| {
            end.min(range.end).saturating_sub(start.max(range.start))
        };
        below + self.above.range(..range.end).map(overlap).sum::<u64>()
    }

    /// One past the highest number that is settled.
    pub fn end(&self) -> u64 {
        let last = self.above.last_key_value();
        last.map_or(self.low, |(_, &end)| end)
    }

    /// The settled ranges above [`Settled::low`], in order: disjoint and not touching.
    pub fn above(&self) -> impl Iterator<Item = Range<u64>> {
        self.above.iter().map(|(&start, &end)| start..end)
    }

    /// What a read from `number` on has to know: at most `ranges_max` of the ranges that end behind it, and the number
    /// up to which these say everything. A copy of all of them could hold up whoever waits for the lock.
    pub fn behind(&self, number: u64, ranges_max: usize) -> (Settled, u64) {
        let before = self.above.range(..number).next_back();
        let mut ranges = before
            .filter(|(_, end)| **end > number)
            .into_iter()
            .chain(self.above.range(number..))
            .map(|(&start, &end)| (start, end));
        let part = Settled {
            low: self.low,
            above: ranges.by_ref().take(ranges_max).collect(),
        };
        (part, ranges.next().map_or(u64::MAX, |(start, _)| start))
    }

    /// How many ranges [`Settled::above`] gives.
    pub fn above_count(&self) -> usize {
        self.above.len()
    }

    /// The parts of `range` that are not settled, in order.
    pub fn unsettled_in(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut open = range.start.max(self.low);
        let mut parts = Vec::new();
        let before = self.above.range(..open).next_back();
        for (&start, &end) in before
            .into_iter()
            .chain(self.above.range(open..range.end.max(open)))
        {
            if start > open {
                parts.push(open..start);
            }
            open = open.max(end);
        }
        if open < range.end {
            parts.push(open..range.end);
        }
        parts
    }

    /// Settles `range` and returns how many numbers of it were not settled before.
    pub fn add(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let fresh = (range.end - range.start) - self.count_in(range.clone());
        let mut merged = range.start.max(self.low)..range.end.max(self.low);
        // Ranges that overlap or touch the new one become one with it.
        while let Some((&start, &end)) = self.above.range(..=merged.end).next_back() {
            if end < merged.start {
                break;
            }
            merged = merged.start.min(start)..merged.end.max(end);
            self.above.remove(&start);
        }
        if merged.start <= self.low {
            self.low = self.low.max(merged.end);
        } else {
            self.above.insert(merged.start, merged.end);
        }
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_mark_rises_when_the_gap_below_closes() {
        let mut settled = Settled::default();
        assert_eq!(settled.add(5..7), 2);
        assert_eq!(settled.low(), 0);
        assert_eq!(settled.add(0..5), 5);
        assert_eq!(settled.low(), 7);
        assert_eq!(settled.add(3..9), 2);
        assert_eq!(settled.low(), 9);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_set(ranges in prop::collection::vec((0u64..60, 0u64..12), 1..40)) {
            let mut settled = Settled::default();
            let mut plain = std::collections::BTreeSet::new();
            for (start, length) in ranges {
                let fresh = (start..start + length).filter(|number| plain.insert(*number)).count() as u64;
                prop_assert_eq!(settled.add(start..start + length), fresh);
                for number in 0..80 {
                    prop_assert_eq!(settled.contains(number), plain.contains(&number));
                    let first = (number..).find(|number| !plain.contains(number));
                    prop_assert_eq!(Some(settled.first_unsettled(number)), first);
                }
                let low = (0..).find(|number| !plain.contains(number)).unwrap();
                prop_assert_eq!(settled.low(), low);
                prop_assert_eq!(settled.count_in(10..50), plain.range(10..50).count() as u64);
                prop_assert!(settled.above.keys().all(|&start| start > low));
                let open: Vec<u64> = settled.unsettled_in(10..50).into_iter().flatten().collect();
                prop_assert_eq!(open, (10..50).filter(|number| !plain.contains(number)).collect::<Vec<_>>());
                let mut restored = Settled::default();
                restored.add(0..settled.low());
                settled.above().for_each(|range| { restored.add(range); });
                prop_assert_eq!(&restored, &settled);
                prop_assert!(plain.iter().all(|&number| number < settled.end()));
                for (from, ranges_max) in [(0, 2), (13, 1), (25, 100)] {
                    let (part, until) = settled.behind(from, ranges_max);
                    prop_assert!(part.above_count() <= ranges_max);
                    prop_assert!(until > from);
                    for number in from..until.min(80) {
                        prop_assert_eq!(part.contains(number), plain.contains(&number));
                    }
                }
            }
        }
    }
}
