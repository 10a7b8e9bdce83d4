//! Which records of a log are settled, and its totals: one small file, replaced as a whole.
//!
//! ```text
//!  cursor                        save: write cursor.new ─▶ sync it ─▶ rename to cursor ─▶ sync the folder ─▶ Saved
//!  ┌──────────────────────────┐                                                                               │
//!  │ {"version":2,"low":4711, │                                       only then may segments be unlinked ◀────┘
//!  │  "settled":[[4713,4720]],│
//!  │  "counted_to":4800, ...} │
//!  │ crc32c 1a2b3c4d          │  over everything before this line
//!  └──────────────────────────┘
//! ```
//!
//! Version 1 had neither `reported_to` nor `undeclared`: what was settled by then is taken to be reported.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::declared::{Declarations, Declared, Why};
use super::disk::{self, Disk, Operation, SpoolError};
use super::settled::Settled;
use crate::observe::ledger::{LossReason, RecordCounts};

/// The newest version that is understood, and the one that is written.
pub const VERSION: u64 = 2;

/// The longest cursor file that is read. A range of settled numbers takes some 40 bytes and the Kafka client's window
/// of 20 000 records bounds how many there are; this is many times that.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

const NAME: &str = "cursor";
const NAME_NEW: &str = "cursor.new";

/// What is known about a log beside its records. Totals and settled numbers belong together: they are one picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The numbers that are settled: delivered, set aside, lost, or never given to a record.
    pub settled: Settled,
    /// Records with numbers below this are in `totals`.
    pub counted_to: u64,
    /// The log's part of the ledger. `pending` is not stored: it follows from the other counts.
    pub totals: RecordCounts,
    /// Numbers below this are in a report that is in the log.
    pub reported_to: u64,
    /// Losses that no such report has declared.
    pub undeclared: Declarations,
}

/// The proof that a cursor is on the disk. [`super::log::Log::trim`] asks for it, so that nothing is unlinked that a
/// cursor after a crash would still point at.
#[derive(Debug)]
#[must_use = "a saved cursor is what allows settled segments to be trimmed"]
pub struct CursorSaved {
    pub(super) folder: Arc<Path>,
    pub(super) low: u64,
}

/// What was found in a log's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CursorFound {
    /// A whole cursor.
    Whole,
    /// No file: a new log, or somebody removed it.
    Missing,
    /// A file that cannot be believed; the text says why.
    Damaged(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u64,
    low: u64,
    settled: Vec<(u64, u64)>,
    counted_to: u64,
    totals: StoredTotals,
    /// Not in version 1.
    reported_to: Option<u64>,
    /// First number, last number, reason, count. Not in version 1.
    #[serde(default)]
    undeclared: Vec<(u64, u64, String, u64)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTotals {
    accepted: u64,
    from_packets: u64,
    generated: u64,
    delivered: u64,
    dead_letter: u64,
    redelivered: u64,
    lost: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct StoredVersion {
    version: u64,
}

/// Puts `cursor` in the place of the one in `folder`. Returns when it is on the disk.
pub(super) fn save(
    disk: &dyn Disk,
    folder: &Arc<Path>,
    cursor: &Cursor,
) -> Result<CursorSaved, SpoolError> {
    let (path, new) = (folder.join(NAME), folder.join(NAME_NEW));
    match disk.remove(&new) {
        // An earlier attempt failed half-way. Its file must be gone for good before another takes its name: if the
        // power went while the removal was forgotten and the rename below was not, the empty one would be the cursor.
        Ok(()) => disk
            .sync_folder(folder)
            .map_err(SpoolError::at(Operation::Sync, folder))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(SpoolError::new(Operation::Remove, &new, error)),
    }
    let file = disk
        .create_new(&new)
        .map_err(SpoolError::at(Operation::Create, &new))?;
    disk::write_all_at(file.as_ref(), to_text(cursor).as_bytes(), 0)
        .map_err(SpoolError::at(Operation::Write, &new))?;
    file.sync_data()
        .map_err(SpoolError::at(Operation::Sync, &new))?;
    disk.rename(&new, &path)
        .map_err(SpoolError::at(Operation::Rename, &path))?;
    disk.sync_folder(folder)
        .map_err(SpoolError::at(Operation::Sync, folder))?;
    Ok(CursorSaved {
        folder: folder.clone(),
        low: cursor.settled.low(),
    })
}

/// Reads the cursor in `folder`. One that is missing or damaged comes back empty; one of a newer version is an error.
pub(super) fn load(disk: &dyn Disk, folder: &Path) -> Result<(Cursor, CursorFound), SpoolError> {
    let path = folder.join(NAME);
    let file = match disk.open_to_read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((Cursor::default(), CursorFound::Missing));
        }
        opened => opened.map_err(SpoolError::at(Operation::Open, &path))?,
    };
    let length = file.len().map_err(SpoolError::at(Operation::Stat, &path))?;
    let mut bytes = vec![0; usize::try_from(length.min(FILE_BYTES_MAX)).unwrap_or(0)];
    let read = match disk::read_full_at(file.as_ref(), &mut bytes, 0) {
        // A bad sector in this small file must not keep the whole log from being read.
        Err(error) if error.raw_os_error() == Some(libc::EIO) => 0,
        read => read.map_err(SpoolError::at(Operation::Read, &path))?,
    };
    bytes.truncate(read);
    match from_text(&bytes) {
        Ok(cursor) => Ok((cursor, CursorFound::Whole)),
        Err(Unreadable::Damaged(why)) => Ok((Cursor::default(), CursorFound::Damaged(why))),
        Err(Unreadable::Newer(found)) => Err(SpoolError::NewerVersion {
            path: PathBuf::from(&path),
            found,
            known: VERSION,
        }),
    }
}

