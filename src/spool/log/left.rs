//! Claims about segments that were left to the kernel: what a sync makes of them, and of a disk that does not confirm it.

use super::tests::{NOW, append_each, frames, open, part, read_from, small, text};
use super::*;
use crate::spool::forgetful::{Fault, ForgetfulDisk, Trouble};

/// A log that syncs nothing by itself: 0 to 4 in a closed segment, 5 to 9 in the newest one.
fn left_unsynced() -> (ForgetfulDisk, Log) {
    let disk = ForgetfulDisk::default();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let left = Config {
        at_roll: AtRoll::Leave,
        ..small()
    };
    let mut log = Log::open(shared, Path::new("/t"), left).unwrap().log;
    append_each(&mut log, 5);
    log.roll().unwrap();
    append_each(&mut log, 5);
    (disk, log)
}

#[test]
fn a_sync_that_fails_leaves_out_of_doubt_what_was_synced_before_it() {
    let (disk, mut log) = left_unsynced();
    // The folder is synced, the closed segment is, the newest one is not.
    disk.fail(2, Fault::Broken);
    let Err(SpoolError::SyncFailed { numbers, .. }) = log.sync() else {
        panic!("the sync fails");
    };
    assert_eq!(numbers, 5..10);
    assert_eq!(log.resume_at(7), 7..10);
    let again = 7..10;
    log.append(&part(again.clone(), &frames(again, text)), NOW)
        .unwrap();
    assert_eq!(log.sync().unwrap(), 10);
}

#[test]
fn a_closed_segment_that_cannot_be_synced_is_in_doubt_once() {
    let (disk, mut log) = left_unsynced();
    // The folder's names come first.
    disk.fail(1, Fault::Broken);
    let Err(SpoolError::SyncFailed { numbers, .. }) = log.sync() else {
        panic!("the sync fails");
    };
    assert_eq!(numbers, 0..5);
    assert_eq!(log.resume_at(0), 10..10, "no other is written again");
    disk.heal();
    assert_eq!(log.sync().unwrap(), 10);
}

/// A log that leaves to the kernel what the producer has come to: 0 to 4 in a closed segment, 5 to 9 in the newest one.
fn left_delivered(settled: u64) -> (ForgetfulDisk, Log) {
    let disk = ForgetfulDisk::default();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let config = Config {
        at_roll: AtRoll::LeaveDelivered,
        ..small()
    };
    let mut log = Log::open(shared, Path::new("/t"), config).unwrap().log;
    append_each(&mut log, 5);
    log.note_settled(settled);
    log.roll().unwrap();
    append_each(&mut log, 5);
    assert_eq!((log.synced(), log.segments()), (0, 2));
    (disk, log)
}

