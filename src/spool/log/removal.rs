//! How segments leave a log: delivered, given up to make room, or put aside because they cannot be read.
//!
//! ```text
//!   all settled, cursor saved ──▶ trim ─────────────────▶ unlinked
//!   all settled, no room for a cursor ──▶ remove_settled ─▶ unlinked
//!   no room, too old ──▶ give_up ──▶ remove ────────────▶ unlinked       not while a reader is in it
//!   cannot be read ──▶ set_aside ───────────────────────▶ NAME.log.unreadable, a few of them
//! ```
//!
//! The newest segment never leaves: its name keeps the log's place.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::{Extent, List, Log};
use crate::spool::cursor::CursorSaved;
use crate::spool::disk::{Operation, SpoolError};
use crate::time::UnixMicros;

/// The end of the name of a segment that cannot be read and was put aside.
const UNREADABLE: &str = "log.unreadable";

/// So many of them are kept, a topic: enough to look into what went wrong, 32 MiB beside the spool's cap.
const UNREADABLE_FILES_MAX: usize = 4;

/// A closed segment that nobody has begun to read: the next one that may be given up. Of those of several logs the least
/// is the oldest: what an earlier process left comes first, by the wall clock; what this one wrote comes behind, by a clock
/// that nobody sets back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Every record of it arrived before this instant; `None` where an earlier process began the segment behind it.
    pub before_instant: Option<Instant>,
    /// Every record of it arrived before this.
    pub before: UnixMicros,
    /// The number that it begins with.
    pub first: u64,
    /// One past its last number.
    pub end: u64,
}

/// A segment that was given up: no reader finds it any more.
#[derive(Debug)]
#[must_use = "its file is there until it is removed"]
pub struct Dropped {
    /// The numbers that it held. Those that are not settled are lost.
    pub numbers: Range<u64>,
    extent: Extent,
}

impl Log {
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

    /// Unlinks the oldest closed segment if all of it lies below `low`, though no saved cursor says so: that makes room
    /// for the cursor. A kill before it is saved leaves records that Kafka has to be counted as `corrupt`. Says whether
    /// there was one.
    ///
    /// # Errors
    /// The segment that could not be unlinked stays in the log.
    pub fn remove_settled(&mut self, low: u64) -> Result<bool, SpoolError> {
        let list = self.shared.lock();
        let oldest = list.extents.front().filter(|_| list.extents.len() > 1);
        let settled = oldest.filter(|extent| extent.end <= low).cloned();
        drop(list);
        let Some(extent) = settled else {
            return Ok(false);
        };
        self.sync_names()?
            .map_err(SpoolError::at(Operation::Sync, &self.folder))?;
        self.unlink(&extent)?;
        Ok(true)
    }

    /// The oldest closed segment that begins at or behind `unread_from` and that no reader is in.
    pub fn oldest_unread(&self, unread_from: u64) -> Option<Candidate> {
        let list = self.shared.lock();
        let followed = list.extents.iter().zip(list.extents.iter().skip(1));
        let mut unread = followed.filter(|(extent, _)| list.may_drop(extent, unread_from));
        let (extent, next) = unread.next()?;
        let before = next.created.or(extent.created);
        Some(Candidate {
            before_instant: next.begun,
            before: before.unwrap_or(UnixMicros(i64::MIN)),
            first: extent.first,
            end: extent.end,
        })
    }

    /// The number that the newest segment begins with, if it holds records.
    pub fn newest_with_records(&self) -> Option<u64> {
        let newest = self.newest_extent()?;
        (newest.end > newest.first).then_some(newest.first)
    }

