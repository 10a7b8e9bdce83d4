//! The whole spool against a plain model, on a disk that fails, dies and forgets: lanes, writer, logs and cursors, with
//! the writer's thread played turn by turn.
//!
//! After every cut of the power, and every kill:
//!
//! - what was said to be safe is there or settled: after a cut with `fsync = always` (and `inform_ack = synced`) all of it,
//!   with `interval` what was there at the last sync, after a kill all that was written;
//! - what is there has the bytes that were appended last under its number, in order, each number once;
//! - what was acknowledged before the last cursor that was saved does not come back;
//! - what is missing is counted: records pending are exactly those that can be read, and the ledger balances.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::config;
use super::*;
use crate::observe::ledger::RecordCounts;
use crate::record::{LaneId, Number, Origin, Record};
use crate::spool::forgetful::{Fault, ForgetfulDisk};
use crate::spool::{Batch, Config, InformAck, ReadLimit};

#[derive(Debug, Clone)]
enum Action {
    Append(u16, u64),
    Read(u16, usize),
    Acknowledge(u16, u64, u64),
    Rewind(u16),
    /// A turn of the writer, so many milliseconds after the one before.
    Turn(u64),
    /// Somebody waits for what there is to be on the disk.
    Wish,
    /// Memory forgets what the log has, so that reading is in the log.
    Forget,
    Fail(u64, Fault),
    Kill,
    Cut(u64),
}

fn action() -> impl Strategy<Value = Action> {
    let fault = prop_oneof![
        Just(Fault::NoSpace),
        Just(Fault::Broken),
        Just(Fault::ShortWrite),
        Just(Fault::PowerOff),
    ];
    prop_oneof![
        10 => (0u16..2, 1u64..6).prop_map(|(lane, count)| Action::Append(lane, count)),
        5 => (0u16..2, 1usize..20).prop_map(|(lane, records)| Action::Read(lane, records)),
        5 => (0u16..2, 0u64..10, 1u64..8).prop_map(|(lane, at, count)| Action::Acknowledge(lane, at, count)),
        1 => (0u16..2).prop_map(Action::Rewind),
        10 => prop_oneof![Just(5u64), Just(5), Just(400), Just(1100)].prop_map(Action::Turn),
        1 => Just(Action::Wish),
        2 => Just(Action::Forget),
        3 => (0u64..12, fault).prop_map(|(after, fault)| Action::Fail(after, fault)),
        2 => Just(Action::Kill),
        2 => any::<u64>().prop_map(Action::Cut),
    ]
}

/// What one lane must hold.
#[derive(Default)]
struct Expected {
    /// The text that was appended last under each number.
    texts: BTreeMap<u64, String>,
    /// What the spool said to be safe.
    accepted: BTreeSet<u64>,
    /// What was safe when the writer last synced.
    synced: BTreeSet<u64>,
    /// Read and not acknowledged.
    in_flight: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
    /// What was acknowledged when the cursor was last saved.
    saved: BTreeSet<u64>,
    /// Numbers from here on were appended in this life. Those below were found when it began: where a sync had failed
    /// before a kill, the disk may show them and not have them, and nobody was told that they are safe.
    fresh_from: u64,
    /// Given up and counted, by the spool's own word.
    lost: BTreeSet<u64>,
}

struct Model {
    disk: ForgetfulDisk,
    config: Config,
    kept: DiskConfig,
    spool: Arc<Spool>,
    writer: Writer,
    clock: Instant,
    lanes: [Expected; 2],
    life: u32,
    seed: u64,
}

fn open(disk: &ForgetfulDisk, config: &Config, kept: &DiskConfig) -> Opened {
    Spool::open_on(Arc::new(disk.clone()), config, kept).expect("a spool opens after a fault")
}

impl Model {
    fn new(fsync: Fsync, inform_ack: InformAck) -> Model {
        let disk = ForgetfulDisk::default();
        let (mut config, mut kept) = config(Path::new("/"));
        config.bytes_max = 1 << 20;
        (kept.fsync, kept.inform_ack) = (fsync, inform_ack);
        // Segments of some 600 bytes: they roll all the time. Room is never short.
        kept.bytes_max = 5_000;
        let Opened { spool, writer, .. } = open(&disk, &config, &kept);
        let mut model = Model {
            disk,
            config,
            kept,
            spool,
            clock: writer.housekept,
            writer,
            lanes: Default::default(),
            life: 0,
            seed: 1,
        };
        model.lift_cap();
        model
    }

    fn lift_cap(&mut self) {
        self.writer.config.bytes_max = u64::MAX;
    }

