//! History → findings: for each window what is there, what is not, and whether somebody said so.
//!
//! ```text
//!  produced (first..=last of the window, without torn numbers)
//!    ├ found       in the topic, under the run that numbered it
//!    ├ declared    a report names it with a reason
//!    ├ pending     not below the mark of the newest report: it may still come
//!    ├ expired     its window began before the oldest record that Kafka has kept, so it cannot be known
//!    ├ unread      the topic was not read, so it cannot be known
//!    └ missing     none of these
//! ```
//!
//! Whose numbers a window holds:
//!
//! - `window` and `stopped`: numbers of their own run.
//! - `started`, with a spool on disk: numbers of earlier runs, whichever. A run that was killed before its first window
//!   left them, and only the log knew them.
//! - Between two reports of a spool on disk there is no gap. Where there is one, a report is missing: its numbers are
//!   judged like those of `started`, in a window of their own.
//! - Where a run starts with number 0 though there were reports of numbers, the log was made anew. Its numbers say nothing
//!   of the same numbers before.

use std::collections::{BTreeMap, BTreeSet};

use super::chain::{Chain, chains};
use super::findings::{AgentFindings, Findings, Tally, TopicFindings, Unknown, WindowFindings};
use super::history::{AgentHistory, History, TopicHistory};
use super::numbers::Ranges;
use super::record::{Kept, Lost, Report, Time, What};

/// Why a number that no record ever had is missing.
const TORN: &str = "torn";

/// Which windows are judged.
#[derive(Debug, Clone, Copy, Default)]
pub struct Period {
    /// Those that end at or behind this time (ms since the epoch).
    pub since_ms: Option<i64>,
    /// Those that begin before it.
    pub until_ms: Option<i64>,
}

/// Judges everything that was read.
pub fn judge(history: &History, period: Period) -> Findings {
    let agents = history.agents.iter().map(|(name, agent)| {
        let judging = Judging::new(agent, history);
        judging.findings(name, period)
    });
    Findings {
        agents: agents.collect(),
        records: history.records,
        foreign: history.foreign,
    }
}

/// One agent's reports and events, put in order.
struct Judging<'h> {
    history: &'h AgentHistory,
    all: &'h History,
    /// Runs whose spool was in memory.
    in_memory: BTreeSet<&'h str>,
    /// Of each report, the chain of each topic.
    chains: Vec<BTreeMap<&'h str, Chain<'h>>>,
    topics: BTreeMap<&'h str, Judged<'h>>,
}

/// One topic's numbers as its windows are judged.
#[derive(Default)]
struct Judged<'h> {
    /// Numbers found, by run.
    found: BTreeMap<&'h str, Ranges>,
    /// Numbers that a run's own windows hold.
    claimed: BTreeMap<&'h str, Ranges>,
    /// The log that each run with a spool on disk wrote, by its first report.
    logs: BTreeMap<&'h str, Chain<'h>>,
    /// Numbers of earlier runs that were judged: runs that are killed one after the other report them more than once.
    judged: BTreeMap<Chain<'h>, Ranges>,
    /// Losses of the disk's numbers, and of the runs in memory; those that a run took itself stand beside it, since the run
    /// before may have used the same numbers.
    declared: BTreeMap<(Chain<'h>, Option<&'h str>), Declared>,
    covered: BTreeMap<Chain<'h>, Ranges>,
    /// The lowest number that a report speaks of.
    from: BTreeMap<Chain<'h>, u64>,
}

/// Losses of one chain in one topic.
#[derive(Default)]
struct Declared {
    /// By reason, where every number of a range is missing.
    exact: BTreeMap<String, Ranges>,
    /// Ranges of which only some numbers are missing.
    coarse: Vec<Lost>,
}

impl Declared {
    fn add(&mut self, lost: &Lost) {
        let range = lost.first..lost.last.saturating_add(1);
        if lost.count >= range.end.saturating_sub(range.start) {
            let exact = self.exact.entry(lost.reason.clone()).or_default();
            exact.add(range);
            return;
        }
        // A report that was not kept is made again, and says the same or more.
        let holds = |wide: &Lost, narrow: &Lost| {
            wide.reason == narrow.reason
                && wide.first <= narrow.first
                && wide.last >= narrow.last
                && wide.count >= narrow.count
        };
        if self.coarse.iter().any(|known| holds(known, lost)) {
            return;
        }
        self.coarse.retain(|known| !holds(lost, known));
        self.coarse.push(lost.clone());
    }

