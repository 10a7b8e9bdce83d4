//! Claims about the memory spool, and a model test against a plain list.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::observe::ledger::LossReason;
use crate::record::Origin;

const ALL: ReadLimit = ReadLimit {
    records: 10_000,
    bytes: 64 << 20,
};

fn spool(bytes_max: usize, when_full: WhenFull) -> Spool {
    Spool::new(&Config {
        bytes_max,
        when_full,
        topics: vec!["a".into(), "b".into()],
        disk: None,
    })
}

fn record(lane: u16, payload: &[u8]) -> Record<'_> {
    let received = UnixMicros(1_000);
    Record {
        lane: LaneId(lane),
        received,
        key: b"r1",
        payload,
        number_at: 1,
        origin: Origin::Packet,
    }
}

/// So many records of a kilobyte.
fn append_kilobytes(spool: &Spool, lane: u16, count: usize) {
    let payload = [b'x'; 1000];
    for _ in 0..count {
        spool.append(&record(lane, &payload)).unwrap();
    }
}

fn read(spool: &Spool, lane: u16) -> Vec<u64> {
    let mut batch = Batch::default();
    spool.read(LaneId(lane), ALL, &mut batch);
    batch.entries().iter().map(|entry| entry.number.0).collect()
}

fn balances(spool: &Spool) {
    let counts = spool.counts();
    assert_eq!(counts.accepted, counts.from_packets + counts.generated);
    assert_eq!(
        counts.accepted,
        counts.delivered + counts.pending + counts.dead_letter + counts.lost_total()
    );
}

#[test]
fn the_number_is_written_into_the_payloads_gap() {
    let spool = spool(1 << 20, WhenFull::DropOldest);
    for _ in 0..11 {
        spool.append(&record(0, b"<>")).unwrap();
    }
    let mut batch = Batch::default();
    spool.read(LaneId(0), ALL, &mut batch);
    let last = batch.entries().last().unwrap();
    assert_eq!(batch.payload(last), b"<10>");
    assert_eq!(batch.key(last), b"r1");
    assert_eq!(last.received, UnixMicros(1_000));
}

#[test]
fn each_lane_has_its_own_numbers_and_its_own_reader() {
    let spool = spool(1 << 20, WhenFull::DropOldest);
    for lane in [0, 1, 1, 0, 1] {
        spool.append(&record(lane, b"<>")).unwrap();
    }
    assert_eq!(read(&spool, 0), [0, 1]);
    assert_eq!(read(&spool, 0), [0; 0]);
    assert_eq!(read(&spool, 1), [0, 1, 2]);
}

#[test]
fn a_record_stays_until_it_is_acknowledged_and_is_read_again_after_a_rewind() {
    let spool = spool(1 << 20, WhenFull::DropOldest);
    for _ in 0..6 {
        spool.append(&record(0, b"<>")).unwrap();
    }
    assert_eq!(read(&spool, 0), [0, 1, 2, 3, 4, 5]);
    spool.acknowledge(LaneId(0), 0..2);
    spool.acknowledge(LaneId(0), 4..5);
    spool.rewind(LaneId(0));
    assert_eq!(read(&spool, 0), [2, 3, 5]);
    assert_eq!(spool.counts().redelivered, 3);
    spool.acknowledge(LaneId(0), 0..6);
    assert_eq!(
        (
            spool.counts().delivered,
            spool.counts().pending,
            spool.bytes()
        ),
        (6, 0, 0)
    );
    balances(&spool);
}

#[test]
fn an_acknowledgement_that_comes_twice_is_counted_once() {
    let spool = spool(1 << 20, WhenFull::DropOldest);
    spool.append(&record(0, b"<>")).unwrap();
    read(&spool, 0);
    spool.acknowledge(LaneId(0), 0..1);
    spool.acknowledge(LaneId(0), 0..1);
    assert_eq!(spool.counts().delivered, 1);
    balances(&spool);
}

#[test]
fn drop_newest_turns_packets_away_and_keeps_the_first() {
    let spool = spool(100 * 1024, WhenFull::DropNewest);
    let payload = vec![b'x'; 1000];
    let taken = (0..200)
        .filter(|_| spool.append(&record(0, &payload)).is_ok())
        .count();
    assert_eq!(spool.append(&record(1, &payload)), Err(Reason::SpoolFull));
    assert_eq!(read(&spool, 0), (0..taken as u64).collect::<Vec<_>>());
    assert!(
        (90..=100).contains(&taken),
        "{taken} of 1 KB fit into 100 KiB"
    );
    balances(&spool);
}

