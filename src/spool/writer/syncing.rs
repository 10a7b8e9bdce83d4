//! Claims about `fsync = interval`: what waits for Kafka is soon on the disk, and what Kafka has is not taken there.

use super::tests::{append, balances, config, read};
use super::*;
use crate::record::LaneId;
use crate::spool::forgetful::{Fault, ForgetfulDisk, Trouble};

/// Segments of some 10 000 bytes.
fn open(disk: &ForgetfulDisk) -> Opened {
    let (config, mut kept) = config(Path::new("/"));
    kept.folder = PathBuf::from("/spool");
    kept.bytes_max = 80_000;
    Spool::open_on(Arc::new(disk.clone()), &config, &kept).unwrap()
}

/// A spool on a disk of its own, and the instant from which its turns are counted.
fn begin() -> (ForgetfulDisk, Arc<Spool>, Writer, Instant) {
    let disk = ForgetfulDisk::default();
    let Opened { spool, writer, .. } = open(&disk);
    (disk, spool, writer, Instant::now())
}

/// A turn when so many milliseconds have passed since the first.
fn turn_at(writer: &mut Writer, start: Instant, milliseconds: u64) {
    writer.turn(
        UnixMicros(milliseconds as i64 * 1000),
        start + Duration::from_millis(milliseconds),
    );
}

fn deliver(spool: &Spool) {
    let numbers = read(spool, 0);
    if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
        spool.acknowledge(LaneId(0), *first..last + 1);
    }
}

#[test]
fn while_kafka_keeps_up_no_segment_is_synced_and_when_it_stops_all_are_within_a_second() {
    let (disk, spool, mut writer, start) = begin();
    for at in (0..20_000).step_by(100) {
        append(&spool, 0, &[b'x'; 1000]).unwrap();
        turn_at(&mut writer, start, at);
        deliver(&spool);
    }
    assert_eq!(
        (spool.counts().delivered, writer.logs[0].synced()),
        (200, 0)
    );
    let kept = writer.logs[0].first().unwrap();
    assert!(kept > 150, "delivered segments are unlinked: {kept}");
    // From here on nothing is delivered, over the ends of three segments.
    for at in (20_000..24_000).step_by(100) {
        append(&spool, 0, &[b'x'; 1000]).unwrap();
        turn_at(&mut writer, start, at);
        let waits_longer = (200 + (at - 20_000) / 100).saturating_sub(10).max(200);
        let synced = writer.logs[0].synced();
        assert!(
            synced >= waits_longer || waits_longer == 200,
            "{synced} at {at} ms"
        );
    }
    for seed in 0..50 {
        let copy = disk.copy();
        copy.power_cut(seed);
        let Opened { spool, .. } = open(&copy);
        let there = read(&spool, 0);
        let are_there = (200..230).all(|number| there.contains(&number));
        assert!(are_there, "seed {seed}: {there:?}");
        balances(&spool);
    }
}

#[test]
fn whatever_fails_in_a_sync_what_waits_for_kafka_is_on_the_disk_after_the_next() {
    // The folder, the segment that was left, the newest one.
    for operation in 0..3 {
        let (disk, spool, mut writer, start) = begin();
        // One segment that is closed and left, and a newest one.
        for number in 0..12 {
            append(&spool, 0, &[b'x'; 1000]).unwrap();
            turn_at(&mut writer, start, number);
        }
        assert_eq!((writer.logs[0].segments(), writer.logs[0].synced()), (2, 0));
        writer.housekept = start + Duration::from_millis(900);
        disk.fail(operation, Fault::Broken);
        turn_at(&mut writer, start, 1000);
        disk.heal();
        turn_at(&mut writer, start, 3000);
        turn_at(&mut writer, start, 5000);
        assert_eq!((spool.trouble(), spool.counts().lost_total()), (None, 0));
        assert_eq!((writer.logs[0].synced(), writer.logs[0].next()), (12, 12));
        for seed in 0..20 {
            let copy = disk.copy();
            copy.power_cut(seed);
            let Opened { spool, .. } = open(&copy);
            assert_eq!(read(&spool, 0), (0..12).collect::<Vec<_>>());
            balances(&spool);
        }
    }
}

