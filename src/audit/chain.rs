//! Which numbers go on from one another.
//!
//! ```text
//!  reports of a spool on disk   next 100 ─▶ 250 ─▶ 400 │ next 0 ─▶ 70      the log was made anew
//!                               └──── Disk(0) ────────┘└─ Disk(1) ─┘
//! ```
//!
//! A log that was made anew is empty when a run starts. A start in the middle, below a number that was reported, is the
//! same log: a disk that failed did not take what the run before had in memory, and Kafka and its reports may have.

use std::collections::BTreeMap;

use super::numbers::Ranges;
use super::record::{Kept, Report, What};

/// Numbers that go on from one another: those of a log on disk, which counts from 0 and may be made anew, or those of one
/// run in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Chain<'h> {
    Disk(u32),
    Memory(&'h str),
}

/// Which log on disk a topic's reports are of, one after the other.
#[derive(Debug, Clone, Copy, Default)]
struct Log {
    number: u32,
    next: u64,
}

impl Log {
    fn after(self, what: What, next: u64) -> Log {
        let is_new = what == What::Started && next == 0 && self.next > 0;
        let number = self.number + u32::from(is_new);
        Log { number, next }
    }
}

/// Of each report, the chain of each topic that it speaks of.
pub(super) fn chains(reports: &[Report]) -> Vec<BTreeMap<&str, Chain<'_>>> {
    let mut logs: BTreeMap<&str, Log> = BTreeMap::new();
    let chains = reports.iter().map(|report| {
        let mut chains = BTreeMap::new();
        for topic in &report.topics {
            if report.spool == Kept::Disk {
                let log = logs.entry(&topic.topic).or_default();
                *log = log.after(report.what, topic.next);
            }
        }
        let named = report.topics.iter().map(|topic| &topic.topic);
        for topic in named.chain(report.lost.iter().map(|lost| &lost.topic)) {
            let chain = match report.spool {
                Kept::Disk => Chain::Disk(logs.get(topic.as_str()).map_or(0, |log| log.number)),
                Kept::Memory => Chain::Memory(&report.boot),
            };
            chains.insert(topic.as_str(), chain);
        }
        chains
    });
    chains.collect()
}

/// Whose the numbers are that a log held: of the last run that began at or below them. `runs`: those that wrote the log,
/// each as often as it reported, the last one first. `None`: of a run before one whose start is not known.
pub(super) fn taken_by<'h>(
    runs: impl Iterator<Item = &'h str>,
    starts: &BTreeMap<&str, u64>,
    mut numbers: Ranges,
) -> Vec<(Option<&'h str>, Ranges)> {
    let (mut parts, mut run_before) = (Vec::new(), None);
    for run in runs {
        if run_before.replace(run) == Some(run) {
            continue;
        }
        let Some(start) = starts.get(run).filter(|_| !numbers.is_empty()) else {
            break;
        };
        let own = numbers.and(&Ranges::of(*start..u64::MAX));
        numbers = numbers.without(&own);
        parts.push((Some(run), own));
    }
    parts.push((None, numbers));
    parts
}
