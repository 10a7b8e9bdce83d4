//! The judge where a disk failed: two runs used the same numbers, and the first of them is known to the reports alone.

use std::collections::BTreeSet;
use std::ops::Range;

use proptest::prelude::*;

use super::findings::{Answer, Findings};
use super::judge::{Period, judge};
use super::model::{TOPIC, history, only_tally, report};
use super::record::{Kept, Lost, Report, Time, What};

/// The numbers of a run, without those that are lost.
fn of(run: usize, numbers: Range<u64>, lost: &[u64]) -> impl Iterator<Item = (usize, u64)> {
    numbers
        .filter(|number| !lost.contains(number))
        .map(move |number| (run, number))
}

fn judged(reports: Vec<Report>, events: impl Iterator<Item = (usize, u64)>) -> Findings {
    judge(
        &history(reports, &events.collect::<Vec<_>>()),
        Period::default(),
    )
}

#[test]
fn what_a_run_lost_of_numbers_that_the_run_before_reported_is_missing_though_it_reported_none() {
    // B0's disk failed at 80; B1 used 80 to 89 again and was killed before its first window.
    let reports = || {
        vec![
            report(What::Window, "B0", Kept::Disk, Some((0, 99))),
            report(What::Started, "B1", Kept::Disk, Some((60, 79))),
            report(What::Started, "B2", Kept::Disk, Some((80, 89))),
        ]
    };
    let first = || of(0, 0..100, &[]);
    let findings = judged(reports(), first().chain(of(1, 80..90, &[85, 89])));
    assert_eq!(only_tally(&findings)["missing"], [85, 89]);
    assert_eq!(findings.answer(), Answer::Missing);
    let findings = judged(reports(), first().chain(of(1, 80..90, &[])));
    assert_eq!(findings.answer(), Answer::Complete);
    // Reported once more, since B2 was killed too and the next start does not know of its report.
    let mut again = reports();
    again.push(report(What::Started, "B3", Kept::Disk, Some((80, 94))));
    let third = of(2, 90..95, &[92]);
    let findings = judged(again, first().chain(of(1, 80..90, &[85])).chain(third));
    assert_eq!(only_tally(&findings)["missing"], [85, 92]);
    let tallies = findings.agents.iter().flat_map(|agent| agent.tallies());
    assert_eq!(tallies.map(|tally| tally.produced).sum::<u64>(), 115);
}

#[test]
fn a_hole_in_the_numbers_of_a_run_without_any_report_is_missing() {
    let reports = vec![
        report(What::Window, "B0", Kept::Disk, Some((0, 99))),
        report(What::Started, "B2", Kept::Disk, Some((60, 89))),
    ];
    let first = of(0, 0..100, &[]);
    let findings = judged(reports, first.chain(of(1, 80..90, &[85])));
    assert_eq!(only_tally(&findings)["missing"], [85]);
}

#[test]
fn a_hole_of_a_run_without_any_report_that_kafka_may_have_made_is_not_called_missing() {
    // The spool's folder was lost before B0, which began at 0 again; of B1, the run before it, Kafka deleted something.
    let mut start = report(What::Started, "B2", Kept::Disk, Some((60, 89)));
    (start.begin, start.end) = (Time(9_000), Time(9_001));
    let mut window = report(What::Window, "B0", Kept::Disk, Some((0, 89)));
    (window.begin, window.end) = (Time(8_000), Time(9_000));
    let events = of(0, 0..90, &[]).chain(of(1, 50..100, &[85]));
    let mut history = history(vec![window, start], &events.collect::<Vec<_>>());
    history.expired(TOPIC, 5_000);
    let findings = judge(&history, Period::default());
    assert_eq!(findings.answer(), Answer::Expired);
}

#[test]
fn a_hole_in_what_a_killed_run_had_in_memory_alone_is_missing() {
    // The disk failed at 80, and B0 was killed when 99 was delivered and 90 was not.
    let reports = vec![
        report(What::Window, "B0", Kept::Disk, Some((0, 59))),
        report(What::Started, "B1", Kept::Disk, Some((60, 79))),
        report(What::Window, "B1", Kept::Disk, Some((80, 99))),
    ];
    let second = of(1, 80..100, &[]);
    let findings = judged(reports.clone(), of(0, 0..100, &[90]).chain(second));
    assert_eq!(only_tally(&findings)["missing"], [90]);
    // Of the run that goes on nothing is concluded: it may still come.
    let second = of(1, 80..110, &[105]);
    let findings = judged(reports, of(0, 0..100, &[]).chain(second));
    assert_eq!(findings.answer(), Answer::Complete);
}

#[derive(Debug, Clone)]
enum Action {
    /// Delivered, or lost without a word.
    Accept(bool),
    /// Lost, and the next report says so.
    GiveUp,
    Report,
    DiskFails,
    /// The run's own reports, but those of windows, are gone.
    Kill(bool),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => Just(Action::Accept(true)),
        1 => Just(Action::Accept(false)),
        1 => Just(Action::GiveUp),
        2 => Just(Action::Report),
        1 => Just(Action::DiskFails),
        2 => prop::bool::weighted(0.8).prop_map(Action::Kill),
    ]
}

