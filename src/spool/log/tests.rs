//! Claims about a log whose disk works, and about each single way in which it does not.

use super::*;
use crate::observe::ledger::LossReason;
use crate::record::{LaneId, Origin, Record};
use crate::spool::ReadLimit;
use crate::spool::batch::Batch;
use crate::spool::cursor::CursorFound;
use crate::spool::disk::RealDisk;
use crate::spool::forgetful::{Fault, ForgetfulDisk, Trouble};
use crate::spool::frame::{self, Sealing};

pub(super) const ALL: ReadLimit = ReadLimit {
    records: 1_000_000,
    bytes: 1 << 30,
};

pub(super) const NOW: UnixMicros = UnixMicros(1_000_000);

pub(super) fn small() -> Config {
    Config {
        segment_bytes: 1000,
        quarantine_bytes_max: 64 * 1024,
        at_roll: AtRoll::Sync,
    }
}

/// Every fifth record is one of the agent's own.
pub(super) fn origin(number: u64) -> Origin {
    if number % 5 == 4 {
        Origin::Generated
    } else {
        Origin::Packet
    }
}

pub(super) fn frames(numbers: Range<u64>, text: impl Fn(u64) -> String) -> Vec<u8> {
    let mut frames = Vec::new();
    for number in numbers {
        let payload = text(number);
        let record = Record {
            lane: LaneId(0),
            received: UnixMicros(number as i64),
            key: b"lax-r1",
            payload: payload.as_bytes(),
            number_at: 0,
            origin: origin(number),
        };
        frame::write(&record, number, Sealing::Sealed, &mut frames);
    }
    frames
}

/// A run of one part.
pub(super) fn part(numbers: Range<u64>, frames: &[u8]) -> [Part<'_>; 1] {
    [Part { numbers, frames }]
}

pub(super) fn text(number: u64) -> String {
    format!("<{}>", "x".repeat(number as usize % 50))
}

pub(super) fn append(log: &mut Log, count: u64) -> Result<(), SpoolError> {
    let numbers = log.next()..log.next() + count;
    log.append(&part(numbers.clone(), &frames(numbers, text)), NOW)
}

/// One record a run.
pub(super) fn append_each(log: &mut Log, count: u64) {
    for _ in 0..count {
        append(log, 1).unwrap();
    }
}

pub(super) fn open(disk: &Arc<dyn Disk>, folder: &Path) -> Opened {
    Log::open(disk.clone(), folder, small()).unwrap()
}

/// Everything from `from` on: the numbers, and the numbers that were reported as damaged.
pub(super) fn read_from(
    reader: &mut LogReader,
    from: u64,
    settled: &Settled,
) -> (Vec<u64>, Vec<u64>) {
    let (mut numbers, mut damaged, mut next) = (Vec::new(), Vec::new(), from);
    let mut batch = Batch::default();
    loop {
        let outcome = reader
            .read(next..u64::MAX, settled, ALL, &mut batch)
            .unwrap();
        for entry in batch.entries() {
            let expected = format!("{}{}", entry.number.0, text(entry.number.0));
            assert_eq!(batch.payload(entry), expected.as_bytes());
            assert_eq!(entry.received, UnixMicros(entry.number.0 as i64));
            numbers.push(entry.number.0);
        }
        damaged.extend(
            outcome
                .damage
                .iter()
                .flat_map(|damage| damage.numbers.clone()),
        );
        assert!(outcome.caught_up || outcome.next > next);
        next = outcome.next;
        if outcome.caught_up {
            return (numbers, damaged);
        }
    }
}

pub(super) fn read_all(log: &Log) -> Vec<u64> {
    let (numbers, damaged) = read_from(&mut log.reader(), 0, &Settled::default());
    assert_eq!(damaged, [0; 0]);
    numbers
}

/// Gives up the oldest segment that nobody reads.
pub(super) fn drop_oldest(log: &mut Log, unread_from: u64) -> Option<Range<u64>> {
    let first = log.oldest_unread(unread_from)?.first;
    let dropped = log.give_up(first, unread_from)?;
    let numbers = dropped.numbers.clone();
    log.remove(dropped).ok().map(|_| numbers)
}

fn forgetful() -> (ForgetfulDisk, Arc<dyn Disk>, &'static Path) {
    let disk = ForgetfulDisk::default();
    (disk.clone(), Arc::new(disk), Path::new("/t"))
}

