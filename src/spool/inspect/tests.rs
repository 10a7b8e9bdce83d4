//! Claims about looking at a spool from outside.

use super::*;
use crate::record::{LaneId, Record};
use crate::spool::{Config, DiskConfig, Opened, Spool, WhenFull, WriterStop};

/// A spool with `count` records in topic `a`, closed. Returns its folder.
fn spool(home: &Path, count: u64) -> PathBuf {
    let disk = DiskConfig {
        free_bytes_min: 0,
        ..DiskConfig::new(home.join("spool"))
    };
    let config = Config {
        bytes_max: 1 << 20,
        when_full: WhenFull::DropOldest,
        topics: vec!["a".into()],
        disk: Some(disk.clone()),
    };
    let Opened { spool, writer, .. } = Spool::open(&config, &disk).unwrap();
    for _ in 0..count {
        let record = Record {
            lane: LaneId(0),
            received: UnixMicros(5),
            key: b"r1",
            payload: b"{}",
            number_at: 1,
            origin: Origin::Packet,
        };
        spool.append(&record).unwrap();
    }
    let stop = Arc::new(WriterStop::default());
    let thread = writer.spawn(stop.clone(), |_| {}).unwrap();
    stop.stop();
    thread.join().unwrap();
    spool.acknowledge(LaneId(0), 0..1);
    disk.folder
}

/// What is found, in short.
fn found(folder: &Path, from: u64) -> Vec<String> {
    let log = Inspection::open(folder).unwrap().log("a").unwrap();
    let mut all = Vec::new();
    log.read(from, &mut |found| {
        all.push(match found {
            Found::Record(record) => record.number.0.to_string(),
            Found::Damage { numbers, .. } => format!("damage {numbers:?}"),
            Found::Missing(numbers) => format!("missing {numbers:?}"),
            Found::Gone(numbers) => format!("gone {numbers:?}"),
            Found::Torn { .. } => "torn".to_owned(),
        });
        ControlFlow::Continue(())
    })
    .unwrap();
    all
}

fn segment(folder: &Path) -> PathBuf {
    topic_folder(folder, "a").join(segment::file_name(0))
}

#[test]
fn every_record_is_shown_from_the_one_that_was_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let folder = spool(home.path(), 5);
    assert_eq!(found(&folder, 0), ["0", "1", "2", "3", "4"]);
    assert_eq!(found(&folder, 3), ["3", "4"]);
    assert_eq!(found(&folder, 9), [""; 0]);
    let log = Inspection::open(&folder).unwrap().log("a").unwrap();
    assert_eq!((log.first(), log.next().unwrap()), (Some(0), Some(5)));
    let disk = RealDisk;
    let one = record(&disk, &folder, "a", Number(3)).unwrap().unwrap();
    assert_eq!((one.number, one.payload), (Number(3), b"{3}".to_vec()));
    assert!(record(&disk, &folder, "a", Number(5)).unwrap().is_none());
}

#[test]
fn cut_at_any_byte_of_the_last_frame_the_rest_is_shown_and_the_end_is_torn() {
    let home = tempfile::tempdir().unwrap();
    let folder = spool(home.path(), 3);
    let path = segment(&folder);
    let whole = std::fs::read(&path).unwrap();
    let frame = (whole.len() - HEADER_BYTES) / 3;
    for cut in whole.len() - frame + 1..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(found(&folder, 0), ["0", "1", "torn"], "cut at {cut}");
    }
    std::fs::write(&path, &whole[..whole.len() - frame]).unwrap();
    assert_eq!(found(&folder, 0), ["0", "1"]);
}

#[test]
fn a_flipped_bit_is_found_and_only_its_own_record_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let folder = spool(home.path(), 3);
    let path = segment(&folder);
    let whole = std::fs::read(&path).unwrap();
    let frame = (whole.len() - HEADER_BYTES) / 3;
    for byte in 0..frame * 3 {
        let mut bytes = whole.clone();
        bytes[HEADER_BYTES + byte] ^= 1 << (byte % 8);
        std::fs::write(&path, &bytes).unwrap();
        let found = found(&folder, 0);
        let hit = (byte / frame).to_string();
        let shown = ["0", "1", "2"].into_iter().filter(|number| *number != hit);
        let records = found.iter().filter(|it| it.len() == 1);
        assert!(records.eq(shown), "byte {byte}: {found:?}");
        let damaged = found
            .iter()
            .any(|it| it.starts_with("damage") || it == "torn");
        assert!(damaged, "byte {byte}: {found:?}");
    }
    let mut bytes = whole.clone();
    bytes[3] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(found(&folder, 0), ["damage 0..0", "0", "1", "2"]);
}

#[test]
fn a_segment_that_vanishes_while_it_is_read_is_gone_and_no_error() {
    let home = tempfile::tempdir().unwrap();
    let folder = spool(home.path(), 3);
    let log = Inspection::open(&folder).unwrap().log("a").unwrap();
    std::fs::remove_file(segment(&folder)).unwrap();
    let mut gone = 0;
    log.read(0, &mut |found| {
        gone += usize::from(matches!(found, Found::Gone(_)));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(gone, 1);
}

#[test]
fn the_holder_of_the_lock_is_known_without_touching_the_lock() {
    let home = tempfile::tempdir().unwrap();
    let folder = spool(home.path(), 1);
    let inspection = Inspection::open(&folder).unwrap();
    assert_eq!(inspection.holder(), Holder::Nobody);
    let lock = RealDisk.lock(&folder.join("lock")).unwrap();
    let ours = Holder::Process(std::process::id());
    assert!([ours, Holder::Unknown].contains(&inspection.holder()));
    drop(lock);
    let locks = "1: POSIX  ADVISORY  WRITE 9 fd:01:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 4711 fd:01:77 0 EOF\n";
    assert_eq!(holder_in(locks, 77), Holder::Process(4711));
    assert_eq!(holder_in(locks, 78), Holder::Nobody);
    assert_eq!(holder_in("nonsense", 1), Holder::Nobody);
}

#[test]
fn a_folder_without_a_spool_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    assert!(Inspection::open(home.path()).is_err());
}
