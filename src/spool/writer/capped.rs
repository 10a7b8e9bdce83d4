//! Claims about the caps: what goes, what stays, and that no record is both lost and delivered.

use super::tests::{ALL, append, append_at, balances, config, read, turn};
use super::*;
use crate::packet::Reason;
use crate::record::LaneId;
use crate::spool::forgetful::ForgetfulDisk;
use crate::spool::{Batch, ReadLimit};

pub(super) fn open(
    disk: &ForgetfulDisk,
    when_full: WhenFull,
    change: impl FnOnce(&mut DiskConfig),
) -> Opened {
    let (mut config, mut kept) = config(Path::new("/"));
    config.when_full = when_full;
    kept.bytes_max = 80_000;
    change(&mut kept);
    Spool::open_on(Arc::new(disk.clone()), &config, &kept).unwrap()
}

#[test]
fn what_is_being_read_while_room_is_made_is_delivered_or_lost_and_never_both() {
    for records in [1, 3, 7, 20] {
        let disk = ForgetfulDisk::default();
        let Opened { spool, writer, .. } = open(&disk, WhenFull::DropOldest, |_| {});
        let mut writer = writer;
        let (mut batch, mut delivered) = (Batch::default(), 0);
        // Memory holds little, so reading is in the log, and room is made in the middle of it.
        for round in 0..400 {
            append(&spool, 0, &[b'x'; 1000]).unwrap();
            turn(&mut writer);
            spool.lock().make_room().unwrap();
            if round % 3 == 0 {
                let limit = ReadLimit { records, ..ALL };
                spool.read(LaneId(0), limit, &mut batch);
                writer.keep_caps(UnixMicros(0)).unwrap();
                for entry in batch.entries() {
                    spool.acknowledge(LaneId(0), entry.number.0..entry.number.0 + 1);
                    delivered += 1;
                }
            }
        }
        let counts = spool.counts();
        assert!(counts.lost_total() > 0 || records > 1);
        assert_eq!(counts.delivered, delivered, "each delivery counts as one");
        balances(&spool);
    }
}

#[test]
fn a_reader_in_a_segment_holds_it_and_the_next_one_goes() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = open(&disk, WhenFull::DropOldest, |kept| kept.bytes_max = 800_000);
    for _ in 0..300 {
        append(&spool, 0, &[b'x'; 1000]).unwrap();
        turn(&mut writer);
    }
    // A read that has looked up its segment and is not counted yet.
    let reader = spool.readers[0].lock().unwrap();
    let mut reader = reader;
    let limit = ReadLimit { records: 5, ..ALL };
    let mut batch = Batch::default();
    let none = crate::spool::Settled::default();
    reader.read(0..1000, &none, limit, &mut batch).unwrap();
    assert_eq!(
        spool.lock().lanes[0].read_max(),
        0,
        "the lane does not know of it"
    );
    (writer.config.bytes_max, writer.bytes_max_wanted) = (250_000, 250_000);
    writer.keep_caps(UnixMicros(0)).unwrap();
    assert!(spool.counts().lost_total() > 0);
    let settled = spool.lock().lanes[0].settled().clone();
    for entry in batch.entries() {
        assert!(
            !settled.contains(entry.number.0),
            "{} is in hand and lost",
            entry.number.0
        );
    }
    balances(&spool);
}

/// A spool that gives up what has waited for 100 seconds.
fn aged(disk: &ForgetfulDisk) -> Opened {
    open(disk, WhenFull::DropOldest, |kept| {
        kept.bytes_max = 800_000;
        kept.age_max = Some(Duration::from_secs(100));
    })
}

/// One record a second, so that a record's number is the second in which it came.
fn one_a_second(
    spool: &Spool,
    writer: &mut Writer,
    start: Instant,
    numbers: std::ops::Range<u64>,
    mut each: impl FnMut(&Spool, u64),
) {
    for number in numbers {
        append(spool, 0, &[b'x'; 1000]).unwrap();
        writer.turn(UnixMicros(0), start + Duration::from_secs(number));
        each(spool, number);
    }
}