#[test]
fn records_survive_the_end_of_the_process_and_numbers_go_on() {
    let home = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let folder = home.path().join("net.syslog");
    let mut opened = open(&disk, &folder);
    assert_eq!(opened.recovery.cursor, CursorFound::Missing);
    append(&mut opened.log, 30).unwrap();
    append_each(&mut opened.log, 30);
    assert!(opened.log.segments() > 2);
    let bytes = opened.log.bytes();
    drop(opened);

    let mut opened = open(&disk, &folder);
    assert_eq!((opened.log.next(), opened.log.bytes()), (60, bytes));
    assert_eq!(opened.recovery.uncounted, 60);
    assert_eq!((opened.recovery.lost, opened.recovery.torn_bytes), (0, 0));
    assert_eq!(opened.cursor.totals.pending, 60);
    append_each(&mut opened.log, 5);
    assert_eq!(read_all(&opened.log), (0..65).collect::<Vec<_>>());
}

#[test]
fn a_reader_sees_what_is_appended_while_it_reads_and_goes_back_when_asked() {
    let (_, disk, folder) = forgetful();
    let mut log = open(&disk, folder).log;
    let mut reader = log.reader();
    let mut batch = Batch::default();
    let none = Settled::default();
    let mut next = 0;
    for round in 1..40 {
        append(&mut log, 2).unwrap();
        let outcome = reader.read(next..u64::MAX, &none, ALL, &mut batch).unwrap();
        assert_eq!(batch.entries().len(), 2);
        assert!(outcome.caught_up);
        assert_eq!(outcome.next, round * 2);
        next = outcome.next;
    }
    assert_eq!(
        read_from(&mut reader, 13, &none).0,
        (13..78).collect::<Vec<_>>()
    );
}

#[test]
fn a_read_keeps_its_limits_and_leaves_out_what_is_settled() {
    let (_, disk, folder) = forgetful();
    let mut log = open(&disk, folder).log;
    append_each(&mut log, 60);
    let mut settled = Settled::default();
    settled.add(0..10);
    settled.add(12..50);
    let mut batch = Batch::default();
    let limit = ReadLimit { records: 4, ..ALL };
    let mut reader = log.reader();
    let outcome = reader
        .read(0..u64::MAX, &settled, limit, &mut batch)
        .unwrap();
    let numbers: Vec<u64> = batch.entries().iter().map(|entry| entry.number.0).collect();
    assert_eq!(numbers, [10, 11, 50, 51]);
    assert_eq!((outcome.next, outcome.caught_up), (52, false));
    let limit = ReadLimit { bytes: 1, ..ALL };
    let outcome = reader
        .read(outcome.next..u64::MAX, &settled, limit, &mut batch)
        .unwrap();
    assert_eq!((batch.entries().len(), outcome.next), (1, 53));
}

#[test]
fn a_run_that_does_not_follow_is_refused_and_nothing_is_written() {
    let (_, disk, folder) = forgetful();
    let mut log = open(&disk, folder).log;
    append(&mut log, 3).unwrap();
    let bytes = log.bytes();
    let refused = log.append(&part(5..7, &frames(5..7, text)), NOW);
    assert!(matches!(
        refused,
        Err(SpoolError::OutOfOrder {
            expected: 3,
            found: 5,
            ..
        })
    ));
    let refused = log.append(&part(3..5, &frames(3..7, text)), NOW);
    assert!(matches!(refused, Err(SpoolError::OutOfOrder { .. })));
    let (good, hole, wrong) = (frames(3..5, text), frames(6..8, text), frames(6..7, text));
    for (numbers, frames) in [(6..8, &hole), (5..6, &wrong), (4..6, &hole)] {
        let [first] = part(3..5, &good);
        let refused = log.append(&[first, Part { numbers, frames }], NOW);
        assert!(matches!(
            refused,
            Err(SpoolError::OutOfOrder { expected: 5, .. })
        ));
    }
    assert_eq!((log.bytes(), log.next()), (bytes, 3));
}

#[test]
fn a_folder_that_fails_to_sync_before_there_is_a_segment_puts_nothing_in_doubt_for_ever() {
    let (forgetful, disk, folder) = forgetful();
    let mut log = open(&disk, folder).log;
    forgetful.fail(1, Fault::Broken);
    append(&mut log, 1).unwrap_err();
    log.skip_to(5).unwrap();
    forgetful.fail(0, Fault::Broken);
    let failed = log.sync().unwrap_err();
    assert!(matches!(failed, SpoolError::SyncFailed { .. }), "{failed}");
    assert_eq!(log.resume_at(0), 5..5);
    append(&mut log, 2).unwrap();
    assert_eq!((log.sync().unwrap(), log.next()), (7, 7));
}