    fn run(&mut self, action: &Action) -> Result<(), TestCaseError> {
        match *action {
            Action::Append(lane, count) => self.append(lane, count),
            Action::Read(lane, records) => self.read(lane, records)?,
            Action::Acknowledge(lane, at, count) => self.acknowledge(lane, at, count),
            Action::Rewind(lane) => {
                self.spool.rewind(LaneId(lane));
                self.lanes[usize::from(lane)].in_flight.clear();
            }
            Action::Turn(milliseconds) => self.turn(milliseconds)?,
            Action::Wish => self.spool.lock().sync_wanted = true,
            Action::Forget => while self.spool.lock().make_room().is_ok() {},
            Action::Fail(after, fault) => self.disk.fail(after, fault),
            Action::Kill => self.reopen(None)?,
            Action::Cut(seed) => self.reopen(Some(seed))?,
        }
        if self.disk.is_off() {
            self.seed += 1;
            self.reopen(Some(self.seed * 7919))?;
        }
        Ok(())
    }

    fn append(&mut self, lane: u16, count: u64) {
        for _ in 0..count {
            let next = self.spool.lanes()[usize::from(lane)].next.0;
            let text = format!("<{}:{}>", "x".repeat(next as usize % 40), self.life);
            let record = Record {
                lane: LaneId(lane),
                received: UnixMicros(next as i64),
                key: b"r1",
                payload: text.as_bytes(),
                number_at: 0,
                origin: Origin::Packet,
            };
            if let Ok(Number(number)) = self.spool.append(&record) {
                let expected = &mut self.lanes[usize::from(lane)];
                expected.texts.insert(number, format!("{number}{text}"));
            }
        }
    }

    fn read(&mut self, lane: u16, records: usize) -> Result<(), TestCaseError> {
        let mut batch = Batch::default();
        let limit = ReadLimit {
            records,
            bytes: 1 << 20,
        };
        self.spool
            .read_at(LaneId(lane), limit, &mut batch, self.clock);
        let expected = &mut self.lanes[usize::from(lane)];
        let mut last = None;
        for entry in batch.entries() {
            let number = entry.number.0;
            prop_assert!(last < Some(number), "order: {number} after {last:?}");
            last = Some(number);
            let text = expected.texts.get(&number).map(String::as_bytes);
            prop_assert_eq!(text, Some(batch.payload(entry)), "record {}", number);
            prop_assert!(!expected.acknowledged.contains(&number), "{number} again");
            expected.in_flight.insert(number);
        }
        Ok(())
    }

    fn acknowledge(&mut self, lane: u16, at: u64, count: u64) {
        let expected = &mut self.lanes[usize::from(lane)];
        let mut numbers = expected.in_flight.iter().copied().skip(at as usize);
        for number in numbers.by_ref().take(count as usize).collect::<Vec<_>>() {
            self.spool.acknowledge(LaneId(lane), number..number + 1);
            expected.in_flight.remove(&number);
            expected.acknowledged.insert(number);
        }
    }

    fn turn(&mut self, milliseconds: u64) -> Result<(), TestCaseError> {
        self.clock += Duration::from_millis(milliseconds);
        self.writer.turn(UnixMicros(1), self.clock);
        if self.disk.is_off() {
            return Ok(());
        }
        let good = self.spool.trouble().is_none();
        let housekept = self.writer.housekept == self.clock;
        for (lane, expected) in self.lanes.iter_mut().enumerate() {
            for (&number, _) in expected.texts.range(expected.fresh_from..) {
                if self
                    .spool
                    .is_accepted((LaneId(lane as u16), Number(number)))
                {
                    expected.accepted.insert(number);
                }
            }
            if good && housekept {
                expected.saved = expected.acknowledged.clone();
            }
            let inner = self.spool.lock();
            let held = &inner.lanes[lane];
            let safe = expected.accepted.range(expected.fresh_from..);
            // What a failed sync took lies below the mark of the next one, and is promised to nobody.
            let is_synced = |number: &&u64| {
                **number < held.safe(InformAck::Synced)
                    && !held.is_lost_by_sync(&(**number..**number + 1))
            };
            expected.synced.extend(safe.filter(is_synced));
        }
        balances(&self.spool.counts())
    }

