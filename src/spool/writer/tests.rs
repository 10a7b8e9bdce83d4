//! Claims about the spool on disk as a whole: lanes, writer, logs and cursors together.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::observe::ledger::LossReason;
use crate::packet::Reason;
use crate::record::{LaneId, Number, Origin, Record};
use crate::spool::forgetful::{Fault, ForgetfulDisk, Trouble};
use crate::spool::segment::file_name as segment_name;
use crate::spool::{Batch, Config, ReadLimit};

pub(super) const ALL: ReadLimit = ReadLimit {
    records: 100_000,
    bytes: 1 << 30,
};

pub(super) fn config(folder: &Path) -> (Config, DiskConfig) {
    let mut disk = DiskConfig::new(folder.join("spool"));
    disk.free_bytes_min = 0;
    let config = Config {
        bytes_max: 1 << 20,
        when_full: WhenFull::DropOldest,
        topics: vec!["a".into(), "b".into()],
        disk: Some(disk.clone()),
    };
    (config, disk)
}

fn open(folder: &Path) -> Opened {
    let (config, disk) = config(folder);
    Spool::open(&config, &disk).expect("a spool")
}

pub(super) fn append(spool: &Spool, lane: u16, payload: &[u8]) -> Result<Number, Reason> {
    append_at(spool, lane, payload, UnixMicros(1_000))
}

pub(super) fn append_at(
    spool: &Spool,
    lane: u16,
    payload: &[u8],
    received: UnixMicros,
) -> Result<Number, Reason> {
    let record = Record {
        lane: LaneId(lane),
        received,
        key: b"r1",
        payload,
        number_at: 1,
        origin: Origin::Packet,
    };
    spool.append(&record)
}

/// Turns of the writer in which seconds have passed: what is written in the first waits no longer in the second.
pub(super) fn turn(writer: &mut Writer) {
    let now = Instant::now();
    for seconds in [10, 20] {
        writer.turn(UnixMicros(2_000), now + Duration::from_secs(seconds));
    }
    writer.housekept = now;
    for (unsynced, log) in writer.unsynced.iter_mut().zip(&writer.logs) {
        *unsynced = Unsynced::new(Duration::from_secs(1), log.next());
    }
}

pub(super) fn read(spool: &Spool, lane: u16) -> Vec<u64> {
    let mut batch = Batch::default();
    let mut numbers = Vec::new();
    while spool.read(LaneId(lane), ALL, &mut batch) > 0 {
        numbers.extend(batch.entries().iter().map(|entry| entry.number.0));
    }
    numbers
}

pub(super) fn balances(spool: &Spool) {
    let counts = spool.counts();
    assert_eq!(
        counts.accepted,
        counts.from_packets + counts.generated,
        "{counts:?}"
    );
    let settled = counts.delivered + counts.pending + counts.dead_letter + counts.lost_total();
    assert_eq!(counts.accepted, settled, "{counts:?}");
}

#[test]
fn a_record_is_accepted_and_readable_when_it_is_written_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    let number = append(&spool, 0, b"<>").unwrap();
    assert!(!spool.is_accepted((LaneId(0), number)));
    assert_eq!(read(&spool, 0), [0; 0]);
    assert_eq!((spool.counts().accepted, spool.counts().in_hand), (0, 1));
    turn(&mut writer);
    assert!(spool.is_accepted((LaneId(0), number)));
    assert_eq!((spool.counts().accepted, spool.counts().in_hand), (1, 0));
    assert_eq!(read(&spool, 0), [0]);
    balances(&spool);
}

#[test]
fn the_first_who_waits_for_a_record_ends_the_gathering() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    let number = append(&spool, 0, b"<>").unwrap();
    assert!(spool.wait_for_work(Duration::ZERO));
    assert!(!spool.gather(Duration::ZERO));
    let waited = std::thread::scope(|scope| {
        let gathering = scope.spawn(|| {
            let begun = Instant::now();
            (spool.gather(Duration::from_secs(60)), begun.elapsed())
        });
        assert!(!spool.is_accepted((LaneId(0), number)));
        gathering.join().unwrap()
    });
    assert!(waited.0 && waited.1 < Duration::from_secs(30), "{waited:?}");
    turn(&mut writer);
    assert!(spool.is_accepted((LaneId(0), number)));
    assert!(!spool.wait_for_work(Duration::ZERO));
}

