//! One topic's log on disk: segments behind each other, appended by one thread, read by another.
//!
//! ```text
//!   <spool>/<topic>/  00000000000000000000.log   00000000000000011220.log   00000000000000022301.log
//!                     ▕ 0 … 11 219 ▏ sealed      ▕ 11 220 … 22 300 ▏ sealed  ▕ 22 301 … next ▏ newest
//!                       ▲ low: trim unlinks what lies below, after the cursor is saved      ▲
//!                                        ▲ LogReader (producer thread)                      └ Log::append
//!                     cursor   quarantine                                                     (writer thread)
//! ```
//!
//! In: runs of frames with consecutive numbers, from the writer thread, which alone owns [`Log`]. Out: records, through
//! [`LogReader`] on another thread. The two share the list of segments under a lock that is held for a look-up only;
//! files are read and written outside of it. Sealed segments never change; one that the disk did not confirm is written once
//! more with the same bytes.
//!
//! Frames are stored as they are. Compressed blocks were measured (`make bench`: blocks of 100 events, lz4 at 0.2 µs an
//! event and an eleventh of the bytes, where a plain write takes 0.4 to 0.9 µs). The messages are generated, of three
//! kinds, and more alike than real ones; still, blocks would pay in bytes and probably in CPU. They are not used: one flipped bit would cost a block instead of a record, a record could
//! not be read back before its block is full, and a producer that keeps up never reads the log at all.
//!
//! Numbers are dense and go on after a restart. Two things leave a hole in them, and a reader that meets it says so:
//! records that were damaged, and a record that was being written when the power went.

mod open;
mod reader;
mod removal;
mod sync;
mod view;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::cursor::{self, Cursor, CursorSaved};
use super::disk::{self, Disk, DiskFile, Operation, SpoolError};
use super::frame::Part;
use super::segment::{self, Damage, HEADER_BYTES};
use super::settled::Settled;
use crate::time::UnixMicros;

pub use open::{Opened, Recovery};
pub use reader::{LogReader, ReadOutcome};
pub use removal::{Candidate, Dropped};
pub use sync::PassedOver;
pub use view::LogView;
pub(super) use view::part;

/// How one log is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// A segment is closed before it grows above so many bytes (a single run of frames may be larger).
    pub segment_bytes: u64,
    /// The file of damaged bytes is not made larger than this.
    pub quarantine_bytes_max: u64,
    /// Whether a segment that is closed is synced.
    pub at_roll: AtRoll,
}

impl Config {
    /// Default of `segment_bytes`: some 10 000 events. The newest segment is read at start (10 ms), `drop_oldest`
    /// gives up one, and 10 GiB make some 1 300 files.
    pub const SEGMENT_BYTES_DEFAULT: u64 = 8 * 1024 * 1024;

    /// Default of `quarantine_bytes_max`: enough to look into what went wrong, nothing beside the spool's cap.
    pub const QUARANTINE_BYTES_MAX_DEFAULT: u64 = 1024 * 1024;
}

impl Default for Config {
    fn default() -> Self {
        Config {
            segment_bytes: Config::SEGMENT_BYTES_DEFAULT,
            quarantine_bytes_max: Config::QUARANTINE_BYTES_MAX_DEFAULT,
            at_roll: AtRoll::Sync,
        }
    }
}

/// What happens to a segment when the next one is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtRoll {
    /// It is synced first, unless all of it is settled, so that only the newest segment ever holds records that a power cut
    /// can take.
    Sync,
    /// It is left to the kernel where all before it is settled, and synced first where it is not. So a power cut can take
    /// records of this segment and the newest, until [`Log::sync`]; and while the producer keeps up, a segment that is
    /// delivered and unlinked within seconds never costs the disk a write.
    LeaveDelivered,
    /// It is left to the kernel (`fsync = never`): a power cut takes what the kernel had not yet written, in any
    /// segment. The cursor is synced all the same, and [`Log::sync`] reaches every segment.
    Leave,
}

/// One segment as both threads see it.
#[derive(Debug, Clone)]
struct Extent {
    first: u64,
    /// One past its last number. What the file holds from there on belongs to the next segment.
    end: u64,
    /// How many bytes of the file count.
    bytes: u64,
    /// `None` where its header is damaged.
    created: Option<UnixMicros>,
    /// When this process began it, by a clock that never jumps; `None` where an earlier one did.
    begun: Option<Instant>,
    path: Arc<Path>,
}

