//! SNMP notifications: bytes of one message → a [`Notification`] that borrows them.
//!
//! ```text
//!   SEQUENCE ── version ── community ── PDU ── header ── SEQUENCE of ── SEQUENCE ── name ── value
//!   └────────── message ────────────┘  └──────────── pdu ─────────────┘ └──── varbind ─────────┘
//! ```
//!
//! Devices send BER that a strict reader refuses whole: unpadded counters, v2 PDUs in v1 messages, broken values.
//! So reading is tolerant, and says what it tolerated: [`Anomalies`]. One odd variable binding never costs the
//! others. [`strict`] is the second opinion, asked only where something was odd.
//!
//! [`mask`] makes the copy of a packet from which everything shown to others is taken.

mod anomaly;
pub mod ber;
mod engine_id;
pub mod mask;
mod message;
mod oid;
mod pdu;
pub mod strict;
pub mod v3;
mod varbind;

pub use anomaly::Anomalies;
pub use ber::Fault;
pub use engine_id::{EngineId, Format, engine_id};
pub use message::{Unread, UnreadMessage, Version, read};
pub use oid::{Arcs, Oid, SUB_IDENTIFIERS_MAX};
pub use pdu::{Header, Notification, PduKind, TrapV1, response};
pub use v3::{Security, SecurityLevel};
pub use varbind::{Elements, Value, Varbind, Varbinds};

/// Whether the bytes begin as every SNMP message does (RFC 3412, section 6; RFC 1901): a SEQUENCE that begins with a
/// short INTEGER, whatever version that names. No text does: the INTEGER's octets are control characters. A message
/// that was cut short is known too.
pub fn is_message(bytes: &[u8]) -> bool {
    let mut reader = super::reader::Reader::new(bytes);
    if !reader.eat(0x30) {
        return false;
    }
    let length = reader.byte().unwrap_or_default();
    if length > 0x80 {
        reader.take(usize::from(length & 0x7f));
    }
    reader.eat(0x02) && matches!(reader.byte(), Some(1..=4))
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