fn to_text(cursor: &Cursor) -> String {
    let totals = &cursor.totals;
    let lost = LossReason::ALL.iter().zip(totals.lost);
    let stored = Stored {
        version: VERSION,
        low: cursor.settled.low(),
        settled: cursor
            .settled
            .above()
            .map(|range| (range.start, range.end))
            .collect(),
        counted_to: cursor.counted_to,
        totals: StoredTotals {
            accepted: totals.accepted,
            from_packets: totals.from_packets,
            generated: totals.generated,
            delivered: totals.delivered,
            dead_letter: totals.dead_letter,
            redelivered: totals.redelivered,
            lost: lost
                .filter(|(_, count)| *count > 0)
                .map(|(reason, count)| (reason.as_str().to_owned(), count))
                .collect(),
        },
        reported_to: Some(cursor.reported_to),
        undeclared: cursor
            .undeclared
            .list()
            .iter()
            .map(|range| {
                let why = range.why.as_str().to_owned();
                (range.first, range.last, why, range.count)
            })
            .collect(),
    };
    // Numbers and names only: there is nothing in it that JSON could refuse.
    let mut text = serde_json::to_string_pretty(&stored).unwrap_or_default();
    text.push('\n');
    let crc = crc32c::crc32c(text.as_bytes());
    text.push_str(&format!("crc32c {crc:08x}\n"));
    text
}

enum Unreadable {
    Damaged(String),
    Newer(u64),
}

impl From<String> for Unreadable {
    fn from(why: String) -> Self {
        Unreadable::Damaged(why)
    }
}

/// The last line, `crc32c ` and 8 digits and the line's end.
const LAST_LINE_BYTES: usize = 16;

fn from_text(bytes: &[u8]) -> Result<Cursor, Unreadable> {
    let split = bytes.len().checked_sub(LAST_LINE_BYTES);
    let (json, last) = split
        .and_then(|at| bytes.split_at_checked(at))
        .ok_or_else(|| format!("it has {} bytes, fewer than its checksum", bytes.len()))?;
    let expected = format!("crc32c {:08x}\n", crc32c::crc32c(json));
    if last != expected.as_bytes() {
        return Err(format!(
            "its checksum does not fit, expected {}",
            expected.trim_end()
        )
        .into());
    }
    let read_error = |error: serde_json::Error| Unreadable::Damaged(error.to_string());
    let StoredVersion { version } = serde_json::from_slice(json).map_err(read_error)?;
    if version > VERSION {
        return Err(Unreadable::Newer(version));
    }
    let stored: Stored = serde_json::from_slice(json).map_err(read_error)?;
    let mut settled = Settled::default();
    settled.add(0..stored.low);
    for (start, end) in stored.settled {
        settled.add(start..end);
    }
    let mut cursor = Cursor {
        counted_to: stored.counted_to.max(settled.end()),
        reported_to: stored.reported_to.unwrap_or(settled.low()),
        undeclared: Declarations::default(),
        settled,
        totals: RecordCounts {
            accepted: stored.totals.accepted,
            from_packets: stored.totals.from_packets,
            generated: stored.totals.generated,
            delivered: stored.totals.delivered,
            dead_letter: stored.totals.dead_letter,
            redelivered: stored.totals.redelivered,
            ..RecordCounts::default()
        },
    };
    for (name, count) in stored.totals.lost {
        let reason = LossReason::ALL
            .iter()
            .find(|reason| reason.as_str() == name);
        let reason = reason.ok_or_else(|| format!("it has a loss reason {name:?}"))?;
        cursor.totals.lost[*reason as usize] = count;
    }
    for (first, last, name, count) in stored.undeclared {
        let why = Why::from_name(&name).ok_or_else(|| format!("it has a reason {name:?}"))?;
        cursor.undeclared.insert(Declared {
            first,
            last,
            why,
            count,
        });
    }
    cursor.update_pending();
    Ok(cursor)
}