#[test]
fn drop_oldest_gives_up_the_oldest_unread_segment_of_any_lane_and_counts_it() {
    let spool = spool(300 * 1024, WhenFull::DropOldest);
    let payload = vec![b'x'; 1000];
    for number in 0..1000 {
        spool
            .append(&record(u16::from(number < 100), &payload))
            .unwrap();
    }
    let kept = read(&spool, 0);
    assert_eq!(read(&spool, 1), [0; 0], "the older lane went first");
    assert_eq!(*kept.last().unwrap(), 899);
    assert!(
        kept.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "no hole within what is left"
    );
    let lost = spool.counts().lost[LossReason::SpoolFull as usize];
    assert_eq!(lost + kept.len() as u64, 1000);
    assert!(spool.bytes() <= 300 * 1024);
    balances(&spool);
}

#[test]
fn drop_oldest_spares_what_the_producer_has_read() {
    let spool = spool(300 * 1024, WhenFull::DropOldest);
    let payload = vec![b'x'; 1000];
    for _ in 0..100 {
        spool.append(&record(0, &payload)).unwrap();
    }
    assert_eq!(read(&spool, 0).len(), 100);
    for _ in 0..1000 {
        spool.append(&record(0, &payload)).unwrap();
    }
    spool.acknowledge(LaneId(0), 0..100);
    assert_eq!(spool.counts().delivered, 100);
    balances(&spool);
}