#[test]
fn trim_unlinks_what_is_settled_and_keeps_the_newest_segment() {
    let (_, disk, folder) = forgetful();
    let mut opened = open(&disk, folder);
    append_each(&mut opened.log, 60);
    let (log, cursor) = (&mut opened.log, &mut opened.cursor);
    cursor.settled.add(0..30);
    cursor.counted_to = 60;
    let before = log.bytes();
    let saved = log.save_cursor(cursor).unwrap();
    let freed = log.trim(saved).unwrap();
    assert!(freed > 0);
    assert_eq!(log.bytes(), before - freed);
    assert!(log.first().unwrap() <= 30);
    assert_eq!(
        read_from(&mut log.reader(), 30, &cursor.settled).0,
        (30..60).collect::<Vec<_>>()
    );
    cursor.settled.add(0..60);
    let saved = log.save_cursor(cursor).unwrap();
    log.trim(saved).unwrap();
    assert_eq!(log.segments(), 1);
    drop(opened);
    assert_eq!(open(&disk, folder).log.next(), 60);
}

#[test]
fn the_proof_of_another_logs_cursor_trims_nothing() {
    let (_, disk, folder) = forgetful();
    let mut opened = open(&disk, folder);
    append_each(&mut opened.log, 60);
    let mut other = open(&disk, Path::new("/other"));
    other.cursor.settled.add(0..60);
    let saved = other.log.save_cursor(&other.cursor).unwrap();
    assert_eq!(opened.log.trim(saved).unwrap(), 0);
    assert_eq!(read_all(&opened.log).len(), 60);
}

#[test]
fn a_dropped_segment_is_passed_silently_and_what_is_being_read_is_spared() {
    let (_, disk, folder) = forgetful();
    let mut log = open(&disk, folder).log;
    append_each(&mut log, 60);
    let mut reader = log.reader();
    let mut batch = Batch::default();
    let none = Settled::default();
    let limit = ReadLimit { records: 3, ..ALL };
    let next = reader
        .read(0..u64::MAX, &none, limit, &mut batch)
        .unwrap()
        .next;
    let first = drop_oldest(&mut log, next).unwrap();
    assert!(first.start > 0, "the first segment is being read");
    let second = drop_oldest(&mut log, next).unwrap();
    assert_eq!(first.end, second.start);
    let (numbers, damaged) = read_from(&mut reader, next, &none);
    let expected: Vec<u64> = (3..first.start).chain(second.end..60).collect();
    assert_eq!((numbers, damaged), (expected, vec![]));
    reader.release();
    while drop_oldest(&mut log, 0).is_some() {}
    assert_eq!(log.segments(), 1);
}

#[test]
fn a_dropped_segment_is_counted_as_missing_if_no_cursor_was_saved() {
    let (_, disk, folder) = forgetful();
    let mut opened = open(&disk, folder);
    opened.cursor.counted_to = 0;
    let _ = opened.log.save_cursor(&opened.cursor).unwrap();
    append_each(&mut opened.log, 60);
    let dropped = drop_oldest(&mut opened.log, 0).unwrap();
    drop(opened);
    let opened = open(&disk, folder);
    assert_eq!(opened.recovery.lost, dropped.end);
    assert_eq!(opened.recovery.damage[0].numbers, dropped);
    assert_eq!(opened.cursor.totals.accepted, 60);
    assert_eq!(opened.cursor.totals.pending, 60 - dropped.end);
}

#[test]
fn a_full_disk_loses_nothing_and_the_same_run_goes_in_later() {
    for after in 0..6 {
        let (forgetful, disk, folder) = forgetful();
        let mut log = open(&disk, folder).log;
        append_each(&mut log, 7);
        forgetful.fail(after, Fault::ShortWrite);
        let mut failures = 0;
        while log.next() < 40 {
            if let Err(error) = append(&mut log, 3) {
                failures += 1;
                if let SpoolError::SyncFailed { .. } = error {
                    let again = log.resume_at(0);
                    log.append(&part(again.clone(), &frames(again, text)), NOW)
                        .unwrap();
                }
            }
            assert!(failures < 5);
        }
        assert!(failures > 0);
        assert_eq!(read_all(&log), (0..40).collect::<Vec<_>>());
        drop(log);
        assert_eq!(
            read_all(&open(&disk, folder).log),
            (0..40).collect::<Vec<_>>()
        );
    }
}

