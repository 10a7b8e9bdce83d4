//! Losses that reports declare: missing numbers go in, and come out with a reason or without.
//!
//! ```text
//!  lost 43-45 spool_full, 2 of 70-79 corrupt ──add──▶ exact, coarse ──explain 43, 71, 90──▶ 43 spool_full, 71 corrupt │ 90
//! ```

use std::collections::BTreeMap;

use super::numbers::Ranges;
use super::record::Lost;

/// Losses of one chain in one topic.
#[derive(Default)]
pub(super) struct Declared {
    /// By reason, where every number of a range is missing.
    pub(super) exact: BTreeMap<String, Ranges>,
    /// Ranges of which only some numbers are missing.
    pub(super) coarse: Vec<Lost>,
}

impl Declared {
    /// Of two ranges that may mean the same numbers the one that says more counts: rather called missing than hidden.
    pub(super) fn add(&mut self, lost: &Lost) {
        if lost.is_whole() {
            let exact = self.exact.entry(lost.reason.clone()).or_default();
            exact.add(lost.first..lost.last.saturating_add(1));
            return;
        }
        self.coarse.retain(|known| !lost.holds(known));
        if !self.coarse.iter().any(|known| known.holds(lost)) {
            self.coarse.push(lost.clone());
        }
    }

    /// Takes what whole ranges declare out of `missing`, adds it to `reasons`, and returns what is left.
    pub(super) fn explain_whole(
        &self,
        mut missing: Ranges,
        reasons: &mut BTreeMap<String, Ranges>,
    ) -> Ranges {
        for (reason, exact) in &self.exact {
            let explained = missing.and(exact);
            missing = missing.without(&explained);
            let known = reasons.entry(reason.clone()).or_default();
            *known = std::mem::take(known).with(&explained);
        }
        missing
    }

    /// The same with ranges of which only some numbers are missing, which explain no more than these.
    pub(super) fn explain_coarse(
        &mut self,
        mut missing: Ranges,
        reasons: &mut BTreeMap<String, Ranges>,
    ) -> Ranges {
        for range in &mut self.coarse {
            let inside = missing.and(&Ranges::of(range.first..range.last.saturating_add(1)));
            let explained = first_of(&inside, range.count);
            range.count -= explained.count();
            missing = missing.without(&explained);
            let known = reasons.entry(range.reason.clone()).or_default();
            *known = std::mem::take(known).with(&explained);
        }
        missing
    }
}

/// The lowest `count` numbers.
fn first_of(ranges: &Ranges, mut count: u64) -> Ranges {
    let mut first = Ranges::default();
    for range in ranges.iter() {
        let end = range.end.min(range.start.saturating_add(count));
        count -= end - range.start;
        first.add(range.start..end);
    }
    first
}
