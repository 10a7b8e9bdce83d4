//! What is on the disk for sure, and what becomes of it when the disk does not confirm that.
//!
//! ```text
//!   sync ─▶ names of the folder ─▶ closed segments that were left ─▶ newest        all confirmed: `synced` is `next`
//!                                      │ cannot be opened                └─ failed ─▶ in doubt ─▶ resume_at: written again
//!                                      └─▶ passed over: nobody is told that it is on the disk    from what memory holds
//! ```

use std::io;
use std::ops::Range;

use super::{Extent, Log};
use crate::spool::disk::{Operation, SpoolError};
use crate::spool::segment::HEADER_BYTES;

/// Records of which a sync cannot say whether the disk has them: their segment is closed and could not be opened.
#[derive(Debug)]
pub struct PassedOver {
    /// Their numbers.
    pub numbers: Range<u64>,
    /// What the disk said of the first such segment.
    pub error: SpoolError,
}

impl Log {
    /// Returns when everything that was appended is on the disk; the result is one past the last such number. A closed
    /// segment that cannot be opened holds up no other: [`Log::take_passed_over`] names its records.
    ///
    /// # Errors
    /// [`SpoolError::SyncFailed`], or another where the folder could not be opened, and then nothing is in doubt. After a
    /// failed sync the kernel may have forgotten what it could not write and still say yes to the next one, so the segment is closed, and every append and sync returns the same error until
    /// [`Log::resume_at`] was called.
    pub fn sync(&mut self) -> Result<u64, SpoolError> {
        if self.in_doubt {
            return Err(self.doubt(io::Error::other("an earlier sync failed")));
        }
        let named = self.sync_names()?;
        named.map_err(|error| self.begin_doubt(error))?;
        for closed in self.closed_unsynced() {
            match self.disk.open_to_read(&closed.path) {
                Ok(file) => {
                    if let Err(source) = file.sync_data() {
                        return Err(self.doubt_closed(&closed, source));
                    }
                }
                Err(error) => self.pass_over(&closed, error),
            }
            self.synced = closed.end;
        }
        if let Some(newest) = &self.newest {
            let synced = newest.file.sync_data();
            synced.map_err(|error| self.begin_doubt(error))?;
        }
        self.synced = self.next;
        Ok(self.synced)
    }

    /// Names come first: what a file holds is on the disk only where its name is. The inner result is the sync's.
    pub(super) fn sync_names(&mut self) -> Result<io::Result<()>, SpoolError> {
        if !self.folder_changed {
            return Ok(Ok(()));
        }
        // A folder that cannot be opened was asked for nothing that the disk could forget: it is asked again.
        let folder = self.disk.open_folder(&self.folder);
        let folder = folder.map_err(SpoolError::at(Operation::Open, &self.folder))?;
        let synced = folder.sync();
        self.folder_changed = synced.is_err();
        Ok(synced)
    }

    /// Somebody removed or closed the file, or too many are open. The kernel writes what it holds in its own time, and
    /// whoever reads says what is missing; only nobody may be told that these records are on the disk.
    fn pass_over(&mut self, closed: &Extent, error: io::Error) {
        let numbers = closed.first.max(self.synced)..closed.end;
        match self.passed_over.last_mut() {
            Some(last) if last.numbers.end == numbers.start => last.numbers.end = numbers.end,
            _ => self.passed_over.push(PassedOver {
                numbers,
                error: SpoolError::new(Operation::Open, &closed.path, error),
            }),
        }
    }

    /// What syncs have passed over since this was last asked. They do not try it again: one file that stays as it is must
    /// not fail every later sync.
    pub fn take_passed_over(&mut self) -> Vec<PassedOver> {
        std::mem::take(&mut self.passed_over)
    }

    /// Nobody writes it again: its records are in doubt, and no others.
    fn doubt_closed(&mut self, closed: &Extent, source: io::Error) -> SpoolError {
        let numbers = closed.first.max(self.synced)..closed.end;
        self.synced = closed.end;
        SpoolError::SyncFailed {
            path: closed.path.to_path_buf(),
            numbers,
            source,
        }
    }

    /// A sync could not even be asked for, and whoever calls does not want to keep what it has appended since the last
    /// one: from now on it is as after a sync that failed.
    pub fn doubt_of(&mut self, error: SpoolError) -> SpoolError {
        match error {
            SpoolError::SyncFailed { .. } => error,
            other => self.begin_doubt(io::Error::other(other)),
        }
    }

    fn begin_doubt(&mut self, source: io::Error) -> SpoolError {
        self.newest = None;
        self.in_doubt = true;
        self.doubt(source)
    }

    /// Segments that are not open any more and were not synced: under [`AtRoll::Sync`] there are none.
    fn closed_unsynced(&self) -> Vec<Extent> {
        let list = self.shared.lock();
        let open = usize::from(self.newest.is_some());
        let closed = list.extents.len().saturating_sub(open);
        let done = self.synced.max(self.sync_from);
        let from = list.extents.partition_point(|extent| extent.end <= done);
        let closed = list.extents.iter().take(closed).skip(from);
        closed.cloned().collect()
    }

    pub(super) fn doubt(&self, source: io::Error) -> SpoolError {
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
        // Without a segment there is nothing that could be in doubt.
        let in_doubt = self.in_doubt && !list.extents.is_empty();
        self.in_doubt = in_doubt;
        let Some(extent) = list.extents.back_mut().filter(|_| in_doubt) else {
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
        self.sync_from = number;
        self.next = number;
        number..end
    }
}