#[test]
fn what_was_written_and_not_acknowledged_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    for _ in 0..100 {
        append(&spool, 0, b"<>").unwrap();
    }
    turn(&mut writer);
    assert_eq!(read(&spool, 0).len(), 100);
    spool.acknowledge(LaneId(0), 0..40);
    spool.acknowledge(LaneId(0), 50..60);
    turn(&mut writer);
    append(&spool, 0, b"<>").unwrap();
    append(&spool, 0, b"<>").unwrap();
    writer.write(UnixMicros(0)).unwrap();
    // Dropped without finishing: what a kill leaves behind.
    drop((spool, writer));
    let Opened { spool, .. } = open(folder.path());
    let expected: Vec<u64> = (40..50).chain(60..102).collect();
    assert_eq!(read(&spool, 0), expected);
    let counts = spool.counts();
    assert_eq!(
        (
            counts.accepted,
            counts.delivered,
            counts.pending,
            counts.earlier
        ),
        (102, 50, 52, 102)
    );
    balances(&spool);
}

#[test]
fn numbers_go_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    append(&spool, 0, b"<>").unwrap();
    turn(&mut writer);
    drop((spool, writer));
    let Opened { spool, .. } = open(folder.path());
    assert_eq!(append(&spool, 0, b"<>"), Ok(Number(1)));
    assert_eq!(append(&spool, 1, b"<>"), Ok(Number(0)));
}

#[test]
fn a_producer_that_falls_behind_reads_the_log_and_then_memory_again_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    let payload = vec![b'x'; 10_000];
    let mut seen = Vec::new();
    for round in 0..40 {
        for _ in 0..20 {
            append(&spool, 0, &payload).unwrap();
        }
        turn(&mut writer);
        if round % 7 == 0 {
            let mut batch = Batch::default();
            spool.read(
                LaneId(0),
                ReadLimit {
                    records: 37,
                    bytes: 1 << 30,
                },
                &mut batch,
            );
            seen.extend(batch.entries().iter().map(|entry| entry.number.0));
        }
        assert!(
            spool.lock().bytes <= 1 << 20,
            "memory stays within the tail"
        );
    }
    seen.extend(read(&spool, 0));
    assert_eq!(seen, (0..800).collect::<Vec<_>>());
    assert_eq!(spool.counts().redelivered, 0);
    spool.acknowledge(LaneId(0), 0..800);
    turn(&mut writer);
    assert_eq!(spool.counts().pending, 0);
    balances(&spool);
}

#[test]
fn settled_segments_are_unlinked_and_the_disk_gets_its_space_back() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    let payload = vec![b'x'; 100_000];
    for _ in 0..300 {
        append(&spool, 0, &payload).unwrap();
        turn(&mut writer);
    }
    assert!(spool.bytes() > 25_000_000);
    read(&spool, 0);
    spool.acknowledge(LaneId(0), 0..300);
    turn(&mut writer);
    assert!(spool.bytes() < 10_000_000, "{} bytes", spool.bytes());
    balances(&spool);
}

#[test]
fn a_rewind_far_back_reads_from_the_log_again() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    let payload = vec![b'x'; 100_000];
    for _ in 0..50 {
        append(&spool, 0, &payload).unwrap();
        turn(&mut writer);
        read(&spool, 0);
    }
    spool.acknowledge(LaneId(0), 0..3);
    spool.rewind(LaneId(0));
    assert_eq!(read(&spool, 0), (3..50).collect::<Vec<_>>());
    assert_eq!(spool.counts().redelivered, 47);
}

#[test]
fn drop_oldest_gives_up_whole_segments_that_nobody_has_read_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let (config, mut disk) = config(folder.path());
    disk.bytes_max = 20_000_000;
    let Opened {
        spool, mut writer, ..
    } = Spool::open(&config, &disk).unwrap();
    let payload = vec![b'x'; 100_000];
    for _ in 0..500 {
        append(&spool, 0, &payload).unwrap();
        turn(&mut writer);
    }
    assert!(spool.bytes() <= 20_000_000);
    let lost = spool.counts().lost[LossReason::SpoolFull as usize];
    let kept = read(&spool, 0);
    assert_eq!(lost + kept.len() as u64, 500);
    assert_eq!(kept.last(), Some(&499));
    assert!(kept.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    balances(&spool);
}

#[test]
fn drop_newest_turns_packets_away_when_the_log_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let (mut config, mut disk) = config(folder.path());
    disk.bytes_max = 20_000_000;
    config.when_full = WhenFull::DropNewest;
    let Opened {
        spool, mut writer, ..
    } = Spool::open(&config, &disk).unwrap();
    let payload = vec![b'x'; 100_000];
    let mut taken = 0;
    for _ in 0..500 {
        taken += u64::from(append(&spool, 0, &payload).is_ok());
        turn(&mut writer);
    }
    assert_eq!(append(&spool, 1, b"<>"), Err(Reason::SpoolFull));
    assert_eq!(read(&spool, 0), (0..taken).collect::<Vec<_>>());
    spool.acknowledge(LaneId(0), 0..taken);
    turn(&mut writer);
    assert!(append(&spool, 1, b"<>").is_ok(), "room again");
    balances(&spool);
}

