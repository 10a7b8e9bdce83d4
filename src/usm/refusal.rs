//! Why a message is refused, and how often: the six counters of usmStats (RFC 3414, section 5).

use std::sync::atomic::{AtomicU64, Ordering};

use super::window::Excuse;

/// Why a message of the User-based Security Model is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The user does not have this security level, or must not be heard at so low a one.
    UnsupportedSecLevel,
    /// It is not of now: a recording, a delayed copy, or a device that lost its clock.
    NotInTimeWindow,
    /// Nobody of this name is configured.
    UnknownUserName,
    /// It is addressed to another engine than ours, or says to be sent by ours.
    UnknownEngineId,
    /// No secret of the user makes this digest: another pass phrase, or the message was changed under way.
    WrongDigest,
    /// Authenticated, and what it encrypts is no scoped PDU: another privacy pass phrase, protocol or key extension.
    DecryptionError,
}

impl Refusal {
    /// All of them, in the order of usmStats.
    pub const ALL: [Refusal; 6] = [
        Refusal::UnsupportedSecLevel,
        Refusal::NotInTimeWindow,
        Refusal::UnknownUserName,
        Refusal::UnknownEngineId,
        Refusal::WrongDigest,
        Refusal::DecryptionError,
    ];

    /// The name, as RFC 3414 has it: an event's `parse_error.reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::UnsupportedSecLevel => "unsupportedSecLevel",
            Refusal::NotInTimeWindow => "notInTimeWindow",
            Refusal::UnknownUserName => "unknownUserName",
            Refusal::UnknownEngineId => "unknownEngineID",
            Refusal::WrongDigest => "wrongDigest",
            Refusal::DecryptionError => "decryptionError",
        }
    }

    /// What to look at, for people.
    pub fn advice(self) -> &'static str {
        match self {
            Refusal::UnsupportedSecLevel => {
                "the user has no secret for the message's level, or its level is below security_level"
            }
            Refusal::NotInTimeWindow => {
                "two devices have one engine ID (a cloned configuration: give each its own), or the device lost its boots counter (see snmp.time_window), or the message is old"
            }
            Refusal::UnknownUserName => "add a [[snmp.user]] of this name (letter case counts)",
            Refusal::UnknownEngineId => {
                "an inform must be addressed to this agent's engine, and a trap must not"
            }
            Refusal::WrongDigest => {
                "the device has another auth password or auth protocol, or the message was changed under way"
            }
            Refusal::DecryptionError => {
                "the device has another priv password, priv protocol or priv_extension"
            }
        }
    }

    /// usmStats's last number: 1.3.6.1.6.3.15.1.1.N.
    pub(super) fn stat(self) -> u8 {
        self as u8 + 1
    }
}

/// What happened since the start.
#[derive(Debug, Default)]
pub struct Stats {
    refused: [AtomicU64; Refusal::ALL.len()],
    excused: [AtomicU64; Excuse::ALL.len()],
    /// Messages that were not looked at, because their source had asked for too much work.
    pub limited: AtomicU64,
    /// Reports that were not sent, because their source had asked for too many.
    pub reports_limited: AtomicU64,
    /// Messages that were forgotten while they were within the time window, because too many came: a copy of one would be
    /// a second event.
    pub forgotten: AtomicU64,
}

impl Stats {
    /// Counts one, and returns how many there are.
    pub(super) fn refuse(&self, reason: Refusal) -> u64 {
        self.refused
            .get(reason as usize)
            .map_or(0, |count| count.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(super) fn excuse(&self, excuse: Excuse) {
        if let Some(count) = self.excused.get(excuse as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many were refused for this reason.
    pub fn refused(&self, reason: Refusal) -> u64 {
        let count = self.refused.get(reason as usize);
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// How many were outside the time window and taken, for this reason.
    pub fn excused(&self, excuse: Excuse) -> u64 {
        let count = self.excused.get(excuse as usize);
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }
}