#[test]
fn a_topic_that_waits_makes_no_other_sync() {
    let (_, spool, mut writer, start) = begin();
    for at in (0..10_000).step_by(100) {
        append(&spool, 0, &[b'x'; 100]).unwrap();
        append(&spool, 1, &[b'x'; 100]).unwrap();
        turn_at(&mut writer, start, at);
        deliver(&spool);
    }
    assert_eq!(writer.logs[0].synced(), 0);
    assert!(writer.logs[1].synced() >= 90);
}

#[test]
fn a_record_that_kafka_does_not_take_makes_no_delivered_one_behind_it_sync() {
    let (_, spool, mut writer, start) = begin();
    for at in (0..10_000).step_by(100) {
        append(&spool, 0, &[b'x'; 100]).unwrap();
        turn_at(&mut writer, start, at);
        let numbers = read(&spool, 0);
        let delivered = numbers.iter().filter(|number| **number > 0);
        delivered.for_each(|number| spool.acknowledge(LaneId(0), *number..number + 1));
    }
    let once = writer.logs[0].synced();
    assert!((1..=11).contains(&once), "{once}");
}

#[test]
fn the_writer_wakes_when_a_sync_is_due() {
    let (_, spool, mut writer, start) = begin();
    assert_eq!(writer.rest(start), HOUSEKEEPING / 4);
    append(&spool, 0, b"<>").unwrap();
    turn_at(&mut writer, start, 0);
    for (at, rest) in [(700, 250), (900, 100), (1000, 0), (2000, 0)] {
        let clock = start + Duration::from_millis(at);
        assert_eq!(writer.rest(clock), Duration::from_millis(rest), "{at}");
    }
    turn_at(&mut writer, start, 1000);
    assert_eq!(writer.logs[0].synced(), 1);
    assert_eq!(
        writer.rest(start + Duration::from_millis(1000)),
        HOUSEKEEPING / 4
    );
}

#[test]
fn a_writer_whose_disk_fails_does_not_wake_for_syncs() {
    let (disk, spool, mut writer, start) = begin();
    append(&spool, 0, b"<>").unwrap();
    turn_at(&mut writer, start, 0);
    disk.stand(Some(Trouble::Writes));
    append(&spool, 0, b"<>").unwrap();
    turn_at(&mut writer, start, 500);
    assert!(spool.trouble().is_some());
    for at in [1000, 1010, 1600, 2100] {
        turn_at(&mut writer, start, at);
        let clock = start + Duration::from_millis(at + 1);
        assert_eq!(writer.rest(clock), HOUSEKEEPING / 4, "{at}");
    }
}

#[test]
fn a_loss_is_not_forgotten_before_its_report_is_on_the_disk() {
    let (disk, spool, mut writer, start) = begin();
    spool.never_drop(LaneId(1), 80_000);
    turn_at(&mut writer, start, 1000);
    let append_many = |writer: &mut Writer, at| {
        let lost = spool.counts().lost_total();
        // The caps are kept each MiB too, and what is given up in between has its cursor saved.
        for _ in 0..1_200 {
            append(&spool, 0, &[b'x'; 1000]).unwrap();
            turn_at(writer, start, at);
        }
        assert!(spool.counts().lost_total() > lost);
    };
    append_many(&mut writer, 1100);
    let windows = spool.close_window();
    assert_eq!(windows[0].declared[0].first, 0);
    let report = (LaneId(1), append(&spool, 1, b"<>").unwrap());
    // Written, and then on the disk.
    for (at, is_kept) in [(1200, false), (2300, true)] {
        turn_at(&mut writer, start, at);
        assert_eq!(spool.is_kept(report), is_kept);
        if is_kept {
            spool.reported(&[windows[0].accepted, 1]);
        }
        append_many(&mut writer, at);
        for seed in 0..50 {
            let copy = disk.copy();
            copy.power_cut(seed);
            let Opened { spool, .. } = open(&copy);
            let is_told = !read(&spool, 1).is_empty();
            let declared = &spool.close_window()[0].declared;
            let is_declared = declared.first().is_some_and(|range| range.first == 0);
            let is_known = is_told && is_kept || is_declared && !is_kept;
            assert!(is_known, "seed {seed}: {is_told} {declared:?}");
        }
    }
}
