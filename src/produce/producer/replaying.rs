//! Backlogs: seen, held back to their pace, told.
//!
//! ```text
//!  spool.lanes, four times a second ──▶ Replay ──┬─ news ──▶ log      Progress ──▶ the state for others
//!                                                └─ has_backlog ─┐
//!  spool.arrived_bytes, each turn ──▶ Arrivals ──────────────────┴▶ Pacer ──▶ which lane is next, and how many bytes
//! ```
//!
//! In: what the spool holds and takes, the connection, the time. Out: for each lane how many bytes it may hand over now,
//! the smallest backlog first, so that few urgent events do not wait behind many others; log lines.
//!
//! Without a cap nothing of this is on the way of a record: the lanes are looked at four times a second, and that is all.

use std::num::NonZeroU64;

use super::Producer;
use crate::produce::lane::Share;
use crate::produce::pace::{Arrivals, Pacer};
use crate::produce::replay::{News, Replay, Seen};
use crate::produce::{Connection, Progress};

/// How often the lanes are looked at.
const LOOK_MS: u64 = 250;

/// While no broker answers and there is a cap, so much may be with the client all the same: one slot, so that the first
/// answer finds something to acknowledge.
const WINDOW_BYTES_MIN: usize = 64 * 1024;

/// What the producer's thread keeps for this.
#[derive(Debug)]
pub(super) struct Replaying {
    arrivals: Arrivals,
    pacer: Option<Pacer>,
    replay: Replay,
    /// The lanes, the smallest backlog first.
    order: Vec<usize>,
    look_at_ms: u64,
}

impl Replaying {
    /// Nothing was seen yet.
    pub fn new(bytes_per_second: Option<NonZeroU64>, lanes: usize) -> Replaying {
        Replaying {
            arrivals: Arrivals::new(0, 0),
            pacer: bytes_per_second.map(|rate| Pacer::new(rate, 0)),
            replay: Replay::new(bytes_per_second.map(NonZeroU64::get)),
            order: (0..lanes).collect(),
            look_at_ms: 0,
        }
    }

    /// The lane at `place` of the order, and how many bytes it may hand over now.
    pub fn next_lane(&self, place: usize) -> (usize, usize) {
        let lane = self.order.get(place).copied().unwrap_or(place);
        let left = self.order.len().saturating_sub(place);
        let pacer = self.pacer.as_ref();
        (
            lane,
            pacer.map_or(usize::MAX, |pacer| pacer.allowance(left)),
        )
    }

    /// So many bytes are handed over.
    pub fn spend(&mut self, bytes: usize) {
        if let Some(pacer) = &mut self.pacer {
            pacer.spend(bytes);
        }
    }

    /// Whether records wait only for their pace.
    pub fn is_held_back(&self) -> bool {
        self.pacer.as_ref().is_some_and(Pacer::is_exhausted)
    }

    /// How the replay goes, while there is one.
    pub fn progress(&self) -> Option<Progress> {
        self.replay.progress()
    }
}

impl Producer {
    /// Looks for a backlog when it is time, and tells what is new about it.
    pub(super) fn watch_backlog(&mut self, now_ms: u64) {
        if now_ms < self.replaying.look_at_ms {
            return;
        }
        self.replaying.look_at_ms = now_ms + LOOK_MS;
        let seen = self.see(now_ms);
        // Where the end of the process is the end of what it holds, nothing is held back for a thin line's sake.
        let must_empty = self.deadline().is_some() && !self.spool.is_on_disk();
        let replaying = &mut self.replaying;
        let news = replaying.replay.observe(now_ms, seen);
        if let Some(pacer) = &mut replaying.pacer {
            pacer.set_backlog(replaying.replay.has_backlog() && !must_empty);
        }
        if let Some(news) = news {
            tell(news);
        }
    }

    fn see(&mut self, now_ms: u64) -> Seen {
        let lanes = self.spool.lanes();
        let replaying = &mut self.replaying;
        let bytes_of = |index: &usize| lanes.get(*index).map_or(0, |lane| lane.pending_bytes);
        replaying.order.sort_by_key(bytes_of);
        if replaying.pacer.is_none() {
            let total = self.spool.arrived_bytes();
            replaying.arrivals.advance(now_ms, total);
        }
        let mut seen = Seen {
            is_connected: self.connection == Connection::Up,
            delivered: self.spool.counts().delivered,
            recent_bytes: replaying.arrivals.recent(),
            ..Seen::default()
        };
        for (topic, lane) in self.topics.iter().zip(&lanes) {
            seen.pending_records += lane.pending;
            seen.pending_bytes += lane.pending_bytes;
            if topic.lane.why().is_none() {
                seen.moving_records += lane.pending;
                seen.moving_bytes += lane.pending_bytes;
            }
        }
        seen
    }

    /// Gives the pace what has arrived since the last turn.
    pub(super) fn advance_pace(&mut self, now_ms: u64) {
        let Replaying {
            arrivals, pacer, ..
        } = &mut self.replaying;
        if let Some(pacer) = pacer {
            let new = arrivals.advance(now_ms, self.spool.arrived_bytes());
            pacer.advance(now_ms, new, arrivals.recent());
        }
    }

    /// How much may be with the client. While no broker answers it is what the pace allows for a second: all of it goes
    /// out at once when one does.
    pub(super) fn window(&self) -> Share {
        let pacer = self.replaying.pacer.as_ref();
        let paced = pacer.and_then(Pacer::window_bytes_max);
        match paced {
            Some(bytes) if self.connection != Connection::Up => Share {
                bytes: self.window.bytes.min(bytes.max(WINDOW_BYTES_MIN)),
                ..self.window
            },
            _ => self.window,
        }
    }
}

fn tell(news: News) {
    match news {
        News::Began(progress) => tracing::info!(
            records = progress.records,
            bytes = progress.bytes,
            bytes_per_second_max = progress.bytes_per_second_max,
            "replay begins"
        ),
        News::Goes(progress) => tracing::info!(
            records = progress.records,
            bytes = progress.bytes,
            bytes_per_second = progress.bytes_per_second,
            seconds_left = progress.seconds_left,
            "replay goes on"
        ),
        News::Ended { delivered, took_ms } => {
            tracing::info!(delivered, took_ms, "replay ends, no backlog is left")
        }
        News::Interrupted {
            delivered,
            pending_records,
        } => tracing::info!(
            delivered,
            pending = pending_records,
            "replay stops, what is left cannot be sent now"
        ),
    }
}