    /// Takes what is declared out of `missing`: the reasons with their numbers, and what is left.
    fn explain(&mut self, mut missing: Ranges) -> (Vec<(String, Ranges)>, Ranges) {
        let mut reasons: BTreeMap<&str, Ranges> = BTreeMap::new();
        for (reason, exact) in &self.exact {
            let explained = missing.and(exact);
            missing = missing.without(&explained);
            let known = reasons.entry(reason).or_default();
            *known = std::mem::take(known).with(&explained);
        }
        for range in &mut self.coarse {
            let inside = missing.and(&Ranges::of(range.first..range.last.saturating_add(1)));
            let explained = first_of(&inside, range.count);
            range.count -= explained.count();
            missing = missing.without(&explained);
            let known = reasons.entry(&range.reason).or_default();
            *known = std::mem::take(known).with(&explained);
        }
        let reasons = reasons
            .into_iter()
            .filter(|(_, numbers)| !numbers.is_empty())
            .map(|(reason, numbers)| (reason.to_owned(), numbers));
        (reasons.collect(), missing)
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

fn window_range(topic: &super::record::Topic) -> Ranges {
    match (topic.first, topic.last) {
        (Some(first), Some(last)) => Ranges::of(first..last.saturating_add(1)),
        _ => Ranges::default(),
    }
}

impl<'h> Judged<'h> {
    /// Whether the run wrote this log. A run without a report may have written any.
    fn may_be_of(&self, boot: &str, chain: Chain<'_>) -> bool {
        self.logs.get(boot).is_none_or(|log| *log == chain)
    }

    /// What the windows of the runs that wrote this log hold.
    fn claimed_in(&self, chain: Chain<'_>) -> Ranges {
        let claimed = self.claimed.iter();
        claimed
            .filter(|(boot, _)| self.logs.get(*boot) == Some(&chain))
            .fold(Ranges::default(), |all, (_, more)| all.with(more))
    }

    /// What is declared of a run's own numbers, or of all of a chain's: the reasons with their numbers, and what is left.
    fn explain(
        &mut self,
        chain: Chain<'_>,
        own: Option<&str>,
        mut missing: Ranges,
    ) -> (Vec<(String, Ranges)>, Ranges) {
        let mut reasons: BTreeMap<String, Ranges> = BTreeMap::new();
        for ((of, by), declared) in &mut self.declared {
            if *of != chain || (own.is_some() && by.is_some() && *by != own) {
                continue;
            }
            let (explained, left) = declared.explain(missing);
            missing = left;
            for (reason, numbers) in explained {
                let known = reasons.entry(reason).or_default();
                *known = std::mem::take(known).with(&numbers);
            }
        }
        (reasons.into_iter().collect(), missing)
    }

    /// Found by any run that wrote this log, those aside that its own windows hold.
    fn inherited(&self, chain: Chain<'_>, in_memory: &BTreeSet<&str>) -> Ranges {
        let found = self.found.iter();
        found
            .filter(|(boot, _)| !in_memory.contains(*boot) && self.may_be_of(boot, chain))
            .map(|(boot, found)| match self.claimed.get(boot) {
                Some(claimed) => found.without(claimed),
                None => found.clone(),
            })
            .fold(Ranges::default(), |all, more| all.with(&more))
    }
}

impl<'h> Judging<'h> {
    fn new(history: &'h AgentHistory, all: &'h History) -> Judging<'h> {
        let in_memory = history.reports.iter();
        let in_memory = in_memory
            .filter(|report| report.spool == Kept::Memory)
            .map(|report| report.boot.as_str())
            .collect();
        let mut judging = Judging {
            history,
            all,
            in_memory,
            chains: chains(&history.reports),
            topics: BTreeMap::new(),
        };
        for (name, topic) in &history.topics {
            judging.topics.entry(name).or_default().found = found(topic);
        }
        for (index, report) in history.reports.iter().enumerate() {
            judging.note(index, report);
        }
        judging
    }

    /// The chain that a report's numbers of this topic are of.
    fn chain(&self, index: usize, topic: &str) -> Chain<'h> {
        let chains = self.chains.get(index);
        let chain = chains.and_then(|chains| chains.get(topic));
        chain.copied().unwrap_or(Chain::Disk(0))
    }

    fn note(&mut self, index: usize, report: &'h Report) {
        for topic in &report.topics {
            let chain = self.chain(index, &topic.topic);
            let range = window_range(topic);
            let judged = self.topics.entry(&topic.topic).or_default();
            if report.spool == Kept::Disk {
                judged.logs.entry(&report.boot).or_insert(chain);
            }
            let covered = judged.covered.entry(chain).or_default();
            *covered = std::mem::take(covered).with(&range);
            let lowest = topic.first.unwrap_or(topic.next);
            let from = judged.from.entry(chain).or_insert(lowest);
            *from = lowest.min(*from);
            if report.what != What::Started {
                let claimed = judged.claimed.entry(&report.boot).or_default();
                *claimed = std::mem::take(claimed).with(&range);
            }
        }
        for lost in &report.lost {
            let chain = self.chain(index, &lost.topic);
            let start = self.start_of(report, &lost.topic);
            let judged = self.topics.entry(&lost.topic).or_default();
            let (earlier, own) = lost.parted_at(start.unwrap_or(u64::MAX));
            for (by, lost) in [(None, earlier), (Some(report.boot.as_str()), own)] {
                if let Some(lost) = lost {
                    let declared = judged.declared.entry((chain, by)).or_default();
                    declared.add(&lost);
                }
            }
        }
    }

