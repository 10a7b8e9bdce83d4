//! Claims about a disk with too little room: what is given up then, and what is not.

use super::super::capped::{held, open};
use super::super::tests::{append, balances, read, turn};
use super::super::*;
use crate::packet::Reason;
use crate::record::LaneId;
use crate::spool::forgetful::{ForgetfulDisk, Trouble};

/// A spool with 700 records of 1000 bytes in segments of 100 000, on a disk that should keep 1 000 000 bytes free.
fn short_of_space(disk: &ForgetfulDisk) -> Opened {
    let Opened {
        spool,
        mut writer,
        recoveries,
    } = open(disk, WhenFull::DropOldest, |kept| {
        kept.bytes_max = 800_000;
        kept.free_bytes_min = 1_000_000;
    });
    for _ in 0..700 {
        append(&spool, 0, &[b'x'; 1000]).unwrap();
        turn(&mut writer);
    }
    Opened {
        spool,
        writer,
        recoveries,
    }
}

/// Turns of the writer, one a second, and what comes in each.
struct Seconds {
    start: Instant,
    second: u64,
}

impl Seconds {
    fn new() -> Seconds {
        let start = Instant::now() + Duration::from_secs(20);
        Seconds { start, second: 0 }
    }

    /// The next second, with so many records of 1000 bytes.
    fn next(&mut self, spool: &Spool, writer: &mut Writer, records: usize) {
        for _ in 0..records {
            append(spool, 0, &[b'x'; 1000]).unwrap();
        }
        let clock = self.start + Duration::from_secs(self.second);
        writer.turn(UnixMicros(0), clock);
        self.second += 1;
    }
}

fn is_well(spool: &Spool) -> bool {
    spool.lock().keeping == Keeping::Disk
}

#[test]
fn what_others_take_of_the_room_costs_nothing_until_something_comes() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = short_of_space(&disk);
    let mut seconds = Seconds::new();
    for free in [900_000, 500_000, 10] {
        disk.set_free(free);
        for _ in 0..100 {
            seconds.next(&spool, &mut writer, 0);
        }
        assert_eq!(spool.counts().lost_total(), 0, "{free} are free");
    }
    balances(&spool);
}

#[test]
fn where_room_is_short_what_comes_takes_the_place_of_the_oldest_and_no_more_goes() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = short_of_space(&disk);
    disk.set_free(10);
    let (before, mut seconds) = (held(&writer), Seconds::new());
    // A segment holds some 95 of them.
    for came in 1..=500 {
        seconds.next(&spool, &mut writer, 1);
        let lost = spool.counts().lost_total();
        assert!(lost < came + 100, "{lost} for {came}");
        assert!(held(&writer) <= before + 1100, "it has grown");
    }
    assert!(spool.counts().lost_total() > 400);
    // There is room again: it grows.
    disk.set_free(1 << 40);
    let lost = spool.counts().lost_total();
    for _ in 0..50 {
        seconds.next(&spool, &mut writer, 1);
    }
    assert_eq!(spool.counts().lost_total(), lost);
    balances(&spool);
}

#[test]
fn who_eats_all_that_becomes_free_is_not_fed_with_the_backlog() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = short_of_space(&disk);
    let mut seconds = Seconds::new();
    for second in 0..170 {
        disk.set_free(0);
        disk.set_capacity(Some(disk.used()));
        seconds.next(&spool, &mut writer, usize::from(second % 10 == 0));
    }
    let lost = spool.counts().lost_total();
    assert!(lost > 0, "it was tried");
    assert!(lost <= 300, "a segment of 100 a minute, and not {lost}");
    assert!(!is_well(&spool));
    disk.set_capacity(None);
    seconds.next(&spool, &mut writer, 0);
    assert!(is_well(&spool));
    assert_eq!(spool.counts().lost_total(), lost);
    assert_eq!(spool.counts().pending + lost, 717);
    balances(&spool);
}

#[test]
fn a_disk_that_refuses_gives_room_to_what_comes_at_once_whatever_it_says_is_free() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = open(&disk, WhenFull::DropOldest, |kept| {
        kept.bytes_max = 2_400_000;
        kept.free_bytes_min = 0;
    });
    for _ in 0..1000 {
        append(&spool, 0, &[b'x'; 1000]).unwrap();
        turn(&mut writer);
    }
    // As under a quota: a terabyte is free, and nothing more is taken.
    disk.set_capacity(Some(disk.used()));
    let mut seconds = Seconds::new();
    // A segment holds some 290 of them.
    for came in (0..2000).step_by(10) {
        seconds.next(&spool, &mut writer, 10);
        assert!(is_well(&spool), "at {came}");
        let lost = spool.counts().lost_total();
        assert!(lost <= came + 10 + 2 * 300, "{lost} for {came}");
    }
    assert!(spool.counts().lost_total() > 1700);
    balances(&spool);
}

#[test]
fn on_a_full_disk_what_is_delivered_goes_before_what_is_not() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = short_of_space(&disk);
    // Kafka has most of two segments, and the cursor does not say so yet.
    assert!(read(&spool, 0).len() > 250);
    let clock = writer.housekept;
    spool.acknowledge(LaneId(0), 0..250);
    disk.set_capacity(Some(disk.used()));
    append(&spool, 0, &[b'x'; 1000]).unwrap();
    writer.turn(UnixMicros(0), clock);
    assert!(is_well(&spool));
    assert_eq!(spool.counts().lost_total(), 0);
    balances(&spool);
}

