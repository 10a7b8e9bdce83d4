//! A lane against a simulated spool and broker that accept and fail batches arbitrarily.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::*;
use crate::produce::errors::row;

const QUICK: Backoff = Backoff {
    first_ms: 4,
    max_ms: 32,
};
const PARTITIONS: u64 = 3;

/// What the broker does with the batch at the head of a partition.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Accept,
    /// A permanent error under gapless: this batch fails, everything in flight is purged, the producer is replaced.
    Fatal(Code),
    /// As above, but the batch was written before the answer got lost.
    FatalAfterWrite,
    /// The client fails everything that is queued for the topic (metadata says so); no fatal error.
    TopicFails(Code),
    /// The client refuses the next records at once.
    Refuse(Code),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Accept),
        1 => Just(Fate::Fatal(Code::TopicAuthorizationFailed)),
        1 => Just(Fate::Fatal(Code::OutOfOrderSequenceNumber)),
        1 => Just(Fate::Fatal(Code::TelemetryTooLarge)),
        1 => Just(Fate::FatalAfterWrite),
        1 => Just(Fate::TopicFails(Code::UnknownTopic)),
        1 => Just(Fate::Refuse(Code::TopicAuthorizationFailed)),
    ]
}

struct World {
    lane: Lane,
    records: u64,
    poison: BTreeSet<u64>,
    /// The spool.
    read: u64,
    settled: BTreeSet<u64>,
    given_up: Vec<u64>,
    /// The client: one queue a partition.
    queues: BTreeMap<u64, VecDeque<u64>>,
    /// The broker.
    log: Vec<u64>,
    now_ms: u64,
    repeats: u64,
    faults: u64,
    in_flight_max: u64,
}

impl World {
    fn new(records: u64, poison: BTreeSet<u64>) -> World {
        World {
            lane: Lane::default(),
            records,
            poison,
            read: 0,
            settled: BTreeSet::new(),
            given_up: Vec::new(),
            queues: BTreeMap::new(),
            log: Vec::new(),
            now_ms: 0,
            repeats: 0,
            faults: 0,
            in_flight_max: 0,
        }
    }

    fn feed(&mut self, window: u64, refuse: Option<Code>) {
        let limit = match self.lane.feed(self.now_ms) {
            Feed::Nothing => 0,
            Feed::One => 1,
            Feed::Many => window.saturating_sub(self.lane.in_flight()),
        };
        for _ in 0..limit {
            while self.settled.contains(&self.read) {
                self.read += 1;
            }
            if self.read >= self.records {
                break;
            }
            let number = self.read;
            self.read += 1;
            if let Some(code) = refuse {
                self.faults += 1;
                assert_eq!(self.lane.refused(number, row(code)), Verdict::Keep);
                break;
            }
            self.repeats += u64::from(self.lane.handed(number));
            self.queues
                .entry(number % PARTITIONS)
                .or_default()
                .push_back(number);
        }
        self.in_flight_max = self.in_flight_max.max(self.lane.in_flight());
    }

    fn report(&mut self, number: u64, result: Result<(), Code>) {
        match self.lane.reported(number, result.map_err(row)) {
            Verdict::Acknowledge => {
                self.settled.insert(number);
            }
            Verdict::Keep => {}
            Verdict::GiveUp => {
                assert!(self.settled.insert(number));
                self.given_up.push(number);
            }
        }
    }

    /// One partition's broker takes up to `length` records and answers with `fate`.
    fn answer(&mut self, partition: u64, length: usize, fate: Fate) {
        let queue = self.queues.entry(partition).or_default();
        let length = length.min(queue.len());
        let batch: Vec<u64> = queue.drain(..length).collect();
        if batch.is_empty() {
            return;
        }
        if batch.iter().any(|number| self.poison.contains(number)) {
            return self.fatal(&batch, Code::InvalidRecord);
        }
        match fate {
            Fate::Accept | Fate::Refuse(_) => {
                self.log.extend(&batch);
                batch
                    .into_iter()
                    .for_each(|number| self.report(number, Ok(())));
            }
            Fate::Fatal(code) => self.fatal(&batch, code),
            Fate::FatalAfterWrite => {
                self.log.extend(&batch);
                self.fatal(&batch, Code::NetworkException);
            }
            Fate::TopicFails(code) => {
                self.faults += 1;
                let mut rest: Vec<u64> = batch;
                rest.extend(self.queues.values_mut().flat_map(std::mem::take));
                rest.into_iter()
                    .for_each(|number| self.report(number, Err(code)));
            }
        }
    }