fn low(spool: &Spool) -> u64 {
    spool.lock().lanes[0].settled().low()
}

#[test]
fn the_age_cap_takes_no_record_that_is_younger_and_none_older_stays_in_a_segment_of_old_ones() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = aged(&disk);
    let start = Instant::now() + Duration::from_secs(2);
    one_a_second(&spool, &mut writer, start, 0..400, |spool, number| {
        let low = low(spool);
        assert!(
            low <= number.saturating_sub(100),
            "{low} was younger at {number}"
        );
        // A segment holds some 95 records: so many may be older than the limit, and a part of the limit is not seen.
        assert!(low + 203 >= number, "{low} is still there at {number}");
    });
    assert!(spool.counts().lost[LossReason::SpoolAge as usize] > 0);
    // Nothing comes any more: the last ones go as well when their time is over.
    let turn_at = |writer: &mut Writer, second| {
        writer.turn(UnixMicros(0), start + Duration::from_secs(second));
    };
    turn_at(&mut writer, 401);
    turn_at(&mut writer, 499);
    assert!(spool.counts().pending > 0);
    turn_at(&mut writer, 502);
    assert_eq!(spool.counts().pending, 0);
    assert_eq!(read(&spool, 0), [0; 0]);
    assert!(append(&spool, 0, b"<>").is_ok());
    turn_at(&mut writer, 503);
    assert_eq!(read(&spool, 0), [400]);
    balances(&spool);
}

#[test]
fn the_age_cap_spares_what_was_read_and_judges_the_others_by_their_own_age() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = aged(&disk);
    let start = Instant::now() + Duration::from_secs(2);
    let mut batch = Batch::default();
    one_a_second(&spool, &mut writer, start, 0..300, |spool, number| {
        if number == 20 {
            spool.read(LaneId(0), ReadLimit { records: 10, ..ALL }, &mut batch);
        }
    });
    let settled = spool.lock().lanes[0].settled().clone();
    assert!(
        (0..10).all(|number| !settled.contains(number)),
        "with the Kafka client"
    );
    assert!(
        (200..300).all(|number| !settled.contains(number)),
        "younger than the cap"
    );
    assert!(spool.counts().lost[LossReason::SpoolAge as usize] > 0);
}

#[test]
fn no_jump_of_the_wall_clock_makes_a_record_too_old() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = aged(&disk);
    // A host without a clock of its own: it is 1970, or the day on which it was last shut down.
    let start = Instant::now() + Duration::from_secs(2);
    one_a_second(&spool, &mut writer, start, 0..50, |_, _| {});
    // The network has told the time.
    let months = UnixMicros(10_000_000 * 1_000_000);
    for second in 50..90 {
        append_at(&spool, 0, &[b'x'; 1000], months).unwrap();
        writer.turn(months, start + Duration::from_secs(second));
    }
    assert_eq!(spool.counts().lost_total(), 0);
    drop((spool, writer));
    let Opened {
        spool, mut writer, ..
    } = aged(&disk);
    let start = Instant::now() + Duration::from_secs(2);
    writer.turn(months, start);
    assert_eq!(spool.counts().lost_total(), 0, "nor for the next process");
    assert_eq!(spool.counts().pending, 90);
}

#[test]
fn what_an_earlier_process_left_is_as_old_as_this_one() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = aged(&disk);
    let start = Instant::now() + Duration::from_secs(2);
    for _ in 0..150 {
        append(&spool, 0, &[b'x'; 1000]).unwrap();
        writer.turn(UnixMicros(0), start);
    }
    writer.turn(UnixMicros(0), start + Duration::from_secs(90));
    drop((spool, writer));
    let Opened {
        spool, mut writer, ..
    } = aged(&disk);
    let start = Instant::now() + Duration::from_secs(2);
    one_a_second(&spool, &mut writer, start, 0..95, |spool, _| {
        assert_eq!(spool.counts().lost_total(), 0);
    });
    writer.turn(UnixMicros(0), start + Duration::from_secs(105));
    let low = low(&spool);
    assert!(
        (80..=150).contains(&low),
        "{low}: a segment of those 150 and none of the later ones"
    );
    balances(&spool);
}

