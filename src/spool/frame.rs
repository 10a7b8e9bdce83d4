//! One record as bytes, and a batch of them.
//!
//! ```text
//!  offset  0        8           16        20            24
//!          number   received    key       payload       key…  payload…
//!          u64 le   i64 le µs   u32 le    u32 le
//!                               length    length
//! ```

use std::ops::Range;

use crate::record::{Number, Record};
use crate::time::UnixMicros;

/// Bytes before the key.
pub(super) const HEADER_BYTES: usize = 24;

/// The most digits that a number can have.
const NUMBER_DIGITS_MAX: usize = 20;

/// The most bytes that `record` can need with its number written in.
pub(super) fn size_max(record: &Record<'_>) -> usize {
    HEADER_BYTES + record.key.len() + record.payload.len() + NUMBER_DIGITS_MAX
}

/// Appends `record` under `number` to `out` and returns its size.
pub(super) fn write(record: &Record<'_>, number: u64, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number).as_bytes();
    let (before, after) = record
        .payload
        .split_at(record.number_at.min(record.payload.len()));
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&record.received.0.to_le_bytes());
    out.extend_from_slice(&(record.key.len() as u32).to_le_bytes());
    out.extend_from_slice(&((record.payload.len() + digits.len()) as u32).to_le_bytes());
    out.extend_from_slice(record.key);
    out.extend_from_slice(before);
    out.extend_from_slice(digits);
    out.extend_from_slice(after);
    out.len() - start
}

/// A frame read back.
pub(super) struct Frame<'a> {
    pub number: u64,
    pub received: UnixMicros,
    pub key: &'a [u8],
    pub payload: &'a [u8],
    pub size: usize,
}

/// Reads the frame at the start of `bytes`. `None` where there is none.
pub(super) fn read(bytes: &[u8]) -> Option<Frame<'_>> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    let (received, rest) = rest.split_first_chunk::<8>()?;
    let (key_length, rest) = rest.split_first_chunk::<4>()?;
    let (payload_length, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*key_length) as usize)?;
    let (payload, _) = rest.split_at_checked(u32::from_le_bytes(*payload_length) as usize)?;
    Some(Frame {
        number: u64::from_le_bytes(*number),
        received: UnixMicros(i64::from_le_bytes(*received)),
        key,
        payload,
        size: HEADER_BYTES + key.len() + payload.len(),
    })
}

/// Where one record stands in a [`Batch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub number: Number,
    /// Its time of arrival: the Kafka timestamp.
    pub received: UnixMicros,
    key: Range<usize>,
    payload: Range<usize>,
}

/// Records copied out of the spool. The reader owns it and reuses it; its bytes do not move while it is not changed.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Batch {
    /// Forgets the records, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// The records, in order of their numbers.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The key of `entry`.
    pub fn key(&self, entry: &Entry) -> &[u8] {
        self.bytes.get(entry.key.clone()).unwrap_or_default()
    }

    /// The payload of `entry`.
    pub fn payload(&self, entry: &Entry) -> &[u8] {
        self.bytes.get(entry.payload.clone()).unwrap_or_default()
    }

    /// Bytes of keys and payloads.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn push(&mut self, frame: &Frame<'_>) {
        let key_at = self.bytes.len();
        self.bytes.extend_from_slice(frame.key);
        let payload_at = self.bytes.len();
        self.bytes.extend_from_slice(frame.payload);
        self.entries.push(Entry {
            number: Number(frame.number),
            received: frame.received,
            key: key_at..payload_at,
            payload: payload_at..self.bytes.len(),
        });
    }
}
