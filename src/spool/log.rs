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
//! files are read and written outside of it. Sealed segments never change.
//!
//! Numbers are dense and go on after a restart. Two things leave a hole in them, and a reader that meets it says so:
//! records that were damaged, and a record that was being written when the power went.

mod open;
mod reader;
mod view;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cursor::{self, Cursor, CursorSaved};
use super::disk::{self, Disk, DiskFile, Operation, SpoolError};
use super::frame;
use super::segment::{self, Damage, HEADER_BYTES};
use super::settled::Settled;
use crate::time::UnixMicros;

pub use open::{Opened, Recovery};
pub use reader::{LogReader, ReadOutcome};
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
    /// It is synced first, so that only the newest segment ever holds records that a power cut can take.
    Sync,
    /// It is left to the kernel (`fsync = never`): a power cut takes what the kernel had not yet written, in any
    /// segment. The cursor is synced all the same.
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

/// The writer's side of a log.
#[derive(Debug)]
pub struct Log {
    disk: Arc<dyn Disk>,
    folder: Arc<Path>,
    config: Config,
    shared: Arc<Shared>,
    /// `None` when the next append begins a new segment.
    newest: Option<Newest>,
    next: u64,
    /// Everything below is on the disk.
    synced: u64,
    /// A sync has failed and [`Log::resume_at`] was not called since.
    in_doubt: bool,
    /// The folder has a new name in it that is not synced.
    folder_changed: bool,
    bytes: u64,
}

/// A segment that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The numbers that it held. Those that are not settled are lost.
    pub numbers: Range<u64>,
    /// The size of its file.
    pub bytes: u64,
}

impl Log {
    /// Checksums and appends a run of frames, which begin with `numbers.start` and are consecutive. When this returns
    /// `Ok`, the records survive the end of the process; [`Log::sync`] makes them survive a power cut.
    ///
    /// # Errors
    /// Nothing of the run counts as appended; the same run is handed over again. [`SpoolError::SyncFailed`] says that
    /// earlier records are in doubt: first [`Log::resume_at`], then those of them that are still in memory, then the
    /// run.
    pub fn append(
        &mut self,
        frames: &mut [u8],
        numbers: Range<u64>,
        now: UnixMicros,
    ) -> Result<(), SpoolError> {
        if self.in_doubt {
            return Err(self.doubt(io::Error::other("an earlier sync failed")));
        }
        let first = frame::Header::read(frames).map_or(numbers.start, |header| header.number);
        let count = frame::seal(frames);
        if first != self.next || numbers != (self.next..self.next + count) {
            return Err(SpoolError::OutOfOrder {
                path: self.folder.to_path_buf(),
                expected: self.next,
                found: if first == self.next {
                    numbers.start
                } else {
                    first
                },
            });
        }
        let size = frames.len() as u64;
        let full = |newest: &Newest| {
            newest.bytes > HEADER_BYTES as u64 && newest.bytes + size > self.config.segment_bytes
        };
        if self.newest.as_ref().is_some_and(full) {
            self.roll()?;
        }
        if self.newest.is_none() {
            self.begin_segment(now)?;
        }
        self.write(frames)?;
        self.next = numbers.end;
        self.bytes += size;
        if let Some(extent) = self.shared.lock().extents.back_mut() {
            extent.bytes += size;
            extent.end = numbers.end;
        }
        Ok(())
    }

    /// Writes behind the newest segment's last frame. What a failed write left there is cut off; where even that
    /// fails, the segment is closed and the next one takes over.
    fn write(&mut self, frames: &[u8]) -> Result<(), SpoolError> {
        let Some(newest) = &mut self.newest else {
            return Ok(());
        };
        if let Err(error) = disk::write_all_at(newest.file.as_ref(), frames, newest.bytes) {
            let error = SpoolError::new(Operation::Write, &newest.path, error);
            if newest.file.truncate(newest.bytes).is_err() {
                self.newest = None;
            }
            return Err(error);
        }
        newest.bytes += frames.len() as u64;
        Ok(())
    }

    /// Closes the newest segment, so that the next append begins another. Under [`AtRoll::Sync`] it is synced first.
    ///
    /// # Errors
    /// [`SpoolError::SyncFailed`], and the segment is closed all the same.
    pub fn roll(&mut self) -> Result<(), SpoolError> {
        if self.config.at_roll == AtRoll::Sync {
            self.sync()?;
        }
        self.newest = None;
        Ok(())
    }

    /// Leaves out the numbers below `number`: they were settled without having been written. The next append begins a
    /// new segment there.
    pub fn skip_to(&mut self, number: u64) {
        if number <= self.next {
            return;
        }
        // A sync that fails here comes back from the next append, as it must.
        let _ = self.roll();
        self.newest = None;
        self.shared.lock().known.add(self.next..number);
        self.next = number;
    }

