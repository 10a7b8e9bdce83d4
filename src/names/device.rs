//! One sender, as it is remembered.
//!
//! ```text
//!  message ──▶ entry: what the inventory said │ names │ vendor, os │ relay │ numbers │ engine │ pace
//! ```

use std::net::IpAddr;

use super::pace::Pace;
use super::said::Said;
use super::sequence::Sequence;
use super::standing::{OWNER_SILENT_MICROS, Rank, Standing};
use crate::time::UnixMicros;

/// One sender. What every message needs stands first: with its address in front it is in two cache lines.
#[derive(Debug, Clone, Default)]
#[repr(C)]
pub struct Device {
    /// What the inventory says of it, as it was last asked.
    pub(super) said: Said,
    /// The inventory has this very address: it is known from its first message on.
    pub is_named: bool,
    /// It was told as silent and has not spoken since.
    pub is_silent: bool,
    /// A relay brought its last message: `relay` says which.
    pub(super) is_relayed: bool,
    /// Its names.
    pub standing: Standing,
    /// The vendor that its messages showed.
    pub vendor: Option<&'static str>,
    /// The operating system that its messages showed.
    pub os: Option<&'static str>,
    /// The trusted relay that brought its last message, or one before.
    pub(super) relay: Option<Box<IpAddr>>,
    /// Its own numbering, where it has one.
    pub sequence: Option<Box<Sequence>>,
    /// Its SNMP engine, where it named one.
    pub engine_id: Option<Box<[u8]>>,
    /// How much it says.
    pub pace: Pace,
    /// When reverse DNS was last asked.
    pub dns_asked: UnixMicros,
    /// When it was last told that it uses another's name.
    pub conflict_told: UnixMicros,
}

/// A device that was heard so short a time ago still owns its name: another address can earn it after
/// [`OWNER_SILENT_MICROS`] of silence, which the sweep notes a few seconds late.
const OWNER_SURE_MICROS: i64 = OWNER_SILENT_MICROS / 2;

impl Device {
    /// The trusted relay that brought its last message; `None`: it spoke itself.
    pub fn via(&self) -> Option<IpAddr> {
        let relay = self.relay.as_deref();
        relay.copied().filter(|_| self.is_relayed)
    }

    /// Its last message came by this relay, or from itself. That is most messages, and nothing but a mark is changed then.
    pub(super) fn heard_via(&mut self, relay: Option<IpAddr>) {
        self.is_relayed = relay.is_some();
        if let Some(relay) = relay {
            let kept = self.relay.get_or_insert_with(|| Box::new(relay));
            **kept = relay;
        }
    }

    /// It is about to be heard. After a long silence another may have earned its name meanwhile: whose it is has to be
    /// found out again.
    pub(super) fn speaks(&mut self, now: UnixMicros) {
        let pause = now.0.saturating_sub(self.standing.last_heard.0);
        self.said.is_checked &= pause < OWNER_SURE_MICROS;
    }

    /// Whether the stored name is nobody else's by all that is known, so that nobody need be asked. Most messages of most
    /// devices take this way.
    pub(super) fn is_sure_of_name(&self, inventory: u32) -> bool {
        self.said.is_checked && self.said.is_of(inventory, &self.standing)
    }

    /// Whether `name` is the device's own in this way.
    pub(super) fn surely_owns(&self, name: &str, inventory: u32) -> bool {
        self.standing.rank == Rank::Learned
            && self.is_sure_of_name(inventory)
            && self.standing.name == name
    }

    /// The wall clock was set: nothing of it happened later than `now`.
    pub(super) fn clock_was_set(&mut self, now: UnixMicros) {
        self.standing.clock_was_set(now);
        if let Some(sequence) = &mut self.sequence {
            sequence.clock_was_set(now);
        }
        self.dns_asked = self.dns_asked.min(now);
        self.conflict_told = self.conflict_told.min(now);
    }
}