    /// The first number that the report's run took, where its start is known.
    fn start_of(&self, report: &Report, topic: &str) -> Option<u64> {
        let mut reports = self.history.reports.iter();
        let started =
            reports.find(|other| other.boot == report.boot && other.what == What::Started)?;
        let mut topics = started.topics.iter();
        let topic = topics.find(|known| known.topic == topic)?;
        Some(topic.next)
    }

    fn findings(mut self, name: &str, period: Period) -> AgentFindings {
        let mut windows = Vec::new();
        let reports = &self.history.reports;
        for (index, report) in reports.iter().enumerate() {
            let is_wanted = period.since_ms.is_none_or(|since| report.end.0 >= since)
                && period.until_ms.is_none_or(|until| report.begin.0 < until);
            if is_wanted {
                windows.push(self.window(index, report));
            }
        }
        windows.extend(self.gaps(period));
        let unknown = reports
            .iter()
            .filter(|report| report.previous_run.as_deref() == Some("unknown"))
            .map(|report| Unknown {
                boot: report.boot.clone(),
                at: report.end,
            });
        AgentFindings {
            agent: name.to_owned(),
            windows,
            unknown: unknown.collect(),
            reports: reports.len(),
            topics: self.topics(),
        }
    }

    fn window(&mut self, index: usize, report: &'h Report) -> WindowFindings {
        let mut tallies = Vec::new();
        for topic in &report.topics {
            let range = window_range(topic);
            if range.is_empty() {
                continue;
            }
            let own = (report.what != What::Started).then_some(report.boot.as_str());
            let pending_from = self.pending_from(index, report, &topic.topic);
            tallies.extend(self.tally(
                &topic.topic,
                self.chain(index, &topic.topic),
                own,
                range,
                pending_from,
                report.begin,
            ));
        }
        WindowFindings {
            boot: Some(report.boot.clone()),
            what: Some(report.what),
            begin: report.begin,
            end: report.end,
            topics: tallies,
        }
    }

    /// Numbers that lie between the reports of a chain and are in none of them.
    fn gaps(&mut self, period: Period) -> Vec<WindowFindings> {
        // A chosen period leaves reports out: what lies between the others is no gap.
        if period.since_ms.is_some() {
            return Vec::new();
        }
        let mut tallies = Vec::new();
        let names: Vec<&'h str> = self.topics.keys().copied().collect();
        for name in names {
            let Some(topic) = self.topics.get(name) else {
                continue;
            };
            for (chain, covered) in topic.covered.clone() {
                let from = self
                    .topics
                    .get(name)
                    .and_then(|topic| topic.from.get(&chain));
                let from = from.copied().unwrap_or_default();
                let gaps = Ranges::of(from..covered.end()).without(&covered);
                let own = match chain {
                    Chain::Disk(_) => None,
                    Chain::Memory(boot) => Some(boot),
                };
                let newest = self.newest(chain, name);
                let end = newest.map_or(Time(0), |report| report.end);
                if !gaps.is_empty() {
                    tallies.extend(self.tally(name, chain, own, gaps, None, end));
                }
            }
        }
        let ends = || self.history.reports.iter().map(|report| report.end);
        let gap = |topics| WindowFindings {
            boot: None,
            what: None,
            begin: ends().min().unwrap_or(Time(0)),
            end: ends().max().unwrap_or(Time(0)),
            topics,
        };
        (!tallies.is_empty())
            .then(|| gap(tallies))
            .into_iter()
            .collect()
    }