    /// Makes the file that begins with the next number. A segment that holds nothing yet is begun again.
    fn begin_segment(&mut self, now: UnixMicros) -> Result<(), SpoolError> {
        let path: Arc<Path> = Arc::from(self.folder.join(segment::file_name(self.next)));
        let again = self
            .newest_extent()
            .filter(|extent| extent.first == self.next);
        let file = match &again {
            Some(extent) => self
                .disk
                .open(&extent.path)
                .map_err(SpoolError::at(Operation::Open, &extent.path))?,
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

    /// Returns when everything that was appended is on the disk; the result is one past the last such number.
    ///
    /// # Errors
    /// [`SpoolError::SyncFailed`]. After a failed sync the kernel may have forgotten what it could not write and
    /// still say yes to the next one, so the segment is closed, and every append and sync returns the same error until
    /// [`Log::resume_at`] was called.
    pub fn sync(&mut self) -> Result<u64, SpoolError> {
        if self.in_doubt {
            return Err(self.doubt(io::Error::other("an earlier sync failed")));
        }
        let data = match &self.newest {
            Some(newest) => newest.file.sync_data(),
            None => Ok(()),
        };
        let folder = match self.folder_changed {
            true => data.and_then(|()| self.disk.sync_folder(&self.folder)),
            false => data,
        };
        let Err(source) = folder else {
            self.folder_changed = false;
            self.synced = self.next;
            return Ok(self.synced);
        };
        self.newest = None;
        self.in_doubt = true;
        Err(self.doubt(source))
    }

    fn doubt(&self, source: io::Error) -> SpoolError {
        SpoolError::SyncFailed {
            path: self.folder.to_path_buf(),
            numbers: self.synced..self.next,
            source,
        }
    }

    /// After a failed sync: the next append begins at `number`, the lowest of the doubtful records that is still in
    /// memory, and the same records are appended again from there; [`Log::next`] where none is. What lies below stays
    /// as it is, readable as far as the disk kept it: nobody writes it again, so whoever calls counts it as in doubt.
    ///
    /// Returns the numbers that must be appended again. They begin above `number` where that is in a segment that was
    /// closed before.
    pub fn resume_at(&mut self, number: u64) -> Range<u64> {
        let end = self.next;
        let mut list = self.shared.lock();
        let newest = list.extents.back_mut().filter(|_| self.in_doubt);
        let Some(extent) = newest else {
            return end..end;
        };
        let number = number.max(self.synced).max(extent.first).min(end);
        if number < end {
            extent.end = number;
        }
        if number == extent.first {
            // The same frames go to the same places, which makes the kernel write those places again.
            self.bytes -= extent.bytes - HEADER_BYTES as u64;
            extent.bytes = HEADER_BYTES as u64;
        }
        drop(list);
        self.in_doubt = false;
        self.next = number;
        number..end
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

    /// Unlinks the segments that lie wholly below the saved cursor's mark. The newest always stays: its name keeps
    /// the log's place. Returns how many bytes became free.
    ///
    /// # Errors
    /// The segment that could not be unlinked stays in the log, and the next call tries again.
    pub fn trim(&mut self, saved: CursorSaved) -> Result<u64, SpoolError> {
        let mut freed = 0;
        if !Arc::ptr_eq(&saved.folder, &self.folder) {
            return Ok(freed);
        }
        loop {
            let list = self.shared.lock();
            let oldest = list.extents.front().filter(|_| list.extents.len() > 1);
            let settled = oldest.filter(|extent| extent.end <= saved.low).cloned();
            drop(list);
            let Some(extent) = settled else {
                return Ok(freed);
            };
            self.unlink(&extent)?;
            freed += extent.bytes;
        }
    }

    /// Gives up the oldest closed segment that begins at or behind `unread_from`, to make room; the reader finds the
    /// next one. `None` where there is no such segment. This needs no saved cursor, since a full disk may not take
    /// one: after a crash the numbers are found missing and counted then.
    ///
    /// # Errors
    /// The segment that could not be unlinked stays in the log.
    pub fn drop_oldest_segment(&mut self, unread_from: u64) -> Result<Option<Dropped>, SpoolError> {
        if self.folder_changed {
            // The newest segment's name must not be lost together with the older ones: it keeps the log's place.
            self.disk
                .sync_folder(&self.folder)
                .map_err(SpoolError::at(Operation::Sync, &self.folder))?;
            self.folder_changed = false;
        }
        let list = self.shared.lock();
        let closed = list.extents.len().saturating_sub(1);
        let mut candidates = list.extents.iter().take(closed);
        let oldest = candidates
            .find(|extent| extent.first >= unread_from)
            .cloned();
        drop(list);
        let Some(extent) = oldest else {
            return Ok(None);
        };
        self.unlink(&extent)?;
        Ok(Some(Dropped {
            numbers: extent.first..extent.end,
            bytes: extent.bytes,
        }))
    }

    fn unlink(&mut self, extent: &Extent) -> Result<(), SpoolError> {
        match self.disk.remove(&extent.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SpoolError::new(Operation::Remove, &extent.path, error));
            }
            _ => {}
        }
        let mut list = self.shared.lock();
        list.extents.retain(|other| other.first != extent.first);
        list.known.add(extent.first..extent.end);
        self.bytes -= extent.bytes;
        Ok(())
    }

    /// Appends the bytes of `damage` to the file `quarantine`, as far as its cap allows; returns how many were kept.
    ///
    /// # Errors
    /// As the disk says. Nothing depends on it.
    pub fn quarantine(&self, damage: &Damage) -> Result<u64, SpoolError> {
        let bytes_max = self.config.quarantine_bytes_max;
        segment::quarantine(self.disk.as_ref(), &self.folder, damage, bytes_max)
    }

    /// A reader of this log, for another thread.
    pub fn reader(&self) -> LogReader {
        LogReader::new(self.disk.clone(), self.shared.clone())
    }

    /// The number that the next record must have.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Records below this number are on the disk, unless a failed sync has put them in doubt.
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

    /// When the segment behind the oldest was begun: every record of the oldest arrived before. `None` where there is
    /// only one. An age cap drops the oldest segment when this is too long ago.
    pub fn oldest_closed(&self) -> Option<UnixMicros> {
        let list = self.shared.lock();
        list.extents.get(1).and_then(|extent| extent.created)
    }
}

#[cfg(test)]
mod damage;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
