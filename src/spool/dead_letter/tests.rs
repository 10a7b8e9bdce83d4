//! Claims about the dead-letter file: what it holds survives, whatever is cut, flipped or taken out of it.

use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;
use crate::spool::disk::RealDisk;
use crate::spool::forgetful::{Fault, ForgetfulDisk};

const PAYLOADS: [&str; 3] = [
    r#"{"schema":1,"id":"br17-01-0-7","message":"a"}"#,
    r#"{"schema":1,"id":"br17-01-0-8","message":"bb"}"#,
    r#"{"schema":1,"id":"br17-01-0-9","message":"ccc"}"#,
];

fn letter(number: u64, payload: &str) -> DeadLetter<'_> {
    DeadLetter {
        topic: "net.syslog",
        number: Number(number),
        received: UnixMicros(-5),
        set_aside: UnixMicros(1_000),
        reason: "MSG_SIZE_TOO_LARGE: record is larger than the topic takes",
        key: b"lax-r1",
        payload: payload.as_bytes(),
    }
}

fn open(folder: &Path, bytes_max: u64) -> LetterFile {
    LetterFile::open(Arc::new(RealDisk), folder, bytes_max, true, |_, _| false)
}

/// The numbers of the letters that can be read, and how many stretches are damaged and torn.
fn read_all(folder: &Path) -> (Vec<u64>, usize, usize) {
    let (mut numbers, mut damaged, mut torn) = (Vec::new(), 0, 0);
    let Some(mut letters) = Letters::open(&RealDisk, folder).unwrap() else {
        return (numbers, damaged, torn);
    };
    loop {
        match letters.step().unwrap() {
            Step::Letter(letter, _) => numbers.push(letter.number.0),
            Step::Damage(_) => damaged += 1,
            Step::Torn(_) => torn += 1,
            Step::End => return (numbers, damaged, torn),
        }
    }
}

/// A folder with three letters, and where each ends.
fn three() -> (tempfile::TempDir, Vec<u64>) {
    let folder = tempfile::tempdir().unwrap();
    let mut file = open(folder.path(), 1 << 20);
    let mut ends = vec![FILE_HEADER_BYTES as u64];
    for (number, payload) in (7..).zip(PAYLOADS) {
        file.append(&letter(number, payload)).unwrap();
        ends.push(file.view().bytes);
    }
    (folder, ends)
}

#[test]
fn what_is_set_aside_is_read_back_and_only_its_owner_may_read_it() {
    let (folder, ends) = three();
    let path = folder.path().join(FILE_NAME);
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(metadata.len(), ends[3]);
    let mut letters = Letters::open(&RealDisk, folder.path()).unwrap().unwrap();
    for ((number, payload), place) in (7..).zip(PAYLOADS).zip(ends.windows(2)) {
        let expected = Step::Letter(letter(number, payload), place[0]..place[1]);
        assert_eq!(letters.step().unwrap(), expected);
    }
    assert_eq!(letters.step().unwrap(), Step::End);
    assert_eq!(open(folder.path(), 1 << 20).view().letters, 3);
}

#[test]
fn cut_at_any_byte_the_letters_before_it_survive_and_the_next_one_goes_behind_them() {
    let (folder, ends) = three();
    let path = folder.path().join(FILE_NAME);
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let survivors = ends[1..].iter().filter(|end| **end <= cut as u64).count() as u64;
        let (numbers, damaged, _) = read_all(folder.path());
        assert_eq!(
            numbers,
            (7..7 + survivors).collect::<Vec<_>>(),
            "cut at {cut}"
        );
        assert_eq!(damaged, 0, "cut at {cut}");
        let mut file = open(folder.path(), 1 << 20);
        assert_eq!(file.view().letters, survivors);
        file.append(&letter(70, PAYLOADS[0])).unwrap();
        drop(file);
        let (numbers, damaged, torn) = read_all(folder.path());
        assert_eq!(numbers, (7..7 + survivors).chain([70]).collect::<Vec<_>>());
        assert_eq!((damaged, torn), (0, 0), "cut at {cut}");
    }
}

#[test]
fn zeros_at_the_end_are_what_the_power_left_of_a_letter() {
    let (folder, ends) = three();
    let path = folder.path().join(FILE_NAME);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.resize(bytes.len() + 300, 0);
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(read_all(folder.path()), (vec![7, 8, 9], 0, 1));
    assert_eq!(open(folder.path(), 1 << 20).view().bytes, ends[3]);
}

