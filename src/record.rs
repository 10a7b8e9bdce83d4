//! The owned form of an event: topic, key, payload, time. After it nobody looks inside.

use crate::time::UnixMicros;

/// A topic's place in the spool. Each topic has a log ("lane") of its own, so that one that stalls
/// stops only itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId(pub u16);

/// A record's place in its lane, and the last part of its event's `id`. Numbers have no holes: one
/// is taken only when there is room for its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(pub u64);

/// Where a record came from; the ledger keeps the two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// One packet became this record.
    Packet,
    /// The agent made it (reports, gaps, storms, device changes).
    Generated,
}

/// One record on its way into the spool, borrowed from the pipeline's scratch buffers.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The lane of its topic.
    pub lane: LaneId,
    /// The Kafka timestamp.
    pub received: UnixMicros,
    /// The Kafka key: the device's hostname.
    pub key: &'a [u8],
    /// The payload without its number.
    pub payload: &'a [u8],
    /// Where in `payload` the spool writes the record's number in decimal.
    pub number_at: usize,
    /// Who made it.
    pub origin: Origin,
}

/// How far a record is on its way to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// It is kept: whoever waits for it may be answered.
    Accepted,
    /// Not yet.
    Waiting,
    /// It was lost before, and never will be. Whoever waits for it must not be answered, and sends it again.
    Lost,
}
