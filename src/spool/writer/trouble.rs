//! Claims about disks that refuse: receives go on, the trouble has a name, and it ends by itself.

use super::tests::{ALL, append, balances, config, read, turn};
use super::*;
use crate::record::{Acceptance, LaneId, Number, Origin, Record};
use crate::spool::forgetful::{ForgetfulDisk, Trouble};
use crate::spool::requeue::{NewId, RequeueError, Requeued, Which};
use crate::spool::{Batch, GivenUp, InformAck};

const FOLDER: &str = "/spool";

fn open(disk: &ForgetfulDisk, change: impl FnOnce(&mut DiskConfig)) -> Opened {
    let (config, mut kept) = config(Path::new("/"));
    kept.folder = PathBuf::from(FOLDER);
    change(&mut kept);
    Spool::open_on(Arc::new(disk.clone()), &config, &kept).unwrap()
}

/// A turn when `seconds` have passed since the first.
fn turn_at(writer: &mut Writer, start: Instant, seconds: u64) {
    writer.turn(
        UnixMicros(seconds as i64 * 1_000_000),
        start + Duration::from_secs(seconds),
    );
}

fn trouble(spool: &Spool) -> String {
    spool.trouble().unwrap_or_default()
}

#[test]
fn every_trouble_has_a_name_costs_nothing_that_memory_holds_and_ends_by_itself() {
    for (standing, named) in [
        (Trouble::ReadOnly, "read-only"),
        (Trouble::Full, "no space left"),
        (Trouble::Writes, "cannot write"),
        (Trouble::Syncs, "cannot sync"),
    ] {
        let disk = ForgetfulDisk::default();
        let Opened {
            spool, mut writer, ..
        } = open(&disk, |_| {});
        let start = Instant::now();
        append(&spool, 0, b"<>").unwrap();
        turn_at(&mut writer, start, 2);
        disk.stand(Some(standing));
        for second in 3..8 {
            append(&spool, 0, b"<>").unwrap();
            turn_at(&mut writer, start, second);
        }
        assert!(
            trouble(&spool).contains(named),
            "{standing:?}: {}",
            trouble(&spool)
        );
        assert!(
            !spool.is_accepted((LaneId(0), Number(5))),
            "{standing:?}: no inform is answered"
        );
        assert_eq!(
            read(&spool, 0),
            (0..6).collect::<Vec<_>>(),
            "{standing:?}: Kafka gets them"
        );
        balances(&spool);
        disk.stand(None);
        for second in 8..10 {
            turn_at(&mut writer, start, second);
        }
        assert_eq!(spool.trouble(), None, "{standing:?}");
        assert!(spool.is_accepted((LaneId(0), Number(5))));
        drop((spool, writer));
        let Opened { spool, .. } = open(&disk, |_| {});
        assert_eq!(read(&spool, 0), (0..6).collect::<Vec<_>>(), "{standing:?}");
        assert_eq!(spool.counts().lost_total(), 0);
        balances(&spool);
    }
}

/// A spool with records in several segments, opened again, so that they are on disk only.
fn behind(disk: &ForgetfulDisk) -> Opened {
    let opened = open(disk, |kept| kept.bytes_max = 160_000);
    let (spool, mut writer) = (opened.spool, opened.writer);
    for _ in 0..60 {
        append(&spool, 0, &[b'x'; 1000]).unwrap();
        turn(&mut writer);
    }
    drop((spool, writer));
    open(disk, |_| {})
}

fn segments(disk: &ForgetfulDisk) -> Vec<PathBuf> {
    let mut paths = disk.paths();
    paths.retain(|path| path.extension().is_some_and(|end| end == "log"));
    paths
}

fn read_at(spool: &Spool, clock: Instant) -> Vec<u64> {
    let (mut batch, mut numbers) = (Batch::default(), Vec::new());
    while spool.read_at(LaneId(0), ALL, &mut batch, clock) > 0 {
        numbers.extend(batch.entries().iter().map(|entry| entry.number.0));
    }
    numbers
}