    fn fatal(&mut self, batch: &[u64], code: Code) {
        self.faults += 1;
        batch
            .iter()
            .for_each(|&number| self.report(number, Err(code)));
        // Some purged records get their report, some are simply gone with the client.
        let rest: Vec<u64> = self.queues.values_mut().flat_map(std::mem::take).collect();
        for number in rest.into_iter().filter(|number| number % 2 == 0) {
            self.report(number, Err(Code::PurgeInflight));
        }
        self.lane.producer_gone();
    }

    fn turn(&mut self, jitter: u32) {
        self.now_ms += 1;
        if self.lane.must_rewind(self.now_ms, QUICK, jitter) {
            self.read = 0;
        }
    }

    fn is_done(&self) -> bool {
        self.settled.len() as u64 == self.records
    }
}

/// The first occurrences of a partition's numbers stand in order.
fn first_occurrences_in_order(log: &[u64]) -> bool {
    (0..PARTITIONS).all(|partition| {
        let mut seen = BTreeSet::new();
        let firsts: Vec<u64> = log
            .iter()
            .copied()
            .filter(|number| number % PARTITIONS == partition && seen.insert(*number))
            .collect();
        firsts.is_sorted()
    })
}

proptest! {
    #[test]
    fn whatever_the_broker_does_nothing_is_lost_and_first_occurrences_stand_in_order(
        fates in prop::collection::vec((fate(), 0u64..PARTITIONS, 1usize..12), 0..120),
        poison in prop::collection::btree_set(0u64..60, 0..4),
        jitter in any::<u32>(),
    ) {
        let window = 16;
        let mut world = World::new(60, poison.clone());
        let calm = std::iter::repeat((Fate::Accept, 0, 5));
        for (step, (fate, partition, length)) in fates.into_iter().chain(calm).enumerate() {
            prop_assert!(step < 20_000, "it comes to an end: {:?}", world.lane);
            let refuse = match fate {
                Fate::Refuse(code) => Some(code),
                _ => None,
            };
            world.feed(window, refuse);
            world.answer((partition + step as u64) % PARTITIONS, length, fate);
            world.turn(jitter);
            if world.is_done() {
                break;
            }
        }
        // Nothing is lost, and poison removes only itself.
        let given_up: BTreeSet<u64> = world.given_up.iter().copied().collect();
        prop_assert_eq!(&given_up, &poison);
        let delivered: BTreeSet<u64> = world.log.iter().copied().collect();
        prop_assert_eq!(delivered.len() + poison.len(), 60);
        prop_assert!(delivered.is_disjoint(&poison));
        prop_assert!(first_occurrences_in_order(&world.log), "{:?}", world.log);
        // Repeats are bounded: at most what was in flight, for each fault.
        prop_assert!(world.in_flight_max <= window);
        prop_assert!(world.repeats <= world.faults * window, "{} repeats, {} faults", world.repeats, world.faults);
    }

    #[test]
    fn the_window_is_never_exceeded_and_every_lane_can_always_get_its_part(
        asks in prop::collection::vec((0usize..4, 1usize..400, any::<bool>()), 1..200),
    ) {
        let window = Share { records: 1_000, bytes: 1_000, slots: 1_000 };
        let mut held = vec![Share::default(); 4];
        for (lane, want, give_back) in asks {
            let before = room(window, &held, lane);
            prop_assert!(held[lane].records + before.records >= 125);
            let change = want.min(before.records);
            held[lane].records = if give_back { held[lane].records.saturating_sub(want) } else { held[lane].records + change };
            prop_assert!(held.iter().map(|share| share.records).sum::<usize>() <= window.records);
        }
    }

    #[test]
    fn a_pause_grows_to_its_maximum_and_jitter_only_shortens_it(failures in 1u32..100, jitter in any::<u32>()) {
        let delay = Backoff::DEFAULT.delay_ms(failures, jitter);
        let full = Backoff::DEFAULT.delay_ms(failures, 0);
        prop_assert!(delay <= full && delay >= full * 3 / 4);
        prop_assert!((750..=30_000).contains(&delay));
        prop_assert!(failures < 6 || full == 30_000);
    }
}

