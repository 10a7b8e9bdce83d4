//! Sets of numbers that are dense but arrive in any order.
//!
//! ```text
//!   number = block * 4096 + place        whole blocks   {0..17}              one range however many
//!                                        other blocks   {17: 4096 bits, ...} 512 bytes each
//! ```
//!
//! Six partitions are read one batch after the other, so the numbers of a topic come in pieces; kept as ranges they
//! would be one range a record in the meantime. Here a number costs a bit at the most, and next to nothing when its
//! block is whole.

use std::collections::BTreeMap;
use std::ops::Range;

const BLOCK: u64 = 4096;
const WORDS: usize = 64;

/// A set of numbers.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    /// Blocks of which every number is in the set.
    whole: Ranges,
    /// Blocks of which some are.
    parts: BTreeMap<u64, Box<[u64; WORDS]>>,
    count: u64,
}

impl Numbers {
    /// Adds `number`; says whether it is new.
    pub fn insert(&mut self, number: u64) -> bool {
        let (block, place) = (number / BLOCK, number % BLOCK);
        if self.whole.contains(block) {
            return false;
        }
        let bits = self
            .parts
            .entry(block)
            .or_insert_with(|| Box::new([0; WORDS]));
        let Some(word) = bits.get_mut((place / 64) as usize) else {
            return false;
        };
        let bit = 1 << (place % 64);
        if *word & bit != 0 {
            return false;
        }
        *word |= bit;
        self.count += 1;
        if bits.iter().all(|word| *word == u64::MAX) {
            self.parts.remove(&block);
            self.whole.add(block..block + 1);
        }
        true
    }

    /// How many numbers are in the set.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The set as ranges.
    pub fn ranges(&self) -> Ranges {
        let mut ranges = Ranges::default();
        for block in self.whole.iter() {
            // The last block of all ends with the largest number there is.
            ranges.add(block.start.saturating_mul(BLOCK)..block.end.saturating_mul(BLOCK));
        }
        for (block, bits) in &self.parts {
            for (index, word) in bits.iter().enumerate() {
                add_bits(
                    &mut ranges,
                    block.saturating_mul(BLOCK) + index as u64 * 64,
                    *word,
                );
            }
        }
        ranges
    }
}

/// Adds the numbers whose bits are set in `word`, counted from `base`.
fn add_bits(ranges: &mut Ranges, base: u64, mut word: u64) {
    while word != 0 {
        let first = word.trailing_zeros();
        let length = (!(word >> first)).trailing_zeros().min(64 - first);
        ranges
            .add(base + u64::from(first)..(base + u64::from(first)).saturating_add(length.into()));
        word = match first + length {
            64 => 0,
            end => word >> end << end,
        };
    }
}

/// Disjoint ranges of numbers that do not touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranges {
    /// start → end
    map: BTreeMap<u64, u64>,
}

impl Ranges {
    /// One range, or none.
    pub fn of(range: Range<u64>) -> Ranges {
        let mut ranges = Ranges::default();
        ranges.add(range);
        ranges
    }

    /// Adds `range`.
    pub fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let mut merged = range;
        while let Some((&start, &end)) = self.map.range(..=merged.end).next_back() {
            if end < merged.start {
                break;
            }
            merged = merged.start.min(start)..merged.end.max(end);
            self.map.remove(&start);
        }
        self.map.insert(merged.start, merged.end);
    }

    /// Whether `number` is in one of them.
    pub fn contains(&self, number: u64) -> bool {
        let before = self.map.range(..=number).next_back();
        before.is_some_and(|(_, &end)| number < end)
    }

    /// The ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.map.iter().map(|(&start, &end)| start..end)
    }

    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        self.iter().map(|range| range.end - range.start).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// One past the highest number; 0 where there is none.
    pub fn end(&self) -> u64 {
        self.map.last_key_value().map_or(0, |(_, &end)| end)
    }

    /// What lies between the lowest and the highest and is in none of them.
    pub fn holes(&self) -> Ranges {
        let start = self.map.first_key_value().map_or(0, |(&start, _)| start);
        Ranges::of(start..self.end()).without(self)
    }

    /// These and the `others`.
    pub fn with(mut self, others: &Ranges) -> Ranges {
        others.iter().for_each(|range| self.add(range));
        self
    }

    /// What is in these and in the `others`.
    pub fn and(&self, others: &Ranges) -> Ranges {
        let mut both = Ranges::default();
        for range in self.iter() {
            let before = others.map.range(..=range.start).next_back();
            let inside = others
                .map
                .range((range.start.saturating_add(1)).min(range.end)..range.end);
            for (&start, &end) in before.into_iter().chain(inside) {
                both.add(start.max(range.start)..end.min(range.end));
            }
        }
        both
    }

    /// What is in these and not in the `others`.
    pub fn without(&self, others: &Ranges) -> Ranges {
        let mut left = Ranges::default();
        for range in self.iter() {
            let mut open = range.start;
            for taken in others.and(&Ranges::of(range.clone())).iter() {
                left.add(open..taken.start);
                open = taken.end;
            }
            left.add(open..range.end);
        }
        left
    }
}

impl FromIterator<Range<u64>> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Ranges {
        let mut all = Ranges::default();
        ranges.into_iter().for_each(|range| all.add(range));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn plain(ranges: &Ranges) -> BTreeSet<u64> {
        ranges.iter().flatten().collect()
    }

    #[test]
    fn whole_blocks_cost_one_range_and_the_largest_number_has_a_place() {
        let mut numbers = Numbers::default();
        for number in (0..3 * BLOCK).rev() {
            assert!(numbers.insert(number));
        }
        assert!(!numbers.insert(5000));
        assert!(numbers.parts.is_empty());
        assert_eq!(numbers.ranges(), Ranges::of(0..3 * BLOCK));
        assert!(numbers.insert(u64::MAX - 1));
        assert!(numbers.ranges().contains(u64::MAX - 1));
        assert_eq!(numbers.count(), 3 * BLOCK + 1);
    }

    proptest! {
        #[test]
        fn they_agree_with_plain_sets(
            inserted in prop::collection::vec(4000u64..4300, 0..400),
            a in prop::collection::vec((0u64..120, 0u64..20), 0..12),
            b in prop::collection::vec((0u64..120, 0u64..20), 0..12),
        ) {
            let mut numbers = Numbers::default();
            let mut set = BTreeSet::new();
            for number in inserted {
                prop_assert_eq!(numbers.insert(number), set.insert(number));
            }
            prop_assert_eq!(numbers.count(), set.len() as u64);
            prop_assert_eq!(plain(&numbers.ranges()), set);
            let ranges = |list: &[(u64, u64)]| -> Ranges {
                list.iter().map(|(start, length)| *start..start + length).collect()
            };
            let (a, b) = (ranges(&a), ranges(&b));
            let (plain_a, plain_b) = (plain(&a), plain(&b));
            prop_assert_eq!(plain(&a.and(&b)), &plain_a & &plain_b);
            prop_assert_eq!(plain(&a.without(&b)), &plain_a - &plain_b);
            prop_assert_eq!(plain(&a.clone().with(&b)), &plain_a | &plain_b);
            prop_assert_eq!(a.count(), plain_a.len() as u64);
            prop_assert!((0..150).all(|number| a.contains(number) == plain_a.contains(&number)));
            prop_assert_eq!(a.end(), plain_a.last().map_or(0, |last| last + 1));
        }
    }
}
