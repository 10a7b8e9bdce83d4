//! A segment in memory: whole frames behind each other.
//!
//! ```text
//!   open     ▕frame│frame│frame│        ▏  one owner, the lane: appended to under the spool's lock
//!      │ the next segment is opened
//!      ▼
//!   closed   ▕frame│frame│frame│frame│··▏  never changed again: the writer writes from it and the producer hands its
//!                                          payloads to Kafka without a copy, for as long as they hold it
//! ```

use std::ops::{Deref, Range};
use std::sync::Arc;

use super::Origins;
use crate::record::Record;
use crate::spool::SEGMENT_BYTES;
use crate::spool::frame::{self, Sealing};
use crate::time::UnixMicros;

#[derive(Debug)]
pub(super) struct Segment {
    /// Its place among all segments that were ever opened, in all lanes.
    pub opened: u64,
    pub first: u64,
    /// One past its last number.
    pub end: u64,
    pub frames: Frames,
    /// How many of the bytes are in the log.
    pub written_bytes: usize,
    /// Who made all records that this process appended to the lane up to the end of this segment; known when it is
    /// closed.
    pub origins: Origins,
}

/// A segment's bytes.
#[derive(Debug)]
pub(super) enum Frames {
    /// The lane's own.
    Open(Vec<u8>),
    /// Shared with whoever took it, and never changed.
    Closed(Arc<Vec<u8>>),
}

impl Deref for Frames {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Frames::Open(bytes) => bytes,
            Frames::Closed(bytes) => bytes,
        }
    }
}

impl Segment {
    /// An empty one that begins with `first`, in `buffer`.
    pub fn open(opened: u64, first: u64, buffer: Vec<u8>) -> Segment {
        Segment {
            opened,
            first,
            end: first,
            frames: Frames::Open(buffer),
            written_bytes: 0,
            origins: Origins::default(),
        }
    }

    /// Whether it takes a frame of this size.
    pub fn has_room(&self, size: usize) -> bool {
        match &self.frames {
            Frames::Open(bytes) => bytes.len() + size <= SEGMENT_BYTES,
            Frames::Closed(_) => false,
        }
    }

    /// Appends `record` under the number at its end; returns the frame's size. A closed one takes nothing.
    pub fn append(&mut self, record: &Record<'_>, sealing: Sealing) -> usize {
        let Frames::Open(bytes) = &mut self.frames else {
            return 0;
        };
        let size = frame::write(record, self.end, sealing, bytes);
        self.end += 1;
        size
    }

    /// Takes no more from here on; `origins` are those of all records that this process appended to the lane so far.
    pub fn close(&mut self, origins: Origins) {
        if let Frames::Open(bytes) = &mut self.frames {
            self.frames = Frames::Closed(Arc::new(std::mem::take(bytes)));
            self.origins = origins;
        }
    }

    /// The bytes from `from` on, to be kept as long as the holder likes; `None` while it is open.
    pub fn share(&self, from: usize) -> Option<Shared> {
        match &self.frames {
            Frames::Open(_) => None,
            Frames::Closed(bytes) => Some(Shared {
                bytes: bytes.clone(),
                range: from..bytes.len(),
            }),
        }
    }

    /// Its numbers.
    pub fn numbers(&self) -> Range<u64> {
        self.first..self.end
    }

    /// When the record of `number`, or the first one above it, arrived.
    pub fn received_of(&self, number: u64) -> Option<UnixMicros> {
        let bytes = self.frames.get(self.byte_of(number)..);
        Some(bytes.and_then(frame::read)?.received)
    }

    /// Where the frame of `number`, or of the first number above it, begins.
    pub fn byte_of(&self, number: u64) -> usize {
        let mut at = 0;
        let frame_at = |at| self.frames.get(at..).and_then(frame::read);
        while let Some(frame) = frame_at(at).filter(|frame| frame.number < number) {
            at += frame.size;
        }
        at
    }

    /// What is left of it when it is given up.
    pub fn into_freed(self) -> Freed {
        let bytes = self.frames.len();
        let buffer = match self.frames {
            Frames::Open(buffer) => Some(buffer),
            Frames::Closed(shared) => Arc::into_inner(shared),
        };
        Freed { bytes, buffer }
    }
}

/// Whole frames of a closed segment.
#[derive(Debug, Clone)]
pub(in crate::spool) struct Shared {
    bytes: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl Deref for Shared {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(self.range.clone()).unwrap_or_default()
    }
}

/// A segment that memory has forgotten.
#[derive(Debug, Default)]
pub(in crate::spool) struct Freed {
    /// How many bytes it held.
    pub bytes: usize,
    /// Its buffer, where nobody holds it any more.
    pub buffer: Option<Vec<u8>>,
}
