//! Claims about files that were cut, flipped, removed, swapped: the log opens, loses what was damaged and no more, and
//! says how much that was.

use super::tests::{ALL, NOW, append, append_each, frames, open, part, read_from, text};
use super::*;
use crate::spool::batch::Batch;
use crate::spool::forgetful::{Fault, ForgetfulDisk};
use crate::spool::frame;

const FOLDER: &str = "/t";

fn put(disk: &Arc<dyn Disk>, name: &str, bytes: &[u8]) {
    let path = Path::new(FOLDER).join(name);
    let _ = disk.remove(&path);
    let file = disk.create_new(&path).unwrap();
    disk::write_all_at(file.as_ref(), bytes, 0).unwrap();
}

fn get(disk: &Arc<dyn Disk>, name: &str) -> Vec<u8> {
    let file = disk.open(&Path::new(FOLDER).join(name)).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    disk::read_full_at(file.as_ref(), &mut bytes, 0).unwrap();
    bytes
}

fn disk() -> Arc<dyn Disk> {
    Arc::new(ForgetfulDisk::default())
}

/// The bytes of one segment with `count` records, and where each frame ends.
fn segment_of(count: u64) -> (Vec<u8>, Vec<usize>) {
    let disk = disk();
    let mut log = open(&disk, Path::new(FOLDER)).log;
    let mut ends = Vec::new();
    for _ in 0..count {
        append(&mut log, 1).unwrap();
        ends.push(log.bytes() as usize);
    }
    assert_eq!(log.segments(), 1);
    (get(&disk, &segment::file_name(0)), ends)
}

/// What a fresh log with this one segment says: records read, numbers lost at opening, torn number, next number.
fn reopen(bytes: &[u8]) -> (Vec<u64>, u64, Option<u64>, u64) {
    let disk = disk();
    put(&disk, &segment::file_name(0), bytes);
    let mut opened = open(&disk, Path::new(FOLDER));
    let length = get(&disk, &segment::file_name(0)).len() as u64;
    assert!(length == opened.log.bytes() || length < HEADER_BYTES as u64);
    let settled = opened.cursor.settled.clone();
    let (numbers, damaged) = read_from(&mut opened.log.reader(), 0, &settled);
    assert_eq!(
        damaged, [0; 0],
        "what was found at opening is not reported again"
    );
    assert_eq!(opened.cursor.totals.pending, numbers.len() as u64);
    assert_eq!(
        opened.cursor.totals.accepted,
        numbers.len() as u64 + opened.recovery.lost
    );
    let next = opened.log.next();
    append(&mut opened.log, 2).unwrap();
    let after = read_from(&mut opened.log.reader(), 0, &settled).0;
    assert_eq!(after, [numbers.clone(), vec![next, next + 1]].concat());
    (numbers, opened.recovery.lost, opened.recovery.torn, next)
}

#[test]
fn a_torn_tail_is_cut_and_the_rest_survives() {
    let (bytes, ends) = segment_of(6);
    for cut in 0..=bytes.len() {
        let whole = ends.iter().filter(|&&end| end <= cut).count() as u64;
        let (numbers, lost, torn, next) = reopen(&bytes[..cut]);
        assert_eq!(numbers, (0..whole).collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!(lost, 0, "cut at {cut}: no whole frame is gone");
        assert!(torn.is_none_or(|number| number == whole));
        assert_eq!(next, whole + u64::from(torn.is_some()));
        let begun = ends
            .get(whole as usize)
            .map_or(0, |_| cut.saturating_sub(last_end(&ends, whole)));
        assert_eq!(torn.is_some(), begun >= frame::HEADER_BYTES, "cut at {cut}");
    }
}

fn last_end(ends: &[usize], whole: u64) -> usize {
    match whole.checked_sub(1) {
        Some(index) => ends[index as usize],
        None => HEADER_BYTES,
    }
}

#[test]
fn a_zeroed_tail_is_cut() {
    let (bytes, ends) = segment_of(6);
    for cut in (HEADER_BYTES..=bytes.len()).step_by(7) {
        let mut zeroed = bytes.clone();
        zeroed[cut..].fill(0);
        zeroed.resize(bytes.len() + 5000, 0);
        let whole = ends.iter().filter(|&&end| end <= cut).count() as u64;
        let (numbers, _, _, _) = reopen(&zeroed);
        assert_eq!(numbers, (0..whole).collect::<Vec<_>>(), "cut at {cut}");
    }
}

#[test]
fn every_flipped_bit_costs_the_one_record_that_it_is_in() {
    let (bytes, ends) = segment_of(6);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let hit = ends.iter().position(|&end| bit / 8 < end).unwrap() as u64;
        let (numbers, lost, torn, next) = reopen(&flipped);
        assert_eq!(next, 6, "bit {bit}: no number is given out twice");
        if bit / 8 < HEADER_BYTES {
            assert_eq!(
                (numbers.len(), lost, torn),
                (6, 0, None),
                "bit {bit} of the header"
            );
            continue;
        }
        let expected: Vec<u64> = (0..6).filter(|&number| number != hit).collect();
        assert_eq!(numbers, expected, "bit {bit}");
        // A last frame that says it is longer than the file looks like one that was being written.
        assert_eq!(lost + u64::from(torn.is_some()), 1, "bit {bit}");
        assert!(torn.is_none() || hit == 5, "bit {bit}");
    }
}

