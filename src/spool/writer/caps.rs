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
//! Bytes count until they are delivered, and free space counts while there are closed segments, whose delivery makes
//! room. So either cap ends by itself with what is delivered, whoever else fills the disk.
//!
//! Some file systems count what was unlinked as free only later (btrfs with its next transaction, XFS in the background).
//! What was given up because free space is short counts as free at once, or each look at a short disk would give up
//! more, up to the whole backlog: for a minute, until it is seen to be free, or until a write finds the disk full.
//!
//! The default cap is half of what is free. A disk that was full when the agent started gives none; so it is looked at
//! again each time, and the cap rises with what has become free. It never falls: what was taken under it stays.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Writer;
use crate::observe::ledger::LossReason;
use crate::spool::WhenFull;
use crate::spool::disk::{Operation, SpoolError};
use crate::spool::lane::Lane;
use crate::spool::log::{self, Log};
use crate::time::UnixMicros;

/// How long a file system may take to count as free what was unlinked: btrfs writes its transactions every 30 s.
const FREED_LATE_MAX: Duration = Duration::from_secs(60);

/// Drops that follow each other so closely are kept as one, so that there are no more of them than seconds.
const DROPS_APART: Duration = Duration::from_secs(1);

/// So many segments are given up in a row, before what waits in memory is written: each costs a cursor, which is two
/// syncs. With the usual segments that is 128 MiB, and the next turn goes on.
const GIVEN_UP_IN_A_ROW: usize = 16;

/// What was given up because free space was short and is not seen as free yet.
#[derive(Debug, Default)]
pub(super) struct FreedLate {
    /// Bytes, and when they were given up, the oldest first.
    drops: VecDeque<(u64, Instant)>,
    /// What was free and what the logs held, together, at the last look. What we write and unlink leaves it as it is;
    /// only between an unlink and the moment when that counts as free it is smaller.
    room: u64,
}

impl FreedLate {
    /// What is still awaited, now that there is so much room.
    fn look(&mut self, room: u64, clock: Instant) -> u64 {
        let mut grown = room.saturating_sub(self.room);
        self.room = room;
        self.drops.retain_mut(|(bytes, at)| {
            let seen = grown.min(*bytes);
            (grown, *bytes) = (grown - seen, *bytes - seen);
            *bytes > 0 && clock.saturating_duration_since(*at) < FREED_LATE_MAX
        });
        self.drops.iter().map(|(bytes, _)| bytes).sum()
    }

    /// Something was given up since the last look: what is missing of the room is awaited.
    fn note(&mut self, room: u64, clock: Instant) {
        let late = self.room.saturating_sub(room);
        self.room = room;
        match self.drops.back_mut() {
            Some((bytes, at)) if clock.saturating_duration_since(*at) < DROPS_APART => {
                *bytes += late;
            }
            _ => self.drops.push_back((late, clock)),
        }
    }

    /// The disk said that it is full: nothing is on its way, or it would have been taken for that write.
    pub(super) fn forget(&mut self) {
        self.drops.clear();
    }
}

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
        if self.is_over()? {
            match self.free_delivered(now) {
                // On a full disk a topic that is all delivered cannot even say so. What is given up needs no room.
                Ok(()) | Err(SpoolError::NoSpace { .. }) => {}
                failed => return failed,
            }
        }
        if self.when_full == WhenFull::DropOldest {
            for _ in 0..GIVEN_UP_IN_A_ROW {
                let is_short = self.is_short()?;
                let is_over = is_short || self.held_bytes() > self.config.bytes_max;
                if !is_over || !self.drop_oldest()? {
                    break;
                }
                if is_short {
                    let room = self.free_bytes()?.saturating_add(self.held_bytes());
                    self.freed_late.note(room, self.clock);
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

    fn is_over(&mut self) -> Result<bool, SpoolError> {
        Ok(self.is_short()? || self.held_bytes() > self.config.bytes_max)
    }

    /// Whether too little is free, and we hold something that can become free.
    fn is_short(&mut self) -> Result<bool, SpoolError> {
        let free = self.free_bytes()?;
        let room = free.saturating_add(self.held_bytes());
        let free = free.saturating_add(self.freed_late.look(room, self.clock));
        let closed: u64 = self.logs.iter().map(Log::closed_bytes).sum();
        Ok(free < self.config.free_bytes_min && closed > 0)
    }

    /// A newest segment of which all is delivered stays for its name. Where room is short a new one takes its place.
    fn free_delivered(&mut self, now: UnixMicros) -> Result<(), SpoolError> {
        for (index, log) in self.logs.iter_mut().enumerate() {
            let cursor = self.spool.lock().lanes.get(index).map(Lane::cursor);
            let Some(cursor) = cursor.filter(|cursor| cursor.settled.low() >= log.next()) else {
                continue;
            };
            log.begin_next(now)?;
            let saved = log.save_cursor(&cursor)?;
            log.trim(saved)?;
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
    fn lane_of_reports(&self) -> Option<usize> {
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