#[test]
fn a_segment_that_cannot_be_read_is_given_up_after_half_a_minute_and_kept_aside() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = behind(&disk);
    let files = segments(&disk);
    assert!(files.len() >= 3, "{files:?}");
    disk.make_unreadable(&files[1]);
    let start = Instant::now();
    let mut seen = read_at(&spool, start);
    let first_lost = seen.len() as u64;
    for second in 1..30 {
        assert_eq!(read_at(&spool, start + Duration::from_secs(second)), [0; 0]);
        assert!(
            trouble(&spool).contains("cannot read"),
            "{}",
            trouble(&spool)
        );
        turn_at(&mut writer, start, second);
    }
    seen.extend(read_at(&spool, start + Duration::from_secs(30)));
    assert_eq!(spool.trouble(), None);
    let lost = spool.counts().lost[LossReason::Corrupt as usize];
    assert!(lost > 0);
    let expected: Vec<u64> = (0..first_lost).chain(first_lost + lost..60).collect();
    assert_eq!(seen, expected);
    balances(&spool);
    turn_at(&mut writer, start, 31);
    assert_eq!(spool.trouble(), None);
    let aside = files[1].with_extension("log.unreadable");
    assert!(disk.paths().contains(&aside), "{:?}", disk.paths());
    drop((spool, writer));
    let Opened { spool, .. } = open(&disk, |_| {});
    assert_eq!(spool.counts().lost_total(), lost, "counted once");
    balances(&spool);
}

#[test]
fn a_segment_that_can_be_read_again_in_time_loses_nothing() {
    let disk = ForgetfulDisk::default();
    let Opened { spool, .. } = behind(&disk);
    disk.make_unreadable(&segments(&disk)[0]);
    let start = Instant::now();
    for second in [0, 10, 29] {
        assert_eq!(read_at(&spool, start + Duration::from_secs(second)), [0; 0]);
    }
    disk.make_readable();
    let seen = read_at(&spool, start + Duration::from_secs(30));
    assert_eq!(seen, (0..60).collect::<Vec<_>>());
    assert_eq!((spool.counts().lost_total(), spool.trouble()), (0, None));
}

#[test]
fn while_the_whole_disk_is_away_no_segment_is_given_up() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = behind(&disk);
    let start = Instant::now();
    append(&spool, 1, b"<>").unwrap();
    disk.stand(Some(Trouble::Writes));
    turn_at(&mut writer, start, 1);
    for path in segments(&disk) {
        disk.make_unreadable(&path);
    }
    for minute in 0..60 {
        assert_eq!(
            read_at(&spool, start + Duration::from_secs(minute * 60)),
            [0; 0]
        );
    }
    disk.make_readable();
    let seen = read_at(&spool, start + Duration::from_secs(4000));
    assert_eq!(seen, (0..60).collect::<Vec<_>>());
}

#[test]
fn one_topic_that_is_read_again_does_not_hide_that_another_is_not() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = behind(&disk);
    append(&spool, 1, b"<>").unwrap();
    turn(&mut writer);
    disk.make_unreadable(&segments(&disk)[0]);
    let start = Instant::now();
    assert_eq!(read_at(&spool, start), [0; 0]);
    assert_eq!(read(&spool, 1), [0]);
    assert!(spool.trouble().is_some());
}

#[test]
fn what_cannot_be_read_is_no_trouble_any_more_when_it_was_given_up() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = behind(&disk);
    disk.make_unreadable(&segments(&disk)[0]);
    let start = Instant::now();
    assert_eq!(read_at(&spool, start), [0; 0]);
    assert!(spool.trouble().is_some());
    let accepted = spool.counts().accepted;
    spool.lock().lanes[0].lose(0..accepted, LossReason::SpoolAge);
    let later = start + Duration::from_secs(1);
    assert_eq!(read_at(&spool, later), [0; 0]);
    assert_eq!(spool.trouble(), None);
    // Nor does it hold up the next record, unlinked or not.
    append(&spool, 0, b"<>").unwrap();
    turn_at(&mut writer, start, 0);
    assert_eq!(read_at(&spool, later), [accepted]);
    assert_eq!(spool.trouble(), None);
}

#[test]
fn a_folder_that_goes_away_and_comes_back_costs_nothing() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = behind(&disk);
    let start = Instant::now();
    turn_at(&mut writer, start, 1);
    disk.take_away(Path::new(FOLDER));
    for second in 2..9 {
        append(&spool, 0, b"<>").unwrap();
        turn_at(&mut writer, start, second);
        assert_eq!(read_at(&spool, start + Duration::from_secs(second)), [0; 0]);
    }
    assert!(
        trouble(&spool).contains("folder exists"),
        "{}",
        trouble(&spool)
    );
    disk.give_back();
    for second in 9..12 {
        turn_at(&mut writer, start, second);
    }
    assert_eq!(
        read_at(&spool, start + Duration::from_secs(12)),
        (0..67).collect::<Vec<_>>()
    );
    assert_eq!(spool.trouble(), None);
    assert_eq!(spool.counts().lost_total(), 0);
    balances(&spool);
}

