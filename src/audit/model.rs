//! The judge against a plain model: an agent whose every record's fate is known, killed and restarted at random.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::findings::{Answer, Findings, Tally};
use super::history::{History, Place};
use super::judge::{Period, judge};
use super::numbers::Ranges;
use super::record::{Kept, Lost, Report, Seen, Time, Topic, What};

pub(super) const TOPIC: &str = "t";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Delivered,
    /// Delivered twice.
    Repeated,
    /// Lost, and the next report says so.
    Declared,
    /// Lost without a word.
    Silent,
    /// Never a record.
    Torn,
}

#[derive(Debug, Clone)]
enum Action {
    Accept(Fate, u64),
    Report,
    /// A report that nobody finds in its topic; only where it declares nothing.
    ReportThatIsGone,
    Stop,
    /// The next run may not know that the last report is kept.
    Kill(bool),
}

fn action() -> impl Strategy<Value = Action> {
    let fate = prop_oneof![
        12 => Just(Fate::Delivered),
        2 => Just(Fate::Repeated),
        2 => Just(Fate::Declared),
        1 => Just(Fate::Silent),
        1 => Just(Fate::Torn),
    ];
    prop_oneof![
        12 => (fate, 1u64..6).prop_map(|(fate, count)| Action::Accept(fate, count)),
        4 => Just(Action::Report),
        1 => Just(Action::ReportThatIsGone),
        1 => Just(Action::Stop),
        2 => any::<bool>().prop_map(Action::Kill),
    ]
}

/// An agent with a spool on disk.
#[derive(Default)]
struct Model {
    /// Each number's run and fate.
    fates: Vec<(usize, Fate)>,
    run: usize,
    covered: u64,
    covered_before: u64,
    undeclared: Vec<(u64, Fate)>,
    reports: Vec<Report>,
    clock: i64,
}

impl Model {
    fn new() -> Model {
        let mut model = Model::default();
        model.report(What::Started, true);
        model
    }

    fn run(&mut self, action: &Action) {
        match action {
            Action::Accept(fate, count) => {
                for _ in 0..*count {
                    if matches!(fate, Fate::Declared | Fate::Torn) {
                        self.undeclared.push((self.next(), *fate));
                    }
                    self.fates.push((self.run, *fate));
                }
            }
            Action::Report => self.report(What::Window, true),
            Action::ReportThatIsGone => self.report(What::Window, !self.undeclared.is_empty()),
            Action::Stop => {
                self.report(What::Stopped, true);
                self.restart();
            }
            Action::Kill(knows) => {
                if !knows {
                    self.covered = self.covered_before;
                }
                self.restart();
            }
        }
    }

    fn restart(&mut self) {
        self.run += 1;
        self.report(What::Started, true);
    }

    fn next(&self) -> u64 {
        self.fates.len() as u64
    }

    fn report(&mut self, what: What, is_found: bool) {
        let lost = self.undeclared.drain(..).map(|(number, fate)| Lost {
            topic: TOPIC.to_owned(),
            first: number,
            last: number,
            reason: match fate {
                Fate::Torn => "torn",
                _ => "spool_full",
            }
            .to_owned(),
            count: 1,
        });
        let lost = lost.collect();
        let is_new = self.next() > self.covered;
        self.clock += 1000;
        let report = Report {
            what,
            boot: boot(self.run),
            begin: Time(self.clock - 1000),
            end: Time(self.clock),
            spool: Kept::Disk,
            previous_run: None,
            topics: vec![Topic {
                topic: TOPIC.to_owned(),
                first: is_new.then_some(self.covered),
                last: is_new.then(|| self.next() - 1),
                next: self.next(),
                settled_to: self.next(),
            }],
            lost,
        };
        self.covered_before = self.covered;
        self.covered = self.next();
        if is_found {
            self.reports.push(report);
        }
    }

    /// What Kafka has, its partitions one behind the other.
    fn history(&self, partitions: i32) -> History {
        let mut history = History::default();
        for (number, report) in self.reports.iter().enumerate() {
            let seen = Seen {
                agent: "a".to_owned(),
                boot: report.boot.clone(),
                number: number as u64,
                report: Some(report.clone()),
            };
            let (topic, partition) = ("reports", 0);
            history.take(Place { topic, partition }, Some(seen));
        }
        for partition in 0..partitions {
            for (number, (run, fate)) in self.fates.iter().enumerate() {
                let times = match fate {
                    Fate::Delivered => 1,
                    Fate::Repeated => 2,
                    Fate::Declared | Fate::Silent | Fate::Torn => 0,
                };
                for _ in 0..times {
                    if number as i32 % partitions == partition {
                        let place = Place {
                            topic: TOPIC,
                            partition,
                        };
                        history.take(place, Some(event(*run, number as u64)));
                    }
                }
            }
        }
        history
    }