    /// Takes the closed segment that begins with `first` out of the log, to make room, if nobody has begun to read it;
    /// the reader finds the next one. The file is still there: see [`Log::remove`].
    ///
    /// Whoever calls settles its records under the same lock that readings are counted under. So a record is either
    /// read or given up, and never both.
    pub fn give_up(&mut self, first: u64, unread_from: u64) -> Option<Dropped> {
        let mut list = self.shared.lock();
        let closed = list.extents.len().saturating_sub(1);
        let mut extents = list.extents.iter().take(closed);
        let index = extents.position(|extent| extent.first == first)?;
        let held = list.extents.get(index)?;
        if !list.may_drop(held, unread_from) {
            return None;
        }
        let extent = list.extents.remove(index)?;
        let numbers = extent.first..extent.end;
        list.known.add(numbers.clone());
        Some(Dropped { numbers, extent })
    }

    /// Unlinks the file of a segment that was given up. This asks for no saved cursor, since a full disk may not take
    /// one: without it the numbers are found missing after a crash and counted as `corrupt`. Returns how many bytes
    /// became free.
    ///
    /// # Errors
    /// The segment that could not be unlinked is in the log again; its records are settled and are not sent.
    pub fn remove(&mut self, dropped: Dropped) -> Result<u64, SpoolError> {
        let extent = dropped.extent;
        // The newest segment's name must not be lost together with the older ones: it keeps the log's place.
        let named = self.sync_names();
        let failed = SpoolError::at(Operation::Sync, &self.folder);
        let named = named.and_then(|synced| synced.map_err(failed));
        let removed = named.and_then(|()| self.unlink(&extent));
        let Err(error) = removed else {
            return Ok(extent.bytes);
        };
        let mut list = self.shared.lock();
        let at = list
            .extents
            .partition_point(|other| other.first < extent.first);
        list.extents.insert(at, extent);
        Err(error)
    }

    fn unlink(&mut self, extent: &Extent) -> Result<(), SpoolError> {
        match self.disk.remove(&extent.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SpoolError::new(Operation::Remove, &extent.path, error));
            }
            _ => {}
        }
        self.forget(extent);
        Ok(())
    }

    fn forget(&mut self, extent: &Extent) {
        let mut list = self.shared.lock();
        list.extents.retain(|other| other.first != extent.first);
        list.known.add(extent.first..extent.end);
        self.bytes -= extent.bytes;
        drop(list);
        // A file that is open keeps its room after it was unlinked.
        self.left.take_if(|left| left.numbers.start == extent.first);
    }

    /// Renames the segment at `path`, which cannot be read, out of the way, so that somebody may try other means on it.
    /// At most [`UNREADABLE_FILES_MAX`] are kept; one more stays in the log and is unlinked with the settled ones.
    /// Returns whether it is done; the newest segment is closed first and is put aside when another one follows it.
    ///
    /// # Errors
    /// As the disk says. Nothing depends on it.
    pub fn set_aside(&mut self, path: &Path) -> Result<bool, SpoolError> {
        let list = self.shared.lock();
        let extent = list
            .extents
            .iter()
            .find(|extent| &*extent.path == path)
            .cloned();
        let newest = list.extents.back().map(|extent| extent.first);
        drop(list);
        let Some(extent) = extent else {
            return Ok(true);
        };
        if newest == Some(extent.first) {
            // What it holds may be whole on the disk yet. A sync that fails here comes back from the next append; a segment
            // that stays open for now is closed the next time.
            let _ = self.roll();
            return Ok(false);
        }
        let names = self
            .disk
            .list(&self.folder)
            .map_err(SpoolError::at(Operation::List, &self.folder))?;
        let kept = names.iter().filter(|name| name.ends_with(UNREADABLE));
        if kept.count() < UNREADABLE_FILES_MAX {
            let aside = path.with_extension(UNREADABLE);
            self.disk
                .rename(path, &aside)
                .map_err(SpoolError::at(Operation::Rename, path))?;
            self.folder_changed = true;
            self.forget(&extent);
        }
        Ok(true)
    }
}

impl List {
    fn may_drop(&self, extent: &Extent, unread_from: u64) -> bool {
        let claimed = extent.first < self.claimed.end && self.claimed.start < extent.end;
        extent.first >= unread_from && !claimed
    }
}