#[test]
fn a_folder_that_stays_away_is_made_anew_and_what_it_held_is_counted() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = behind(&disk);
    let start = Instant::now();
    turn_at(&mut writer, start, 1);
    disk.take_away(Path::new(FOLDER));
    for second in 2..20 {
        append(&spool, 0, b"<>").unwrap();
        turn_at(&mut writer, start, second);
    }
    assert_eq!(spool.trouble(), None);
    assert!(spool.is_accepted((LaneId(0), Number(77))));
    let seen = read_at(&spool, start + Duration::from_secs(20));
    assert_eq!(
        seen,
        (60..78).collect::<Vec<_>>(),
        "what memory held is written there"
    );
    let lost = &spool.counts().lost;
    assert_eq!(
        lost[LossReason::Corrupt as usize] + lost[LossReason::DiskSync as usize],
        60
    );
    balances(&spool);
    turn_at(&mut writer, start, 21);
    drop((spool, writer));
    let Opened { spool, .. } = open(&disk, |_| {});
    assert_eq!(read(&spool, 0), (60..78).collect::<Vec<_>>());
    balances(&spool);
}

#[test]
fn a_damaged_stretch_that_cannot_be_copied_does_not_stop_the_writer() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = behind(&disk);
    let files = segments(&disk);
    disk.remove(&files[1]).unwrap();
    let seen = read_at(&spool, Instant::now());
    let lost = spool.counts().lost_total();
    assert_eq!(seen.len() as u64 + lost, 60);
    append(&spool, 0, b"<>").unwrap();
    turn(&mut writer);
    assert_eq!(spool.trouble(), None);
}

#[test]
fn an_inform_that_a_failed_sync_took_is_lost_and_never_accepted() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = open(&disk, |kept| {
        kept.inform_ack = InformAck::Synced;
        kept.fsync = Fsync::Never;
    });
    let clock = writer.housekept;
    // Three times what memory holds, so that only the log has the first ones.
    let payload = vec![b'x'; 30_000];
    for _ in 0..100 {
        append(&spool, 0, &payload).unwrap();
        writer.turn(UnixMicros(0), clock);
    }
    let (first, last) = ((LaneId(0), Number(0)), (LaneId(0), Number(99)));
    spool.acknowledge(LaneId(0), 1..2);
    assert_eq!(spool.acceptance(first), Acceptance::Waiting);
    assert!(!spool.is_lost(first));
    disk.stand(Some(Trouble::Syncs));
    writer.turn(UnixMicros(0), clock);
    assert!(spool.counts().lost[LossReason::DiskSync as usize] > 0);
    disk.stand(None);
    turn(&mut writer);
    assert_eq!(
        spool.acceptance(last),
        Acceptance::Accepted,
        "written again"
    );
    assert_eq!(spool.acceptance(first), Acceptance::Lost);
    assert!(spool.is_lost(first) && !spool.is_lost(last));
    assert!(spool.is_accepted((LaneId(0), Number(1))), "Kafka has it");
    balances(&spool);
}

#[test]
fn an_inform_that_waits_for_the_disk_is_accepted_after_a_sync_that_it_asks_for() {
    let disk = ForgetfulDisk::default();
    let synced = |kept: &mut DiskConfig| {
        kept.inform_ack = InformAck::Synced;
        kept.fsync = Fsync::Never;
    };
    let Opened {
        spool, mut writer, ..
    } = open(&disk, synced);
    let inform = (LaneId(0), append(&spool, 0, b"<>").unwrap());
    let clock = writer.housekept;
    writer.turn(UnixMicros(0), clock);
    assert_eq!(spool.counts().accepted, 1, "written");
    assert!(!spool.is_accepted(inform), "and not synced");
    disk.stand(Some(Trouble::Syncs));
    writer.turn(UnixMicros(0), clock);
    assert!(!spool.is_accepted(inform), "nor by a sync that failed");
    disk.stand(None);
    turn(&mut writer);
    assert!(spool.is_accepted(inform));
    let next = (LaneId(0), append(&spool, 0, b"<>").unwrap());
    assert!(!spool.is_accepted(next));
    writer.turn(UnixMicros(0), writer.housekept);
    assert!(spool.is_accepted(next), "the turn after the question syncs");
    for seed in 0..50 {
        // What was answered is there after a power cut, whatever else the disk forgot.
        let copy = disk.copy();
        copy.power_cut(seed);
        let Opened { spool, .. } = open(&copy, synced);
        assert_eq!(read(&spool, 0), [0, 1], "seed {seed}");
    }
}

