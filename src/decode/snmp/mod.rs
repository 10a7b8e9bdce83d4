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
pub mod mask;
mod message;
mod oid;
mod pdu;
pub mod strict;
mod varbind;

pub use anomaly::Anomalies;
pub use ber::Fault;
pub use message::{Unread, UnreadMessage, Version, read};
pub use oid::{Arcs, Oid, SUB_IDENTIFIERS_MAX};
pub use pdu::{Header, Notification, PduKind, TrapV1, response};
pub use varbind::{Elements, Value, Varbind, Varbinds};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