#[test]
fn damaged_bytes_are_kept_aside_up_to_the_cap() {
    let (mut bytes, ends) = segment_of(6);
    bytes[ends[1] + 40] ^= 1;
    let disk = disk();
    put(&disk, &segment::file_name(0), &bytes);
    let opened = open(&disk, Path::new(FOLDER));
    assert_eq!(
        opened.recovery.damage[0].bytes,
        ends[1] as u64..ends[2] as u64
    );
    let kept = get(&disk, "quarantine");
    let head = format!(
        "\n# 00000000000000000000.log bytes {}..{} records 2..3\n",
        ends[1], ends[2]
    );
    assert!(kept.starts_with(head.as_bytes()));
    assert!(kept.ends_with(&bytes[ends[1]..ends[2]]));
    for _ in 0..2000 {
        opened.log.quarantine(&opened.recovery.damage[0]).unwrap();
    }
    assert!(get(&disk, "quarantine").len() as u64 <= tests::small().quarantine_bytes_max);
}

/// A log of some segments on a disk of its own.
fn many() -> (Arc<dyn Disk>, Vec<u64>) {
    let disk = disk();
    let mut log = open(&disk, Path::new(FOLDER)).log;
    append_each(&mut log, 80);
    let mut firsts: Vec<u64> = disk
        .list(Path::new(FOLDER))
        .unwrap()
        .iter()
        .filter_map(|name| segment::parse_file_name(name))
        .collect();
    firsts.sort_unstable();
    assert!(firsts.len() >= 5);
    (disk, firsts)
}

/// Opens the log twice and reads it: the numbers that are there, and those that were said to be lost.
fn contents(disk: &Arc<dyn Disk>) -> (Vec<u64>, Vec<u64>) {
    let opened = open(disk, Path::new(FOLDER));
    let mut lost: Vec<u64> = opened
        .recovery
        .damage
        .iter()
        .flat_map(|damage| damage.numbers.clone())
        .collect();
    let mut reader = opened.log.reader();
    let (numbers, damaged) = read_from(&mut reader, 0, &opened.cursor.settled);
    lost.extend(damaged);
    let again = read_from(&mut reader, 0, &opened.cursor.settled);
    assert_eq!(again, (numbers.clone(), vec![]), "reported once");
    (numbers, lost)
}

#[test]
fn a_removed_segment_costs_its_own_records_and_they_are_counted() {
    let (_, firsts) = many();
    for index in 0..firsts.len() - 1 {
        let (disk, _) = many();
        disk.remove(&Path::new(FOLDER).join(segment::file_name(firsts[index])))
            .unwrap();
        let (numbers, lost) = contents(&disk);
        let gone = firsts[index]..firsts[index + 1];
        assert_eq!(
            numbers,
            (0..80)
                .filter(|number| !gone.contains(number))
                .collect::<Vec<_>>()
        );
        // Without a cursor nobody can know that the log once began earlier.
        let expected: Vec<u64> = if index == 0 { vec![] } else { gone.collect() };
        assert_eq!(lost, expected);
    }
}

#[test]
fn a_segment_that_vanishes_under_the_reader_is_counted_and_passed() {
    let (disk, firsts) = many();
    let opened = open(&disk, Path::new(FOLDER));
    disk.remove(&Path::new(FOLDER).join(segment::file_name(firsts[2])))
        .unwrap();
    let (numbers, damaged) = read_from(&mut opened.log.reader(), 0, &Settled::default());
    let gone = firsts[2]..firsts[3];
    assert_eq!(damaged, gone.clone().collect::<Vec<_>>());
    assert_eq!(numbers.len() as u64, 80 - (gone.end - gone.start));
}

#[test]
fn swapped_segments_lose_nothing() {
    for (left, right) in [(0, 1), (1, 3), (0, 4)] {
        let (disk, firsts) = many();
        let names = [
            segment::file_name(firsts[left]),
            segment::file_name(firsts[right]),
        ];
        let bytes = [get(&disk, &names[0]), get(&disk, &names[1])];
        put(&disk, &names[0], &bytes[1]);
        put(&disk, &names[1], &bytes[0]);
        assert_eq!(contents(&disk), ((0..80).collect(), vec![]));
        assert_eq!(get(&disk, &names[0]), bytes[0]);
    }
}

