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
//! - A log on a disk that failed lacks numbers that the run took and delivered, and the next run takes them again. So what
//!   `started` speaks of is judged by the run that took it, as far as starts and ids show that; and what a run without
//!   further reports has delivered shows that it took all that lies between.
//! - Where a run starts with number 0 though there were reports of numbers, the log was made anew. Its numbers say nothing
//!   of the same numbers before.

use std::collections::{BTreeMap, BTreeSet};

use super::chain::{Chain, chains, taken_by};
use super::findings::{AgentFindings, Findings, Tally, TopicFindings, Unknown, WindowFindings};
use super::history::{AgentHistory, History, TopicHistory};
use super::judged::Judged;
use super::numbers::Ranges;
use super::record::{Kept, Report, Time, What};

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

/// Numbers of one topic to judge together.
struct Part<'h> {
    chain: Chain<'h>,
    whose: Whose<'h>,
    range: Ranges,
    /// Of these a missing one may still come.
    pending: Option<std::ops::Range<u64>>,
}

/// Who took the numbers.
enum Whose<'h> {
    /// This run, whose windows hold them.
    Run(&'h str),
    /// They were in the log when a later run started. This run took them, or, where that is not known, any before.
    Log(Option<&'h str>),
    /// This run: they lie between others of it that are there, and are not.
    Hole(&'h str),
}

fn window_range(topic: &super::record::Topic) -> Ranges {
    match (topic.first, topic.last) {
        (Some(first), Some(last)) => Ranges::of(first..last.saturating_add(1)),
        _ => Ranges::default(),
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
        for report in &history.reports {
            judging.note_start(report);
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

    fn note_start(&mut self, report: &'h Report) {
        if report.what == What::Started {
            for topic in &report.topics {
                let judged = self.topics.entry(&topic.topic).or_default();
                judged.starts.entry(&report.boot).or_insert(topic.next);
            }
        }
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
            let judged = self.topics.entry(&lost.topic).or_default();
            let start = judged.starts.get(report.boot.as_str()).copied();
            let (earlier, own) = lost.parted_at(start.unwrap_or(u64::MAX));
            for (by, lost) in [(None, earlier), (Some(report.boot.as_str()), own)] {
                if let Some(lost) = lost {
                    match report.what {
                        What::Window => judged.declared.entry((chain, by)).or_default().add(&lost),
                        What::Started | What::Stopped => judged.declare_again(chain, by, lost),
                    }
                }
            }
        }
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
            let chain = self.chain(index, &topic.topic);
            let parts = match report.what {
                What::Started => self.of_earlier_runs(index, report, &topic.topic, range),
                What::Window | What::Stopped => vec![Part {
                    chain,
                    whose: Whose::Run(&report.boot),
                    pending: self.pending_from(index, report, &topic.topic),
                    range,
                }],
            };
            let parts = parts.into_iter();
            let begin = self.taken_from(index, report);
            let mut parts = parts.filter_map(|part| {
                let begin = match part.whose {
                    // Nobody said when a run without reports took its numbers.
                    Whose::Hole(run) if !self.has_reports(run, &topic.topic) => Time(0),
                    _ => begin,
                };
                self.tally(&topic.topic, part, begin)
            });
            if let Some(first) = parts.next() {
                tallies.push(parts.fold(first, |mut all, part| {
                    all.add(&part);
                    all
                }));
            }
        }
        WindowFindings {
            boot: Some(report.boot.clone()),
            what: Some(report.what),
            begin: report.begin,
            end: report.end,
            topics: tallies,
        }
    }

    /// Since when a report's numbers were taken: those of a start since the report before it, however long ago that was.
    fn taken_from(&self, index: usize, report: &Report) -> Time {
        if report.what != What::Started || report.spool == Kept::Memory {
            return report.begin;
        }
        let mut before = self.history.reports.iter().take(index).rev();
        let before = before.find(|before| before.spool == Kept::Disk);
        before.map_or(Time(0), |before| before.end)
    }

    fn has_reports(&self, run: &str, topic: &str) -> bool {
        let judged = self.topics.get(topic);
        judged.is_some_and(|judged| judged.logs.contains_key(run))
    }

    /// What the report of a start speaks of: what the log held, and what the runs before took besides, as far as it shows.
    fn of_earlier_runs(
        &self,
        index: usize,
        report: &'h Report,
        name: &'h str,
        range: Ranges,
    ) -> Vec<Part<'h>> {
        let chain = self.chain(index, name);
        let Some(topic) = self.topics.get(name) else {
            return Vec::new();
        };
        let pending = self.pending_from(index, report, name);
        let part = |whose, range| Part {
            chain,
            whose,
            range,
            pending: pending.clone(),
        };
        if report.spool == Kept::Memory {
            return vec![part(Whose::Log(None), range)];
        }
        let of_chain = self.history.reports.iter().zip(&self.chains).take(index);
        let of_chain = of_chain.filter(|(earlier, chains)| {
            earlier.boot != report.boot && chains.get(name) == Some(&chain)
        });
        let runs = of_chain.rev().map(|(earlier, _)| earlier.boot.as_str());
        let log = taken_by(runs, &topic.starts, range.clone());
        let mut parts: Vec<_> = log
            .into_iter()
            .map(|(run, numbers)| part(Whose::Log(run), numbers))
            .collect();
        // Numbers of a run have no holes, whatever the log held in the end.
        let unknown = topic
            .found
            .iter()
            .filter(|(boot, _)| !topic.logs.contains_key(*boot) && !self.in_memory.contains(*boot));
        for (boot, found) in unknown {
            parts.push(part(Whose::Hole(boot), found.holes().and(&range)));
        }
        let is_before = |index: &usize| {
            let earlier = self.history.reports.get(*index);
            earlier.is_some_and(|it| it.boot != report.boot && it.spool == Kept::Disk)
        };
        if let Some(last) = (0..index).rev().find(is_before)
            && let Some(before) = self.history.reports.get(last)
            && let Some(reported) = before.topics.iter().find(|it| it.topic == name)
            && let Some(found) = topic.found.get(before.boot.as_str())
        {
            let behind = Ranges::of(reported.next..u64::MAX);
            parts.push(Part {
                chain: self.chain(last, name),
                whose: Whose::Hole(&before.boot),
                range: found.holes().and(&behind),
                pending: self.pending_from(last, before, name),
            });
        }
        parts
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
            let gaps = topic.covered.iter().map(|(chain, covered)| {
                let from = topic.from.get(chain).copied().unwrap_or_default();
                let gaps = Ranges::of(from..covered.end()).without(covered);
                (*chain, gaps.without(&topic.holes_told(*chain)))
            });
            for (chain, range) in gaps.collect::<Vec<_>>() {
                let whose = match chain {
                    Chain::Disk(_) => Whose::Log(None),
                    Chain::Memory(boot) => Whose::Run(boot),
                };
                let newest = self.newest(chain, name);
                let end = newest.map_or(Time(0), |report| report.end);
                let part = Part {
                    chain,
                    whose,
                    range,
                    pending: None,
                };
                tallies.extend(self.tally(name, part, end));
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

    fn tally(&mut self, name: &str, part: Part<'h>, begin: Time) -> Option<Tally> {
        let Part {
            chain,
            whose,
            range,
            pending,
        } = part;
        if range.is_empty() {
            return None;
        }
        let history = self.history.topics.get(name);
        let topic = self.topics.get_mut(name)?;
        let (run, range, there) = match whose {
            Whose::Run(run) => {
                let found = topic.found.get(run).cloned();
                (Some(run), range, found.unwrap_or_default())
            }
            Whose::Log(run) => {
                // Numbers that are in a report of the run that took them are judged there.
                let judged = topic.judged.entry((chain, run)).or_default().clone();
                let range = range
                    .without(&topic.claimed_in(chain, run))
                    .without(&judged);
                topic.judged.insert((chain, run), judged.with(&range));
                let there = topic.inherited(chain, run, &self.in_memory);
                (run, range, there)
            }
            Whose::Hole(run) => {
                let range = range.without(&topic.judged_of(chain, run));
                let holes = topic.holes.entry(run).or_default();
                *holes = std::mem::take(holes).with(&range);
                (Some(run), range, Ranges::default())
            }
        };
        if range.is_empty() {
            return None;
        }
        let found = range.and(&there);
        let (mut reasons, mut missing) = topic.explain(chain, run, range.without(&found));
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
        let (repeated, out_of_order) = oddities(history, run, &range);
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