#[test]
fn one_lane_alone_may_have_all_that_is_not_set_aside_for_others() {
    let window = Share {
        records: 800,
        bytes: 800,
        slots: 8,
    };
    let room = room(window, &[Share::default(); 4], 0);
    assert_eq!((room.records, room.slots), (500, 5));
}

#[test]
fn first_contact_is_one_record_and_its_acknowledgement_opens_the_lane() {
    let mut lane = Lane::default();
    assert_eq!(lane.feed(0), Feed::One);
    lane.handed(0);
    assert_eq!(lane.feed(0), Feed::Nothing);
    assert_eq!(lane.reported(0, Ok(())), Verdict::Acknowledge);
    assert_eq!(lane.feed(0), Feed::Many);
}

#[test]
fn after_a_failure_nothing_is_sent_until_every_report_is_in() {
    let mut lane = open();
    lane.handed(1);
    lane.handed(2);
    lane.reported(1, Err(row(Code::UnknownTopic)));
    assert_eq!(lane.feed(0), Feed::Nothing);
    assert!(
        !lane.must_rewind(0, QUICK, 0),
        "number 2 is still in flight"
    );
    lane.reported(2, Ok(()));
    assert!(lane.must_rewind(0, QUICK, 0));
    assert_eq!(lane.mode(), Mode::Waiting { until_ms: 4 });
    assert_eq!(lane.feed(3), Feed::Nothing);
    assert_eq!(lane.feed(4), Feed::One);
}

#[test]
fn a_blocked_topic_tries_one_record_less_and_less_often() {
    let mut lane = Lane::default();
    let mut now = 0;
    let mut pauses = Vec::new();
    for _ in 0..6 {
        assert_eq!(lane.feed(now), Feed::One);
        lane.handed(0);
        lane.reported(0, Err(row(Code::TopicAuthorizationFailed)));
        lane.producer_gone();
        assert!(lane.must_rewind(now, QUICK, 0));
        let Mode::Waiting { until_ms } = lane.mode() else {
            panic!("{lane:?}");
        };
        pauses.push(until_ms - now);
        now = until_ms;
    }
    assert_eq!(pauses, [4, 8, 16, 32, 32, 32]);
}

#[test]
fn the_end_of_a_producer_does_not_cut_a_wait_short() {
    let mut lane = Lane::default();
    lane.refused(0, row(Code::UnknownTopic));
    assert!(lane.must_rewind(0, QUICK, 0));
    lane.producer_gone();
    assert!(lane.must_rewind(1, QUICK, 0));
    assert_eq!(lane.mode(), Mode::Waiting { until_ms: 4 });
}

#[test]
fn a_record_too_large_for_the_client_is_given_up_without_disturbing_the_others() {
    let mut lane = open();
    lane.handed(1);
    let verdict = lane.refused(2, row(Code::MessageSizeTooLarge));
    assert_eq!(verdict, Verdict::GiveUp);
    assert_eq!(lane.feed(0), Feed::Many);
    assert_eq!(lane.in_flight(), 1);
}

#[test]
fn metadata_is_asked_for_once_a_wait() {
    let mut lane = Lane::default();
    assert!(!lane.wants_metadata(0));
    lane.refused(0, row(Code::UnknownTopic));
    assert!(lane.must_rewind(0, Backoff::DEFAULT, 0));
    assert!(lane.wants_metadata(0));
    assert!(!lane.wants_metadata(1));
    assert_eq!(lane.feed(1_000), Feed::One);
    assert!(!lane.wants_metadata(1_000));
}

fn open() -> Lane {
    let mut lane = Lane::default();
    lane.handed(0);
    lane.reported(0, Ok(()));
    lane
}
