//! A lane as others look at it: what waits in it, how much that is and since when. No disk is looked at.
//!
//! ```text
//!   Lane, its LogView ──▶ LaneView · LaneWindow
//! ```

use super::Lane;
use crate::record::Number;
use crate::spool::log::{LogView, part};
use crate::spool::{LaneView, LaneWindow};
use crate::time::UnixMicros;

impl Lane {
    /// What a report says of this lane. Its losses are declared by that report from here on, until the next call or
    /// [`Lane::reported`].
    pub fn close_window(&mut self, log: Option<&LogView>) -> LaneWindow {
        let more = std::mem::take(&mut self.undeclared);
        self.declaring.extend(more);
        LaneWindow {
            topic: self.topic.clone(),
            reported_to: self.reported_to,
            accepted: self.accepted,
            low: self.settled.low(),
            counts: self.counts(),
            oldest_received: self.oldest_received(log),
            declared: self.declaring.list().to_vec(),
        }
    }

    /// The lane for others; `log` is its log, if it has one. No disk is looked at.
    pub fn view(&self, log: Option<&LogView>) -> LaneView {
        let in_memory = self.segments.iter().map(|segment| segment.frames.len());
        LaneView {
            topic: self.topic.clone(),
            pending: self.pending(),
            bytes: log.map_or(in_memory.sum::<usize>() as u64, LogView::bytes),
            pending_bytes: self.pending_bytes(log),
            oldest_received: self.oldest_received(log),
            next: Number(self.next),
        }
    }

    /// About how many bytes the pending records take.
    fn pending_bytes(&self, log: Option<&LogView>) -> u64 {
        let low = self.settled.low();
        let written = log.map_or(low, |_| self.written.max(low));
        let in_log = log.map_or(0, |log| log.bytes_of(low..written));
        let in_memory = self.segments.iter().map(|segment| {
            let bytes = segment.frames.len() as u64;
            part(bytes, &segment.numbers(), &(written..self.accepted))
        });
        let bytes = in_log + in_memory.sum::<u64>();
        // What is settled above the mark is among them.
        part(
            bytes,
            &(low..self.accepted.max(low)),
            &(low..low + self.pending()),
        )
    }

    /// When the oldest pending record arrived; what only the log has, from what is known of it.
    fn oldest_received(&self, log: Option<&LogView>) -> Option<UnixMicros> {
        let low = self.settled.low();
        if self.pending() == 0 {
            return None;
        }
        if low >= self.first_in_memory() {
            return self.oldest_in_memory();
        }
        let marked = self.marks.at(low);
        marked.or_else(|| log.and_then(|log| log.begun_at(low)))
    }

    fn oldest_in_memory(&self) -> Option<UnixMicros> {
        let low = self.settled.low();
        let segment = self.segments.iter().find(|segment| segment.end > low)?;
        segment.received_of(low)
    }
}
