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
    /// Ever settled: nothing is asked of these any more.
    settled: BTreeSet<u64>,
}

fn config() -> Config {
    Config {
        segment_bytes: 400,
        ..tests::small()
    }
}

/// The text of a number differs from life to life, so that a record of an earlier life cannot pass for a later one.
fn content(number: u64, life: u32) -> String {
    format!("<{}:{life}>", "x".repeat(number as usize % 40))
}

impl Model {
    fn new() -> Model {
        let forgetful = ForgetfulDisk::default();
        let disk: Arc<dyn Disk> = Arc::new(forgetful.clone());
        let opened = Log::open(disk.clone(), Path::new("/t"), config()).unwrap();
        Model {
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
            settled: BTreeSet::new(),
        }
    }

    fn run(&mut self, action: &Action) -> Result<(), TestCaseError> {
        match *action {
            Action::Append(count) => self.append(count),
            Action::Sync => {
                if self.log.sync().is_ok() {
                    self.synced = self.written.clone();
                } else {
                    self.write_again();
                }
            }
            Action::Roll => {
                if self.log.roll().is_ok() {
                    self.synced = self.written.clone();
                } else {
                    self.write_again();
                }
            }
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

    fn append(&mut self, count: u64) {
        let numbers = self.log.next()..self.log.next() + count;
        let run = frames(numbers.clone(), |number| content(number, self.life));
        for number in numbers.clone() {
            self.appended.entry(number).or_insert(self.life);
        }
        match self.log.append(&part(numbers.clone(), &run), NOW) {
            Ok(()) => {
                self.written.extend(numbers);
                let counted = self.log.next() - self.cursor.counted_to;
                self.cursor.counted_to = self.log.next();
                self.cursor.totals.accepted += counted;
                self.cursor.totals.from_packets += counted;
                self.cursor.update_pending();
            }
            Err(SpoolError::SyncFailed { .. }) => self.write_again(),
            Err(_) => {}
        }
    }

    /// The owner's part after a failed sync: everything of this life that is in doubt is still in memory.
    fn write_again(&mut self) {
        let mut attempts = 0;
        let from = (self.log.synced()..self.log.next())
            .find(|number| self.appended.get(number) == Some(&self.life));
        let end = self.log.next();
        self.log.resume_at(from.unwrap_or(end));
        while self.log.next() < end && attempts < 5 {
            attempts += 1;
            let numbers = self.log.next()..end;
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
        let opened = Log::open(self.disk.clone(), Path::new("/t"), config());
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
        self.written = required;
        self.life += 1;
        self.read(false)?;
        // What is there now will stay: opening has synced it.
        self.synced = self.written.clone();
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
fn agrees(actions: &[Action], seed: u64) -> Result<(), TestCaseError> {
    let mut model = Model::new();
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
    fn it_agrees_with_a_plain_model(actions in prop::collection::vec(action(), 1..60)) {
        agrees(&actions, actions.len() as u64)?;
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
        agrees(&actions, seed).unwrap();
    }
}