#[test]
fn what_was_given_up_just_before_a_kill_is_known_by_its_reason_at_the_next_start() {
    let disk = ForgetfulDisk::default();
    let lost = |spool: &Spool| {
        let counts = spool.counts();
        let of = |reason: LossReason| counts.lost[reason as usize];
        (of(LossReason::SpoolFull), of(LossReason::Corrupt))
    };
    let Opened {
        spool, mut writer, ..
    } = open(&disk, WhenFull::DropOldest, |_| {});
    // No second goes by, so nothing but the caps themselves saves a cursor.
    while lost(&spool).0 == 0 {
        append(&spool, 0, &[b'x'; 1000]).unwrap();
        writer.write(UnixMicros(0)).unwrap();
        writer.keep_caps(UnixMicros(0)).unwrap();
    }
    let before = lost(&spool);
    drop((spool, writer));
    let Opened { spool, .. } = open(&disk, WhenFull::DropOldest, |_| {});
    assert_eq!(lost(&spool), before);
    assert_eq!(before.1, 0, "none is corrupt");
    balances(&spool);
}

#[test]
fn a_flood_that_gives_up_segment_after_segment_does_not_fill_the_log() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let written = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || Lines(written.clone()))
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let disk = ForgetfulDisk::default();
        let Opened {
            spool, mut writer, ..
        } = open(&disk, WhenFull::DropOldest, |_| {});
        for _ in 0..400 {
            append(&spool, 0, &[b'x'; 5000]).unwrap();
            turn(&mut writer);
        }
        assert!(spool.counts().lost_total() > 300);
    });
    let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
    assert_eq!(text.matches("are given up").count(), 5, "{text}");
}

/// What is logged.
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_restart_in_an_outage_leaves_the_cap_as_it_was_and_gives_nothing_up() {
    let disk = ForgetfulDisk::default();
    let of_the_default = |kept: &mut DiskConfig| kept.bytes_max = DiskConfig::BYTES_MAX_DEFAULT;
    let (all, mut cap) = (2_000_000, 0);
    disk.set_free(all);
    for restart in 0..4 {
        let Opened {
            spool, mut writer, ..
        } = open(&disk, WhenFull::DropOldest, of_the_default);
        if restart == 0 {
            cap = writer.config.bytes_max;
        }
        assert_eq!(writer.config.bytes_max, cap, "restart {restart}");
        assert_eq!(spool.bytes_max(), cap, "what is shown is what is kept");
        while spool.bytes() < (restart + 1) * cap / 5 {
            append(&spool, 0, &[b'x'; 1000]).unwrap();
            let held = || writer.logs.iter().map(Log::bytes).sum::<u64>();
            // The disk knows of the record when the caps are kept.
            disk.set_free(all - held() - 1_100);
            turn(&mut writer);
            disk.set_free(all - writer.logs.iter().map(Log::bytes).sum::<u64>());
        }
        turn(&mut writer);
        assert_eq!(spool.counts().lost_total(), 0, "restart {restart}");
        balances(&spool);
    }
    assert_eq!(cap, all / 2);
}

