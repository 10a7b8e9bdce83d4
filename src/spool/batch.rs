//! Records on their way out of the spool.
//!
//! ```text
//!   lane ──share──▶ closed segments of the memory, held ┐
//!        ──push───▶ copies: of the open segment, of the │──▶ Batch ──key, payload──▶ Kafka client
//!   log  ──push───▶ log, of a few records               ┘
//! ```
//!
//! Where memory is scarce, and for what is sent again, the closed segments' records are copied as well.
//!
//! A batch owns its bytes, or its share of them: they neither move nor change until it is changed itself, whatever the
//! spool forgets meanwhile.

use std::ops::Range;

use super::SEGMENT_BYTES;
use super::frame::{self, Frame};
use super::lane::Shared;
use crate::record::Number;
use crate::time::UnixMicros;

/// What the copies of a batch of the producer's take, which ends at three segments' bytes.
const COPIED_BYTES: usize = 3 * SEGMENT_BYTES;

/// Where one record stands in a [`Batch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub number: Number,
    /// Its time of arrival: the Kafka timestamp.
    pub received: UnixMicros,
    /// Which of the shared parts; none where it is a copy.
    shared: Option<u32>,
    key_at: usize,
    payload: Range<usize>,
}

/// Records read from the spool. The reader owns it and reuses it; its bytes do not move while it is not changed.
#[derive(Debug, Default)]
pub struct Batch {
    shared: Vec<Shared>,
    copied: Vec<u8>,
    entries: Vec<Entry>,
    bytes: usize,
}

impl Batch {
    /// Forgets the records and what it shares, keeps its own memory.
    pub fn clear(&mut self) {
        self.shared.clear();
        self.copied.clear();
        self.entries.clear();
        self.bytes = 0;
    }

    /// The records, in order of their numbers.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The key of `entry`.
    pub fn key(&self, entry: &Entry) -> &[u8] {
        self.part(entry, entry.key_at..entry.payload.start)
    }

    /// The payload of `entry`.
    pub fn payload(&self, entry: &Entry) -> &[u8] {
        self.part(entry, entry.payload.clone())
    }

    fn part(&self, entry: &Entry, range: Range<usize>) -> &[u8] {
        let bytes = match entry.shared {
            None => Some(&*self.copied),
            Some(index) => self.shared.get(index as usize).map(|shared| &**shared),
        };
        bytes.and_then(|bytes| bytes.get(range)).unwrap_or_default()
    }

    /// Bytes of keys and payloads.
    pub fn bytes_len(&self) -> usize {
        self.bytes
    }

    /// Adds a copy of this record.
    pub(super) fn push(&mut self, frame: &Frame<'_>) {
        let key_at = self.copied.len();
        self.make_room(frame.key.len() + frame.payload.len());
        self.copied.extend_from_slice(frame.key);
        self.copied.extend_from_slice(frame.payload);
        self.add(None, key_at, frame);
    }

    /// Adds those records of `shared` that are `wanted`.
    pub(super) fn share(&mut self, shared: Shared, mut wanted: impl FnMut(u64) -> bool) {
        // A batch that was full of copies would keep their memory beside what it shares now.
        self.copied.shrink_to(SEGMENT_BYTES);
        let (index, before, mut at) = (self.shared.len() as u32, self.entries.len(), 0);
        while let Some(frame) = shared.get(at..).and_then(frame::read) {
            if wanted(frame.number) {
                self.add(Some(index), at + frame::HEADER_BYTES, &frame);
            }
            at += frame.size;
        }
        if self.entries.len() > before {
            self.shared.push(shared);
        }
    }

    /// Three sizes serve nearly every batch, so that what one gives back is just what another needs: doubling leaves
    /// pieces of every size behind, of sixty batches at once.
    fn make_room(&mut self, bytes: usize) {
        let (held, needed) = (self.copied.len(), self.copied.len() + bytes);
        let steps = [SEGMENT_BYTES, 2 * SEGMENT_BYTES, COPIED_BYTES];
        if needed > self.copied.capacity()
            && let Some(size) = steps.into_iter().find(|size| *size >= needed)
        {
            self.copied.reserve_exact(size - held);
        }
    }

    #[cfg(test)]
    pub(super) fn copied_capacity(&self) -> usize {
        self.copied.capacity()
    }

    fn add(&mut self, shared: Option<u32>, key_at: usize, frame: &Frame<'_>) {
        let payload_at = key_at + frame.key.len();
        self.bytes += frame.key.len() + frame.payload.len();
        self.entries.push(Entry {
            number: Number(frame.number),
            received: frame.received,
            shared,
            key_at,
            payload: payload_at..payload_at + frame.payload.len(),
        });
    }
}