/// What writer and reader share.
#[derive(Debug, Default)]
struct Shared {
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    extents: VecDeque<Extent>,
    /// Numbers that no reader has to report as missing: settled, dropped, or reported before.
    known: Settled,
    /// What the reader's present read has looked up. It is not given up: its records may be on their way out.
    claimed: Range<u64>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest segment, open for appending.
#[derive(Debug)]
struct Newest {
    file: Arc<dyn DiskFile>,
    path: Arc<Path>,
    bytes: u64,
}

/// A closed segment that was left to the kernel.
#[derive(Debug)]
struct Left {
    segment: Newest,
    numbers: Range<u64>,
    confirmed: Confirmed,
}

/// What the disk has said of a segment that was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirmed {
    /// Nothing yet.
    Unasked,
    /// A sync has failed: the kernel has forgotten what it could not write, and says yes to the next one.
    Refused,
}

/// The writer's side of a log.
#[derive(Debug)]
pub struct Log {
    disk: Arc<dyn Disk>,
    folder: Arc<Path>,
    config: Config,
    shared: Arc<Shared>,
    /// `None` when the next append begins a new segment.
    newest: Option<Newest>,
    /// The segment before it, under [`AtRoll::LeaveDelivered`], until it is synced or settled.
    left: Option<Left>,
    next: u64,
    /// Everything below is settled, as the writer last said: nobody needs it on the disk.
    settled: u64,
    /// Everything below is on the disk, or was settled before a sync.
    synced: u64,
    /// What lies below is on the disk or was counted as in doubt: a segment that cannot be synced is not tried for ever.
    sync_from: u64,
    passed_over: Vec<PassedOver>,
    /// A sync has failed and [`Log::resume_at`] was not called since.
    in_doubt: bool,
    /// The folder has a new name in it that is not synced.
    folder_changed: bool,
    bytes: u64,
}