#[test]
fn a_writer_that_does_not_keep_up_stalls_the_spool_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    let payload = vec![b'x'; 10_000];
    let taken = (0..200)
        .filter(|_| append(&spool, 0, &payload).is_ok())
        .count();
    assert_eq!(append(&spool, 0, &payload), Err(Reason::SpoolStalled));
    turn(&mut writer);
    assert!(append(&spool, 0, &payload).is_ok());
    turn(&mut writer);
    assert_eq!(read(&spool, 0).len(), taken + 1);
    balances(&spool);
}

#[test]
fn while_the_disk_fails_records_go_on_in_memory_and_are_written_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    append(&spool, 0, b"<>").unwrap();
    turn(&mut writer);
    assert_eq!(read(&spool, 0), [0]);
    // The disk's own words do not matter here: the state is what a failed write leaves.
    spool.lock().disk_fails("no space".to_owned());
    let inform = append(&spool, 0, b"<>").unwrap();
    append(&spool, 0, b"<>").unwrap();
    assert!(
        !spool.is_accepted((LaneId(0), inform)),
        "an inform is not answered while the disk fails"
    );
    assert_eq!(read(&spool, 0), [1, 2], "Kafka gets them all the same");
    spool.acknowledge(LaneId(0), 0..2);
    balances(&spool);
    turn(&mut writer);
    assert_eq!(spool.trouble(), None);
    append(&spool, 0, b"<>").unwrap();
    turn(&mut writer);
    drop((spool, writer));
    let Opened { spool, .. } = open(folder.path());
    assert_eq!(read(&spool, 0), [2, 3]);
    balances(&spool);
}

#[test]
fn what_was_delivered_while_the_disk_failed_leaves_no_false_loss() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    append(&spool, 0, b"<>").unwrap();
    turn(&mut writer);
    spool.lock().disk_fails("no space".to_owned());
    for _ in 0..5 {
        append(&spool, 0, b"<>").unwrap();
    }
    read(&spool, 0);
    spool.acknowledge(LaneId(0), 0..6);
    turn(&mut writer);
    append(&spool, 0, b"<>").unwrap();
    turn(&mut writer);
    assert_eq!(read(&spool, 0), [6]);
    balances(&spool);
    drop((spool, writer));
    let Opened { spool, .. } = open(folder.path());
    assert_eq!(read(&spool, 0), [6]);
    assert_eq!(spool.counts().lost_total(), 0);
    balances(&spool);
}

#[test]
fn a_topic_that_left_the_configuration_still_delivers_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    append(&spool, 1, b"<>").unwrap();
    turn(&mut writer);
    drop((spool, writer));
    let (mut config, disk) = config(folder.path());
    config.topics = vec!["a".into()];
    let Opened { spool, .. } = Spool::open(&config, &disk).unwrap();
    assert_eq!(spool.topics(), ["a", "b"]);
    assert_eq!(read(&spool, 1), [0]);
}

#[test]
fn a_second_agent_is_refused_and_the_spool_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    let (config, disk) = config(folder.path());
    let error = Spool::open(&config, &disk).unwrap_err();
    assert!(matches!(error, SpoolError::Locked { .. }), "{error}");
    drop(opened);
    assert!(Spool::open(&config, &disk).is_ok());
}

#[test]
fn the_thread_writes_what_comes_and_what_is_left_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let Opened { spool, writer, .. } = open(folder.path());
    let stop = Arc::new(WriterStop::default());
    let thread = writer.spawn(stop.clone(), |_| {}).unwrap();
    for _ in 0..1000 {
        append(&spool, 0, b"<>").unwrap();
    }
    spool.wait(Duration::from_secs(20));
    append(&spool, 1, b"<>").unwrap();
    stop.stop();
    thread.join().unwrap();
    assert_eq!(read(&spool, 0).len(), 1000);
    drop(spool);
    let Opened { spool, .. } = open(folder.path());
    assert_eq!((read(&spool, 0).len(), read(&spool, 1).len()), (1000, 1));
}