#[test]
fn a_flipped_bit_costs_its_own_letter_and_no_other() {
    let (folder, ends) = three();
    let path = folder.path().join(FILE_NAME);
    let whole = std::fs::read(&path).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &bytes).unwrap();
        let hit = ends.iter().filter(|end| **end <= (bit / 8) as u64).count() as u64;
        let expected: Vec<u64> = (7..10).filter(|number| number - 6 != hit).collect();
        let (numbers, damaged, torn) = read_all(folder.path());
        assert_eq!(numbers, expected, "bit {bit}");
        assert_eq!(damaged + torn, usize::from(hit > 0), "bit {bit}");
    }
}

#[test]
fn a_full_file_keeps_what_it_has_and_refuses_the_next() {
    let (folder, ends) = three();
    let mut file = open(folder.path(), ends[3] + 10);
    let refused = file.append(&letter(10, PAYLOADS[0])).unwrap_err();
    assert!(matches!(refused, NotSetAside::Full { .. }), "{refused}");
    assert!(refused.to_string().contains("trapline spool requeue"));
    assert_eq!(read_all(folder.path()).0, [7, 8, 9]);
    // With no room at all there is not even a file.
    let nothing = tempfile::tempdir().unwrap();
    let mut none = open(nothing.path(), 0);
    assert!(none.append(&letter(1, PAYLOADS[0])).is_err());
    assert_eq!(none.view(), DeadLettersView::default());
    assert!(!nothing.path().join(FILE_NAME).exists());
}

#[test]
fn a_file_of_a_newer_version_is_left_untouched() {
    let (folder, _) = three();
    let path = folder.path().join(FILE_NAME);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8] = VERSION + 1;
    let crc = crc32c::crc32c(&bytes[..12]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let mut file = open(folder.path(), 1 << 20);
    let refused = file
        .append(&letter(10, PAYLOADS[0]))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("format version 2"), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert!(Letters::open(&RealDisk, folder.path()).is_err());
}

#[test]
fn letters_that_are_taken_out_are_gone_and_the_others_stay_in_order() {
    let (folder, ends) = three();
    let mut file = open(folder.path(), 1 << 20);
    file.remove(&[ends[0]..ends[1], ends[2]..ends[3]]).unwrap();
    assert_eq!(read_all(folder.path()).0, [8]);
    file.append(&letter(10, PAYLOADS[0])).unwrap();
    assert_eq!(read_all(folder.path()), (vec![8, 10], 0, 0));
    assert_eq!(file.view().letters, 2);
    assert_eq!(open(folder.path(), 1 << 20).view(), file.view());
}

#[test]
fn a_letter_of_a_record_that_comes_again_after_a_kill_is_not_written_twice() {
    let (folder, ends) = three();
    let unsettled = |topic: &str, number: u64| topic == "net.syslog" && number == 8;
    let mut file = LetterFile::open(Arc::new(RealDisk), folder.path(), 1 << 20, true, unsettled);
    // Another record that has the same number: its topic's log was removed meanwhile.
    let other = DeadLetter {
        received: UnixMicros(99),
        ..letter(8, PAYLOADS[1])
    };
    file.append(&letter(8, PAYLOADS[1])).unwrap();
    assert_eq!(file.view().bytes, ends[3]);
    file.append(&other).unwrap();
    assert_eq!(read_all(folder.path()).0, [7, 8, 9, 8]);
}

