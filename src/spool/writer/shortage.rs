//! Too little room on the disk: while that lasts the logs do not grow.
//!
//! ```text
//!   less than free_bytes_min is free ─┬─▶ the logs may hold what they hold ─▶ what comes takes the place of the oldest
//!   the disk refused a write ─────────┘   (half a segment less: the next write finds room)
//! ```
//!
//! What others take is not made up for: a process that eats whatever becomes free would have the whole backlog given up,
//! and nobody would gain by it. So no more is given up than comes, and two segments, and where the disk goes on refusing one
//! more a minute. Nor does it matter when a file system counts as free what was unlinked: btrfs does so with its next
//! transaction, XFS in the background.
//!
//! The disk's refusal counts, whatever it says is free: a quota is not in that figure, nor is room for metadata.

use std::time::{Duration, Instant};

/// How long a refusal is remembered. A disk that goes on refusing costs a segment each time: another process may have
/// taken the room of the last one, and may be sated.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// What the logs may hold while there is too little room.
#[derive(Debug, Default)]
pub(super) struct Shortage {
    /// Bytes of the logs, and of what waits in memory to be written there.
    bytes_max: Option<u64>,
    /// When a refusal last lowered that.
    refused: Option<Instant>,
}

impl Shortage {
    /// The disk refused to take more, for want of room. `size` is what the logs hold and what waits for them.
    pub(super) fn refuse(&mut self, size: u64, segment_bytes: u64, clock: Instant) {
        if self.is_refused(clock) {
            return;
        }
        // A segment goes at once, and from then on each of them before the last one's room is used up.
        let less = size.saturating_sub(segment_bytes / 2);
        self.bytes_max = Some(self.bytes_max.map_or(less, |bytes_max| bytes_max.min(less)));
        self.refused = Some(clock);
    }

    /// What the logs may hold together with what waits for them, if there is too little room.
    pub(super) fn look(
        &mut self,
        is_short: bool,
        size: u64,
        segment_bytes: u64,
        clock: Instant,
    ) -> Option<u64> {
        if !is_short && !self.is_refused(clock) {
            *self = Shortage::default();
            return None;
        }
        // What Kafka took made room, and others may have taken that. A segment's worth of it is ours again: as segments
        // are delivered the size goes up and down by so much.
        let nearly = size.saturating_add(segment_bytes);
        let bytes_max = self.bytes_max.unwrap_or(size).min(nearly);
        self.bytes_max = Some(bytes_max);
        Some(bytes_max)
    }

    fn is_refused(&self, clock: Instant) -> bool {
        self.refused
            .is_some_and(|at| clock.saturating_duration_since(at) < REFUSED_FOR)
    }
}

#[cfg(test)]
mod tests;
