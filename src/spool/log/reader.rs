//! Reading a log from another thread than the one that writes it.
//!
//! ```text
//!   from ──▶ look up the segment (short lock) ──▶ pread its frames ──▶ Batch
//!                ▲                                   │ a hole in the numbers ──▶ Damage, once
//!                └── next segment ◀── its end ───────┘
//! ```

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::{Extent, Shared};
use crate::spool::ReadLimit;
use crate::spool::batch::Batch;
use crate::spool::disk::{Disk, DiskFile, Operation, SpoolError};
use crate::spool::segment::{Damage, HEADER_BYTES, Step, Walk};
use crate::spool::settled::Settled;
use crate::time::UnixMicros;

/// One read passes over at most so many bytes of the log, however many of its records are settled, so that the thread
/// that reads comes back in some ten milliseconds.
const PASSED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// One read reports at most so many damaged stretches; the next read goes on.
const DAMAGE_MAX: usize = 64;

/// What a read found beside the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOutcome {
    /// Where the next read begins: one past the last number that was returned or passed.
    pub next: u64,
    /// Whether everything that the log holds was returned or passed. Not set when a limit ended the read.
    pub caught_up: bool,
    /// Records that cannot be read back. Each number is reported once, whatever is read again.
    pub damage: Vec<Damage>,
}

/// The reader's side of a log.
#[derive(Debug)]
pub struct LogReader {
    disk: Arc<dyn Disk>,
    shared: Arc<Shared>,
    walk: Walk,
    at: Option<Place>,
}

/// Where the walk stands.
#[derive(Debug)]
struct Place {
    path: Arc<Path>,
    file: Arc<dyn DiskFile>,
    number: u64,
}

/// Why a segment was left.
enum Left {
    /// It has nothing more.
    Passed,
    /// The batch or the outcome is full.
    Full,
}

impl LogReader {
    pub(super) fn new(disk: Arc<dyn Disk>, shared: Arc<Shared>) -> LogReader {
        LogReader {
            disk,
            shared,
            walk: Walk::default(),
            at: None,
        }
    }

    /// Copies records of `numbers` that are not in `settled` into `batch`, which is cleared first. The segments that it
    /// looks at cannot be given up until [`LogReader::release`] or the next read.
    /// Damaged records are passed and reported; segments that were dropped meanwhile are passed silently.
    ///
    /// # Errors
    /// The disk cannot be read at all at this place. The same read may be tried again; [`LogReader::skip_segment`]
    /// gives up what cannot be read.
    pub fn read(
        &mut self,
        Range { start: from, end }: Range<u64>,
        settled: &Settled,
        limit: ReadLimit,
        batch: &mut Batch,
    ) -> Result<ReadOutcome, SpoolError> {
        batch.clear();
        let mut outcome = ReadOutcome {
            next: from,
            caught_up: false,
            damage: Vec::new(),
        };
        let mut passed = 0;
        self.release();
        while outcome.next < end && passed < PASSED_BYTES_MAX && outcome.damage.len() < DAMAGE_MAX {
            let Some(extent) = self.extent_behind(outcome.next, end) else {
                outcome.caught_up = true;
                break;
            };
            if extent.first > outcome.next {
                self.shared
                    .report(&extent, extent.first, 0..0, settled, &mut outcome);
            }
            let rest = outcome.next.max(extent.first)..extent.end;
            if settled.count_in(rest.clone()) == rest.end.saturating_sub(rest.start) {
                // Nobody waits for what it holds, so that it need not even be readable.
                outcome.next = outcome.next.max(extent.end);
                continue;
            }
            let read = self.read_extent(&extent, settled, limit, batch, &mut outcome, &mut passed);
            match read {
                Ok(Left::Passed) => {}
                Ok(Left::Full) => break,
                Err(error) => {
                    self.at = None;
                    // What was read and reported before must not be lost; the error comes again.
                    let nothing = batch.entries().is_empty() && outcome.damage.is_empty();
                    return if nothing { Err(error) } else { Ok(outcome) };
                }
            }
        }
        Ok(outcome)
    }

    /// What was read is counted by now: the segments that were looked at may be given up.
    pub fn release(&self) {
        self.shared.lock().claimed = 0..0;
    }

    /// Gives up what is left, below `end`, of the segment that holds the first of `numbers`: returns where to read on,
    /// what that loses, and the segment's file.
    pub fn skip_segment(
        &mut self,
        Range { start: from, end }: Range<u64>,
        settled: &Settled,
    ) -> (ReadOutcome, Option<Arc<Path>>) {
        let mut outcome = ReadOutcome {
            next: from,
            caught_up: false,
            damage: Vec::new(),
        };
        self.at = None;
        let extent = self.extent_behind(from, end);
        match &extent {
            Some(extent) => self
                .shared
                .report(extent, extent.end, 0..0, settled, &mut outcome),
            None => outcome.caught_up = true,
        }
        (outcome, extent.map(|extent| extent.path))
    }

    /// When record `number`, or the next whole one behind it in its segment, arrived. Reads up to there, and reports no
    /// damage; for the opening only.
    pub fn received_of(&self, number: u64) -> Option<UnixMicros> {
        let extent = self.extent_behind(number, u64::MAX);
        // Nobody else reads yet, and nothing is given up meanwhile.
        self.release();
        let extent = extent?;
        let file = self.disk.open_to_read(&extent.path).ok()?;
        let mut walk = Walk::default();
        walk.seek(HEADER_BYTES as u64);
        loop {
            match walk.step(file.as_ref(), extent.bytes).ok()? {
                Step::Frame(frame) if frame.number < number => {
                    let size = frame.size;
                    walk.advance(size);
                }
                Step::Frame(frame) => return Some(frame.received),
                Step::Damage(_) => {}
                Step::Tail(_) | Step::End => return None,
            }
        }
    }

