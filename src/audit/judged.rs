//! One topic's numbers by the run that took them: what is there, what reports hold, and what was judged already.
//!
//! ```text
//!  ids ─▶ found │ windows ─▶ claimed, covered │ starts ─▶ logs, starts │ losses ─▶ declared │ judging ─▶ judged, holes
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::chain::Chain;
use super::declared::Declared;
use super::numbers::Ranges;
use super::record::Lost;

/// One topic's numbers as its windows are judged.
#[derive(Default)]
pub(super) struct Judged<'h> {
    /// Numbers found, by run.
    pub(super) found: BTreeMap<&'h str, Ranges>,
    /// Numbers that a run's own windows hold.
    pub(super) claimed: BTreeMap<&'h str, Ranges>,
    /// The log that each run with a spool on disk wrote, by its first report.
    pub(super) logs: BTreeMap<&'h str, Chain<'h>>,
    /// The first number that each run took, where its start is known.
    pub(super) starts: BTreeMap<&'h str, u64>,
    /// Numbers of earlier runs that were judged, by the run that took them where it is known: runs that are killed one after
    /// the other report them more than once.
    pub(super) judged: BTreeMap<(Chain<'h>, Option<&'h str>), Ranges>,
    /// Numbers that were told of as holes, by the run that took them.
    pub(super) holes: BTreeMap<&'h str, Ranges>,
    /// Losses of the disk's numbers, and of the runs in memory; those that a run took itself stand beside it, since the run
    /// before may have used the same numbers.
    pub(super) declared: BTreeMap<(Chain<'h>, Option<&'h str>), Declared>,
    pub(super) covered: BTreeMap<Chain<'h>, Ranges>,
    /// The lowest number that a report speaks of.
    pub(super) from: BTreeMap<Chain<'h>, u64>,
}

impl<'h> Judged<'h> {
    /// Whether the run wrote this log. A run without a report may have written any.
    pub(super) fn may_be_of(&self, boot: &str, chain: Chain<'_>) -> bool {
        self.logs.get(boot).is_none_or(|log| *log == chain)
    }

    /// What the windows of this run hold, or of all that wrote this log.
    pub(super) fn claimed_in(&self, chain: Chain<'_>, by: Option<&str>) -> Ranges {
        let claimed = self.claimed.iter();
        claimed
            .filter(|(boot, _)| match by {
                Some(run) => **boot == run,
                None => self.logs.get(*boot) == Some(&chain),
            })
            .fold(Ranges::default(), |all, (_, more)| all.with(more))
    }

    /// Numbers of a run that were judged already, or may have been.
    pub(super) fn judged_of(&self, chain: Chain<'_>, run: &str) -> Ranges {
        let is_known = self.logs.contains_key(run);
        let may_be = |by: &Option<&str>| !is_known || by.is_none_or(|by| by == run);
        let judged = self.judged.iter();
        let judged = judged.filter(|((of, by), _)| *of == chain && may_be(by));
        let holes = self.holes.get(run).cloned().unwrap_or_default();
        judged.fold(holes, |all, (_, more)| all.with(more))
    }

    /// What was told of as holes of runs that may have written this log.
    pub(super) fn holes_told(&self, chain: Chain<'_>) -> Ranges {
        let holes = self.holes.iter();
        holes
            .filter(|(boot, _)| self.may_be_of(boot, chain))
            .fold(Ranges::default(), |all, (_, more)| all.with(more))
    }

    /// Takes in what a start or a stop declares. The report before may have been in Kafka and not known to be kept: then
    /// its losses are declared again, whole or put together with later ones, and count once.
    pub(super) fn declare_again(&mut self, chain: Chain<'h>, by: Option<&'h str>, mut lost: Lost) {
        let known = self.declared.iter_mut();
        let known = known.filter(|((of, other), _)| {
            *of == chain && (by.is_none() || other.is_none() || *other == by)
        });
        let mut known: Vec<_> = known.map(|(_, declared)| declared).collect();
        let range = Ranges::of(lost.first..lost.last.saturating_add(1));
        let exact = known
            .iter()
            .filter_map(|known| known.exact.get(&lost.reason));
        let exact = exact.fold(Ranges::default(), |all, more| all.with(more));
        let said = range.and(&exact).count();
        let mut coarse = known.iter_mut().flat_map(|known| &mut known.coarse);
        if lost.is_whole() {
            if let Some(wide) = coarse.find(|wide| wide.is_around(&lost)) {
                wide.count = wide.count.saturating_sub(range.count() - said);
            }
        } else {
            lost.count = lost.count.saturating_sub(said);
            if coarse.any(|known| known.holds(&lost)) {
                return;
            }
            let coarse = known.iter_mut().map(|known| &mut known.coarse);
            coarse.for_each(|coarse| coarse.retain(|known| !lost.holds(known)));
        }
        self.declared.entry((chain, by)).or_default().add(&lost);
    }

    /// What is declared of a run's own numbers, or of all of a chain's: the reasons with their numbers, and what is left.
    pub(super) fn explain(
        &mut self,
        chain: Chain<'_>,
        own: Option<&str>,
        mut missing: Ranges,
    ) -> (Vec<(String, Ranges)>, Ranges) {
        let declared = self.declared.iter_mut();
        let declared = declared
            .filter(|((of, by), _)| *of == chain && (own.is_none() || by.is_none() || *by == own));
        let mut declared: Vec<_> = declared.map(|(_, declared)| declared).collect();
        let mut reasons = BTreeMap::new();
        for declared in &declared {
            missing = declared.explain_whole(missing, &mut reasons);
        }
        // Which numbers the others mean is not known: they come behind all that is.
        for declared in &mut declared {
            missing = declared.explain_coarse(missing, &mut reasons);
        }
        reasons.retain(|_, numbers| !numbers.is_empty());
        (reasons.into_iter().collect(), missing)
    }

    /// Found by the run that took them, or by any that wrote this log where that is not known; those aside that its own
    /// windows hold. A run without a report may have taken any.
    pub(super) fn inherited(
        &self,
        chain: Chain<'_>,
        by: Option<&str>,
        in_memory: &BTreeSet<&str>,
    ) -> Ranges {
        let may_be_by = |boot: &str| match by {
            Some(run) => run == boot || !self.logs.contains_key(boot),
            None => self.may_be_of(boot, chain),
        };
        let found = self.found.iter();
        found
            .filter(|(boot, _)| !in_memory.contains(*boot) && may_be_by(boot))
            .map(|(boot, found)| match self.claimed.get(boot) {
                Some(claimed) => found.without(claimed),
                None => found.clone(),
            })
            .fold(Ranges::default(), |all, more| all.with(&more))
    }
}
