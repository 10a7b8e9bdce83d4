//! The log against a plain model, on a disk that fails, dies and forgets.
//!
//! The model is a map of what was appended under which number, the mark up to which it was synced, and the set of
//! what was settled. After every reopening and every read:
//!
//! - what was synced (after a power cut) or written (after a kill) and not settled is there, or was dropped to make room;
//! - what is there was appended, with these bytes, in order;
//! - numbers that are neither there nor settled were reported as damaged;
//! - the cursor is whole and not older than the last one that was saved;
//! - the totals balance.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::{ALL, NOW, frames, part};
use super::*;
use crate::observe::ledger::LossReason;
use crate::spool::batch::Batch;
use crate::spool::cursor::CursorFound;
use crate::spool::forgetful::{Fault, ForgetfulDisk};

#[derive(Debug, Clone)]
enum Action {
    Append(u64),
    Sync,
    Roll,
    BeginNext,
    /// So many numbers are settled without being written.
    Skip(u64),
    Read,
    Settle(u64, u64),
    Save,
    Drop,
    Kill,
    PowerCut(u64),
    Fail(u64, Fault),
}

fn action() -> impl Strategy<Value = Action> {
    let fault = prop_oneof![
        Just(Fault::NoSpace),
        Just(Fault::Broken),
        Just(Fault::ShortWrite),
        Just(Fault::PowerOff),
    ];
    prop_oneof![
        12 => (1u64..6).prop_map(Action::Append),
        4 => Just(Action::Sync),
        1 => Just(Action::Roll),
        1 => Just(Action::BeginNext),
        1 => (1u64..4).prop_map(Action::Skip),
        3 => Just(Action::Read),
        4 => (0u64..40, 1u64..12).prop_map(|(start, length)| Action::Settle(start, length)),
        3 => Just(Action::Save),
        1 => Just(Action::Drop),
        2 => Just(Action::Kill),
        2 => any::<u64>().prop_map(Action::PowerCut),
        3 => (0u64..8, fault).prop_map(|(after, fault)| Action::Fail(after, fault)),
    ]
}

struct Model {
    at_roll: AtRoll,
    forgetful: ForgetfulDisk,
    disk: Arc<dyn Disk>,
    log: Log,
    reader: LogReader,
    cursor: Cursor,
    /// What each number was last appended as: the life of the process that did it.
    appended: BTreeMap<u64, u32>,
    life: u32,
    /// The mark of the last cursor that was saved.
    saved: Option<u64>,
    /// Appended, and the log said so.
    written: BTreeSet<u64>,
    /// Synced, and the log said so.
    synced: BTreeSet<u64>,
    /// Passed over by a sync: the disk may show them and not have them.
    unsure: BTreeSet<u64>,
    /// Numbers from here on were appended by this process.
    fresh_from: u64,
    /// Ever settled: nothing is asked of these any more.
    settled: BTreeSet<u64>,
}

fn config(at_roll: AtRoll) -> Config {
    Config {
        segment_bytes: 400,
        at_roll,
        ..tests::small()
    }
}

/// The text of a number differs from life to life, so that a record of an earlier life cannot pass for a later one.
fn content(number: u64, life: u32) -> String {
    format!("<{}:{life}>", "x".repeat(number as usize % 40))
}

impl Model {
    fn new(at_roll: AtRoll) -> Model {
        let forgetful = ForgetfulDisk::default();
        let disk: Arc<dyn Disk> = Arc::new(forgetful.clone());
        let opened = Log::open(disk.clone(), Path::new("/t"), config(at_roll)).unwrap();
        Model {
            at_roll,
            forgetful,
            disk,
            reader: opened.log.reader(),
            log: opened.log,
            cursor: opened.cursor,
            appended: BTreeMap::new(),
            life: 0,
            saved: None,
            written: BTreeSet::new(),
            synced: BTreeSet::new(),
            unsure: BTreeSet::new(),
            fresh_from: 0,
            settled: BTreeSet::new(),
        }
    }

    fn run(&mut self, action: &Action) -> Result<(), TestCaseError> {
        self.log.note_settled(self.cursor.settled.low());
        match *action {
            Action::Append(count) => self.append(count),
            Action::Sync => match self.log.sync() {
                Ok(_) => self.note_synced(),
                Err(error) => self.write_again(&error),
            },
            Action::Roll => match self.log.roll() {
                Ok(()) if self.at_roll == AtRoll::Sync => self.note_synced(),
                Ok(()) => {}
                Err(error) => self.write_again(&error),
            },
            Action::BeginNext => {
                if let Err(error) = self.log.begin_next(NOW) {
                    self.write_again(&error);
                }
            }
            Action::Skip(count) => self.skip(count),
            Action::Read => self.read(true)?,
            Action::Settle(start, length) => {
                let low = self.cursor.settled.low();
                let range = low + start..(low + start + length).min(self.log.next());
                self.settle(range, None);
            }
            Action::Save => self.save(),
            Action::Drop => {
                self.reader.release();
                let oldest = self.log.oldest_unread(0).map(|oldest| oldest.first);
                if let Some(dropped) = oldest.and_then(|first| self.log.give_up(first, 0)) {
                    self.settle(dropped.numbers.clone(), Some(LossReason::SpoolFull));
                    // What could not be unlinked is there again, and settled.
                    let _ = self.log.remove(dropped);
                }
            }
            Action::Kill => self.reopen(None)?,
            Action::PowerCut(seed) => self.reopen(Some(seed))?,
            Action::Fail(after, fault) => self.forgetful.fail(after, fault),
        }
        if self.forgetful.is_off() {
            self.reopen(Some(self.log.next() * 77 + 1))?;
        }
        Ok(())
    }