#[test]
fn a_waiting_producer_is_woken_by_a_record_and_by_close() {
    let spool = std::sync::Arc::new(spool(1 << 20, WhenFull::DropOldest));
    let waiter = std::thread::spawn({
        let spool = spool.clone();
        move || {
            let start = Instant::now();
            spool.wait(Duration::from_secs(20));
            let woken = read(&spool, 0).len();
            spool.wait(Duration::from_secs(20));
            (woken, start.elapsed())
        }
    });
    spool.append(&record(0, b"<>")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while spool.lock().lanes[0].has_unread() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    spool.close();
    let (woken, elapsed) = waiter.join().unwrap();
    assert_eq!(woken, 1);
    assert!(elapsed < Duration::from_secs(15));
}

#[test]
fn what_is_left_at_the_end_is_counted_as_lost() {
    let spool = spool(1 << 20, WhenFull::DropOldest);
    spool.append(&record(0, b"<>")).unwrap();
    spool.append(&record(0, b"<>")).unwrap();
    spool.acknowledge(LaneId(0), 0..1);
    assert_eq!(spool.abandon(), 1);
    assert_eq!(spool.counts().lost[LossReason::ProcessEnd as usize], 1);
    balances(&spool);
}

#[test]
fn a_record_behind_a_segment_that_was_given_up_is_read() {
    // Lane 0 keeps a first segment that is settled; its last one is the oldest unread and is given up.
    let spool = spool(256 * 1024, WhenFull::DropOldest);
    let sizes = [
        (0, 1),
        (0, 5347),
        (0, 17),
        (1, 16733),
        (1, 14130),
        (0, 24519),
        (1, 8465),
        (0, 15819),
        (1, 3055),
        (0, 19581),
        (1, 11581),
        (1, 18504),
        (1, 24526),
        (0, 18957),
        (0, 19036),
    ];
    let append = |lane, size| spool.append(&record(lane, &vec![b'p'; size])).unwrap();
    for (lane, size) in sizes {
        append(lane, size);
    }
    let limit = |records| ReadLimit {
        records,
        bytes: 64 << 20,
    };
    let mut batch = Batch::default();
    spool.read(LaneId(1), limit(7), &mut batch);
    for (lane, size) in [(1, 12153), (0, 22191), (0, 1)] {
        append(lane, size);
    }
    spool.acknowledge(LaneId(0), 4..8);
    append(1, 26769);
    spool.read(LaneId(1), limit(2), &mut batch);
    spool.read(LaneId(0), limit(1), &mut batch);
    append(0, 23459);
    spool.rewind(LaneId(0));
    for (lane, size) in [(0, 19710), (0, 22742), (1, 24145)] {
        append(lane, size);
    }
    let last = append(0, 1413);
    let read_back: Vec<u64> = read(&spool, 0);
    assert_eq!(read_back.last(), Some(&last.0), "{read_back:?}");
}

/// A payload that shows whose it is.
fn payload_of(number: u64, size: usize) -> Vec<u8> {
    vec![b'a' + (number % 26) as u8; size + 1]
}

/// Whether each record of a batch is still what was appended.
fn is_intact(batch: &Batch, sizes: &BTreeMap<u64, usize>) -> bool {
    batch.entries().iter().all(|entry| {
        let number = entry.number.0;
        let mut expected = payload_of(number, sizes[&number]);
        expected.splice(1..1, number.to_string().into_bytes());
        batch.payload(entry) == expected && batch.key(entry) == b"r1"
    })
}

#[test]
fn a_batch_keeps_its_records_when_the_spool_has_forgotten_them_and_used_its_memory_again() {
    let spool = spool(1 << 20, WhenFull::DropOldest);
    let append = |number| {
        let payload = payload_of(number, 900);
        spool.append(&record(0, &payload)).unwrap();
    };
    (0..200).for_each(append);
    let (mut held, mut sizes) = (Batch::default(), BTreeMap::new());
    assert_eq!(spool.read(LaneId(0), ALL, &mut held), 200);
    sizes.extend((0..200).map(|number| (number, 900)));
    spool.acknowledge(LaneId(0), 0..200);
    assert_eq!(spool.bytes(), 0);
    (200..600).for_each(append);
    assert!(is_intact(&held, &sizes));
}

#[test]
fn a_batch_ends_where_a_full_segment_does_not_fit_any_more() {
    let spool = spool(1 << 20, WhenFull::DropOldest);
    append_kilobytes(&spool, 0, 300);
    let mut batch = Batch::default();
    let mut next = |records, bytes| {
        let count = spool.read(LaneId(0), ReadLimit { records, bytes }, &mut batch);
        (count, batch.bytes_len() <= bytes)
    };
    // 63 fill the first segment, 62 each that follows.
    assert_eq!(next(150, 1 << 20), (63 + 62, true));
    assert_eq!(next(1000, 70_000), (62, true));
    // What is small for a segment is filled with copies.
    assert_eq!(next(20, 1 << 20), (20, true));
    // The rest of that segment, and the first of the one that is open.
    assert_eq!(next(1000, 44_000), (42 + 1, true));
    assert_eq!(next(40, 1 << 20), (40, true));
    assert_eq!(next(1000, 1 << 20), (10, true));
}

#[test]
fn what_was_given_up_behind_the_read_position_is_not_waited_for() {
    let spool = spool(256 * 1024, WhenFull::DropOldest);
    let payload = vec![b'x'; 1000];
    append_kilobytes(&spool, 0, 180);
    let mut batch = Batch::default();
    let some = ReadLimit {
        records: 10,
        bytes: 1 << 20,
    };
    spool.read(LaneId(0), some, &mut batch);
    append_kilobytes(&spool, 1, 200);
    let held = read(&spool, 0);
    spool.acknowledge(LaneId(0), 0..180);
    assert!(held.last() < Some(&179), "the rest was given up: {held:?}");
    assert!(!spool.lock().lanes[0].has_unread());
    let next = spool.append(&record(0, &payload)).unwrap();
    assert!(spool.lock().lanes[0].has_unread());
    assert_eq!(read(&spool, 0), [next.0]);
}

#[test]
fn where_half_of_the_memory_is_in_use_records_are_copied() {
    let copied = |bytes_max| {
        let spool = spool(bytes_max, WhenFull::DropOldest);
        append_kilobytes(&spool, 0, 500);
        let mut batch = Batch::default();
        assert_eq!(spool.read(LaneId(0), ALL, &mut batch), 500);
        batch.copied_capacity()
    };
    assert!(copied(800 << 10) >= 500_000);
    assert!(copied(2 << 20) <= SEGMENT_BYTES);
}

#[test]
fn a_batch_that_shares_gives_back_what_its_copies_took() {
    let spool = spool(8 << 20, WhenFull::DropOldest);
    append_kilobytes(&spool, 0, 500);
    let mut batch = Batch::default();
    spool.read(LaneId(0), ALL, &mut batch);
    spool.rewind(LaneId(0));
    spool.read(LaneId(0), ALL, &mut batch);
    assert!(batch.copied_capacity() > 500_000);
    append_kilobytes(&spool, 0, 500);
    spool.read(LaneId(0), ALL, &mut batch);
    assert_eq!(batch.entries().len(), 500);
    assert!(batch.copied_capacity() <= 2 * SEGMENT_BYTES);
}

#[derive(Debug, Clone)]
enum Step {
    Append(u16, usize),
    Read(u16, ReadLimit),
    Acknowledge(u16, u64, u64),
    GiveUp(u16, u64),
    Rewind(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u16..2, 0usize..30_000).prop_map(|(lane, size)| Step::Append(lane, size)),
        4 => (0u16..2, 1usize..30, 1usize..200_000)
            .prop_map(|(lane, records, bytes)| Step::Read(lane, ReadLimit { records, bytes })),
        4 => (0u16..2, 0u64..40, 1u64..9).prop_map(|(lane, start, length)| Step::Acknowledge(lane, start, length)),
        1 => (0u16..2, 0u64..40).prop_map(|(lane, number)| Step::GiveUp(lane, number)),
        1 => (0u16..2).prop_map(Step::Rewind),
    ]
}