#[test]
fn whenever_the_power_goes_a_letter_that_was_promised_is_there() {
    let folder = Path::new("/spool");
    let open = |disk: &ForgetfulDisk| {
        LetterFile::open(Arc::new(disk.clone()), folder, 1 << 20, true, |_, _| false)
    };
    let numbers = |disk: &ForgetfulDisk| {
        let mut numbers = Vec::new();
        if let Some(mut letters) = Letters::open(disk, folder).unwrap() {
            loop {
                match letters.step().unwrap() {
                    Step::Letter(letter, _) => numbers.push(letter.number.0),
                    Step::End => break,
                    Step::Damage(_) | Step::Torn(_) => {}
                }
            }
        }
        numbers
    };
    for seed in 0..600 {
        let disk = ForgetfulDisk::default();
        disk.fail(seed % 17, Fault::PowerOff);
        let mut file = open(&disk);
        let promised: Vec<u64> = (7..)
            .zip(PAYLOADS)
            .filter(|(number, payload)| file.append(&letter(*number, payload)).is_ok())
            .map(|(number, _)| number)
            .collect();
        let places: Vec<_> = std::iter::once(16..16 + letter_bytes(7)).collect();
        let removed = promised.len() == 3 && file.remove(&places).is_ok();
        disk.power_cut(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let found = numbers(&disk);
        for number in promised
            .iter()
            .filter(|number| !(**number == 7 && promised.len() == 3))
        {
            assert!(
                found.contains(number),
                "seed {seed}: {number} of {promised:?} in {found:?}"
            );
        }
        assert!(!(removed && found.contains(&7)), "seed {seed}");
        let mut again = open(&disk);
        again.append(&letter(11, PAYLOADS[0])).unwrap();
        assert!(numbers(&disk).contains(&11), "seed {seed}");
    }
}

fn letter_bytes(number: u64) -> u64 {
    letter(number, PAYLOADS[0]).write(&mut Vec::new()) as u64
}

#[test]
fn only_an_id_that_ends_in_the_number_gets_another() {
    let first = letter(7, PAYLOADS[0]);
    assert_eq!(first.id(), Some("br17-01-0-7"));
    assert_eq!(first.id_prefix(), Some("br17-01-0-"));
    let (payload, at) = first.with_id_prefix("br17-02-0-").unwrap();
    assert_eq!(payload, br#"{"schema":1,"id":"br17-02-0-","message":"a"}"#);
    assert_eq!(&payload[..at], br#"{"schema":1,"id":"br17-02-0-"#);
    assert_eq!(letter(8, PAYLOADS[0]).id_prefix(), None);
    assert_eq!(letter(7, r#"{"id":"17"}"#).id_prefix(), None);
    let no_event = letter(7, "no event");
    assert_eq!((no_event.id(), no_event.with_id_prefix("x-")), (None, None));
}

proptest! {
    #[test]
    fn every_letter_is_read_back_and_every_change_of_it_is_seen(
        topic in "[a-z.]{1,249}",
        reason in ".{0,300}",
        key in prop::collection::vec(any::<u8>(), 0..300),
        payload in prop::collection::vec(any::<u8>(), 0..2000),
        number in any::<u64>(),
        times in any::<(i64, i64)>(),
        bit in any::<prop::sample::Index>(),
    ) {
        let letter = DeadLetter {
            topic: &topic,
            number: Number(number),
            received: UnixMicros(times.0),
            set_aside: UnixMicros(times.1),
            reason: cut(&reason, REASON_BYTES_MAX),
            key: &key,
            payload: &payload,
        };
        let mut bytes = Vec::new();
        let size = letter.write(&mut bytes);
        prop_assert_eq!(check(&bytes), Checked::Whole(letter, size));
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!matches!(check(&bytes), Checked::Whole(..)), "bit {}", bit);
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), [&file_header()[..], &bytes].concat()).unwrap();
        let (numbers, _, _) = read_all(folder.path());
        prop_assert_eq!(numbers, Vec::<u64>::new());
    }
}

#[test]
fn a_letter_is_kept_in_a_file_that_is_there_though_the_one_before_was_removed() {
    let (folder, _) = three();
    let mut file = open(folder.path(), 1 << 20);
    std::fs::remove_file(folder.path().join(FILE_NAME)).unwrap();
    // Without its topics the spool is away, and may come back with the file.
    file.append(&letter(10, PAYLOADS[0])).unwrap();
    assert_eq!(read_all(folder.path()), (vec![], 0, 0));
    std::fs::create_dir(folder.path().join("topics")).unwrap();
    file.append(&letter(11, PAYLOADS[0])).unwrap();
    assert_eq!(read_all(folder.path()), (vec![11], 0, 0));
    assert_eq!(file.view().letters, 1);
}

#[test]
fn a_file_that_came_back_takes_further_letters() {
    let (folder, _) = three();
    let other = tempfile::tempdir().unwrap();
    let mut file = open(other.path(), 1 << 20);
    let place = other.path().join(FILE_NAME);
    std::fs::copy(folder.path().join(FILE_NAME), place).unwrap();
    file.append(&letter(10, PAYLOADS[0])).unwrap();
    assert_eq!(read_all(other.path()), (vec![7, 8, 9, 10], 0, 0));
    assert_eq!(file.view().letters, 4);
}

#[test]
fn a_letter_that_a_killed_process_left_is_on_the_disk_before_its_record_is_settled() {
    for seed in 0..50 {
        let forgetful = ForgetfulDisk::default();
        let disk: Arc<dyn Disk> = Arc::new(forgetful.clone());
        let folder = Path::new("/");
        let open = |sync| LetterFile::open(disk.clone(), folder, 1 << 20, sync, |_, _| true);
        // Killed between the write and the sync.
        open(false).append(&letter(7, PAYLOADS[0])).unwrap();
        // Its record comes again, is refused again, and is settled.
        open(true).append(&letter(7, PAYLOADS[0])).unwrap();
        forgetful.power_cut(seed);
        assert_eq!(open(true).view().letters, 1, "seed {seed}");
    }
}