#[test]
fn where_room_is_short_a_newest_segment_that_is_delivered_does_not_stay_for_its_name() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = short_of_space(&disk);
    assert_eq!(read(&spool, 0).len(), 700);
    spool.acknowledge(LaneId(0), 0..700);
    disk.set_free(10);
    Seconds::new().next(&spool, &mut writer, 0);
    assert!(held(&writer) < 1000, "{} are held", held(&writer));
    balances(&spool);
}

#[test]
fn a_full_disk_that_has_packets_turned_away_says_what_is_in_memory_only() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = open(&disk, WhenFull::DropNewest, |kept| {
        kept.bytes_max = 800_000;
        kept.free_bytes_min = 1000;
    });
    let mut seconds = Seconds::new();
    for _ in 0..4 {
        seconds.next(&spool, &mut writer, 50);
    }
    disk.set_free(10);
    disk.set_capacity(Some(disk.used()));
    // More than the reserve's room.
    seconds.next(&spool, &mut writer, 90);
    assert_eq!(append(&spool, 0, b"<>"), Err(Reason::SpoolFull));
    let why = spool.refusal(Instant::now()).unwrap();
    let names = ["drop_newest", "in memory only", "no space left"];
    assert!(names.iter().all(|name| why.contains(name)), "{why}");
    balances(&spool);
}

#[test]
fn what_is_delivered_leaves_a_disk_so_full_that_not_even_a_cursor_fits() {
    for when_full in [WhenFull::DropOldest, WhenFull::DropNewest] {
        let disk = ForgetfulDisk::default();
        let Opened {
            spool, mut writer, ..
        } = open(&disk, when_full, |kept| kept.bytes_max = 800_000);
        let mut seconds = Seconds::new();
        seconds.next(&spool, &mut writer, 700);
        assert_eq!(read(&spool, 0).len(), 700);
        spool.acknowledge(LaneId(0), 0..700);
        // Others have the reserve's room, and take what else becomes free.
        disk.remove(&writer.reserve()).unwrap();
        for _ in 0..10 {
            disk.set_capacity(Some(disk.used()));
            seconds.next(&spool, &mut writer, 0);
        }
        assert!(is_well(&spool));
        assert!(held(&writer) < 110_000, "{} are held", held(&writer));
        drop((spool, writer));
        disk.set_capacity(None);
        let Opened { spool, .. } = open(&disk, when_full, |_| {});
        let counts = spool.counts();
        assert_eq!((counts.delivered, counts.lost_total()), (700, 0));
    }
}

#[test]
fn a_steady_flow_fills_no_disk_that_counts_what_was_unlinked_as_free_half_a_minute_late() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = short_of_space(&disk);
    (writer.config.bytes_max, writer.bytes_max_wanted) = (80_000_000, 80_000_000);
    let start = Instant::now() + Duration::from_secs(20);
    let (mut free, mut late) = (1_000_000u64, Vec::new());
    for second in 0..600 {
        for _ in 0..10 {
            append(&spool, 0, &[b'x'; 1000]).unwrap();
        }
        late.retain(|(at, bytes)| {
            let is_late = *at > second;
            free += if is_late { 0 } else { *bytes };
            is_late
        });
        let written = 10_300;
        free -= written;
        disk.set_free(free);
        let before = held(&writer) + written;
        writer.turn(UnixMicros(0), start + Duration::from_secs(second));
        late.push((second + 30, before.saturating_sub(held(&writer))));
        // What half a minute brings is not there yet, nor is the rest of a segment.
        assert!(free > 1_000_000 - 310_000 - 110_000, "{free} at {second}");
    }
    // It costs as much as the flow brings, and what is on its way to be free.
    assert!(held(&writer) > 250_000, "{}", held(&writer));
    balances(&spool);
}

#[test]
fn a_full_disk_gives_up_the_oldest_though_no_cursor_of_an_idle_topic_can_be_saved() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = short_of_space(&disk);
    let start = Instant::now() + Duration::from_secs(20);
    disk.stand(Some(Trouble::Full));
    disk.set_free(0);
    append(&spool, 0, b"<>").unwrap();
    writer.turn(UnixMicros(0), start);
    writer.turn(UnixMicros(0), start + Duration::from_secs(2));
    assert!(spool.counts().lost_total() > 0);
    balances(&spool);
}

#[test]
fn a_short_disk_is_left_in_peace_by_an_agent_that_hears_nothing() {
    let disk = ForgetfulDisk::default();
    let Opened {
        spool, mut writer, ..
    } = short_of_space(&disk);
    disk.set_free(10);
    let mut seconds = Seconds::new();
    let delivered = read(&spool, 0);
    spool.acknowledge(LaneId(0), 0..delivered.last().unwrap() + 1);
    for _ in 0..3 {
        seconds.next(&spool, &mut writer, 0);
    }
    let (before, paths) = (disk.operations(), disk.paths());
    for _ in 0..100 {
        seconds.next(&spool, &mut writer, 0);
    }
    assert_eq!((disk.operations(), disk.paths()), (before, paths));
}

#[test]
fn a_sync_that_is_refused_for_want_of_room_is_a_refusal_too() {
    let error = |kind: std::io::ErrorKind| {
        Err(SpoolError::SyncFailed {
            path: PathBuf::from("/spool"),
            numbers: 0..1,
            source: kind.into(),
        })
    };
    assert!(is_full(&error(std::io::ErrorKind::QuotaExceeded)));
    assert!(!is_full(&error(std::io::ErrorKind::Other)));
}