/// What the next run will know.
#[derive(Debug, Clone, Copy, Default)]
struct Log {
    next: u64,
    covered: u64,
}

/// An agent whose disk fails now and then.
#[derive(Default)]
struct Model {
    run: usize,
    now: Log,
    /// The log as it was when the disk failed.
    failed: Option<Log>,
    delivered: Vec<(usize, u64)>,
    silent: Vec<(usize, u64)>,
    undeclared: Vec<u64>,
    reports: Vec<Report>,
    /// The first number of each run.
    starts: Vec<u64>,
    /// Numbers of a run that a window of it speaks of.
    in_windows: Vec<(usize, Range<u64>)>,
}

impl Model {
    fn take(&mut self, action: &Action) {
        let number = (self.run, self.now.next);
        match action {
            Action::Accept(true) => self.delivered.push(number),
            Action::Accept(false) => self.silent.push(number),
            Action::GiveUp => self.undeclared.push(number.1),
            Action::Report => return self.report(What::Window, true),
            Action::DiskFails => {
                self.failed.get_or_insert(self.now);
                return;
            }
            Action::Kill(is_found) => {
                // What only the cursor of this run knew nobody will say.
                if let Some(failed) = self.failed.take() {
                    self.now = failed;
                    let untold = self.undeclared.drain(..).map(|number| (self.run, number));
                    self.silent.extend(untold);
                }
                self.run += 1;
                return self.report(What::Started, *is_found);
            }
        }
        self.now.next += 1;
    }

    fn report(&mut self, what: What, is_found: bool) {
        let Log { next, covered } = self.now;
        let numbers = (next > covered).then(|| (covered, next - 1));
        let mut report = report(what, &format!("B{}", self.run), Kept::Disk, numbers);
        let [topic] = &mut report.topics[..] else {
            unreachable!("one topic")
        };
        (topic.next, topic.settled_to) = (next, next);
        let lost = self.undeclared.drain(..).map(|number| Lost {
            topic: TOPIC.to_owned(),
            first: number,
            last: number,
            reason: "spool_full".to_owned(),
            count: 1,
        });
        report.lost = lost.collect();
        match what {
            What::Started => self.starts.push(next),
            What::Window | What::Stopped => self.in_windows.push((self.run, covered..next)),
        }
        self.now.covered = next;
        // Declared losses stay in the cursor until their report is kept.
        if is_found || !report.lost.is_empty() {
            self.reports.push(report);
        }
    }
}

impl Model {
    fn of(actions: &[Action]) -> Model {
        let mut model = Model::default();
        model.report(What::Started, true);
        actions.iter().for_each(|action| model.take(action));
        model.take(&Action::Kill(true));
        model
    }

    /// Whether a report of the run, the log at the next start or its other numbers show that the run took this number.
    fn shows(&self, (run, number): (usize, u64)) -> bool {
        let mut windows = self.in_windows.iter();
        let own = || self.delivered.iter().filter(|(other, _)| *other == run);
        windows.any(|(other, range)| *other == run && range.contains(&number))
            || self.starts.get(run + 1).is_some_and(|next| number < *next)
            || own().any(|(_, other)| *other < number) && own().any(|(_, other)| *other > number)
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_is_called_missing_that_is_not_whatever_the_disk_does(
        actions in prop::collection::vec(action(), 1..120),
    ) {
        let model = Model::of(&actions);
        let findings = judged(model.reports.clone(), model.delivered.iter().copied());
        for number in &only_tally(&findings)["missing"] {
            let is_silent = model.silent.iter().any(|(_, silent)| silent == number);
            prop_assert!(is_silent, "{number} is there or declared");
        }
    }

    #[test]
    fn whatever_shows_that_a_run_took_a_number_shows_that_it_is_missing(
        actions in prop::collection::vec(action(), 1..120),
    ) {
        let actions: Vec<_> = actions
            .into_iter()
            .map(|action| match action {
                Action::Kill(_) => Action::Kill(true),
                other => other,
            })
            .collect();
        let model = Model::of(&actions);
        let findings = judged(model.reports.clone(), model.delivered.iter().copied());
        let missing: BTreeSet<u64> = only_tally(&findings)["missing"].iter().copied().collect();
        // What one run declares of a number may explain the other's too.
        let declared: BTreeSet<u64> = model.reports.iter().flat_map(|report| &report.lost).map(|lost| lost.first).collect();
        let shown = model.silent.iter().filter(|taken| model.shows(**taken)).map(|(_, number)| *number);
        let shown: BTreeSet<u64> = shown.filter(|number| !declared.contains(number)).collect();
        prop_assert_eq!(missing.difference(&declared).copied().collect::<BTreeSet<_>>(), shown);
    }
}