    fn skip(&mut self, count: u64) {
        let numbers = self.log.next()..self.log.next() + count;
        match self.log.skip_to(numbers.end) {
            Ok(()) => {
                self.count(count);
                self.settle(numbers, None);
            }
            Err(error) => self.write_again(&error),
        }
    }

    fn count(&mut self, records: u64) {
        self.cursor.counted_to += records;
        self.cursor.totals.accepted += records;
        self.cursor.totals.from_packets += records;
        self.cursor.update_pending();
    }

    fn append(&mut self, count: u64) {
        let numbers = self.log.next()..self.log.next() + count;
        let run = frames(numbers.clone(), |number| content(number, self.life));
        for number in numbers.clone() {
            self.appended.entry(number).or_insert(self.life);
        }
        match self.log.append(&part(numbers.clone(), &run), NOW) {
            Ok(()) => {
                self.written.extend(numbers);
                self.count(self.log.next() - self.cursor.counted_to);
            }
            Err(error) => self.write_again(&error),
        }
    }

    /// What is settled is left to the kernel, and what an earlier process left to it (`Leave`) is not reached any more.
    fn note_synced(&mut self) {
        let passed_over = self.log.take_passed_over().into_iter();
        self.unsure
            .extend(passed_over.flat_map(|unsure| unsure.numbers));
        let (settled, unsure) = (&self.settled, &self.unsure);
        let fresh = self.written.range(self.fresh_from..).copied();
        let sure = fresh.filter(|number| !settled.contains(number) && !unsure.contains(number));
        self.synced.extend(sure);
    }

    /// The owner's part after a failed sync: everything of this life that is in doubt is still in memory.
    fn write_again(&mut self, error: &SpoolError) {
        let SpoolError::SyncFailed { numbers, .. } = error else {
            return;
        };
        let mut attempts = 0;
        let from = (self.log.synced()..self.log.next())
            .find(|number| self.appended.get(number) == Some(&self.life));
        let end = self.log.next();
        let again = self.log.resume_at(from.unwrap_or(end));
        let lost = numbers.start..again.start.min(numbers.end);
        self.settle(lost, Some(LossReason::DiskSync));
        while self.log.next() < end && attempts < 5 {
            attempts += 1;
            // What was skipped is skipped again.
            let was_appended = |number: &u64| self.appended.contains_key(number);
            let begin = (self.log.next()..end).find(was_appended).unwrap_or(end);
            if self.log.skip_to(begin).is_err() {
                self.log.resume_at(0);
                continue;
            }
            let gap = (begin..end).find(|number| !was_appended(number));
            let numbers = begin..gap.unwrap_or(end);
            if numbers.is_empty() {
                continue;
            }
            let run = frames(numbers.clone(), |number| {
                content(
                    number,
                    self.appended.get(&number).copied().unwrap_or(u32::MAX),
                )
            });
            match self.log.append(&part(numbers, &run), NOW) {
                Err(SpoolError::SyncFailed { .. }) => {
                    self.log.resume_at(0);
                }
                _ => continue,
            }
        }
        // What could not be written again is no longer known to be written.
        self.written.split_off(&self.log.next());
        self.cursor.counted_to = self.cursor.counted_to.min(self.log.next());
        let lost = end - self.log.next();
        self.cursor.totals.accepted -= lost;
        self.cursor.totals.from_packets -= lost;
        self.cursor.update_pending();
    }

    fn settle(&mut self, range: Range<u64>, lost: Option<LossReason>) {
        if range.is_empty() {
            return;
        }
        let fresh = self.cursor.settled.add(range.clone());
        match lost {
            Some(reason) => self.cursor.totals.lost[reason as usize] += fresh,
            None => self.cursor.totals.delivered += fresh,
        }
        self.cursor.update_pending();
        self.settled.extend(range);
    }

    fn save(&mut self) {
        if let Ok(saved) = self.log.save_cursor(&self.cursor) {
            self.saved = Some(saved.low);
            let _ = self.log.trim(saved);
        }
    }