#[test]
fn the_default_cap_of_a_disk_that_was_full_at_the_start_rises_with_what_becomes_free() {
    let disk = ForgetfulDisk::default();
    let of_the_default = |kept: &mut DiskConfig| kept.bytes_max = DiskConfig::BYTES_MAX_DEFAULT;
    disk.set_free(0);
    let Opened {
        spool, mut writer, ..
    } = open(&disk, WhenFull::DropOldest, of_the_default);
    spool.never_drop(LaneId(1), spool.bytes_max());
    assert_eq!(spool.bytes_max(), 0);
    turn(&mut writer);
    disk.set_free(2_000_000);
    for number in 0..100 {
        append(&spool, 0, &[b'x'; 1000]).unwrap();
        if number % 4 == 0 {
            append(&spool, 1, b"<>").expect("more than the few reports that a full disk holds");
        }
        turn(&mut writer);
    }
    assert!((1_000_000..1_100_000).contains(&spool.bytes_max()));
    assert_eq!(spool.counts().lost_total(), 0);
    assert!(
        writer.logs[0].segments() <= 2,
        "and segments have their size"
    );
    let risen = spool.bytes_max();
    disk.set_free(100);
    turn(&mut writer);
    assert_eq!(spool.bytes_max(), risen, "what was taken under it stays");
    assert_eq!(spool.counts().lost_total(), 0);
    disk.set_free(1 << 50);
    turn(&mut writer);
    assert_eq!(spool.bytes_max(), DiskConfig::BYTES_MAX_DEFAULT);
    balances(&spool);
}

#[test]
fn a_cap_that_was_chosen_stays_whatever_is_free() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = open(&disk, WhenFull::DropOldest, |_| {});
    disk.set_free(1 << 50);
    turn(&mut writer);
    assert_eq!(spool.bytes_max(), 80_000);
}

#[test]
fn drop_newest_with_too_little_free_space_takes_packets_again_when_all_is_delivered() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = open(&disk, WhenFull::DropNewest, |kept| {
        kept.bytes_max = 800_000;
        kept.free_bytes_min = 1000;
    });
    let mut taken = 0;
    while taken < 250 && append(&spool, 0, &[b'x'; 1000]).is_ok() {
        taken += 1;
        turn(&mut writer);
    }
    disk.set_free(10);
    turn(&mut writer);
    assert_eq!(append(&spool, 0, b"<>"), Err(Reason::SpoolFull));
    assert_eq!(read(&spool, 0).len(), taken);
    spool.acknowledge(LaneId(0), 0..taken as u64);
    turn(&mut writer);
    // Others still fill the disk: what is delivered must not be held against us.
    turn(&mut writer);
    assert!(append(&spool, 0, b"<>").is_ok());
    balances(&spool);
}

#[test]
fn drop_newest_takes_packets_again_though_newest_segments_alone_fill_the_cap() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = open(&disk, WhenFull::DropNewest, |_| {});
    // Larger than a segment, so that each newest segment takes more than its share.
    append(&spool, 0, &[b'x'; 60_000]).unwrap();
    append(&spool, 1, &[b'x'; 60_000]).unwrap();
    turn(&mut writer);
    assert_eq!(append(&spool, 0, b"<>"), Err(Reason::SpoolFull));
    assert_eq!((read(&spool, 0), read(&spool, 1)), (vec![0], vec![0]));
    spool.acknowledge(LaneId(0), 0..1);
    spool.acknowledge(LaneId(1), 0..1);
    turn(&mut writer);
    assert!(append(&spool, 0, b"<>").is_ok());
    assert!(spool.bytes() < 1000, "{}", spool.bytes());
}

#[test]
fn many_settled_ranges_are_read_around_a_part_at_a_time() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = open(&disk, WhenFull::DropOldest, |kept| {
        kept.bytes_max = 80_000_000
    });
    for _ in 0..4000 {
        append(&spool, 0, b"<>").unwrap();
    }
    turn(&mut writer);
    assert_eq!(read(&spool, 0).len(), 4000);
    for number in (1..4000).step_by(2) {
        spool.acknowledge(LaneId(0), number..number + 1);
    }
    turn(&mut writer);
    drop((spool, writer));
    let Opened { spool, .. } = open(&disk, WhenFull::DropOldest, |_| {});
    let (part, _) = spool.lock().lanes[0].settled().behind(0, 256);
    assert_eq!(part.above_count(), 256);
    assert_eq!(read(&spool, 0), (0..4000).step_by(2).collect::<Vec<_>>());
    balances(&spool);
}

/// Bytes of all segments.
pub(super) fn held(writer: &Writer) -> u64 {
    writer.logs.iter().map(Log::bytes).sum()
}

