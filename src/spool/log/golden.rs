//! The format on disk is a promise: `fixtures/spool/v1` was written by version 1 and is read for ever; `v2` is what is
//! written now. They differ in the cursor only.
//!
//! What is in them: a cursor (0, 1 and 3 settled, 9 counted; in version 2 also: 5 reported, 1 declared as lost by none),
//! and two segments with the records 0 to 11; every fifth is one of the agent's own.

use std::path::PathBuf;

use super::tests::{NOW, append_each, read_from};
use super::*;
use crate::observe::ledger::LossReason;
use crate::spool::cursor::CursorFound;
use crate::spool::declared::{Declarations, Why};
use crate::spool::disk::RealDisk;

fn fixture(version: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/spool");
    folder.join(version)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names = RealDisk.list(folder).unwrap();
    names.sort();
    names
}

fn read_copy(version: &str) -> Opened {
    let home = tempfile::tempdir().unwrap();
    for name in names(&fixture(version)) {
        std::fs::copy(fixture(version).join(&name), home.path().join(&name)).unwrap();
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
    assert_eq!(totals.delivered + totals.lost_total(), 3);
    assert_eq!(totals.pending, 9);
    let (numbers, damaged) = read_from(&mut opened.log.reader(), 0, &opened.cursor.settled);
    assert_eq!(
        (numbers, damaged),
        (vec![2, 4, 5, 6, 7, 8, 9, 10, 11], vec![])
    );
    opened
}

#[test]
fn a_folder_of_version_1_is_read_and_what_was_settled_then_is_no_report_s_business() {
    let cursor = read_copy("v1").cursor;
    assert_eq!((cursor.reported_to, cursor.undeclared.list()), (2, &[][..]));
}

#[test]
fn a_folder_of_version_2_is_read() {
    let cursor = read_copy("v2").cursor;
    assert_eq!(cursor.reported_to, 5);
    let mut undeclared = Declarations::default();
    undeclared.add(1..2, Why::Lost(LossReason::Poison));
    assert_eq!(cursor.undeclared, undeclared);
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
    cursor.totals.delivered = 2;
    cursor.totals.lost[LossReason::Poison as usize] = 1;
    cursor.reported_to = 5;
    cursor.undeclared.add(1..2, Why::Lost(LossReason::Poison));
    let _ = opened.log.save_cursor(cursor).unwrap();
    assert_eq!(names(home.path()), names(&fixture("v2")));
    for name in names(&fixture("v2")) {
        let written = std::fs::read(home.path().join(&name)).unwrap();
        let expected = std::fs::read(fixture("v2").join(&name)).unwrap();
        assert!(
            written == expected,
            "{name} differs: a change of the format needs a new version"
        );
    }
}