    fn reopen(&mut self, power_cut: Option<u64>) -> Result<(), TestCaseError> {
        let required = match power_cut {
            Some(_) => self.synced.clone(),
            None => self.written.clone(),
        };
        self.forgetful.heal();
        if let Some(seed) = power_cut {
            self.forgetful.power_cut(seed);
        }
        let opened = Log::open(self.disk.clone(), Path::new("/t"), config(self.at_roll));
        let opened = opened.map_err(|error| TestCaseError::fail(error.to_string()))?;
        self.reader = opened.log.reader();
        (self.log, self.cursor) = (opened.log, opened.cursor);
        let found = &opened.recovery.cursor;
        if let Some(saved) = self.saved {
            prop_assert_eq!(found, &CursorFound::Whole);
            prop_assert!(
                self.cursor.settled.low() >= saved,
                "an older cursor came back"
            );
        }
        prop_assert!(!matches!(found, CursorFound::Damaged(_)), "{found:?}");
        let highest = required.last().map_or(0, |&number| number + 1);
        prop_assert!(
            self.log.next() >= highest,
            "number {} would be given out twice",
            highest - 1
        );
        for damage in &opened.recovery.damage {
            for number in damage.numbers.clone() {
                let kept = required.contains(&number) && !self.settled.contains(&number);
                prop_assert!(!kept, "{number} was said to be lost: {:?}", opened.recovery);
            }
        }
        // Numbers from here on are free; what was appended under them is forgotten.
        self.appended.split_off(&self.log.next());
        self.settled.split_off(&self.log.next());
        self.unsure.split_off(&self.log.next());
        self.written = required;
        self.life += 1;
        self.read(false)?;
        // What is there now will stay: opening has synced it, unless nothing was to be.
        if self.at_roll != AtRoll::Leave {
            self.synced = self.written.difference(&self.unsure).copied().collect();
        }
        self.fresh_from = self.log.next();
        Ok(())
    }

    /// Reads the whole log and compares.
    fn read(&mut self, running: bool) -> Result<(), TestCaseError> {
        let mut batch = Batch::default();
        let mut found = BTreeSet::new();
        let mut next = self.cursor.settled.low();
        loop {
            let settled = self.cursor.settled.clone();
            let Ok(outcome) = self.reader.read(next..u64::MAX, &settled, ALL, &mut batch) else {
                return Ok(());
            };
            for entry in batch.entries() {
                let number = entry.number.0;
                prop_assert!(found.last().is_none_or(|&last| last < number), "order");
                let life = self.appended.get(&number).copied();
                prop_assert!(life.is_some(), "{number} was never appended");
                let expected = format!("{number}{}", content(number, life.unwrap_or(0)));
                prop_assert_eq!(batch.payload(entry), expected.as_bytes());
                found.insert(number);
            }
            for damage in &outcome.damage {
                for number in damage.numbers.clone() {
                    let kept = self.written.contains(&number) && !self.settled.contains(&number);
                    prop_assert!(!kept, "{number} was said to be damaged, running: {running}");
                }
                self.settle(damage.numbers.clone(), Some(LossReason::Corrupt));
            }
            next = outcome.next;
            if outcome.caught_up {
                break;
            }
        }
        self.reader.release();
        for &number in &self.written {
            let there = found.contains(&number) || self.settled.contains(&number);
            prop_assert!(
                there,
                "{number} is missing: {:?}, running: {running}",
                self.log
            );
        }
        for number in self.cursor.settled.low()..self.log.next() {
            let told = found.contains(&number) || self.cursor.settled.contains(number);
            prop_assert!(told, "{number} vanished without a word");
        }
        self.written.extend(&found);
        let pending = self.cursor.totals.pending;
        prop_assert_eq!(
            pending,
            found.len() as u64,
            "the totals say {:?}",
            self.cursor.totals
        );
        Ok(())
    }
}

/// Runs the actions, then a kill and a power cut after which `seed` chooses what is forgotten.
fn agrees(at_roll: AtRoll, actions: &[Action], seed: u64) -> Result<(), TestCaseError> {
    let mut model = Model::new(at_roll);
    for action in actions {
        model.run(action)?;
    }
    model.forgetful.heal();
    model.reopen(None)?;
    model.reopen(Some(seed))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 6000,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn it_agrees_with_a_plain_model(
        at_roll in prop_oneof![Just(AtRoll::Sync), Just(AtRoll::LeaveDelivered), Just(AtRoll::Leave)],
        actions in prop::collection::vec(action(), 1..60)
    ) {
        agrees(at_roll, &actions, actions.len() as u64)?;
    }
}

#[test]
fn a_failed_save_and_a_power_cut_in_the_next_one_leave_a_whole_cursor() {
    use Action::{Append, Fail, Save};
    let appends = [5, 5, 2, 5, 4].map(Append);
    for (fault, cut, seed) in (0..40).flat_map(|seed| (0..60).map(move |at| (at % 6, at / 6, seed)))
    {
        let saves = [
            Fail(fault, Fault::NoSpace),
            Save,
            Fail(cut, Fault::PowerOff),
            Save,
        ];
        let actions: Vec<Action> = appends.iter().cloned().chain(saves).collect();
        agrees(AtRoll::Sync, &actions, seed).unwrap();
    }
}