/// All ten records are there, whatever else the disk forgets.
fn survives_power_cuts(disk: &ForgetfulDisk) {
    for seed in 0..20 {
        let copy = disk.copy();
        copy.power_cut(seed);
        let shared: Arc<dyn Disk> = Arc::new(copy);
        let opened = open(&shared, Path::new("/t"));
        let there = read_from(&mut opened.log.reader(), 0, &Settled::default()).0;
        assert_eq!(there, (0..10).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn a_segment_that_was_left_and_fails_to_sync_is_written_once_more_in_its_place() {
    // The folder, the segment that was left, the newest one.
    for operation in 0..3 {
        let (disk, mut log) = left_delivered(2);
        disk.fail(operation, Fault::Broken);
        if let Err(error) = log.sync() {
            let SpoolError::SyncFailed { numbers, .. } = &error else {
                panic!("{error}");
            };
            assert_eq!(*numbers, 5..10, "what was left is asked for again");
            assert_eq!(log.resume_at(5), 5..10);
            log.append(&part(5..10, &frames(5..10, text)), NOW).unwrap();
        }
        assert_eq!(log.sync().unwrap(), 10);
        assert!(log.take_passed_over().is_empty());
        survives_power_cuts(&disk);
    }
}

#[test]
fn a_segment_that_was_left_and_cannot_be_synced_at_all_is_passed_over_and_holds_up_no_other() {
    let (disk, mut log) = left_delivered(2);
    disk.stand(Some(Trouble::Syncs));
    // The names do not get there, then they do.
    log.sync().unwrap_err();
    assert_eq!(log.resume_at(5), 5..10);
    disk.stand(None);
    log.append(&part(5..10, &frames(5..10, text)), NOW).unwrap();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let folder = shared.open_folder(Path::new("/t")).unwrap();
    folder.sync().unwrap();
    log.folder_changed = false;
    disk.stand(Some(Trouble::Writes));
    disk.fail(0, Fault::Broken);
    assert_eq!(log.sync().unwrap(), 10);
    let passed_over = log.take_passed_over();
    assert_eq!((passed_over.len(), &passed_over[0].numbers), (1, &(2..5)));
    let error = passed_over[0].error.to_string();
    assert!(error.contains("cannot sync"), "{error}");
    let there = read_from(&mut log.reader(), 0, &Settled::default()).0;
    assert_eq!(there, (0..10).collect::<Vec<_>>(), "it can be read yet");
}

#[test]
fn a_segment_that_was_left_and_found_no_room_is_written_once_more_when_there_is_some() {
    let (disk, mut log) = left_delivered(2);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    shared.sync_folder(Path::new("/t")).unwrap();
    log.folder_changed = false;
    disk.stand(Some(Trouble::Full));
    disk.fail(0, Fault::Broken);
    let error = log.sync().unwrap_err();
    assert!(matches!(error, SpoolError::NoSpace { .. }), "{error}");
    disk.stand(None);
    assert_eq!(log.sync().unwrap(), 10);
    assert!(log.take_passed_over().is_empty());
    survives_power_cuts(&disk);
}

#[test]
fn a_segment_that_is_left_is_forgotten_when_it_is_settled_or_unlinked() {
    let (disk, mut log) = left_delivered(2);
    log.note_settled(5);
    assert!(log.left.is_none());
    disk.fail(1, Fault::Broken);
    log.sync().unwrap_err();
    let (_, mut log) = left_delivered(2);
    let dropped = log.give_up(0, 0).unwrap();
    log.remove(dropped).unwrap();
    assert!(log.left.is_none());
    assert_eq!(log.sync().unwrap(), 10);
}

#[test]
fn a_log_whose_closed_segment_cannot_be_synced_opens_all_the_same() {
    let (disk, log) = left_delivered(2);
    drop(log);
    disk.fail(0, Fault::Broken);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let opened = open(&shared, Path::new("/t"));
    let there = read_from(&mut opened.log.reader(), 0, &Settled::default()).0;
    assert_eq!(there, (0..10).collect::<Vec<_>>());
}

#[test]
fn what_is_settled_is_not_synced_and_its_segment_is_left_to_the_kernel() {
    let (disk, mut log) = left_delivered(5);
    log.note_settled(8);
    disk.stand(Some(Trouble::Syncs));
    log.roll().unwrap();
    append_each(&mut log, 2);
    assert!(log.sync().is_err(), "8 and 9 wait for the disk");
    assert_eq!(log.resume_at(12), 12..12);
    log.note_settled(12);
    assert_eq!(log.sync().unwrap(), 12, "nothing is asked of the disk");
    append_each(&mut log, 2);
    log.roll().unwrap();
    append_each(&mut log, 2);
    assert!(log.roll().is_err(), "the second that is not delivered");
}

#[test]
fn a_closed_segment_that_is_gone_puts_no_other_in_doubt() {
    let (disk, mut log) = left_unsynced();
    let paths = disk.paths().into_iter();
    let first = paths.filter(|path| path.ends_with(segment::file_name(0)));
    first.for_each(|path| disk.remove(&path).unwrap());
    assert_eq!(log.sync().unwrap(), 10);
    assert_eq!(log.take_passed_over()[0].numbers, 0..5);
}

#[test]
fn a_folder_that_cannot_be_opened_puts_nothing_in_doubt() {
    let (disk, mut log) = left_unsynced();
    disk.make_unopenable(Some(Path::new("/t")));
    let error = log.sync().unwrap_err();
    let is_open =
        matches!(&error, SpoolError::Io { operation, .. } if *operation == Operation::Open);
    assert!(is_open, "{error}");
    disk.make_unopenable(None);
    append_each(&mut log, 1);
    assert_eq!(log.sync().unwrap(), 11);
}

#[test]
fn a_segment_that_is_to_be_synced_stays_open_while_its_folder_cannot_be_opened() {
    let disk = ForgetfulDisk::default();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut log = open(&shared, Path::new("/t")).log;
    append_each(&mut log, 5);
    disk.make_unopenable(Some(Path::new("/t")));
    assert!(log.roll().is_err());
    assert!(log.skip_to(8).is_err());
    disk.make_unopenable(None);
    append_each(&mut log, 1);
    assert_eq!((log.next(), log.segments()), (6, 1));
    log.skip_to(8).unwrap();
    assert_eq!((log.next(), log.synced()), (8, 6));
}

#[test]
fn a_closed_segment_that_cannot_be_opened_is_passed_over_and_named_once() {
    let (disk, mut log) = left_unsynced();
    let first = Path::new("/t").join(segment::file_name(0));
    disk.make_unopenable(Some(&first));
    assert_eq!(log.sync().unwrap(), 10);
    let passed_over = log.take_passed_over();
    assert_eq!((passed_over.len(), &passed_over[0].numbers), (1, &(0..5)));
    assert!(passed_over[0].error.to_string().contains("cannot open"));
    append_each(&mut log, 1);
    assert_eq!(log.sync().unwrap(), 11);
    assert!(log.take_passed_over().is_empty());
}