impl Log {
    /// Appends a run of frames, which go on where the log ends and have their checksums. When this returns `Ok`, the
    /// records survive the end of the process; [`Log::sync`] makes them survive a power cut.
    ///
    /// # Errors
    /// Nothing of the run counts as appended; the same run is handed over again. [`SpoolError::SyncFailed`] says that
    /// earlier records are in doubt: first [`Log::resume_at`], then those of them that are still in memory, then the
    /// run.
    pub(super) fn append(&mut self, parts: &[Part<'_>], now: UnixMicros) -> Result<(), SpoolError> {
        self.check_doubt()?;
        let end = self.check_order(parts)?;
        let frames: Vec<&[u8]> = parts.iter().map(|part| part.frames).collect();
        let size = frames.iter().map(|frames| frames.len() as u64).sum();
        let full = |newest: &Newest| {
            newest.bytes > HEADER_BYTES as u64 && newest.bytes + size > self.config.segment_bytes
        };
        if self.newest.as_ref().is_some_and(full) {
            self.roll()?;
        }
        if self.newest.is_none() {
            self.begin_segment(now)?;
        }
        self.write(&frames, size)?;
        self.next = end;
        self.bytes += size;
        if let Some(extent) = self.shared.lock().extents.back_mut() {
            extent.bytes += size;
            extent.end = end;
        }
        Ok(())
    }

    /// A run that does not follow what was written is a fault of ours: better refused than found by a reader. Returns one
    /// past its last number.
    fn check_order(&self, parts: &[Part<'_>]) -> Result<u64, SpoolError> {
        let mut expected = self.next;
        for part in parts {
            let first = part.first().or(part.numbers.is_empty().then_some(expected));
            let joins = part.numbers.start == expected && first == Some(expected);
            if !joins || !part.is_complete() {
                let first = first.filter(|first| *first != expected);
                return Err(SpoolError::OutOfOrder {
                    path: self.folder.to_path_buf(),
                    expected,
                    found: first.unwrap_or(part.numbers.start),
                });
            }
            expected = part.numbers.end;
        }
        Ok(expected)
    }

    /// Writes behind the newest segment's last frame. What a failed write left there is cut off; where even that
    /// fails, the segment is closed and the next one takes over; one that stays open ([`Log::roll`]) is written over from there.
    fn write(&mut self, frames: &[&[u8]], size: u64) -> Result<(), SpoolError> {
        let Some(newest) = &mut self.newest else {
            return Ok(());
        };
        let written = disk::write_all_parts_at(newest.file.as_ref(), frames, newest.bytes);
        if let Err(error) = written {
            let error = SpoolError::new(Operation::Write, &newest.path, error);
            if newest.file.truncate(newest.bytes).is_err() {
                // What it holds would not be synced any more.
                self.roll()?;
            }
            return Err(error);
        }
        newest.bytes += size;
        Ok(())
    }

    /// Closes the newest segment, so that the next append begins another, and syncs it first where [`AtRoll`] says so.
    ///
    /// # Errors
    /// [`SpoolError::SyncFailed`], and the segment is closed all the same. Where the folder could not be opened for the sync,
    /// the segment stays open.
    pub fn roll(&mut self) -> Result<(), SpoolError> {
        self.check_doubt()?;
        match self.config.at_roll {
            AtRoll::Sync => _ = self.sync()?,
            AtRoll::LeaveDelivered => {
                let newest = self.newest_extent();
                let reached = newest.filter(|newest| newest.first <= self.settled);
                match (reached, self.newest.take()) {
                    (Some(extent), Some(segment)) => {
                        let numbers = extent.first..extent.end;
                        self.left = Some(Left {
                            segment,
                            numbers,
                            confirmed: Confirmed::Unasked,
                        });
                    }
                    (_, newest) => {
                        self.newest = newest;
                        self.sync()?;
                    }
                }
            }
            AtRoll::Leave => {}
        }
        self.newest = None;
        Ok(())
    }

    /// Everything below `number` is settled.
    pub fn note_settled(&mut self, number: u64) {
        self.settled = self.settled.max(number);
        // A file that is open keeps its room after it was unlinked.
        let settled = self.settled;
        self.left.take_if(|left| left.numbers.end <= settled);
    }

    /// Leaves out the numbers below `number`: they were settled without having been written. The next append begins a
    /// new segment there.
    ///
    /// # Errors
    /// As [`Log::roll`], and nothing is left out.
    pub fn skip_to(&mut self, number: u64) -> Result<(), SpoolError> {
        if number <= self.next {
            return Ok(());
        }
        self.roll()?;
        self.shared.lock().known.add(self.next..number);
        self.next = number;
        Ok(())
    }

    /// Makes the file that begins with the next number. A segment that holds nothing yet is begun again.
    fn begin_segment(&mut self, now: UnixMicros) -> Result<(), SpoolError> {
        let path: Arc<Path> = Arc::from(self.folder.join(segment::file_name(self.next)));
        let again = self
            .newest_extent()
            .filter(|extent| extent.first == self.next);
        let there = match &again {
            Some(extent) => match self.disk.open(&extent.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                opened => Some(opened.map_err(SpoolError::at(Operation::Open, &extent.path))?),
            },
            None => None,
        };
        let file = match there {
            Some(file) => file,
            None => self
                .create_segment(&path)
                .map_err(SpoolError::at(Operation::Create, &path))?,
        };
        let header = segment::Header {
            first: self.next,
            created: now,
        };
        self.folder_changed = true;
        if let Err(error) = disk::write_all_at(file.as_ref(), &header.to_bytes(), 0) {
            if again.is_none() {
                // It would stand in the way of the next attempt; if it cannot be removed, that attempt says so.
                let _ = self.disk.remove(&path);
            }
            return Err(SpoolError::new(Operation::Write, &path, error));
        }
        let extent = Extent {
            first: self.next,
            end: self.next,
            bytes: HEADER_BYTES as u64,
            created: Some(now),
            begun: Some(Instant::now()),
            path: path.clone(),
        };
        let mut list = self.shared.lock();
        if again.is_some() {
            list.extents.pop_back();
        } else {
            self.bytes += extent.bytes;
        }
        list.extents.push_back(extent);
        drop(list);
        let bytes = HEADER_BYTES as u64;
        self.newest = Some(Newest { file, path, bytes });
        Ok(())
    }

    /// A file that has the name already is none of ours, or a leftover of a failed attempt: it is put aside.
    fn create_segment(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        match self.disk.create_new(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.disk.rename(path, &path.with_extension("log.aside"))?;
                self.disk.create_new(path)
            }
            created => created,
        }
    }

    fn newest_extent(&self) -> Option<Extent> {
        self.shared.lock().extents.back().cloned()
    }

    /// Puts the cursor on the disk. Its proof allows [`Log::trim`].
    ///
    /// # Errors
    /// The cursor that was there before is still there, or this one is; neither is damaged.
    pub fn save_cursor(&mut self, cursor: &Cursor) -> Result<CursorSaved, SpoolError> {
        let saved = cursor::save(self.disk.as_ref(), &self.folder, cursor)?;
        let low = saved.low.min(self.next);
        self.shared.lock().known.add(0..low);
        Ok(saved)
    }

    /// Closes the newest segment, if it holds records, and begins the next one now: so the records can be given up or
    /// trimmed, and the new one keeps the log's place.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn begin_next(&mut self, now: UnixMicros) -> Result<(), SpoolError> {
        if self
            .newest_extent()
            .is_none_or(|extent| extent.end == extent.first)
        {
            return Ok(());
        }
        self.roll()?;
        self.begin_segment(now)
    }