#[test]
fn an_inform_whose_segment_was_closed_meanwhile_is_on_the_disk_too_when_it_is_answered() {
    for seed in 0..50 {
        let disk = ForgetfulDisk::default();
        let synced = |kept: &mut DiskConfig| {
            kept.inform_ack = InformAck::Synced;
            kept.fsync = Fsync::Never;
            kept.bytes_max = 80_000;
        };
        let Opened {
            spool, mut writer, ..
        } = open(&disk, synced);
        let inform = (LaneId(0), append(&spool, 0, &[b'x'; 6000]).unwrap());
        let clock = writer.housekept;
        writer.turn(UnixMicros(0), clock);
        append(&spool, 0, &[b'x'; 6000]).unwrap();
        writer.turn(UnixMicros(0), clock);
        assert_eq!(writer.logs[0].segments(), 2);
        assert!(!spool.is_accepted(inform));
        writer.turn(UnixMicros(0), clock);
        assert!(spool.is_accepted(inform));
        disk.power_cut(seed);
        let Opened { spool, .. } = open(&disk, synced);
        assert_eq!(read(&spool, 0), [0, 1], "seed {seed}");
    }
}

#[test]
fn a_wish_for_a_sync_reaches_segments_that_were_closed_and_left_to_the_kernel() {
    for seed in 0..50 {
        let disk = ForgetfulDisk::default();
        let left = |kept: &mut DiskConfig| {
            kept.fsync = Fsync::Never;
            kept.bytes_max = 80_000;
        };
        let Opened {
            spool, mut writer, ..
        } = open(&disk, left);
        let wanted = (LaneId(0), append(&spool, 0, &[b'x'; 6000]).unwrap());
        let clock = writer.housekept;
        for _ in 0..3 {
            writer.turn(UnixMicros(0), clock);
            append(&spool, 0, &[b'x'; 6000]).unwrap();
        }
        writer.turn(UnixMicros(0), clock);
        assert_eq!(writer.logs[0].segments(), 4);
        assert!(!spool.is_safe(wanted, InformAck::Synced));
        writer.turn(UnixMicros(0), clock);
        assert!(spool.is_safe(wanted, InformAck::Synced));
        disk.power_cut(seed);
        let Opened { spool, .. } = open(&disk, left);
        assert_eq!(read(&spool, 0), [0, 1, 2, 3], "seed {seed}");
    }
}

#[test]
fn a_wish_that_a_failing_disk_cannot_fulfil_does_not_make_the_writer_turn_without_rest() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = open(&disk, |kept| kept.inform_ack = InformAck::Synced);
    disk.stand(Some(Trouble::Writes));
    let inform = (LaneId(0), append(&spool, 0, b"<>").unwrap());
    let clock = writer.housekept;
    writer.turn(UnixMicros(0), clock);
    assert!(spool.trouble().is_some());
    assert_eq!(spool.acceptance(inform), Acceptance::Waiting);
    writer.turn(UnixMicros(0), clock);
    let inner = spool.lock();
    assert!(!inner.urgent && !inner.sync_wanted);
    drop(inner);
    disk.stand(None);
    turn(&mut writer);
    assert_eq!(spool.acceptance(inform), Acceptance::Accepted);
}

/// Nothing is synced but by a wish, and 12 000 bytes are more than a segment.
fn left(kept: &mut DiskConfig) {
    kept.fsync = Fsync::Never;
    kept.bytes_max = 80_000;
}

fn write(writer: &mut Writer, count: u64) {
    for _ in 0..count {
        append(&writer.spool, 0, &[b'x'; 6000]).unwrap();
        writer.write(UnixMicros(0)).unwrap();
    }
}

