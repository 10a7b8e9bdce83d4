//! The caps: by age, by bytes, by free space, over all logs.
//!
//! ```text
//!   age    a segment goes when its last record has waited too long and nobody has begun to read it
//!   bytes  ─┬─ drop_oldest: the segment goes whose records arrived first, of those that nobody has begun to read
//!   free   ─┘  drop_newest: new packets are turned away until there is room
//! ```
//!
//! No record younger than the age cap is given up for its age. Older ones stay while a younger one is in their segment,
//! or while the segment's first records are with the Kafka client. An age is how long this process has kept a record
//! ([`super::ages`]): a restart begins to count again.
//!
//! Bytes count until they are delivered. Where the disk has too little room `drop_oldest` lets the logs keep their size
//! ([`super::shortage`]), and `drop_newest` waits while there are closed segments, whose delivery makes room. So either cap
//! ends by itself with what is delivered, whoever else fills the disk.
//!
//! The default cap is half of what is free. A disk that was full when the agent started gives none; so it is looked at
//! again each time, and the cap rises with what has become free. It never falls: what was taken under it stays.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Writer;
use crate::observe::ledger::LossReason;
use crate::spool::WhenFull;
use crate::spool::disk::{Operation, SpoolError};
use crate::spool::lane::Lane;
use crate::spool::log::{self, Log};
use crate::time::UnixMicros;

/// So many segments are given up in a row, before what waits in memory is written: each costs a cursor, which is two
/// syncs. With the usual segments that is 128 MiB, and the next turn goes on.
const GIVEN_UP_IN_A_ROW: usize = 16;

/// The default cap: `wanted`, or half of what is free where that is less. What waits here is not free, and was when
/// there was none: a restart in an outage must not lower the cap.
pub(super) fn half_of_free(wanted: u64, free: u64, held: u64) -> u64 {
    wanted.min(free.saturating_add(held) / 2)
}

/// `drop_oldest` gives up a segment: an eighth of the spool at most.
pub(super) fn segment_bytes(bytes_max: u64) -> u64 {
    log::Config::SEGMENT_BYTES_DEFAULT.min(bytes_max / 8)
}

impl Writer {
    pub(super) fn keep_caps(&mut self, now: UnixMicros) -> Result<(), SpoolError> {
        self.uncapped_bytes = 0;
        self.raise_cap()?;
        let (is_over, is_short) = (self.is_over()?, self.is_short()?);
        if is_over || is_short {
            // Where room is only short, that is to free as much as it costs the disk.
            let newest_bytes_min = match is_over {
                true => 0,
                false => segment_bytes(self.config.bytes_max) / 4,
            };
            match self.free_delivered(now, newest_bytes_min) {
                // On a full disk a topic that is all delivered cannot even say so. What is given up needs no room.
                Ok(()) | Err(SpoolError::NoSpace { .. }) => {}
                failed => return failed,
            }
        }
        if self.when_full == WhenFull::DropOldest {
            for _ in 0..GIVEN_UP_IN_A_ROW {
                if !self.is_over()? || !self.drop_oldest()? {
                    break;
                }
            }
        }
        let over = self.is_over()?;
        let mut inner = self.spool.lock();
        inner.log_is_full = over && self.when_full == WhenFull::DropNewest;
        inner.log_bytes = self.held_bytes();
        Ok(())
    }

    /// Where the default cap was small because little was free.
    fn raise_cap(&mut self) -> Result<(), SpoolError> {
        if self.config.bytes_max >= self.bytes_max_wanted {
            return Ok(());
        }
        let bytes_max = half_of_free(self.bytes_max_wanted, self.free_bytes()?, self.held_bytes());
        if bytes_max <= self.config.bytes_max {
            return Ok(());
        }
        self.config.bytes_max = bytes_max;
        for log in &mut self.logs {
            log.set_segment_bytes(segment_bytes(bytes_max));
        }
        self.spool.bytes_max.store(bytes_max, Ordering::Relaxed);
        if let Some(kept) = &mut self.spool.lock().kept {
            kept.raise(bytes_max);
        }
        Ok(())
    }

    fn free_bytes(&self) -> Result<u64, SpoolError> {
        let folder = &self.config.folder;
        let free = self.disk.free_bytes(folder);
        free.map_err(SpoolError::at(Operation::Stat, folder))
    }

    fn held_bytes(&self) -> u64 {
        self.logs.iter().map(Log::bytes).sum()
    }

    /// What the logs hold, and what waits in memory to be written there.
    fn size(&self) -> u64 {
        let inner = self.spool.lock();
        let waiting: usize = inner.lanes.iter().map(Lane::unwritten_bytes).sum();
        self.held_bytes() + waiting as u64
    }

    /// The disk refused a write for want of room.
    pub(super) fn note_refusal(&mut self) {
        let segment_bytes = segment_bytes(self.config.bytes_max);
        self.shortage.refuse(self.size(), segment_bytes, self.clock);
    }

    /// Whether too little is free, as the disk says.
    fn is_short(&self) -> Result<bool, SpoolError> {
        Ok(self.free_bytes()? < self.config.free_bytes_min)
    }

