//! The format on disk is a promise: `fixtures/spool/v1` was written by version 1 and is read, and written, for ever.
//!
//! What is in it: a cursor (0, 1 and 3 settled, 9 counted), and two segments with the records 0 to 11; every fifth is
//! one of the agent's own.

use std::path::PathBuf;

use super::tests::{NOW, append_each, read_from};
use super::*;
use crate::spool::cursor::CursorFound;
use crate::spool::disk::RealDisk;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/spool/v1")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names = RealDisk.list(folder).unwrap();
    names.sort();
    names
}

#[test]
fn a_folder_of_version_1_is_read() {
    let home = tempfile::tempdir().unwrap();
    for name in names(&fixture()) {
        std::fs::copy(fixture().join(&name), home.path().join(&name)).unwrap();
    }
    let opened = Log::open(Arc::new(RealDisk), home.path(), Config::default()).unwrap();
    assert_eq!(opened.recovery.cursor, CursorFound::Whole);
    assert_eq!((opened.recovery.segments, opened.recovery.lost), (2, 0));
    assert_eq!((opened.recovery.uncounted, opened.log.next()), (3, 12));
    let oldest = opened.log.oldest_unread(0).map(|oldest| oldest.before);
    assert_eq!(oldest, Some(NOW));
    let totals = &opened.cursor.totals;
    let counts = (totals.accepted, totals.from_packets, totals.generated);
    assert_eq!(counts, (12, 10, 2));
    assert_eq!((totals.delivered, totals.pending), (3, 9));
    let (numbers, damaged) = read_from(&mut opened.log.reader(), 0, &opened.cursor.settled);
    assert_eq!(
        (numbers, damaged),
        (vec![2, 4, 5, 6, 7, 8, 9, 10, 11], vec![])
    );
}

#[test]
fn the_same_calls_still_write_the_same_bytes() {
    let home = tempfile::tempdir().unwrap();
    let config = Config {
        segment_bytes: 500,
        ..Config::default()
    };
    let mut opened = Log::open(Arc::new(RealDisk), home.path(), config).unwrap();
    append_each(&mut opened.log, 12);
    let cursor = &mut opened.cursor;
    cursor.settled.add(0..2);
    cursor.settled.add(3..4);
    cursor.counted_to = 9;
    cursor.totals.accepted = 9;
    (cursor.totals.from_packets, cursor.totals.generated) = (8, 1);
    cursor.totals.delivered = 3;
    let _ = opened.log.save_cursor(cursor).unwrap();
    assert_eq!(names(home.path()), names(&fixture()));
    for name in names(&fixture()) {
        let written = std::fs::read(home.path().join(&name)).unwrap();
        let expected = std::fs::read(fixture().join(&name)).unwrap();
        assert!(
            written == expected,
            "{name} differs: a change of the format needs a new version"
        );
    }
}