/// Sends a letter again: so many records are written before and behind the new one, and then `before` is called before
/// each turn until the request has ended.
fn requeue(
    Opened {
        spool, mut writer, ..
    }: Opened,
    around: [u64; 2],
    mut before: impl FnMut(u64, &Writer),
) -> (Result<Requeued, RequeueError>, Writer) {
    let event = Record {
        lane: LaneId(0),
        received: UnixMicros(0),
        key: b"r1",
        payload: br#"{"schema":1,"id":"br17-01-0-","message":"x"}"#,
        number_at: 28,
        origin: Origin::Packet,
    };
    let number = spool.append(&event).unwrap();
    writer.write(UnixMicros(0)).unwrap();
    let given_up = spool.give_up(LaneId(0), number, "too large", UnixMicros(0));
    assert!(matches!(given_up, GivenUp::SetAside));
    write(&mut writer, around[0]);
    let (clock, within) = (writer.housekept, Duration::from_secs(20));
    let until = Instant::now() + within;
    let answer = std::thread::scope(|scope| {
        let request =
            scope.spawn(|| spool.requeue_dead_letters(&Which::All, NewId::AsBefore, within));
        while !spool.lock().sync_wanted {
            assert!(Instant::now() < until, "nobody wants a sync");
            std::thread::yield_now();
        }
        writer.write(UnixMicros(0)).unwrap();
        write(&mut writer, around[1]);
        for index in 0.. {
            if request.is_finished() {
                break;
            }
            before(index, &writer);
            writer.turn(UnixMicros(0), clock + Duration::from_secs(10 * index));
            std::thread::yield_now();
        }
        request.join().unwrap()
    });
    (answer, writer)
}

#[test]
fn a_letter_stays_where_somebody_removed_the_segment_that_its_record_is_in() {
    let disk = ForgetfulDisk::default();
    let (answer, writer) = requeue(open(&disk, left), [0, 2], |index, writer| {
        if index == 0 {
            assert!(writer.logs[0].segments() > 1);
            disk.remove(&segments(&disk)[0]).unwrap();
        }
    });
    let is_kept = matches!(answer, Err(RequeueError::NotWritten { records: 1 }));
    assert!(is_kept, "{answer:?}");
    assert_eq!(writer.spool.dead_letters().unwrap().letters, 1);
    assert_eq!(writer.spool.trouble(), None);
}

#[test]
fn a_closed_segment_that_stays_unopenable_stops_no_letter_of_another_and_no_writing() {
    let disk = ForgetfulDisk::default();
    let (answer, writer) = requeue(open(&disk, left), [2, 0], |index, writer| {
        assert!(writer.logs[0].segments() > 1);
        disk.make_unopenable(Some(&segments(&disk)[0]));
        assert_eq!(writer.spool.trouble(), None, "turn {index}");
    });
    assert_eq!(answer.unwrap().moved.len(), 1);
    let spool = &writer.spool;
    assert_eq!(spool.dead_letters().unwrap().letters, 0);
    assert_eq!((spool.trouble(), spool.counts().lost_total()), (None, 0));
    assert_eq!(read(spool, 0), [1, 2, 3]);
}

#[test]
fn a_folder_that_cannot_be_opened_for_a_while_costs_no_record_when_somebody_wants_a_sync() {
    let disk = ForgetfulDisk::default();
    let (answer, writer) = requeue(open(&disk, left), [4, 2], |index, writer| match index {
        0 => disk.make_unopenable(Some(Path::new(FOLDER))),
        1 => {
            assert!(trouble(&writer.spool).contains("cannot open"));
            disk.make_unopenable(None);
        }
        _ => {}
    });
    assert_eq!(answer.unwrap().moved.len(), 1);
    let spool = &writer.spool;
    assert_eq!((spool.trouble(), spool.counts().lost_total()), (None, 0));
    balances(spool);
}

#[test]
fn with_every_write_synced_a_folder_that_cannot_be_opened_once_costs_no_record_and_stops_no_writing()
 {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = open(&disk, |kept| kept.fsync = Fsync::Always);
    let start = Instant::now();
    // The first record begins a segment, whose name is to be synced.
    let folder = topic_folder(Path::new(FOLDER), "a");
    disk.make_unopenable(Some(&folder));
    append(&spool, 0, b"<>").unwrap();
    turn_at(&mut writer, start, 2);
    let said = trouble(&spool);
    assert!(said.contains("cannot open"), "{said}");
    assert!(!spool.is_accepted((LaneId(0), Number(0))));
    disk.make_unopenable(None);
    append(&spool, 0, b"<>").unwrap();
    turn_at(&mut writer, start, 4);
    assert_eq!((trouble(&spool), writer.logs[0].next()), (String::new(), 2));
    assert_eq!(read(&spool, 0), [0, 1]);
    assert_eq!(spool.counts().lost_total(), 0);
    balances(&spool);
}