proptest! {
    /// The oracle is a map of what was appended and a set of what was settled. Whatever the order of operations:
    /// reads give unsettled records in order with their own payloads, which a batch keeps whatever the spool forgets,
    /// nothing is forgotten unless it was settled or counted as lost, memory stays below the cap, and the ledger
    /// balances after every step.
    #[test]
    fn it_agrees_with_a_plain_model(steps in prop::collection::vec(step(), 1..200), drop_newest: bool) {
        let cap: usize = 256 * 1024;
        let spool = spool(cap, if drop_newest { WhenFull::DropNewest } else { WhenFull::DropOldest });
        let mut appended: [BTreeMap<u64, usize>; 2] = Default::default();
        let mut settled: [BTreeSet<u64>; 2] = Default::default();
        let mut held: Vec<(u16, Batch)> = Vec::new();
        for step in steps {
            match step {
                Step::Append(lane, size) => {
                    let payload = payload_of(appended[usize::from(lane)].len() as u64, size);
                    if let Ok(number) = spool.append(&record(lane, &payload)) {
                        prop_assert_eq!(number.0, appended[usize::from(lane)].len() as u64);
                        appended[usize::from(lane)].insert(number.0, size);
                    }
                }
                Step::Read(lane, limit) => {
                    let mut batch = match held.len() {
                        8 => held.remove(0).1,
                        _ => Batch::default(),
                    };
                    let count = spool.read(LaneId(lane), limit, &mut batch);
                    prop_assert!(count <= limit.records && (count == 1 || batch.bytes_len() <= limit.bytes));
                    let numbers: Vec<u64> = batch.entries().iter().map(|entry| entry.number.0).collect();
                    prop_assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
                    prop_assert!(numbers.iter().all(|number| !settled[usize::from(lane)].contains(number)));
                    held.push((lane, batch));
                }
                Step::Acknowledge(lane, start, length) => {
                    spool.acknowledge(LaneId(lane), start..start + length);
                    let known = appended[usize::from(lane)].len() as u64;
                    settled[usize::from(lane)].extend(start..(start + length).min(known));
                }
                Step::GiveUp(lane, number) => {
                    _ = spool.give_up(LaneId(lane), Number(number), "POISON: test", UnixMicros(0));
                    if appended[usize::from(lane)].contains_key(&number) {
                        settled[usize::from(lane)].insert(number);
                    }
                }
                Step::Rewind(lane) => spool.rewind(LaneId(lane)),
            }
            balances(&spool);
            prop_assert!(spool.bytes() <= cap as u64);
            prop_assert!(held.iter().all(|(lane, batch)| is_intact(batch, &appended[usize::from(*lane)])));
        }
        // At the end, a rewind reads back everything that is neither settled nor lost.
        let dropped = spool.counts().lost[LossReason::SpoolFull as usize];
        let mut unsettled = 0;
        let mut read_back = 0;
        for lane in 0..2u16 {
            spool.rewind(LaneId(lane));
            read_back += read(&spool, lane).len() as u64;
            let (known, done) = (&appended[usize::from(lane)], &settled[usize::from(lane)]);
            unsettled += known.keys().filter(|number| !done.contains(number)).count() as u64;
        }
        prop_assert!(read_back + dropped >= unsettled, "{read_back} + {dropped} < {unsettled}");
        prop_assert_eq!(read_back, spool.counts().pending);
        if drop_newest {
            prop_assert_eq!(read_back, unsettled);
        }
    }
}
