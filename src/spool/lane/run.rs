//! Frames on their way to the log: closed segments as they are, and a copy of what the open one holds.
//!
//! ```text
//!   lane  ▕·······│closed│closed│open···▏──take_unwritten──▶ Run { shared: [closed, closed], copied: open } ──▶ log
//!                  └ not yet in the log ┘                                                                └─▶ mark_written
//! ```
//!
//! It is taken under the spool's lock, which costs no more than the copy of one segment, and written outside of it.

use std::ops::Range;

use super::segment::Shared;
use super::{Lane, Origins};
use crate::spool::frame::Part;

#[derive(Debug, Default)]
pub(in crate::spool) struct Run {
    numbers: Range<u64>,
    /// Who made all records that this process appended to the lane up to the end of the run.
    origins: Origins,
    shared: Vec<(Range<u64>, Shared)>,
    /// What follows them.
    copied: Vec<u8>,
}

impl Run {
    /// The numbers of its frames.
    pub fn numbers(&self) -> Range<u64> {
        self.numbers.clone()
    }

    /// Its frames, in order.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let shared = self.shared.iter().map(|(numbers, shared)| Part {
            numbers: numbers.clone(),
            frames: shared,
        });
        let shared_end = self.shared.last().map(|(numbers, _)| numbers.end);
        let copied = Part {
            numbers: shared_end.unwrap_or(self.numbers.start)..self.numbers.end,
            frames: &self.copied,
        };
        // Numbers without bytes would be a fault of ours: the log refuses them.
        let copied = (!copied.numbers.is_empty()).then_some(copied);
        shared.chain(copied).collect()
    }

    /// How many bytes.
    pub fn bytes_len(&self) -> usize {
        let shared = self.shared.iter().map(|(_, shared)| shared.len());
        shared.sum::<usize>() + self.copied.len()
    }

    /// Forgets the frames and what it shares, keeps its own memory.
    pub fn clear(&mut self) {
        self.numbers = 0..0;
        self.shared.clear();
        self.copied.clear();
    }
}

impl Lane {
    /// Takes frames that are not in the log into `run`, which is empty, until it holds `bytes_max`.
    pub fn take_unwritten(&self, bytes_max: usize, run: &mut Run) {
        run.numbers = self.written..self.written;
        let segments = self.segments.iter();
        for segment in segments.filter(|segment| segment.end > self.written) {
            if run.bytes_len() >= bytes_max {
                return;
            }
            let first = segment.first.max(self.written);
            run.numbers.end = segment.end;
            match segment.share(segment.written_bytes) {
                Some(shared) => {
                    run.shared.push((first..segment.end, shared));
                    run.origins = segment.origins;
                }
                None => {
                    let rest = segment.frames.get(segment.written_bytes..);
                    run.copied.extend_from_slice(rest.unwrap_or_default());
                    run.origins = self.appended;
                }
            }
        }
    }

    /// The log has the run.
    pub fn mark_written(&mut self, run: &Run) {
        let end = run.numbers.end;
        let segments = self.segments.iter_mut();
        for segment in segments.filter(|segment| segment.first < end) {
            segment.written_bytes = match segment.end <= end {
                true => segment.frames.len(),
                false => segment.byte_of(end),
            };
        }
        self.written = self.written.max(end);
        self.accept(end, run.origins);
    }
}