    /// One past the highest number that reports cover.
    fn reported(&self) -> u64 {
        let topics = self.reports.iter().flat_map(|report| &report.topics);
        let last = topics.filter_map(|topic| topic.last).max();
        last.map_or(0, |last| last + 1)
    }

    /// The numbers of this fate that reports cover.
    fn with(&self, fate: Fate) -> BTreeSet<u64> {
        (0..self.reported())
            .filter(|number| self.fates[*number as usize].1 == fate)
            .collect()
    }

    /// Silent numbers that no report covers: of a run that another followed, behind its last report, and between numbers
    /// that are there.
    fn holes(&self) -> BTreeSet<u64> {
        let is_there = |(of, fate): &(usize, Fate), run| {
            *of == run && matches!(fate, Fate::Delivered | Fate::Repeated)
        };
        let is_hole = |number: &u64| {
            let (before, from) = self.fates.split_at(*number as usize);
            let (run, fate) = from[0];
            let is_between = [before, from]
                .iter()
                .all(|part| part.iter().any(|taken| is_there(taken, run)));
            let mut reports = self.reports.iter().rev();
            let last = reports.find(|report| report.boot == boot(run));
            let is_behind = last.is_some_and(|report| report.topics[0].next <= *number);
            run < self.run && fate == Fate::Silent && is_between && is_behind
        };
        (self.reported()..self.next()).filter(is_hole).collect()
    }
}

fn boot(run: usize) -> String {
    format!("B{run}")
}

fn event(run: usize, number: u64) -> Seen {
    Seen {
        agent: "a".to_owned(),
        boot: boot(run),
        number,
        report: None,
    }
}

fn all(findings: &Findings, part: impl Fn(&Tally) -> Ranges) -> BTreeSet<u64> {
    let tallies = findings.agents.iter().flat_map(|agent| agent.tallies());
    tallies
        .filter(|tally| tally.topic == TOPIC)
        .flat_map(|tally| part(tally).iter().flatten().collect::<Vec<_>>())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn it_agrees_with_a_plain_model(
        actions in prop::collection::vec(action(), 1..60),
        partitions in 1i32..4,
    ) {
        let mut model = Model::new();
        actions.iter().for_each(|action| model.run(action));
        let history = model.history(partitions);
        let findings = judge(&history, Period::default());
        let silent = &model.with(Fate::Silent) | &model.holes();
        let declared = model.with(Fate::Declared);
        prop_assert_eq!(all(&findings, |tally| tally.missing.clone()), silent.clone());
        prop_assert_eq!(
            all(&findings, |tally| tally.declared.iter().fold(
                Ranges::default(),
                |all, (_, numbers)| all.with(numbers)
            )),
            declared.clone()
        );
        let sum = |count: fn(&Tally) -> u64| -> u64 {
            let tallies = findings.agents.iter().flat_map(|agent| agent.tallies());
            tallies.filter(|tally| tally.topic == TOPIC).map(count).sum()
        };
        let there = model.with(Fate::Delivered).len() + model.with(Fate::Repeated).len();
        prop_assert_eq!(sum(|tally| tally.found), there as u64);
        prop_assert_eq!(sum(|tally| tally.produced), (there + silent.len() + declared.len()) as u64);
        prop_assert_eq!(sum(|tally| tally.repeated), model.with(Fate::Repeated).len() as u64);
        prop_assert_eq!(sum(|tally| tally.out_of_order), 0);
        let expected = match (silent.is_empty(), declared.is_empty()) {
            (false, _) => Answer::Missing,
            (true, false) => Answer::Declared,
            (true, true) => Answer::Complete,
        };
        prop_assert_eq!(findings.answer(), expected);
    }
}

pub(super) fn report(what: What, boot: &str, spool: Kept, numbers: Option<(u64, u64)>) -> Report {
    let next = numbers.map_or(0, |(_, last)| last + 1);
    Report {
        what,
        boot: boot.to_owned(),
        begin: Time(0),
        end: Time(1000),
        spool,
        previous_run: None,
        topics: vec![Topic {
            topic: TOPIC.to_owned(),
            first: numbers.map(|(first, _)| first),
            last: numbers.map(|(_, last)| last),
            next,
            settled_to: next,
        }],
        lost: Vec::new(),
    }
}