#[test]
fn a_restart_beside_others_who_took_the_space_gives_up_nothing_that_was_under_the_cap() {
    let disk = ForgetfulDisk::default();
    let of_the_default = |kept: &mut DiskConfig| kept.bytes_max = DiskConfig::BYTES_MAX_DEFAULT;
    disk.set_free(2_000_000);
    let Opened {
        spool, mut writer, ..
    } = open(&disk, WhenFull::DropOldest, of_the_default);
    for _ in 0..600 {
        append(&spool, 0, &[b'x'; 1000]).unwrap();
        turn(&mut writer);
    }
    disk.set_free(200_000);
    turn(&mut writer);
    let kept = held(&writer);
    drop((spool, writer));
    let Opened {
        spool, mut writer, ..
    } = open(&disk, WhenFull::DropOldest, of_the_default);
    turn(&mut writer);
    assert_eq!(spool.counts().lost_total(), 0);
    assert_eq!(spool.bytes_max(), kept);
    balances(&spool);
}

#[test]
fn where_much_is_to_be_given_up_a_turn_takes_a_part_and_no_call_counts_as_one_that_hangs() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = open(&disk, WhenFull::DropOldest, |kept| {
        kept.bytes_max = 8_000_000;
    });
    for log in &mut writer.logs {
        log.set_segment_bytes(10_000);
    }
    for _ in 0..900 {
        append(&spool, 0, &[b'x'; 1000]).unwrap();
        turn(&mut writer);
    }
    let all = writer.logs[0].segments();
    assert!(all > 90, "{all}");
    (writer.config.bytes_max, writer.bytes_max_wanted) = (100_000, 100_000);
    let on_disk = spool.enter_disk(&|_| ());
    spool.lock().on_disk = Instant::now().checked_sub(Duration::from_secs(60));
    writer.keep_caps(UnixMicros(0)).unwrap();
    let left = writer.logs[0].segments();
    assert!((all - 20..all - 5).contains(&left), "{all}, then {left}");
    assert_eq!(spool.lock().hanging(Instant::now()), None);
    drop(on_disk);
    let mut turns = 0;
    while held(&writer) > 100_000 {
        turn(&mut writer);
        turns += 1;
    }
    assert!((3..10).contains(&turns), "{turns}");
    balances(&spool);
}

#[test]
fn where_much_is_too_old_a_turn_takes_a_part_too() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = aged(&disk);
    for log in &mut writer.logs {
        log.set_segment_bytes(10_000);
    }
    let start = Instant::now() + Duration::from_secs(2);
    for _ in 0..500 {
        append(&spool, 0, &[b'x'; 1000]).unwrap();
        writer.turn(UnixMicros(0), start);
    }
    let all = writer.logs[0].segments();
    writer.turn(UnixMicros(0), start + Duration::from_secs(3));
    writer.turn(UnixMicros(0), start + Duration::from_secs(105));
    let left = writer.logs[0].segments();
    assert!((all - 20..all - 5).contains(&left), "{all}, then {left}");
    for second in 106..115 {
        writer.turn(UnixMicros(0), start + Duration::from_secs(second));
    }
    assert_eq!(spool.counts().pending, 0);
    balances(&spool);
}

#[test]
fn a_clock_that_is_set_back_makes_no_later_record_the_oldest() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = open(&disk, WhenFull::DropOldest, |_| {});
    let mut turn_at = |now| {
        let clock = writer.housekept + Duration::from_secs(2);
        writer.turn(UnixMicros(now), clock);
    };
    for _ in 0..35 {
        append(&spool, 0, &[b'x'; 1000]).unwrap();
        turn_at(1_000_000);
    }
    for _ in 0..50 {
        append(&spool, 1, &[b'x'; 1000]).unwrap();
        turn_at(1_000);
    }
    let lost_of = |lane: usize| {
        let inner = spool.lock();
        inner.lanes[lane].counts().lost_total()
    };
    assert!(lost_of(0) > 0);
    assert_eq!(lost_of(1), 0);
}