#[test]
fn a_log_that_cannot_be_read_is_trouble_but_is_still_written_and_is_read_when_it_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    append(&spool, 0, b"<>").unwrap();
    turn(&mut writer);
    drop((spool, writer));
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    let segment = topic_folder(&folder.path().join("spool"), "a").join(segment_name(0));
    let aside = folder.path().join("aside");
    std::fs::rename(&segment, &aside).unwrap();
    // A folder opens, and every read of it fails.
    std::fs::create_dir(&segment).unwrap();
    assert_eq!(read(&spool, 0), [0; 0]);
    assert!(spool.trouble().is_some());
    let inform = append(&spool, 1, b"<>").unwrap();
    turn(&mut writer);
    assert!(spool.is_accepted((LaneId(1), inform)), "writing goes on");
    assert_eq!(read(&spool, 1), [0], "and so do other topics");
    std::fs::remove_dir(&segment).unwrap();
    std::fs::rename(&aside, &segment).unwrap();
    let (mut batch, later) = (Batch::default(), Instant::now() + Duration::from_secs(1));
    assert_eq!(spool.read_at(LaneId(0), ALL, &mut batch, later), 1);
    assert_eq!(spool.trouble(), None);
    balances(&spool);
}

#[test]
fn a_disk_that_fails_until_the_end_costs_what_it_never_took_and_says_so() {
    let disk = Arc::new(ForgetfulDisk::default());
    let (config, disk_config) = config(Path::new("/"));
    let Opened {
        spool, mut writer, ..
    } = Spool::open_on(disk.clone(), &config, &disk_config).expect("a spool");
    append(&spool, 0, b"<>").unwrap();
    turn(&mut writer);
    disk.stand(Some(Trouble::Full));
    append(&spool, 0, b"<>").unwrap();
    append(&spool, 0, b"<>").unwrap();
    writer.finish(UnixMicros(3_000), Instant::now());
    let counts = spool.counts();
    assert_eq!(counts.lost[LossReason::ProcessEnd as usize], 2);
    assert_eq!((counts.accepted, counts.pending), (3, 1));
    balances(&spool);
}

#[test]
fn a_disk_that_refuses_once_at_the_end_takes_everything_when_it_is_asked_again() {
    for refused in 0..8 {
        for fault in [Fault::NoSpace, Fault::Broken] {
            let disk = Arc::new(ForgetfulDisk::default());
            let (config, disk_config) = config(Path::new("/"));
            let Opened {
                spool, mut writer, ..
            } = Spool::open_on(disk.clone(), &config, &disk_config).expect("a spool");
            append(&spool, 0, b"<>").unwrap();
            turn(&mut writer);
            append(&spool, 0, b"<>").unwrap();
            append(&spool, 1, b"<>").unwrap();
            disk.fail(refused, fault);
            writer.finish(UnixMicros(3_000), Instant::now());
            disk.heal();
            assert_eq!(spool.counts().lost_total(), 0, "{fault:?} {refused}");
            drop((spool, writer));
            let Opened { spool, .. } =
                Spool::open_on(disk, &config, &disk_config).expect("a spool");
            assert_eq!((read(&spool, 0), read(&spool, 1)), (vec![0, 1], vec![0]));
            balances(&spool);
        }
    }
}

#[test]
fn much_that_is_settled_saves_the_cursor_before_the_second_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let (config, mut disk) = config(folder.path());
    disk.cursor_records_max = 10;
    let Opened {
        spool, mut writer, ..
    } = Spool::open(&config, &disk).expect("a spool");
    for _ in 0..20 {
        append(&spool, 0, b"<>").unwrap();
    }
    writer.write(UnixMicros(0)).unwrap();
    read(&spool, 0);
    spool.acknowledge(LaneId(0), 0..10);
    let clock = writer.housekept;
    writer.turn(UnixMicros(0), clock);
    drop((spool, writer));
    let Opened { spool, .. } = Spool::open(&config, &disk).expect("a spool");
    assert_eq!(read(&spool, 0), (10..20).collect::<Vec<_>>());
}

#[test]
fn the_reserve_for_a_full_disk_is_there_after_the_first_second_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    turn(&mut writer);
    assert!(folder.path().join("spool/reserve").is_file());
    drop((spool, writer));
    let Opened { mut writer, .. } = open(folder.path());
    turn(&mut writer);
    assert!(folder.path().join("spool/reserve").is_file(), "made anew");
}

