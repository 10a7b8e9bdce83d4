//! Who has earned a name.
//!
//! ```text
//!  a earns r1 ──▶ a is silent for an hour ──▶ b earns it too: r1 is the key of both, and b owns it
//!                                              │ b is silent for an hour, a speaks for a minute
//!                                              └──▶ a owns it again, and b gives it up with its next message
//! ```
//!
//! Of two that are keyed by one name the one that earned it first is the device: it never gives it up. The other was there
//! while nobody could know better, and gives it up as soon as the first has it again. Until then messages of the one that
//! does not own it are conflicts.

use std::net::IpAddr;

use super::standing::{CONFIRM_MICROS, OWNER_SILENT_MICROS};
use crate::time::UnixMicros;

/// The one address that owns a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    /// The address.
    pub address: IpAddr,
    /// When it was last heard; while it is not proved, since when it owns the name.
    pub heard: UnixMicros,
    /// When it earned the name, in seconds since 1970.
    earned: u32,
    /// It was heard a minute after it began to own the name: one forged message takes nobody's key.
    is_proved: bool,
}

/// Whose a stored name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// The asking address's own, from now on if not before; or nobody's, where none is stored.
    Own,
    /// Another's, that earned it later or is not proved. It is the key of both.
    Shared,
    /// Another's, by the inventory or because that one earned it before and has it again.
    Anothers,
}

impl Owner {
    /// It owns the name from now on, and earned it then.
    pub fn new(address: IpAddr, now: UnixMicros, earned: u32) -> Owner {
        Owner {
            address,
            heard: now,
            earned,
            is_proved: false,
        }
    }

    /// It was last heard then.
    pub fn hear(&mut self, heard: UnixMicros) {
        self.is_proved |= heard.0.saturating_sub(self.heard.0) >= CONFIRM_MICROS;
        if self.is_proved {
            self.heard = heard;
        }
    }

    /// Another may earn the name too.
    pub fn is_silent(&self, now: UnixMicros) -> bool {
        now.0.saturating_sub(self.heard.0) >= OWNER_SILENT_MICROS
    }

    /// Whose the name is for another address that earned it then.
    pub fn holds_against(&self, earned: u32) -> Held {
        match self.is_proved && self.earned < earned {
            true => Held::Anothers,
            false => Held::Shared,
        }
    }

    /// The wall clock was set: nothing happened later than `now`.
    pub fn clock_was_set(&mut self, now: UnixMicros) {
        self.heard = self.heard.min(now);
        self.earned = self.earned.min(now.as_seconds());
    }
}
