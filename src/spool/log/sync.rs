//! What is on the disk for sure, and what becomes of it when the disk does not confirm that.
//!
//! ```text
//!   sync ─▶ names of the folder ─▶ segments that were left to the kernel ─▶ newest        all confirmed: `synced` is `next`
//!                                     │ not confirmed: written once more,     └─ not confirmed: in doubt ─▶ resume_at:
//!                                     │ in its place; or it cannot be opened     written again from what memory holds
//!                                     └─▶ passed over: nobody is told that it is on the disk
//! ```
//!
//! What is settled is not asked for: nobody needs it on the disk.

use std::io;
use std::ops::Range;

use super::{Confirmed, Extent, Left, Log, Newest};
use crate::spool::disk::{self, Operation, SpoolError};
use crate::spool::segment::{self, HEADER_BYTES};

/// What is read and written at once where a segment is written once more.
const PIECE_BYTES: usize = 256 * 1024;

/// Records of which a sync cannot say whether the disk has them: their segment is closed, and could not be opened or synced.
#[derive(Debug)]
pub struct PassedOver {
    /// Their numbers.
    pub numbers: Range<u64>,
    /// What the disk said of the first such segment.
    pub error: SpoolError,
}

impl Log {
    /// Returns when everything that was appended is on the disk, or is settled; the result is one past the last such number.
    /// A closed segment that cannot be opened, or cannot be synced though it was written once more, holds up no other:
    /// [`Log::take_passed_over`] names its records.
    ///
    /// # Errors
    /// [`SpoolError::SyncFailed`], or another where the folder could not be opened, and then nothing is in doubt. After a
    /// failed sync the kernel may have forgotten what it could not write and still say yes to the next one, so the segment is closed, and every append and sync returns the same error until
    /// [`Log::resume_at`] was called.
    pub fn sync(&mut self) -> Result<u64, SpoolError> {
        self.check_doubt()?;
        self.synced = self.synced.max(self.settled.min(self.next));
        if self.synced == self.next {
            return Ok(self.synced);
        }
        let named = self.sync_names()?;
        named.map_err(|error| self.begin_doubt(error))?;
        self.sync_left()?;
        for closed in self.closed_unsynced() {
            match self.disk.open_to_read(&closed.path) {
                Ok(file) => {
                    if let Err(source) = file.sync_data() {
                        return Err(self.doubt_closed(&closed, source));
                    }
                }
                Err(error) => {
                    let error = SpoolError::new(Operation::Open, &closed.path, error);
                    self.pass_over(closed.first..closed.end, error);
                }
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

    /// After a sync that failed, until [`Log::resume_at`].
    pub(super) fn check_doubt(&self) -> Result<(), SpoolError> {
        match self.in_doubt {
            true => Err(self.doubt(io::Error::other("an earlier sync failed"))),
            false => Ok(()),
        }
    }

    /// Syncs the segment before the newest, if it was left and holds what is not settled. What the kernel could not write it
    /// has forgotten, and still shows to readers: from there it is written once more.
    ///
    /// # Errors
    /// Only for want of room, which can be made.
    fn sync_left(&mut self) -> Result<(), SpoolError> {
        let Some(mut left) = self.left.take() else {
            return Ok(());
        };
        if left.numbers.end <= self.synced {
            return Ok(());
        }
        let synced = match left.confirmed {
            Confirmed::Unasked => left.segment.file.sync_data(),
            Confirmed::Refused => Err(io::ErrorKind::Other.into()),
        };
        left.confirmed = Confirmed::Refused;
        match synced.or_else(|_| left.write_again()) {
            Ok(()) => {}
            Err(error) if disk::is_for_want_of_room(&error) => {
                let error = SpoolError::new(Operation::Sync, &left.segment.path, error);
                self.left = Some(left);
                return Err(error);
            }
            Err(error) => {
                let error = SpoolError::new(Operation::Sync, &left.segment.path, error);
                self.pass_over(left.numbers.clone(), error);
            }
        }
        self.synced = left.numbers.end;
        Ok(())
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

    /// Somebody removed or closed the file, too many are open, or the disk is broken there. The kernel writes what it holds
    /// in its own time, and whoever reads says what is missing; only nobody may be told that these records are on the disk.
    pub(super) fn pass_over(&mut self, numbers: Range<u64>, error: SpoolError) {
        let numbers = numbers.start.max(self.synced)..numbers.end;
        match self.passed_over.last_mut() {
            Some(last) if last.numbers.end == numbers.start => last.numbers.end = numbers.end,
            _ => self.passed_over.push(PassedOver { numbers, error }),
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

    pub(super) fn begin_doubt(&mut self, source: io::Error) -> SpoolError {
        self.newest = None;
        self.in_doubt = true;
        self.doubt(source)
    }

    /// Segments that are not open any more and were not synced: under [`super::AtRoll::Sync`] there are none.
    fn closed_unsynced(&self) -> Vec<Extent> {
        let list = self.shared.lock();
        let open = usize::from(self.newest.is_some());
        let closed = list.extents.len().saturating_sub(open);
        let done = self.synced.max(self.sync_from);
        let from = list.extents.partition_point(|extent| extent.end <= done);
        let closed = list.extents.iter().take(closed).skip(from);
        closed.cloned().collect()
    }

    /// What was left to the kernel is not in doubt: it is asked for again.
    pub(super) fn doubt(&self, source: io::Error) -> SpoolError {
        let left = self.left.as_ref().map_or(0, |left| left.numbers.end);
        SpoolError::SyncFailed {
            path: self.folder.to_path_buf(),
            numbers: self.synced.max(left)..self.next,
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
        extent.end = extent.end.min(number);
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

impl Left {
    /// Writes what readers see of it in its place once more, and syncs it.
    fn write_again(&self) -> io::Result<()> {
        let Newest { file, path, bytes } = &self.segment;
        let mut piece = vec![0; PIECE_BYTES];
        let mut at = 0;
        while at < *bytes {
            let length = PIECE_BYTES.min(usize::try_from(bytes - at).unwrap_or(PIECE_BYTES));
            let piece = piece.get_mut(..length).unwrap_or_default();
            if disk::read_full_at(file.as_ref(), piece, at)? < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            disk::write_all_at(file.as_ref(), piece, at)?;
            at += length as u64;
        }
        file.sync_data()?;
        // The kernel may have given back what the disk had before.
        let scan = segment::scan(file.as_ref(), path, self.numbers.start, u64::MAX)?;
        match scan.damage.is_empty() && scan.end >= self.numbers.end {
            true => Ok(()),
            false => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
