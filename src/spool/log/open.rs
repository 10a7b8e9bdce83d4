//! Opening a log: what its files hold, whatever happened to them, and where it goes on.
//!
//! ```text
//!   cursor ───────────────┐ settled, counted_to, totals
//!   names and headers ────┼──▶ segments in order ──▶ newest one read to its end ──▶ next number
//!   (a newer version:     │                          torn tail cut, damaged frames kept aside
//!    stop, touch nothing) └──▶ the cursor as it must go on: what is missing is lost{corrupt}
//! ```
//!
//! The last segments are synced: a killed process may have left them to the kernel.
//!
//! Nothing is changed before every header was looked at. Sealed segments follow from their names; damage in them is
//! found when they are read.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{Config, Extent, List, Log, Newest, Shared};
use crate::observe::ledger::LossReason;
use crate::spool::cursor::{self, Cursor, CursorFound};
use crate::spool::declared::Why;
use crate::spool::disk::{self, Disk, Operation, SpoolError};
use crate::spool::segment::{self, Damage, HeaderRead, Scan};
use crate::time::UnixMicros;

/// An open log, its cursor and what was found.
#[derive(Debug)]
pub struct Opened {
    /// The writer's side.
    pub log: Log,
    /// The cursor as it must go on: everything that the log holds is counted, what is missing is settled and lost.
    /// It should be saved soon, so that the next start does not find the same again.
    pub cursor: Cursor,
    /// What was found, for the log and the status page.
    pub recovery: Recovery,
}

/// What was found when a log was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// How the cursor was.
    pub cursor: CursorFound,
    /// How many segments there are.
    pub segments: usize,
    /// Accepted records that are not there, or damaged; none of them was settled.
    pub damage: Vec<Damage>,
    /// How many records `damage` holds: counted as `lost{corrupt}`.
    pub lost: u64,
    /// Records that the cursor did not know and the log holds, or held.
    pub uncounted: u64,
    /// Bytes that were cut off behind the newest segment's last whole frame.
    pub torn_bytes: u64,
    /// The record that was being written there. It was not accepted yet, and its number is not given out again.
    pub torn: Option<u64>,
    /// Bytes of damaged frames that were copied to the file `quarantine`.
    pub quarantined_bytes: u64,
    /// Segments whose name did not fit what they hold; they have their right names again.
    pub renamed: usize,
    /// Second copies of segments; they were renamed to `*.aside` and are not read.
    pub set_aside: usize,
}

/// A segment's file as it was found.
struct Found {
    name: String,
    first: u64,
    created: Option<UnixMicros>,
    misnamed: bool,
}

impl Log {
    /// Opens the log in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// The folder belongs to another user, a file has a newer version (both are left untouched), or the disk refuses.
    pub fn open(disk: Arc<dyn Disk>, folder: &Path, config: Config) -> Result<Opened, SpoolError> {
        disk.create_folder(folder)
            .map_err(SpoolError::at(Operation::Create, folder))?;
        disk::check_owner(disk.as_ref(), folder)?;
        let (cursor, cursor_found) = cursor::load(disk.as_ref(), folder)?;
        let found = find_segments(disk.as_ref(), folder)?;
        let mut recovery = Recovery::new(cursor_found);
        if matches!(recovery.cursor, CursorFound::Damaged(_)) {
            // For whoever wants to look at it. The next save replaces it anyway.
            let _ = disk.rename(&folder.join("cursor"), &folder.join("cursor.damaged"));
        }
        let found = put_right(disk.as_ref(), folder, found, &mut recovery)?;
        let mut opening = Opening {
            disk,
            folder: Arc::from(folder),
            config,
            cursor,
            recovery,
        };
        let mut extents = opening.extents(&found)?;
        // Two: behind one that was left there may be one that a failed sync has closed.
        for left in extents.iter().rev().skip(1).take(2) {
            opening.sync_left(left);
        }
        let scan = opening.read_newest(extents.back_mut())?;
        let first = extents.front().map(|extent| extent.first);
        let next = opening.settle_accounts(first, &scan);
        opening.finish(extents, &scan, next)
    }
}

impl Recovery {
    fn new(cursor: CursorFound) -> Recovery {
        Recovery {
            cursor,
            segments: 0,
            damage: Vec::new(),
            lost: 0,
            uncounted: 0,
            torn_bytes: 0,
            torn: None,
            quarantined_bytes: 0,
            renamed: 0,
            set_aside: 0,
        }
    }
}