    /// Whether the newest segment is where it was written: somebody may have removed the folder under us, and writes to
    /// a file without a name succeed.
    ///
    /// # Errors
    /// The disk does not say.
    pub fn is_in_place(&self) -> Result<bool, SpoolError> {
        let newest = self.newest_extent();
        let path = newest.as_ref().map_or(&self.folder, |extent| &extent.path);
        let there = match newest {
            Some(_) => self.disk.open_to_read(path).map(|_| ()),
            None => self.disk.list(path).map(|_| ()),
        };
        match there {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(SpoolError::new(Operation::Open, path, error)),
        }
    }

    /// Makes the folder again, and takes the newest segment for gone: as after a failed sync, what is still in memory
    /// of it is to be written again ([`Log::resume_at`]).
    ///
    /// # Errors
    /// The folder cannot be made; otherwise [`SpoolError::SyncFailed`] for the records that are in doubt, if there was a
    /// segment.
    pub fn make_anew(&mut self) -> Result<(), SpoolError> {
        self.disk
            .create_folder(&self.folder)
            .map_err(SpoolError::at(Operation::Create, &self.folder))?;
        self.folder_changed = true;
        let Some(newest) = self.newest_extent() else {
            return Ok(());
        };
        // What the older segments held, whoever reads finds to be there or not; nobody is told that it is.
        if let Some(left) = self.left.take() {
            let gone = SpoolError::at(Operation::Open, &left.segment.path);
            self.pass_over(left.numbers, gone(io::ErrorKind::NotFound.into()));
        }
        self.synced = newest.first;
        Err(self.begin_doubt(io::ErrorKind::NotFound.into()))
    }

    /// Appends the bytes of `damage` to the file `quarantine`, as far as its cap allows; returns how many were kept.
    ///
    /// # Errors
    /// As the disk says. Nothing depends on it.
    pub fn quarantine(&self, damage: &Damage) -> Result<u64, SpoolError> {
        let bytes_max = self.config.quarantine_bytes_max;
        segment::quarantine(self.disk.as_ref(), &self.folder, damage, bytes_max)
    }

    /// From now on a segment is closed before it grows above so many bytes.
    pub fn set_segment_bytes(&mut self, bytes: u64) {
        self.config.segment_bytes = bytes;
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A reader of this log, for another thread.
    pub fn reader(&self) -> LogReader {
        LogReader::new(self.disk.clone(), self.shared.clone())
    }

    /// The number that the next record must have.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Records below this number are on the disk or were settled, unless a failed sync has put them in doubt or one passed
    /// them over.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many segments there are.
    pub fn segments(&self) -> usize {
        self.shared.lock().extents.len()
    }

    /// The number that the oldest segment begins with.
    pub fn first(&self) -> Option<u64> {
        self.shared
            .lock()
            .extents
            .front()
            .map(|extent| extent.first)
    }

    /// Bytes of the segments that are closed: what can become free.
    pub fn closed_bytes(&self) -> u64 {
        let list = self.shared.lock();
        let closed = list.extents.len().saturating_sub(1);
        list.extents
            .iter()
            .take(closed)
            .map(|extent| extent.bytes)
            .sum()
    }

    /// One past the last number of the oldest segment that is closed.
    pub fn oldest_closed_end(&self) -> Option<u64> {
        let list = self.shared.lock();
        let oldest = list.extents.front().filter(|_| list.extents.len() > 1);
        oldest.map(|extent| extent.end)
    }
}

#[cfg(test)]
mod damage;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod left;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