impl Cursor {
    /// Sets `totals.pending` to what the other totals leave.
    pub(super) fn update_pending(&mut self) {
        let totals = &mut self.totals;
        let ended = totals.delivered + totals.dead_letter + totals.lost_total();
        totals.pending = totals.accepted.saturating_sub(ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::forgetful::{Fault, ForgetfulDisk};

    fn cursor() -> Cursor {
        let mut cursor = Cursor {
            counted_to: 40,
            ..Cursor::default()
        };
        cursor.settled.add(0..17);
        cursor.settled.add(20..22);
        cursor.totals.accepted = 40;
        cursor.totals.from_packets = 38;
        cursor.totals.generated = 2;
        cursor.totals.delivered = 16;
        cursor.totals.lost[LossReason::SpoolFull as usize] = 3;
        cursor.reported_to = 12;
        let full = Why::Lost(LossReason::SpoolFull);
        cursor.undeclared.add(13..16, full);
        cursor.update_pending();
        cursor
    }

    fn folder() -> Arc<Path> {
        Arc::from(Path::new("/t"))
    }

    fn replace(disk: &ForgetfulDisk, bytes: &[u8]) {
        let path = folder().join(NAME);
        disk.remove(&path).unwrap();
        let file = disk.create_new(&path).unwrap();
        disk::write_all_at(file.as_ref(), bytes, 0).unwrap();
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let disk = ForgetfulDisk::default();
        assert_eq!(
            load(&disk, &folder()).unwrap(),
            (Cursor::default(), CursorFound::Missing)
        );
        assert_eq!(save(&disk, &folder(), &cursor()).unwrap().low, 17);
        assert_eq!(
            load(&disk, &folder()).unwrap(),
            (cursor(), CursorFound::Whole)
        );
        assert_eq!(cursor().totals.pending, 21);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let disk = ForgetfulDisk::default();
        let _ = save(&disk, &folder(), &cursor()).unwrap();
        let text = to_text(&cursor()).into_bytes();
        for bit in 0..text.len() * 8 {
            let mut damaged = text.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            replace(&disk, &damaged);
            let (found, how) = load(&disk, &folder()).unwrap();
            assert!(matches!(how, CursorFound::Damaged(_)), "bit {bit}");
            assert_eq!(found, Cursor::default());
        }
        for cut in 0..text.len() {
            replace(&disk, &text[..cut]);
            let (_, how) = load(&disk, &folder()).unwrap();
            assert!(matches!(how, CursorFound::Damaged(_)), "cut at {cut}");
        }
    }

    #[test]
    fn a_newer_version_is_refused_and_left_alone() {
        let disk = ForgetfulDisk::default();
        let _ = save(&disk, &folder(), &cursor()).unwrap();
        let json = "{\"version\":3,\"shape\":\"unknown\"}\n";
        let crc = crc32c::crc32c(json.as_bytes());
        replace(&disk, format!("{json}crc32c {crc:08x}\n").as_bytes());
        let refused = load(&disk, &folder()).unwrap_err().to_string();
        assert!(refused.contains("version 3"), "{refused}");
    }

    #[test]
    fn whenever_the_power_goes_the_old_or_the_new_cursor_is_there() {
        let mut newer = cursor();
        newer.settled.add(17..20);
        let mut seen = [0, 0];
        for seed in 0..400 {
            let disk = ForgetfulDisk::default();
            let _ = save(&disk, &folder(), &cursor()).unwrap();
            disk.fail(seed % 6, Fault::PowerOff);
            let saved = save(&disk, &folder(), &newer);
            disk.power_cut(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let (found, how) = load(&disk, &folder()).unwrap();
            assert_eq!(how, CursorFound::Whole);
            assert!(found == newer || (found == cursor() && saved.is_err()));
            seen[usize::from(found == newer)] += 1;
        }
        assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    }

    #[test]
    fn a_full_disk_leaves_the_old_cursor() {
        let disk = ForgetfulDisk::default();
        let _ = save(&disk, &folder(), &cursor()).unwrap();
        for after in 0..5 {
            disk.fail(after, Fault::ShortWrite);
            if save(&disk, &folder(), &cursor()).is_err() {
                disk.heal();
                assert_eq!(load(&disk, &folder()).unwrap().0, cursor());
            }
        }
        let _ = save(&disk, &folder(), &cursor()).unwrap();
    }
}