/// Looks at every segment's header. A whole header is believed before the name; a damaged one leaves the name.
fn find_segments(disk: &dyn Disk, folder: &Path) -> Result<Vec<Found>, SpoolError> {
    let names = disk
        .list(folder)
        .map_err(SpoolError::at(Operation::List, folder))?;
    let mut found = Vec::new();
    for name in names {
        let moved = name.strip_suffix(MOVED);
        let Some(number) = segment::parse_file_name(moved.unwrap_or(&name)) else {
            continue;
        };
        let path = folder.join(&name);
        let file = disk
            .open_to_read(&path)
            .map_err(SpoolError::at(Operation::Open, &path))?;
        let header = match segment::Header::read(file.as_ref()) {
            Err(error) if error.raw_os_error() == Some(libc::EIO) => HeaderRead::Damaged,
            read => read.map_err(SpoolError::at(Operation::Read, &path))?,
        };
        let (first, created) = match header {
            HeaderRead::Good(header) => (header.first, Some(header.created)),
            HeaderRead::Damaged => (number, None),
            HeaderRead::Newer(found) => {
                return Err(SpoolError::NewerVersion {
                    path,
                    found: u64::from(found),
                    known: u64::from(segment::VERSION),
                });
            }
        };
        found.push(Found {
            misnamed: moved.is_some() || first != number,
            name,
            first,
            created,
        });
    }
    // Of two files that say they begin with the same record, the one with a whole header and its right name wins.
    found.sort_by_key(|file| (file.first, file.created.is_none(), file.misnamed));
    Ok(found)
}

/// Ends the name of a segment on its way to its right name.
const MOVED: &str = ".moved";

/// Gives each segment the name of its first record, and puts second copies aside.
fn put_right(
    disk: &dyn Disk,
    folder: &Path,
    found: Vec<Found>,
    recovery: &mut Recovery,
) -> Result<Vec<Found>, SpoolError> {
    let rename = |from: &str, to: &str| {
        let to = folder.join(to);
        disk.rename(&folder.join(from), &to)
            .map_err(SpoolError::at(Operation::Rename, &to))
    };
    let mut kept: Vec<Found> = Vec::new();
    for file in found {
        if kept.last().is_some_and(|other| other.first == file.first) {
            rename(&file.name, &format!("{}.aside", file.name))?;
            recovery.set_aside += 1;
        } else {
            kept.push(file);
        }
    }
    // Two steps, since two segments may have each other's names.
    for file in kept.iter_mut().filter(|file| file.misnamed) {
        let moved = segment::file_name(file.first) + MOVED;
        rename(&file.name, &moved)?;
        file.name = moved;
        recovery.renamed += 1;
    }
    for file in kept.iter_mut().filter(|file| file.misnamed) {
        let right = segment::file_name(file.first);
        rename(&file.name, &right)?;
        file.name = right;
    }
    if recovery.renamed + recovery.set_aside > 0 {
        disk.sync_folder(folder)
            .map_err(SpoolError::at(Operation::Sync, folder))?;
    }
    recovery.segments = kept.len();
    Ok(kept)
}

struct Opening {
    disk: Arc<dyn Disk>,
    folder: Arc<Path>,
    config: Config,
    cursor: Cursor,
    recovery: Recovery,
}

impl Opening {
    /// The segments in order, each ending where the next begins; the newest is taken to be empty.
    fn extents(&self, found: &[Found]) -> Result<VecDeque<Extent>, SpoolError> {
        let mut extents = VecDeque::new();
        let ends = found.iter().skip(1).map(|file| file.first);
        let last = found.last().map(|file| file.first);
        for (file, end) in found.iter().zip(ends.chain(last)) {
            let path = self.folder.join(&file.name);
            let length = self
                .disk
                .open_to_read(&path)
                .map_err(SpoolError::at(Operation::Open, &path))?
                .len()
                .map_err(SpoolError::at(Operation::Stat, &path))?;
            extents.push_back(Extent {
                first: file.first,
                end,
                bytes: length,
                created: file.created,
                begun: None,
                path: Arc::from(path),
            });
        }
        Ok(extents)
    }

    /// A closed segment may have been left to the kernel by a process that was killed
    /// ([`super::AtRoll::LeaveDelivered`]); from here on it counts as synced. Where the disk refuses, whoever reads finds
    /// what is there: no reason not to start.
    fn sync_left(&self, left: &Extent) {
        let synced = self.disk.open_to_read(&left.path);
        if let Err(error) = synced.and_then(|file| file.sync_data()) {
            let segment = left.path.display();
            tracing::warn!(%segment, %error, "a segment of the spool could not be synced at start: a power cut may take it");
        }
    }