#[test]
fn after_a_failed_sync_what_is_in_memory_is_written_again_and_survives_a_power_cut() {
    for (synced, in_memory) in [(0, 0), (4, 4), (4, 6), (0, 3)] {
        let (forgetful, disk, folder) = forgetful();
        let mut log = open(&disk, folder).log;
        append(&mut log, synced).unwrap();
        log.sync().unwrap();
        append(&mut log, 9 - synced).unwrap();
        forgetful.fail(0, Fault::Broken);
        let failed = log.sync().unwrap_err();
        assert!(
            failed.to_string().contains(&format!("records {synced}..9")),
            "{failed}"
        );
        assert!(
            matches!(log.sync(), Err(SpoolError::SyncFailed { .. })),
            "it may not heal by itself"
        );
        assert!(append(&mut log, 1).is_err());
        let again = log.resume_at(in_memory);
        assert_eq!(again, in_memory..9);
        log.append(&part(again.clone(), &frames(again, text)), NOW)
            .unwrap();
        assert_eq!(log.sync().unwrap(), 9);
        append_each(&mut log, 3);
        assert_eq!(read_all(&log), (0..12).collect::<Vec<_>>());
        drop(log);
        forgetful.power_cut(7);
        let (numbers, _) = read_from(
            &mut open(&disk, folder).log.reader(),
            0,
            &Settled::default(),
        );
        let kept = (0..synced).chain(in_memory..9);
        for number in kept {
            assert!(
                numbers.contains(&number),
                "{number} of {numbers:?} after {synced}, {in_memory}"
            );
        }
    }
}

#[test]
fn a_cursor_beyond_the_log_moves_the_log_forward() {
    let (_, disk, folder) = forgetful();
    let mut opened = open(&disk, folder);
    append(&mut opened.log, 10).unwrap();
    let cursor = &mut opened.cursor;
    cursor.counted_to = 25;
    (cursor.totals.accepted, cursor.totals.from_packets) = (25, 25);
    cursor.settled.add(0..4);
    cursor.settled.add(20..22);
    cursor.totals.delivered = 6;
    let _ = opened.log.save_cursor(cursor).unwrap();
    drop(opened);
    let mut opened = open(&disk, folder);
    assert_eq!(opened.log.next(), 25);
    let lost: Vec<_> = opened
        .recovery
        .damage
        .iter()
        .map(|damage| damage.numbers.clone())
        .collect();
    assert_eq!(lost, [10..20, 22..25]);
    assert_eq!(opened.cursor.totals.lost[LossReason::Corrupt as usize], 13);
    assert_eq!(opened.cursor.totals.pending, 6);
    append(&mut opened.log, 3).unwrap();
    assert_eq!(
        read_all(&opened.log),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 25, 26, 27]
    );
    drop(opened);
    let opened = open(&disk, folder);
    assert_eq!(opened.log.next(), 28);
}

#[test]
fn without_a_cursor_everything_in_the_log_is_pending() {
    let (_, disk, folder) = forgetful();
    let mut opened = open(&disk, folder);
    append_each(&mut opened.log, 60);
    opened.cursor.settled.add(0..40);
    opened.cursor.counted_to = 60;
    let saved = opened.log.save_cursor(&opened.cursor).unwrap();
    opened.log.trim(saved).unwrap();
    let first = opened.log.first().unwrap();
    drop(opened);
    disk.remove(&folder.join("cursor")).unwrap();
    let opened = open(&disk, folder);
    assert_eq!(opened.recovery.cursor, CursorFound::Missing);
    assert_eq!(opened.cursor.settled.low(), first);
    assert_eq!(opened.cursor.totals.pending, 60 - first);
    let (numbers, damaged) = read_from(&mut opened.log.reader(), first, &opened.cursor.settled);
    assert_eq!((numbers, damaged), ((first..60).collect(), vec![]));
}

#[test]
fn origins_are_counted_again_from_the_frames() {
    let (_, disk, folder) = forgetful();
    let mut opened = open(&disk, folder);
    append(&mut opened.log, 10).unwrap();
    opened.cursor.counted_to = 3;
    opened.cursor.totals.accepted = 3;
    opened.cursor.totals.from_packets = 3;
    let _ = opened.log.save_cursor(&opened.cursor).unwrap();
    drop(opened);
    let totals = open(&disk, folder).cursor.totals;
    assert_eq!(
        (totals.accepted, totals.from_packets, totals.generated),
        (10, 8, 2)
    );
}