#[test]
fn a_second_copy_of_a_segment_is_put_aside() {
    let (disk, firsts) = many();
    put(
        &disk,
        &segment::file_name(9999),
        &get(&disk, &segment::file_name(firsts[1])),
    );
    let opened = open(&disk, Path::new(FOLDER));
    assert_eq!((opened.recovery.set_aside, opened.log.next()), (1, 80));
    drop(opened);
    assert_eq!(contents(&disk), ((0..80).collect(), vec![]));
}

#[test]
fn a_sealed_segment_that_was_cut_or_emptied_costs_what_was_in_it() {
    let (disk, firsts) = many();
    let name = segment::file_name(firsts[1]);
    let whole = get(&disk, &name);
    for cut in (0..whole.len()).step_by(13) {
        put(&disk, &name, &whole[..cut]);
        let (numbers, lost) = contents(&disk);
        let mut all = [numbers, lost.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..80).collect::<Vec<_>>());
        assert!(!lost.is_empty());
        assert!(
            lost.iter()
                .all(|number| (firsts[1]..firsts[2]).contains(number))
        );
    }
}

#[test]
fn garbage_between_and_around_frames_is_passed_in_linear_time() {
    let disk = disk();
    let mut log = open(&disk, Path::new(FOLDER)).log;
    append_each(&mut log, 3);
    drop(log);
    let name = segment::file_name(0);
    let mut bytes = get(&disk, &name);
    // Two MiB of false beginnings, each claiming to be the longest frame there is.
    let mut false_beginning = [0; frame::HEADER_BYTES];
    false_beginning[..4].copy_from_slice(&frame::MAGIC);
    false_beginning[4..8].copy_from_slice(&(frame::FRAME_BYTES_MAX as u32).to_le_bytes());
    bytes.extend(false_beginning.iter().cycle().take(2 << 20));
    put(&disk, &name, &bytes);
    let start = std::time::Instant::now();
    let opened = open(&disk, Path::new(FOLDER));
    assert!(
        start.elapsed() < std::time::Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(opened.recovery.torn_bytes, 2 << 20);
    assert_eq!(
        read_from(&mut opened.log.reader(), 0, &Settled::default()).0,
        [0, 1, 2]
    );
}

#[test]
fn a_frame_behind_much_damage_is_found_across_windows() {
    let disk = disk();
    let mut log = Log::open(disk.clone(), Path::new(FOLDER), Config::default())
        .unwrap()
        .log;
    let long = |number: u64| {
        if number == 1 {
            "y".repeat(900_000)
        } else {
            text(number)
        }
    };
    log.append(&part(0..4, &frames(0..4, long)), NOW).unwrap();
    drop(log);
    let name = segment::file_name(0);
    let mut bytes = get(&disk, &name);
    bytes[500] ^= 1;
    put(&disk, &name, &bytes);
    assert_eq!(contents(&disk), (vec![0, 2, 3], vec![1]));
}

#[test]
fn a_segment_that_cannot_be_read_may_be_skipped() {
    let (disk, firsts) = many();
    let opened = open(&disk, Path::new(FOLDER));
    let mut reader = opened.log.reader();
    let (skipped, _) = reader.skip_segment(firsts[1] + 2..u64::MAX, &Settled::default());
    assert_eq!(skipped.next, firsts[2]);
    assert_eq!(skipped.damage[0].numbers, firsts[1] + 2..firsts[2]);
    let mut batch = Batch::default();
    reader
        .read(skipped.next..u64::MAX, &Settled::default(), ALL, &mut batch)
        .unwrap();
    assert_eq!(
        batch.entries().first().map(|entry| entry.number.0),
        Some(firsts[2])
    );
}

#[test]
fn opening_again_after_any_failed_operation_of_opening_gives_the_same() {
    let (bytes, ends) = segment_of(6);
    for after in 0..12 {
        let forgetful = ForgetfulDisk::default();
        let disk: Arc<dyn Disk> = Arc::new(forgetful.clone());
        let mut damaged = bytes[..bytes.len() - 3].to_vec();
        damaged[ends[1] + 40] ^= 1;
        put(&disk, &segment::file_name(0), &damaged);
        forgetful.fail(after, Fault::Broken);
        let first = Log::open(disk.clone(), Path::new(FOLDER), tests::small());
        forgetful.heal();
        let (numbers, lost) = contents(&disk);
        assert_eq!(
            (numbers, lost),
            (vec![0, 1, 3, 4], vec![2]),
            "{after}: {first:?}"
        );
    }
}