    /// Reads the newest segment to its end, keeps damaged bytes aside and cuts what is not whole.
    fn read_newest(&mut self, newest: Option<&mut Extent>) -> Result<Scan, SpoolError> {
        let Some(extent) = newest else {
            return Ok(Scan::default());
        };
        let path = &extent.path;
        let file = self
            .disk
            .open(path)
            .map_err(SpoolError::at(Operation::Open, path))?;
        let scan = segment::scan(file.as_ref(), path, extent.first, self.cursor.counted_to)
            .map_err(SpoolError::at(Operation::Read, path))?;
        for damage in scan.damage.iter().chain(&scan.unknown_tail(path)) {
            let kept = segment::quarantine(
                self.disk.as_ref(),
                &self.folder,
                damage,
                self.config.quarantine_bytes_max,
            );
            // A copy of damaged bytes is worth nothing beside opening the log.
            self.recovery.quarantined_bytes += kept.unwrap_or(0);
        }
        if scan.tail_bytes > 0 {
            file.truncate(scan.bytes)
                .map_err(SpoolError::at(Operation::Truncate, path))?;
        }
        // What a process wrote that was killed may not be on the disk yet; from here on it counts as synced.
        file.sync_data()
            .map_err(SpoolError::at(Operation::Sync, path))?;
        self.disk
            .sync_folder(&self.folder)
            .map_err(SpoolError::at(Operation::Sync, &self.folder))?;
        (extent.end, extent.bytes) = (scan.end, scan.bytes);
        (self.recovery.torn, self.recovery.torn_bytes) = (scan.torn, scan.tail_bytes);
        Ok(scan)
    }

    /// Brings cursor and log together; returns the next number.
    fn settle_accounts(&mut self, first: Option<u64>, scan: &Scan) -> u64 {
        let cursor = &mut self.cursor;
        if self.recovery.cursor != CursorFound::Whole {
            // All that the log holds is sent: a repeat is better than a loss.
            cursor.settled.add(0..first.unwrap_or(0));
            cursor.counted_to = first.unwrap_or(0);
            cursor.reported_to = first.unwrap_or(0);
        }
        let tail = scan.damage.last().map_or(0, |damage| damage.numbers.end);
        let end = scan.end.max(tail);
        let torn = scan.torn.filter(|&number| number >= cursor.counted_to);
        let next = end
            .max(scan.torn.map_or(0, |number| number + 1))
            .max(cursor.counted_to)
            .max(cursor.settled.end());
        if let Some(number) = torn {
            cursor.settled.add(number..number + 1);
            cursor.undeclared.add(number..number + 1, Why::Torn);
        }
        let uncounted = next - cursor.counted_to - u64::from(torn.is_some());
        let totals = &mut cursor.totals;
        totals.accepted += uncounted;
        totals.generated += scan.generated;
        totals.from_packets += uncounted.saturating_sub(scan.generated);
        self.recovery.uncounted = uncounted;
        let gone = |numbers, segment: PathBuf| Damage {
            numbers,
            segment,
            bytes: 0..0,
        };
        let begin = first.unwrap_or(cursor.counted_to);
        let before = gone(0..begin, self.folder.join(segment::file_name(0)));
        let behind = gone(
            end..cursor.counted_to,
            self.folder.join(segment::file_name(end)),
        );
        cursor.counted_to = next;
        for damage in [before].iter().chain(&scan.damage).chain([&behind]) {
            self.lose(damage);
        }
        self.cursor.update_pending();
        next
    }

    /// Settles and counts those of the damaged records that were not settled.
    fn lose(&mut self, damage: &Damage) {
        let settled = &mut self.cursor.settled;
        for numbers in settled.unsettled_in(damage.numbers.clone()) {
            self.recovery.lost += settled.add(numbers.clone());
            self.recovery.damage.push(Damage {
                numbers: numbers.clone(),
                ..damage.clone()
            });
            self.cursor.totals.lost[LossReason::Corrupt as usize] += numbers.end - numbers.start;
            let corrupt = Why::Lost(LossReason::Corrupt);
            self.cursor.undeclared.add(numbers, corrupt);
        }
    }

    fn finish(
        self,
        extents: VecDeque<Extent>,
        scan: &Scan,
        next: u64,
    ) -> Result<Opened, SpoolError> {
        let newest = match extents.back() {
            // Only a segment that is whole and ends with the number before the next one goes on.
            Some(extent) if extent.created.is_some() && scan.end == next => {
                let file = self.disk.open(&extent.path);
                Some(Newest {
                    file: file.map_err(SpoolError::at(Operation::Open, &extent.path))?,
                    path: extent.path.clone(),
                    bytes: extent.bytes,
                })
            }
            _ => None,
        };
        let bytes = extents.iter().map(|extent| extent.bytes).sum();
        let list = List {
            extents,
            known: self.cursor.settled.clone(),
            claimed: 0..0,
        };
        let log = Log {
            disk: self.disk,
            folder: self.folder,
            config: self.config,
            shared: Arc::new(Shared {
                list: Mutex::new(list),
            }),
            newest,
            left: None,
            next,
            settled: 0,
            synced: next,
            passed_over: Vec::new(),
            sync_from: next,
            in_doubt: false,
            folder_changed: false,
            bytes,
        };
        Ok(Opened {
            log,
            cursor: self.cursor,
            recovery: self.recovery,
        })
    }
}