    fn newest(&self, chain: Chain<'_>, topic: &str) -> Option<&'h Report> {
        let mut reports = self.history.reports.iter().zip(&self.chains).rev();
        let newest = reports.find(|(_, chains)| chains.get(topic) == Some(&chain));
        newest.map(|(report, _)| report)
    }

    /// From which number on a missing one may still come, and up to which.
    fn pending_from(
        &self,
        index: usize,
        report: &Report,
        topic: &str,
    ) -> Option<std::ops::Range<u64>> {
        let in_topic = |report: &'h Report| {
            let mut topics = report.topics.iter();
            topics.find(|known| known.topic == topic)
        };
        let newest = self.newest(self.chain(index, topic), topic)?;
        if report.spool == Kept::Memory {
            // What a run in memory had not delivered is gone when it has stopped, or the next run is there.
            let last = self.history.reports.last()?;
            let runs = last.boot == report.boot && last.what != What::Stopped;
            return runs.then(|| in_topic(newest).map(|topic| topic.settled_to..u64::MAX))?;
        }
        // What the log of the next run did not hold any more will not come.
        let later = self.history.reports.iter().skip(index + 1);
        let end = later
            .filter(|later| later.what == What::Started && later.spool == Kept::Disk)
            .filter(|later| later.boot != report.boot)
            .filter_map(|later| in_topic(later).map(|topic| topic.next))
            .min();
        in_topic(newest).map(|topic| topic.settled_to..end.unwrap_or(u64::MAX))
    }

    fn tally(
        &mut self,
        name: &str,
        chain: Chain<'h>,
        own: Option<&str>,
        range: Ranges,
        pending: Option<std::ops::Range<u64>>,
        begin: Time,
    ) -> Option<Tally> {
        let history = self.history.topics.get(name);
        let topic = self.topics.get_mut(name)?;
        let (range, there) = match own {
            Some(boot) => (range, topic.found.get(boot).cloned().unwrap_or_default()),
            None => {
                // Numbers that are in a report of the run that took them are judged there.
                let judged = topic.judged.get(&chain).cloned().unwrap_or_default();
                let range = range.without(&topic.claimed_in(chain)).without(&judged);
                topic.judged.insert(chain, judged.with(&range));
                let there = topic.inherited(chain, &self.in_memory);
                (range, there)
            }
        };
        if range.is_empty() {
            return None;
        }
        let found = range.and(&there);
        let (mut reasons, mut missing) = topic.explain(chain, own, range.without(&found));
        let torn = reasons.iter().position(|(reason, _)| reason == TORN);
        let torn = torn.map(|at| reasons.remove(at).1).unwrap_or_default();
        let pending = missing.and(&pending.map(Ranges::of).unwrap_or_default());
        missing = missing.without(&pending);
        let unread = match self.all.was_read(name) {
            true => Ranges::default(),
            false => std::mem::take(&mut missing),
        };
        let is_expired = self
            .all
            .expired_to_ms
            .get(name)
            .is_some_and(|until| begin.0 < *until);
        let expired = match is_expired {
            true => std::mem::take(&mut missing),
            false => Ranges::default(),
        };
        let (repeated, out_of_order) = oddities(history, own, &range);
        Some(Tally {
            topic: name.to_owned(),
            produced: range.count() - torn.count(),
            found: found.count(),
            missing,
            declared: reasons,
            pending,
            expired,
            unread,
            repeated,
            out_of_order,
        })
    }

    fn topics(&self) -> Vec<TopicFindings> {
        let topic = |(name, history): (&String, &TopicHistory)| {
            let judged = self.topics.get(name.as_str());
            let uncovered = judged.into_iter().flat_map(|topic| {
                let found = topic.found.iter();
                found.map(|(boot, found)| {
                    let is_of = |chain: &Chain<'_>| match self.in_memory.contains(*boot) {
                        true => *chain == Chain::Memory(boot),
                        false => matches!(chain, Chain::Disk(_)) && topic.may_be_of(boot, *chain),
                    };
                    let covered = topic.covered.iter().filter(|(chain, _)| is_of(chain));
                    let left = |left: Ranges, (_, covered): (_, &Ranges)| left.without(covered);
                    covered.fold(found.clone(), left).count()
                })
            });
            TopicFindings {
                topic: name.clone(),
                repeats: history.boots.values().map(|boot| boot.repeats).sum(),
                uncovered: uncovered.sum(),
            }
        };
        self.history.topics.iter().map(topic).collect()
    }
}

fn found(topic: &TopicHistory) -> BTreeMap<&str, Ranges> {
    let boots = topic.boots.iter();
    boots
        .map(|(boot, history)| (boot.as_str(), history.found.ranges()))
        .collect()
}

/// How many numbers of `range` were repeated, and how many are out of order.
fn oddities(history: Option<&TopicHistory>, own: Option<&str>, range: &Ranges) -> (u64, u64) {
    let boots = history.into_iter().flat_map(|topic| &topic.boots);
    let boots = boots.filter(|(boot, _)| own.is_none_or(|own| own == *boot));
    boots.fold((0, 0), |(repeated, disordered), (_, boot)| {
        (
            repeated + boot.repeated.ranges().and(range).count(),
            disordered + boot.disordered.ranges().and(range).count(),
        )
    })
}