    fn reopen(&mut self, cut: Option<u64>) -> Result<(), TestCaseError> {
        let lost = self.spool.counts().lost_total();
        self.note_losses();
        self.keep_no_promise_while_the_disk_fails();
        self.disk.heal();
        if let Some(seed) = cut {
            self.disk.power_cut(seed);
        }
        let opened = open(&self.disk, &self.config, &self.kept);
        (self.spool, self.writer) = (opened.spool, opened.writer);
        self.lift_cap();
        self.clock = self.writer.housekept;
        self.life += 1;
        let all_survives = match cut {
            None => true,
            Some(_) => {
                self.kept.fsync == Fsync::Always || self.kept.inform_ack == InformAck::Synced
            }
        };
        let counts = self.spool.counts();
        balances(&counts)?;
        let mut found = 0;
        let mut missing = 0;
        let mut promises = [BTreeSet::new(), BTreeSet::new()];
        for (lane, to_be_read) in promises.iter_mut().enumerate() {
            let expected = &mut self.lanes[lane];
            let settled = self.spool.lock().lanes[lane].settled().clone();
            let next = self.spool.lock().lanes[lane].next();
            // What is in the spool now was written; what it forgot may get its number again.
            let there: BTreeSet<u64> = (0..next)
                .filter(|number| !settled.contains(*number))
                .collect();
            found += there.len() as u64;
            let promised = if all_survives {
                &expected.accepted
            } else {
                &expected.synced
            };
            for &number in promised {
                let is_safe = there.contains(&number)
                    || expected.acknowledged.contains(&number)
                    || expected.lost.contains(&number);
                prop_assert!(
                    is_safe,
                    "lane {lane}: {number} was safe and is gone, cut {cut:?}"
                );
                // What Kafka took while the disk failed was never in the log; its number may come again in an id of
                // another run.
                prop_assert!(
                    number < next || expected.acknowledged.contains(&number),
                    "lane {lane}: {number} would be given out again"
                );
            }
            let is_to_be_read = |number: &&u64| {
                !expected.acknowledged.contains(number) && !expected.lost.contains(number)
            };
            *to_be_read = promised.iter().filter(is_to_be_read).copied().collect();
            let back = there.intersection(&expected.saved).next();
            prop_assert!(
                back.is_none(),
                "lane {lane}: {back:?} was acknowledged and saved"
            );
            // What was acknowledged after the last save, and is gone, nobody can know to have been acknowledged.
            let gone = |number: &&u64| !there.contains(number) && !expected.saved.contains(number);
            missing += expected.texts.keys().filter(gone).count() as u64;
            expected.texts.split_off(&next);
            if cut.is_some() {
                expected.accepted = there.clone();
                expected.synced = there.clone();
            }
            // What Kafka has is sent again after a kill, and safe whatever the disk does.
            let promised =
                |number: &u64| there.contains(number) && !expected.acknowledged.contains(number);
            expected.accepted.retain(promised);
            expected.synced.retain(promised);
            expected.fresh_from = next;
            expected
                .acknowledged
                .retain(|number| !there.contains(number) && *number < next);
            expected.saved = expected.acknowledged.clone();
            expected.in_flight.clear();
        }
        prop_assert_eq!(counts.pending, found);
        let newly = counts.lost_total().saturating_sub(lost);
        prop_assert!(
            newly <= missing,
            "{newly} said to be lost, {missing} missing"
        );
        // A sealed segment is believed by its name at the start: what it lacks shows when it is read.
        for (lane, read) in self.read_back()?.iter().enumerate() {
            let gone = promises[lane].difference(read).next();
            prop_assert!(
                gone.is_none(),
                "lane {lane}: {gone:?} was safe and cannot be read, cut {cut:?}"
            );
        }
        Ok(())
    }

    /// After a failed sync or write, what memory still has is not in the log any more until it is written again: it
    /// goes with the process, is counted, and `/readyz` says so before.
    fn keep_no_promise_while_the_disk_fails(&mut self) {
        if self.spool.trouble().is_none() {
            return;
        }
        for (lane, expected) in self.lanes.iter_mut().enumerate() {
            let written = self.spool.lock().lanes[lane].written();
            expected.accepted.split_off(&written);
            expected.synced.split_off(&written);
        }
    }

    /// What was settled and not acknowledged is lost by the spool's own word.
    fn note_losses(&mut self) {
        for (lane, expected) in self.lanes.iter_mut().enumerate() {
            let inner = self.spool.lock();
            let settled = inner.lanes[lane].settled();
            let gone = expected.accepted.iter().copied();
            let gone = gone.filter(|number| {
                settled.contains(*number) && !expected.acknowledged.contains(number)
            });
            expected.lost.extend(gone);
        }
    }