#[test]
fn a_torn_record_is_no_loss_even_if_the_agent_is_killed_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    for _ in 0..3 {
        append(&spool, 0, b"<>").unwrap();
    }
    turn(&mut writer);
    drop((spool, writer));
    let segment = topic_folder(&folder.path().join("spool"), "a").join(format!("{:020}.log", 0));
    // A kill in the middle of the write of a fourth record.
    let mut bytes = std::fs::read(&segment).unwrap();
    let start = bytes.len() - (bytes.len() - crate::spool::segment::HEADER_BYTES) / 3;
    let mut torn = bytes[start..].to_vec();
    torn[16] += 1;
    torn.truncate(torn.len() - 2);
    bytes.extend(torn);
    std::fs::write(&segment, bytes).unwrap();
    for _ in 0..2 {
        let Opened {
            spool, mut writer, ..
        } = open(folder.path());
        append(&spool, 0, b"<>").unwrap();
        // Written, and killed before the first second is over.
        writer.write(UnixMicros(0)).unwrap();
        balances(&spool);
        assert_eq!(spool.counts().lost_total(), 0);
    }
    let Opened { spool, .. } = open(folder.path());
    assert_eq!(spool.counts().lost_total(), 0);
    assert_eq!(read(&spool, 0), [0, 1, 2, 4, 5]);
}

#[test]
fn age_and_size_of_what_waits_are_known_when_only_the_log_has_it_and_after_a_restart() {
    const RECORDS: i64 = 3000;
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    let payload = vec![b'x'; 1000];
    for number in 0..RECORDS {
        let record = Record {
            lane: LaneId(0),
            received: UnixMicros(1_000_000 + number),
            key: b"r1",
            payload: &payload,
            number_at: 1,
            origin: Origin::Packet,
        };
        spool.append(&record).unwrap();
        if number % 100 == 99 {
            turn(&mut writer);
        }
    }
    let lane = |spool: &Spool| spool.lanes().swap_remove(0);
    let memory = 1 << 20;
    let size = u64::try_from(RECORDS).unwrap() * 1040;
    let near = |bytes: u64, wanted: u64| bytes.abs_diff(wanted) < wanted / 50;
    assert_eq!(lane(&spool).oldest_received, Some(UnixMicros(1_000_000)));
    assert!(size > memory * 2);
    assert!(near(lane(&spool).bytes, size), "{:?}", lane(&spool));
    assert!(near(lane(&spool).pending_bytes, size), "{:?}", lane(&spool));
    assert!(near(spool.arrived_bytes(), size / 1040 * 1004));

    let some = ReadLimit {
        records: 500,
        bytes: 1 << 30,
    };
    let mut batch = Batch::default();
    for _ in 0..3 {
        assert_eq!(spool.read(LaneId(0), some, &mut batch), 500);
    }
    spool.acknowledge(LaneId(0), 0..700);
    spool.acknowledge(LaneId(0), 900..1000);
    // The batch that holds it began with number 500.
    assert_eq!(lane(&spool).oldest_received, Some(UnixMicros(1_000_500)));
    let pending = size / 3000 * 2200;
    assert!(
        near(lane(&spool).pending_bytes, pending),
        "{:?}",
        lane(&spool)
    );

    turn(&mut writer);
    drop((spool, writer));
    let Opened { spool, .. } = open(folder.path());
    assert_eq!(lane(&spool).oldest_received, Some(UnixMicros(1_000_700)));
    assert!(
        near(lane(&spool).pending_bytes, pending),
        "{:?}",
        lane(&spool)
    );
    let mut left = 2200;
    while left > 0 {
        left -= spool.read(LaneId(0), ALL, &mut batch);
    }
    spool.acknowledge(LaneId(0), 0..3000);
    let empty = lane(&spool);
    assert_eq!((empty.oldest_received, empty.pending_bytes), (None, 0));
}

#[test]
fn what_a_hanging_disk_has_not_taken_is_counted_at_the_end_and_only_once_if_it_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let Opened {
        spool, mut writer, ..
    } = open(folder.path());
    append(&spool, 0, b"<>").unwrap();
    turn(&mut writer);
    for _ in 0..5 {
        append(&spool, 0, b"<>").unwrap();
    }
    // The writer is inside a call that gives neither an error nor an end.
    assert_eq!(spool.abandon_unwritten(), 5);
    let abandoned = spool.counts();
    assert_eq!((abandoned.accepted, abandoned.in_hand), (6, 0));
    assert_eq!(abandoned.lost[LossReason::ProcessEnd as usize], 5);
    balances(&spool);
    assert_eq!(spool.abandon_unwritten(), 0);
    // The call comes back before the process has ended.
    turn(&mut writer);
    assert_eq!(spool.counts(), abandoned);
    drop((spool, writer));
    let Opened { spool, .. } = open(folder.path());
    assert_eq!(read(&spool, 0), [0]);
    assert_eq!(spool.counts().lost_total(), 5);
    balances(&spool);
}