    /// The first segment with a number at or behind `number`, as far as it lies below `end`.
    fn extent_behind(&self, number: u64, end: u64) -> Option<Extent> {
        let mut list = self.shared.lock();
        let index = list.extents.partition_point(|extent| extent.end <= number);
        let mut extent = list.extents.get(index).cloned()?;
        list.claimed = match list.claimed.is_empty() {
            true => extent.first..extent.end,
            false => list.claimed.start.min(extent.first)..list.claimed.end.max(extent.end),
        };
        // Where it is cut off, what lies behind is for another read.
        extent.first = extent.first.min(end);
        extent.end = extent.end.min(end);
        Some(extent)
    }

    fn read_extent(
        &mut self,
        extent: &Extent,
        settled: &Settled,
        limit: ReadLimit,
        batch: &mut Batch,
        outcome: &mut ReadOutcome,
        passed: &mut u64,
    ) -> Result<Left, SpoolError> {
        let Some(file) = self.stand_in(extent, outcome.next)? else {
            // A segment that is gone was dropped, unless the list still has it: then its records are missing. But where
            // the whole folder is gone, it may come back.
            if self.is_listed(extent) {
                let folder = extent.path.parent().unwrap_or(&extent.path);
                self.disk
                    .list(folder)
                    .map_err(SpoolError::at(Operation::List, folder))?;
                self.shared
                    .report(extent, extent.end, 0..0, settled, outcome);
            }
            return Ok(Left::Passed);
        };
        let mut damaged = 0..0;
        // Damage that was met is reported with the frame behind it, so that no limit parts the two.
        while !damaged.is_empty()
            || (batch.entries().len() < limit.records
                && outcome.damage.len() < DAMAGE_MAX
                && *passed < PASSED_BYTES_MAX)
        {
            let before = self.walk.offset();
            let step = self.walk.step(file.as_ref(), extent.bytes);
            match step.map_err(SpoolError::at(Operation::Read, &extent.path))? {
                Step::Frame(frame) if frame.number < extent.end => {
                    let (number, size) = (frame.number, frame.size);
                    let hole_bytes = std::mem::take(&mut damaged);
                    self.shared
                        .report(extent, number, hole_bytes, settled, outcome);
                    if number >= outcome.next && !settled.contains(number) {
                        let bytes = batch.bytes_len() + frame.key.len() + frame.payload.len();
                        if bytes > limit.bytes && !batch.entries().is_empty() {
                            self.remember(number);
                            return Ok(Left::Full);
                        }
                        batch.push(&frame);
                    }
                    outcome.next = outcome.next.max(number + 1);
                    self.walk.advance(size);
                    *passed += size as u64;
                    self.remember(number + 1);
                }
                Step::Damage(bytes) => {
                    *passed += bytes.end - before;
                    damaged = bytes;
                }
                Step::Tail(bytes) => {
                    *passed += bytes.end - before;
                    damaged = bytes;
                }
                // The end, or frames that belong to the next segment.
                Step::End | Step::Frame(_) => {
                    self.shared
                        .report(extent, extent.end, damaged, settled, outcome);
                    self.remember(outcome.next);
                    return Ok(Left::Passed);
                }
            }
        }
        Ok(Left::Full)
    }

    fn remember(&mut self, number: u64) {
        if let Some(place) = &mut self.at {
            place.number = number;
        }
    }

    /// Opens `extent` and stands at or before `number`. `None` where its file is gone.
    fn stand_in(
        &mut self,
        extent: &Extent,
        number: u64,
    ) -> Result<Option<Arc<dyn DiskFile>>, SpoolError> {
        if let Some(place) = &self.at {
            let here = place.path == extent.path;
            // Behind the last frame the walk may stand further than the number says: settled ones, holes.
            if here && place.number <= number {
                return Ok(Some(place.file.clone()));
            }
        }
        self.at = None;
        let file = match self.disk.open_to_read(&extent.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(SpoolError::at(Operation::Open, &extent.path))?,
        };
        self.walk.seek(HEADER_BYTES as u64);
        self.at = Some(Place {
            path: extent.path.clone(),
            file: file.clone(),
            number: extent.first,
        });
        Ok(Some(file))
    }

    fn is_listed(&self, extent: &Extent) -> bool {
        let list = self.shared.lock();
        list.extents.iter().any(|other| other.path == extent.path)
    }
}

impl Shared {
    /// Moves on to `end`, and reports the numbers up to there that nobody knows to be gone.
    fn report(
        &self,
        extent: &Extent,
        end: u64,
        bytes: Range<u64>,
        settled: &Settled,
        outcome: &mut ReadOutcome,
    ) {
        let hole = outcome.next..end;
        outcome.next = outcome.next.max(end);
        if hole.is_empty() {
            return;
        }
        let mut list = self.lock();
        let unknown = list.known.unsettled_in(hole.clone());
        list.known.add(hole);
        drop(list);
        let missing = unknown
            .into_iter()
            .flat_map(|range| settled.unsettled_in(range));
        outcome.damage.extend(missing.map(|numbers| Damage {
            numbers,
            segment: extent.path.to_path_buf(),
            bytes: bytes.clone(),
        }));
    }
}