    fn is_over(&mut self) -> Result<bool, SpoolError> {
        let is_short = self.is_short()?;
        let is_too_little = match self.when_full {
            WhenFull::DropOldest => {
                let (size, segment_bytes) = (self.size(), segment_bytes(self.config.bytes_max));
                let limit = self
                    .shortage
                    .look(is_short, size, segment_bytes, self.clock);
                limit.is_some_and(|bytes_max| size > bytes_max)
            }
            // Only as long as we hold something that can become free.
            WhenFull::DropNewest => is_short && self.logs.iter().any(|log| log.closed_bytes() > 0),
        };
        Ok(is_too_little || self.held_bytes() > self.config.bytes_max)
    }

    /// What is delivered goes before what is not. A newest segment of which all is delivered stays for its name: from so
    /// many bytes on a new one takes its place.
    fn free_delivered(&mut self, now: UnixMicros, newest_bytes_min: u64) -> Result<(), SpoolError> {
        for index in 0..self.logs.len() {
            let cursor = self.spool.lock().lanes.get(index).map(Lane::cursor);
            let (Some(cursor), Some(log)) = (cursor, self.logs.get_mut(index)) else {
                continue;
            };
            let low = cursor.settled.low();
            log.note_settled(low);
            let newest_bytes = log.bytes() - log.closed_bytes();
            if low >= log.next()
                && log.newest_with_records().is_some()
                && newest_bytes >= newest_bytes_min
            {
                log.begin_next(now)?;
            }
            if log.oldest_closed_end().is_some_and(|end| end <= low) {
                self.save_this_cursor(index, cursor)?;
            }
        }
        Ok(())
    }

    /// Gives up the segments of which every record has waited too long.
    pub(super) fn keep_ages(&mut self, now: UnixMicros, clock: Instant) -> Result<(), SpoolError> {
        let reports = self.lane_of_reports();
        for index in 0..self.ages.len() {
            let (Some(ages), Some(log)) = (self.ages.get_mut(index), self.logs.get(index)) else {
                continue;
            };
            ages.note(log.next(), clock);
            let older_below = ages.older_below(clock);
            if Some(index) != reports {
                self.keep_age(index, older_below, now)?;
            }
        }
        Ok(())
    }

    /// Gives up the segments of a log that end at or below `older_below`.
    fn keep_age(
        &mut self,
        index: usize,
        older_below: u64,
        now: UnixMicros,
    ) -> Result<(), SpoolError> {
        for _ in 0..GIVEN_UP_IN_A_ROW {
            let unread_from = self.unread_from(index);
            let Some(log) = self.logs.get_mut(index) else {
                return Ok(());
            };
            let newest = log.newest_with_records();
            if newest.is_some_and(|first| first >= unread_from) && log.next() <= older_below {
                log.begin_next(now)?;
            }
            let candidate = log.oldest_unread(unread_from);
            let Some(old) = candidate.filter(|candidate| candidate.end <= older_below) else {
                return Ok(());
            };
            if !self.give_up(index, old.first, LossReason::SpoolAge)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Gives up, of the closed segments that nobody has begun to read, the one whose records arrived first; says
    /// whether there was one.
    fn drop_oldest(&mut self) -> Result<bool, SpoolError> {
        let reports = self.lane_of_reports();
        let candidates = self.logs.iter().enumerate();
        let candidates = candidates.filter(|(index, _)| Some(*index) != reports);
        let candidates = candidates.filter_map(|(index, log)| {
            let candidate = log.oldest_unread(self.unread_from(index))?;
            Some((candidate, index))
        });
        match candidates.min() {
            Some((candidate, index)) => self.give_up(index, candidate.first, LossReason::SpoolFull),
            None => Ok(false),
        }
    }

    /// The agent's own reports are never given up: they say what was.
    pub(super) fn lane_of_reports(&self) -> Option<usize> {
        let kept = self.spool.lock().kept;
        kept.map(|kept| usize::from(kept.lane.0))
    }

    /// What is below is or was with the Kafka client: it may be delivered, and must not be counted as lost.
    fn unread_from(&self, index: usize) -> u64 {
        self.spool.lock().lanes.get(index).map_or(0, Lane::read_max)
    }

    /// Gives up the segment that begins with `first`, if nobody has begun to read it meanwhile. It leaves the log and
    /// its records are counted under the one lock under which readings are counted.
    fn give_up(
        &mut self,
        index: usize,
        first: u64,
        reason: LossReason,
    ) -> Result<bool, SpoolError> {
        let Some(log) = self.logs.get_mut(index) else {
            return Ok(false);
        };
        let mut inner = self.spool.lock();
        let Some(lane) = inner.lanes.get_mut(index) else {
            return Ok(false);
        };
        let Some(dropped) = log.give_up(first, lane.read_max()) else {
            return Ok(false);
        };
        let records = lane.lose(dropped.numbers.clone(), reason);
        drop(inner);
        // First the cursor, so that the next start knows why these records are gone. A full disk may not take it; then
        // room comes first, and a kill before the next turn leaves them to be counted as `corrupt`.
        if let Err(error) = self.save_cursor(index) {
            tracing::warn!(%error, "the spool's cursor does not know yet what is given up");
        }
        if let Some(log) = self.logs.get_mut(index) {
            log.remove(dropped)?;
        }
        self.spool.lock().advance_on_disk();
        if let Some(skipped) = self.given_up.admit(Instant::now()) {
            tracing::error!(
                records,
                reason = reason.as_str(),
                skipped,
                "the oldest records of the spool are given up"
            );
        }
        Ok(true)
    }
}
