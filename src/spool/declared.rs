//! Losses that a report still has to declare: ranges of numbers with a reason, few of them whatever happens.
//!
//! ```text
//!  lose(4..9, spool_full) ─▶ ┌ first last reason     count ┐   more than COUNT_MAX ranges: the two with the smallest
//!  lose(9..12, spool_full) ─▶│ 4     11   spool_full 8     │   gap between them become one, and `count` stays the truth
//!  lose(20..21, poison) ───▶ │ 20    20   poison     1     │
//!                            └──────────┬──────────────────┘
//!                                       └──▶ report (kind `agent`) ──▶ in the log ──▶ forgotten here
//! ```
//!
//! They are in the cursor file until the report that declares them is in the log, so that a kill forgets none.

use std::ops::Range;

use crate::observe::ledger::LossReason;

/// How many ranges one topic keeps. A loss is a segment of some hundred records or one record that the broker refused,
/// and a report empties the list every minute; 64 of them take 5 KB in the report.
pub const COUNT_MAX: usize = 64;

/// Why numbers of a topic will never be in Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The records are lost.
    Lost(LossReason),
    /// The records were set aside and can be sent again by hand.
    DeadLetter,
    /// No record ever had the number: it was being written when the process or the power ended, and was not accepted.
    Torn,
}

impl Why {
    /// The name in reports and in the cursor file.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Lost(reason) => reason.as_str(),
            Why::DeadLetter => "dead_letter",
            Why::Torn => "torn",
        }
    }

    /// The reason of this name.
    pub fn from_name(name: &str) -> Option<Why> {
        let mut lost = LossReason::ALL.iter().map(|reason| Why::Lost(*reason));
        lost.find(|why| why.as_str() == name)
            .or_else(|| (name == Why::DeadLetter.as_str()).then_some(Why::DeadLetter))
            .or_else(|| (name == Why::Torn.as_str()).then_some(Why::Torn))
    }
}

/// One range of numbers that are missing for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
    /// Why.
    pub why: Why,
    /// How many numbers between the two are missing: all of them, unless ranges had to be put together.
    pub count: u64,
}

/// The ranges of one topic, by reason and number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Declarations {
    list: Vec<Declared>,
}

impl Declarations {
    /// The ranges.
    pub fn list(&self) -> &[Declared] {
        &self.list
    }

    /// Adds `numbers`, none of which was added before.
    pub fn add(&mut self, numbers: Range<u64>, why: Why) {
        if numbers.is_empty() {
            return;
        }
        self.insert(Declared {
            first: numbers.start,
            last: numbers.end - 1,
            why,
            count: numbers.end - numbers.start,
        });
    }

    /// Adds the ranges of `other`.
    pub fn extend(&mut self, other: Declarations) {
        other.list.into_iter().for_each(|range| self.insert(range));
    }

    pub(super) fn insert(&mut self, range: Declared) {
        let at = self
            .list
            .partition_point(|known| (known.why, known.first) < (range.why, range.first));
        self.list.insert(at, range);
        // Its neighbours on both sides may touch it now.
        self.merge_if(at, |gap| gap == 0);
        if let Some(before) = at.checked_sub(1) {
            self.merge_if(before, |gap| gap == 0);
        }
        while self.list.len() > COUNT_MAX {
            let gaps = (0..self.list.len()).filter_map(|at| Some((self.gap_behind(at)?, at)));
            let Some((_, at)) = gaps.min() else {
                return;
            };
            self.merge_if(at, |_| true);
        }
    }

    /// How many numbers lie between the range at `at` and the next one of its reason.
    fn gap_behind(&self, at: usize) -> Option<u64> {
        let (range, next) = (self.list.get(at)?, self.list.get(at + 1)?);
        (range.why == next.why).then(|| next.first.saturating_sub(range.last.saturating_add(1)))
    }

    /// Makes the range at `at` and the next one of its reason one, if the gap between them is `wanted`.
    fn merge_if(&mut self, at: usize, wanted: impl Fn(u64) -> bool) {
        if !self.gap_behind(at).is_some_and(wanted) {
            return;
        }
        let next = self.list.remove(at + 1);
        if let Some(range) = self.list.get_mut(at) {
            range.last = range.last.max(next.last);
            range.count += next.count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FULL: Why = Why::Lost(LossReason::SpoolFull);

    #[test]
    fn ranges_that_touch_become_one_and_other_reasons_stay_apart() {
        let mut declared = Declarations::default();
        declared.add(4..9, FULL);
        declared.add(12..13, FULL);
        declared.add(20..21, Why::Lost(LossReason::Poison));
        declared.add(9..12, FULL);
        declared.add(13..14, Why::Torn);
        let shown: Vec<_> = declared
            .list()
            .iter()
            .map(|range| (range.first, range.last, range.why.as_str(), range.count))
            .collect();
        assert_eq!(
            shown,
            [
                (4, 12, "spool_full", 9),
                (20, 20, "poison", 1),
                (13, 13, "torn", 1)
            ]
        );
    }

    #[test]
    fn every_reason_is_found_by_its_name() {
        let lost = LossReason::ALL.iter().map(|reason| Why::Lost(*reason));
        for why in lost.chain([Why::DeadLetter, Why::Torn]) {
            assert_eq!(Why::from_name(why.as_str()), Some(why));
        }
        assert_eq!(Why::from_name("mislaid"), None);
    }

    proptest! {
        #[test]
        fn however_many_there_are_the_list_is_short_and_hides_none(
            numbers in prop::collection::btree_set((0u64..2000, 0usize..3), 1..600)
        ) {
            let reasons = [FULL, Why::DeadLetter, Why::Torn];
            let mut declared = Declarations::default();
            for (number, reason) in &numbers {
                declared.add(*number..number + 1, reasons[*reason]);
            }
            prop_assert!(declared.list().len() <= COUNT_MAX);
            let total: u64 = declared.list().iter().map(|range| range.count).sum();
            prop_assert_eq!(total, numbers.len() as u64);
            for range in declared.list() {
                let inside = numbers.iter().filter(|(number, reason)| {
                    reasons[*reason] == range.why && (range.first..=range.last).contains(number)
                });
                prop_assert_eq!(inside.count() as u64, range.count);
            }
        }
    }
}