#[test]
fn a_segment_of_a_newer_version_is_refused_and_nothing_is_touched() {
    let (_, disk, folder) = forgetful();
    let mut log = open(&disk, folder).log;
    append_each(&mut log, 60);
    drop(log);
    let path = folder.join(segment::file_name(0));
    let file = disk.open(&path).unwrap();
    let mut header = [0; HEADER_BYTES];
    disk::read_full_at(file.as_ref(), &mut header, 0).unwrap();
    header[8] = 2;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[..12]), &header[16..]);
    header[12..16].copy_from_slice(&crc.to_le_bytes());
    disk::write_all_at(file.as_ref(), &header, 0).unwrap();
    let before = disk.list(folder).unwrap();
    let refused = Log::open(disk.clone(), folder, small()).unwrap_err();
    assert!(
        refused.to_string().contains("has format version 2"),
        "{refused}"
    );
    assert_eq!(disk.list(folder).unwrap(), before);
}

#[test]
fn a_segment_that_can_neither_be_written_nor_cut_is_synced_before_it_is_left() {
    for seed in 0..50 {
        let forgetful = ForgetfulDisk::default();
        let disk: Arc<dyn Disk> = Arc::new(forgetful.clone());
        let mut log = open(&disk, Path::new("/t")).log;
        append(&mut log, 3).unwrap();
        forgetful.stand(Some(Trouble::ReadOnly));
        append(&mut log, 3).unwrap_err();
        forgetful.stand(None);
        append(&mut log, 3).unwrap();
        assert_eq!(log.sync().unwrap(), 6);
        forgetful.power_cut(seed);
        let opened = open(&disk, Path::new("/t"));
        let settled = opened.cursor.settled.clone();
        let (numbers, damaged) = read_from(&mut opened.log.reader(), 0, &settled);
        assert_eq!(
            (numbers, damaged),
            ((0..6).collect(), vec![]),
            "seed {seed}"
        );
    }
}

#[test]
fn the_writer_and_the_reader_work_at_the_same_time() {
    let home = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let mut opened = open(&disk, home.path());
    let mut reader = opened.log.reader();
    let consumer = std::thread::spawn(move || {
        let (mut next, mut batch, mut seen) = (0, Batch::default(), Vec::new());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while next < 3000 && std::time::Instant::now() < deadline {
            let outcome = reader
                .read(next..u64::MAX, &Settled::default(), ALL, &mut batch)
                .unwrap();
            assert_eq!(outcome.damage, []);
            seen.extend(batch.entries().iter().map(|entry| entry.number.0));
            next = outcome.next;
        }
        seen
    });
    for _ in 0..1000 {
        append(&mut opened.log, 3).unwrap();
    }
    assert_eq!(consumer.join().unwrap(), (0..3000).collect::<Vec<_>>());
}

/// Says how long appending and reading back take; it fails only if the bytes are wrong.
#[test]
fn a_large_log_is_read_back_whole() {
    let home = tempfile::tempdir().unwrap();
    let mut opened = Log::open(Arc::new(RealDisk), home.path(), Config::default()).unwrap();
    let (runs, run) = (60, 500);
    let payload = "x".repeat(800);
    let buffers: Vec<_> = (0..runs)
        .map(|index| frames(index * run..(index + 1) * run, |_| payload.clone()))
        .collect();
    let start = std::time::Instant::now();
    for (index, buffer) in (0..).zip(&buffers) {
        opened
            .log
            .append(&part(index * run..(index + 1) * run, buffer), NOW)
            .unwrap();
    }
    let appended = start.elapsed();
    opened.log.sync().unwrap();
    let synced = start.elapsed();
    let (mut reader, mut batch, mut next, mut count) =
        (opened.log.reader(), Batch::default(), 0, 0);
    let start = std::time::Instant::now();
    let limit = ReadLimit {
        records: 2000,
        bytes: 1 << 20,
    };
    loop {
        let outcome = reader
            .read(next..u64::MAX, &Settled::default(), limit, &mut batch)
            .unwrap();
        count += batch.entries().len() as u64;
        next = outcome.next;
        if outcome.caught_up {
            break;
        }
    }
    let read = start.elapsed();
    assert_eq!((count, next), (runs * run, runs * run));
    let each = |time: std::time::Duration| time.as_secs_f64() * 1e6 / (runs * run) as f64;
    println!(
        "800-byte records: append {:.2} µs, with sync {:.2} µs, read back {:.2} µs",
        each(appended),
        each(synced),
        each(read)
    );
}