/// A history of these reports and events (run, number).
pub(super) fn history(reports: Vec<Report>, events: &[(usize, u64)]) -> History {
    let model = Model {
        reports,
        ..Model::default()
    };
    let mut history = model.history(1);
    for (run, number) in events {
        let place = Place {
            topic: TOPIC,
            partition: 0,
        };
        history.take(place, Some(event(*run, *number)));
    }
    history
}

pub(super) fn only_tally(findings: &Findings) -> BTreeMap<&'static str, Vec<u64>> {
    let numbers =
        |part: fn(&Tally) -> Ranges| -> Vec<u64> { all(findings, part).into_iter().collect() };
    BTreeMap::from([
        ("missing", numbers(|tally| tally.missing.clone())),
        ("pending", numbers(|tally| tally.pending.clone())),
        ("expired", numbers(|tally| tally.expired.clone())),
    ])
}

#[test]
fn what_is_not_settled_yet_may_still_come_from_a_disk_but_not_from_memory_that_is_gone() {
    let mut window = report(What::Window, "B0", Kept::Disk, Some((0, 9)));
    window.topics[0].settled_to = 4;
    let found: Vec<_> = (0..3).map(|number| (0, number)).collect();
    let findings = judge(&history(vec![window.clone()], &found), Period::default());
    assert_eq!(only_tally(&findings)["missing"], [3]);
    assert_eq!(only_tally(&findings)["pending"], [4, 5, 6, 7, 8, 9]);
    assert_eq!(findings.answer(), Answer::Missing);

    window.spool = Kept::Memory;
    let next = report(What::Started, "B1", Kept::Memory, None);
    let findings = judge(&history(vec![window, next], &found), Period::default());
    assert_eq!(only_tally(&findings)["missing"], [3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn numbers_that_two_runs_used_are_told_apart_by_the_run() {
    // The disk failed under B0, which was killed: B1 finds 3 and 4, which its cursor does not know to be reported, and
    // uses 5 to 9 again.
    let reports = vec![
        report(What::Window, "B0", Kept::Disk, Some((0, 9))),
        report(What::Started, "B1", Kept::Disk, Some((3, 4))),
        report(What::Window, "B1", Kept::Disk, Some((5, 9))),
    ];
    let found: Vec<_> = (0..7)
        .map(|number| (0, number))
        .chain((5..10).map(|number| (1, number)))
        .collect();
    let findings = judge(&history(reports, &found), Period::default());
    assert_eq!(only_tally(&findings)["missing"], [7, 8, 9]);
}

#[test]
fn what_a_failing_disk_did_not_take_is_not_asked_for_again_by_the_next_start() {
    // The log ends before 80: 80 to 99 were in memory. Of B0's last report, which is in Kafka, the cursor knows nothing.
    let reports = vec![
        report(What::Window, "B0", Kept::Disk, Some((0, 59))),
        report(What::Window, "B0", Kept::Disk, Some((60, 99))),
        report(What::Started, "B1", Kept::Disk, Some((60, 79))),
        report(What::Window, "B1", Kept::Disk, Some((80, 89))),
    ];
    let found: Vec<_> = (0..100)
        .map(|number| (0, number))
        .chain((80..90).map(|number| (1, number)))
        .collect();
    let findings = judge(&history(reports, &found), Period::default());
    assert!(only_tally(&findings)["missing"].is_empty());
    assert_eq!(findings.answer(), Answer::Complete);
}

#[test]
fn what_a_run_declares_of_its_own_numbers_explains_no_other_runs() {
    // B0's disk failed at 80, and B0 was killed before 85 was delivered. B1 uses 80 to 99 again, and gives up 70 to 95: the
    // last ten of the run before, and its own.
    let mut window = report(What::Window, "B1", Kept::Disk, Some((80, 99)));
    window.lost = vec![Lost {
        topic: TOPIC.to_owned(),
        first: 70,
        last: 95,
        reason: "spool_full".to_owned(),
        count: 26,
    }];
    let reports = vec![
        report(What::Window, "B0", Kept::Disk, Some((0, 99))),
        report(What::Started, "B1", Kept::Disk, Some((60, 79))),
        window,
    ];
    let of_first = (0..70).chain(80..100).filter(|number| *number != 85);
    let found: Vec<_> = of_first
        .map(|number| (0, number))
        .chain((96..100).map(|number| (1, number)))
        .collect();
    let findings = judge(&history(reports, &found), Period::default());
    assert_eq!(only_tally(&findings)["missing"], [85]);
    assert_eq!(findings.answer(), Answer::Missing);
}

fn lost(first: u64, last: u64, count: u64) -> Lost {
    Lost {
        topic: TOPIC.to_owned(),
        first,
        last,
        reason: "spool_full".to_owned(),
        count,
    }
}

#[test]
fn ranges_that_were_put_together_explain_as_many_as_they_count_and_no_more() {
    let mut window = report(What::Window, "B0", Kept::Disk, Some((0, 9)));
    // Made twice, since the first was not kept; the second says more.
    window.lost = vec![lost(1, 5, 2), lost(1, 8, 3)];
    let found = [(0, 0), (0, 2), (0, 4), (0, 6), (0, 9)];
    let findings = judge(&history(vec![window], &found), Period::default());
    assert_eq!(only_tally(&findings)["missing"].len(), 2);
    assert_eq!(findings.answer(), Answer::Missing);
}

#[test]
fn what_the_next_report_says_again_explains_no_second_loss() {
    // 1 and 3 are declared, 2 and 4 are lost without a word. The first report is in Kafka, and was not known to be kept: what
    // it says is said again at the next start, or at the stop.
    let (coarse, whole) = (vec![lost(1, 5, 2)], vec![lost(1, 1, 1), lost(3, 3, 1)]);
    let found = [(0, 0), (0, 5), (0, 6), (0, 7), (0, 8), (0, 9)];
    for (what, boot) in [(What::Started, "B1"), (What::Stopped, "B0")] {
        for (said, again) in [
            (&coarse, &coarse),
            (&whole, &coarse),
            (&coarse, &whole),
            (&whole, &whole),
        ] {
            let start = report(What::Started, "B0", Kept::Disk, None);
            let mut window = report(What::Window, "B0", Kept::Disk, Some((0, 9)));
            window.lost.clone_from(said);
            let mut next = report(what, boot, Kept::Disk, Some((0, 9)));
            next.topics[0].first = None;
            next.lost.clone_from(again);
            let findings = judge(
                &history(vec![start, window, next], &found),
                Period::default(),
            );
            let missing = &only_tally(&findings)["missing"];
            assert_eq!(missing.len(), 2, "{what:?} {said:?} {again:?}");
            assert_eq!(findings.answer(), Answer::Missing);
        }
    }
}

#[test]
fn a_range_that_was_put_together_explains_nothing_that_a_whole_one_does() {
    // 3 is a dead letter of B0's own; the next start declares 2 and 8.
    let lost = |first, last, reason: &str, count| Lost {
        topic: TOPIC.to_owned(),
        first,
        last,
        reason: reason.to_owned(),
        count,
    };
    let start = report(What::Started, "B0", Kept::Disk, None);
    let mut window = report(What::Window, "B0", Kept::Disk, Some((0, 9)));
    window.lost = vec![lost(3, 3, "dead_letter", 1)];
    let mut next = report(What::Started, "B1", Kept::Disk, Some((0, 9)));
    next.lost = vec![lost(2, 8, "spool_full", 2)];
    let found = [0, 1, 4, 5, 6, 7, 9].map(|number| (0, number));
    let findings = judge(
        &history(vec![start, window, next], &found),
        Period::default(),
    );
    assert_eq!(only_tally(&findings)["missing"], [0; 0]);
    assert_eq!(findings.answer(), Answer::Declared);
}

#[test]
fn what_kafka_may_have_deleted_is_neither_found_nor_missing() {
    let window = report(What::Window, "B0", Kept::Disk, Some((0, 3)));
    let mut history = history(vec![window], &[(0, 3)]);
    history.expired(TOPIC, 500);
    let findings = judge(&history, Period::default());
    assert_eq!(only_tally(&findings)["expired"], [0, 1, 2]);
    assert_eq!(findings.answer(), Answer::Expired);
}

#[test]
fn what_a_start_finds_is_as_old_as_the_run_that_took_it() {
    // B0 was killed at 1500; B1 started weeks later. Kafka deletes what it gets by the time that is in the record.
    let window = report(What::Window, "B0", Kept::Disk, Some((0, 3)));
    let mut next = report(What::Started, "B1", Kept::Disk, Some((4, 9)));
    (next.begin, next.end) = (Time(9000), Time(9000));
    let mut last = report(What::Window, "B1", Kept::Disk, Some((10, 11)));
    (last.begin, last.end) = (Time(9000), Time(9500));
    let mut history = history(vec![window, next, last], &[(1, 10)]);
    history.expired(TOPIC, 8000);
    let findings = judge(&history, Period::default());
    assert_eq!(only_tally(&findings)["missing"], [11]);
    let expired: Vec<u64> = (0..10).collect();
    assert_eq!(only_tally(&findings)["expired"], expired);
}

#[test]
fn a_log_that_was_made_anew_says_nothing_of_the_numbers_before() {
    // B1 was killed and left 2 to 9, which B2 reports; then the folder was lost, and B3 counts from 0.
    let mut anew = report(What::Started, "B3", Kept::Disk, None);
    let mut window = report(What::Window, "B3", Kept::Disk, Some((0, 19)));
    window.lost = vec![Lost {
        topic: TOPIC.to_owned(),
        first: 4,
        last: 4,
        reason: "spool_full".to_owned(),
        count: 1,
    }];
    (anew.topics[0].next, anew.topics[0].settled_to) = (0, 0);
    let reports = vec![
        report(What::Window, "B1", Kept::Disk, Some((0, 1))),
        report(What::Started, "B2", Kept::Disk, Some((2, 9))),
        anew,
        window,
    ];
    let first = [0, 1, 2, 3].map(|number| (1, number));
    let last = (0..20)
        .filter(|number| *number != 4)
        .map(|number| (3, number));
    let found: Vec<_> = first.into_iter().chain(last).collect();
    let findings = judge(&history(reports, &found), Period::default());
    let missing: Vec<u64> = (4..10).collect();
    assert_eq!(only_tally(&findings)["missing"], missing);
    assert_eq!(findings.answer(), Answer::Missing);
    let mut topics = findings.agents.iter().flat_map(|agent| &agent.topics);
    let events = topics.find(|topic| topic.topic == TOPIC);
    assert_eq!(events.map(|topic| topic.uncovered), Some(0));
}

#[test]
fn an_agent_without_a_report_cannot_be_judged_whatever_the_others_say() {
    let mut history = history(
        vec![report(What::Window, "B0", Kept::Disk, Some((0, 0)))],
        &[(0, 0)],
    );
    assert_eq!(
        judge(&history, Period::default()).answer(),
        Answer::Complete
    );
    let silent = Seen {
        agent: "silent".to_owned(),
        ..event(0, 0)
    };
    let place = Place {
        topic: TOPIC,
        partition: 0,
    };
    history.take(place, Some(silent));
    let findings = judge(&history, Period::default());
    assert_eq!(findings.answer(), Answer::Unreported);
    let text = crate::audit::statement::text(&findings);
    assert!(text.contains("silent"), "{text}");
}

#[test]
fn a_topic_that_was_not_read_is_neither_complete_nor_missing() {
    let mut window = report(What::Window, "B0", Kept::Disk, Some((0, 3)));
    let mut other = window.topics[0].clone();
    other.topic = "other".to_owned();
    window.topics.push(other);
    let all: Vec<_> = (0..4).map(|number| (0, number)).collect();
    let judged = |found: &[(usize, u64)], read: &[&str]| -> Findings {
        let mut history = history(vec![window.clone()], found);
        history.reads(read.iter().map(|topic| (*topic).to_owned()));
        judge(&history, Period::default())
    };
    let findings = judged(&all, &[TOPIC]);
    assert_eq!(findings.answer(), Answer::Unread);
    assert!(only_tally(&findings)["missing"].is_empty());
    assert!(
        crate::audit::statement::text(&findings)
            .ends_with("4 of 8 records are in topics that were not read: give --topic other too\n")
    );
    // What is missing for certain weighs more.
    let findings = judged(&all[1..], &[TOPIC]);
    assert_eq!(findings.answer(), Answer::Missing);
    // A topic that was asked for and does not exist holds nothing.
    let findings = judged(&all, &[TOPIC, "other"]);
    assert_eq!(findings.answer(), Answer::Missing);
}

#[test]
fn a_period_leaves_other_windows_out() {
    let window = report(What::Window, "B0", Kept::Disk, Some((0, 3)));
    let history = history(vec![window], &[]);
    let period = |since_ms, until_ms| Period { since_ms, until_ms };
    assert_eq!(
        judge(&history, period(Some(1001), None)).answer(),
        Answer::Complete
    );
    assert_eq!(
        judge(&history, period(None, Some(0))).answer(),
        Answer::Complete
    );
    assert_eq!(
        judge(&history, period(Some(1000), Some(1))).answer(),
        Answer::Missing
    );
}
