//! One topic's log in memory: segments of frames, a read position, the settled numbers.
//!
//! ```text
//!          low                    read                     next
//!           ▼                      ▼                        ▼
//!  ▕ 3 4 5 6 7 8│9 10 11 12 13 14 15 16│17 18 19 20 21 22 23▏
//!   └ segment ─┘└ read, not settled ──┘└ unread: drop_oldest takes from here
//! ```

use std::collections::VecDeque;
use std::ops::Range;

use super::frame::{self, Batch};
use super::settled::Settled;
use super::{LaneView, ReadLimit, SEGMENT_BYTES};
use crate::record::{Number, Record};
use crate::time::UnixMicros;

#[derive(Debug)]
struct Segment {
    /// Its place among all segments that were ever opened, in all lanes.
    opened: u64,
    first: u64,
    /// One past its last number.
    end: u64,
    bytes: Vec<u8>,
}

/// Where the next read begins.
#[derive(Debug, Clone, Copy, Default)]
struct Position {
    number: u64,
    /// The segment that holds `number`, as its place in the deque, and the byte of the frame in it.
    segment: usize,
    byte: usize,
}

#[derive(Debug)]
pub(super) struct Lane {
    topic: String,
    segments: VecDeque<Segment>,
    next: u64,
    read: Position,
    /// One past the highest number that was ever read: what is read again below it is a repeat.
    read_max: u64,
    settled: Settled,
    settled_count: u64,
}

/// What `drop_oldest` gave up.
pub(super) struct Dropped {
    pub records: u64,
    pub bytes: usize,
    pub buffer: Vec<u8>,
}

impl Lane {
    pub fn new(topic: String) -> Lane {
        Lane {
            topic,
            segments: VecDeque::new(),
            next: 0,
            read: Position::default(),
            read_max: 0,
            settled: Settled::default(),
            settled_count: 0,
        }
    }

    pub fn next(&self) -> u64 {
        self.next
    }

    pub fn pending(&self) -> u64 {
        self.next - self.settled_count
    }

    pub fn has_unread(&self) -> bool {
        self.read.number < self.next
    }

    pub fn has_room(&self, size: usize) -> bool {
        self.segments
            .back()
            .is_some_and(|segment| segment.bytes.len() + size <= SEGMENT_BYTES)
    }

    pub fn open_segment(&mut self, opened: u64, bytes: Vec<u8>) {
        self.segments.push_back(Segment {
            opened,
            first: self.next,
            end: self.next,
            bytes,
        });
    }

    /// Appends to the last segment, which the caller has made room in. Returns the number and the frame's size.
    pub fn append(&mut self, record: &Record<'_>) -> (Number, usize) {
        let number = self.next;
        let Some(segment) = self.segments.back_mut() else {
            return (Number(number), 0);
        };
        let size = frame::write(record, number, &mut segment.bytes);
        self.next += 1;
        segment.end = self.next;
        (Number(number), size)
    }

    /// Copies unread records that are not settled into `batch`; returns how many of them had been read before.
    pub fn read(&mut self, limit: ReadLimit, batch: &mut Batch) -> u64 {
        let mut repeated = 0;
        while batch.entries().len() < limit.records {
            let Some(segment) = self.segments.get(self.read.segment) else {
                break;
            };
            let Some(frame) = segment.bytes.get(self.read.byte..).and_then(frame::read) else {
                if self.read.segment + 1 == self.segments.len() {
                    break;
                }
                self.read = Position {
                    number: segment.end,
                    segment: self.read.segment + 1,
                    byte: 0,
                };
                continue;
            };
            if !self.settled.contains(frame.number) {
                let full = batch.bytes_len() + frame.key.len() + frame.payload.len() > limit.bytes;
                if full && !batch.entries().is_empty() {
                    break;
                }
                batch.push(&frame);
                repeated += u64::from(frame.number < self.read_max);
            }
            self.read.byte += frame.size;
            self.read.number = frame.number + 1;
        }
        self.read_max = self.read_max.max(self.read.number);
        repeated
    }

    pub fn rewind(&mut self) {
        let low = self.settled.low();
        let segment = self.segments.iter().position(|segment| segment.end > low);
        self.read = match segment.and_then(|index| Some((index, self.segments.get(index)?))) {
            Some((segment, held)) => Position {
                number: held.first,
                segment,
                byte: 0,
            },
            None => self.end_position(),
        };
    }

    /// Behind everything that is here.
    fn end_position(&self) -> Position {
        let byte = self
            .segments
            .back()
            .map_or(0, |segment| segment.bytes.len());
        Position {
            number: self.next,
            segment: self.segments.len().saturating_sub(1),
            byte,
        }
    }

    /// When the oldest segment that the producer has not begun to read was opened.
    pub fn oldest_unread_segment(&self) -> Option<u64> {
        self.segments
            .get(self.first_unread_segment()?)
            .map(|segment| segment.opened)
    }

    pub fn drop_oldest_unread_segment(&mut self) -> Dropped {
        let segment = self
            .first_unread_segment()
            .and_then(|index| self.segments.remove(index));
        let Some(segment) = segment else {
            return Dropped {
                records: 0,
                bytes: 0,
                buffer: Vec::new(),
            };
        };
        let records = self.settle(segment.first..segment.end);
        // The read position, if it stood at the start of the segment, now stands at the start of the one behind it.
        if self.read.number == segment.first {
            self.read.number = segment.end;
        }
        Dropped {
            records,
            bytes: segment.bytes.len(),
            buffer: segment.bytes,
        }
    }

    fn first_unread_segment(&self) -> Option<usize> {
        let index = self.read.segment + usize::from(self.read.byte > 0);
        let segment = self.segments.get(index)?;
        (segment.end > segment.first).then_some(index)
    }

    /// Settles `numbers`, as far as they were given out; returns how many were not settled before.
    pub fn settle(&mut self, numbers: Range<u64>) -> u64 {
        let fresh = self.settled.add(numbers.start..numbers.end.min(self.next));
        self.settled_count += fresh;
        fresh
    }

    /// Takes the first segment out if all of it is settled.
    pub fn take_settled_segment(&mut self) -> Option<Vec<u8>> {
        let first = self.segments.front()?;
        if first.end > self.settled.low() {
            return None;
        }
        let segment = self.segments.pop_front()?;
        if self.read.segment > 0 {
            self.read.segment -= 1;
        } else {
            self.read = Position {
                number: self.read.number.max(segment.end),
                segment: 0,
                byte: 0,
            };
        }
        Some(segment.bytes)
    }

    pub fn view(&self) -> LaneView {
        LaneView {
            topic: self.topic.clone(),
            pending: self.pending(),
            bytes: self
                .segments
                .iter()
                .map(|segment| segment.bytes.len())
                .sum(),
            oldest_received: self.oldest_received(),
            next: Number(self.next),
        }
    }

    fn oldest_received(&self) -> Option<UnixMicros> {
        let low = self.settled.low();
        let segment = self.segments.iter().find(|segment| segment.end > low)?;
        let mut at = 0;
        while let Some(frame) = segment.bytes.get(at..).and_then(frame::read) {
            if frame.number >= low {
                return Some(frame.received);
            }
            at += frame.size;
        }
        None
    }
}