    /// Everything that is pending can be read; what is, by lane.
    fn read_back(&mut self) -> Result<[BTreeSet<u64>; 2], TestCaseError> {
        let mut read = [BTreeSet::new(), BTreeSet::new()];
        for lane in 0..2 {
            let before = self.lanes[usize::from(lane)].in_flight.len();
            prop_assert_eq!(before, 0);
            let lost = self.spool.counts().lost_total();
            while {
                let count = self.lanes[usize::from(lane)].in_flight.len();
                self.read(lane, 1000)?;
                self.lanes[usize::from(lane)].in_flight.len() > count
            } {}
            let found = self.lanes[usize::from(lane)].in_flight.len() as u64;
            let damaged = self.spool.counts().lost_total() - lost;
            prop_assert_eq!(
                found,
                self.spool.pending(LaneId(lane)),
                "lane {}, {} damaged",
                lane,
                damaged
            );
            self.spool.rewind(LaneId(lane));
            read[usize::from(lane)] = std::mem::take(&mut self.lanes[usize::from(lane)].in_flight);
        }
        balances(&self.spool.counts())?;
        Ok(read)
    }
}

fn balances(counts: &RecordCounts) -> Result<(), TestCaseError> {
    let settled = counts.delivered + counts.pending + counts.dead_letter + counts.lost_total();
    prop_assert_eq!(counts.accepted, settled, "{:?}", counts);
    prop_assert_eq!(counts.accepted, counts.from_packets + counts.generated);
    Ok(())
}

fn agrees(kind: (Fsync, InformAck), actions: &[Action], seed: u64) -> Result<(), TestCaseError> {
    let mut model = Model::new(kind.0, kind.1);
    for action in actions {
        model.run(action)?;
    }
    model.run(&Action::Kill)?;
    model.run(&Action::Cut(seed))
}

const INTERVAL: Fsync = Fsync::Interval(Duration::from_secs(1));

fn kinds() -> impl Strategy<Value = (Fsync, InformAck)> {
    prop_oneof![
        Just((Fsync::Always, InformAck::Written)),
        Just((INTERVAL, InformAck::Written)),
        Just((INTERVAL, InformAck::Synced)),
        Just((Fsync::Never, InformAck::Synced)),
        Just((Fsync::Never, InformAck::Written)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4000,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_spool_agrees_with_a_plain_model(kind in kinds(), actions in prop::collection::vec(action(), 1..50)) {
        agrees(kind, &actions, actions.len() as u64)?;
    }

    #[test]
    fn a_power_cut_after_a_full_disk_takes_nothing_that_was_synced(
        before in prop::collection::vec(action(), 0..50),
        seed in any::<u64>(),
    ) {
        use Action::{Append, Cut, Fail, Forget, Turn};
        let end = [
            Turn(5),
            Append(0, 5),
            Forget,
            Turn(1100),
            Fail(0, Fault::NoSpace),
            Turn(5),
            Cut(seed),
        ];
        let actions = [&before[..], &end[..]].concat();
        agrees((Fsync::Never, InformAck::Synced), &actions, seed)?;
    }
}

/// A day in the life of a spool: every kind of operation once and more.
fn script() -> Vec<Action> {
    use Action::{Acknowledge, Append, Forget, Read, Turn};
    let round = [
        Append(0, 5),
        Append(1, 2),
        Turn(5),
        Read(0, 4),
        Acknowledge(0, 0, 3),
        Turn(1100),
        Append(0, 4),
        Turn(5),
        Forget,
        Read(0, 20),
        Acknowledge(0, 1, 6),
        Turn(400),
        Turn(1100),
    ];
    [&round[..], &round[..], &round[..]].concat()
}

#[test]
fn the_power_may_be_cut_at_every_operation_of_the_disk() {
    for kind in [
        (Fsync::Always, InformAck::Written),
        (INTERVAL, InformAck::Written),
        (INTERVAL, InformAck::Synced),
    ] {
        let mut whole = Model::new(kind.0, kind.1);
        let opening = whole.disk.operations();
        for action in script() {
            whole.run(&action).unwrap();
        }
        let operations = whole.disk.operations() - opening;
        assert!(operations > 50, "{operations}");
        for at in 0..operations {
            for seed in 0..6 {
                let mut model = Model::new(kind.0, kind.1);
                model.seed = seed * 1000 + at;
                model.disk.fail(at, Fault::PowerOff);
                for action in script() {
                    model.run(&action).unwrap_or_else(|error| {
                        panic!("cut at {at}, seed {seed}, {kind:?}: {error}")
                    });
                }
            }
        }
    }
}
