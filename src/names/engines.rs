//! Where SNMP engines speak: a relay's trap may name its device by nothing but its engine.
//!
//! ```text
//!  directly, and proved by its digest ──note──▶ engine ─▶ address ──of──▶ a relay's trap of that engine
//! ```
//!
//! As many are kept as devices are known; an engine goes with its device.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The table.
#[derive(Debug)]
pub struct Engines {
    addresses: Mutex<HashMap<Box<[u8]>, IpAddr>>,
    engines_max: usize,
}

impl Engines {
    /// An empty table for at most so many.
    pub fn new(engines_max: usize) -> Engines {
        Engines {
            addresses: Mutex::default(),
            engines_max,
        }
    }

    /// The address that this engine was last heard from directly.
    pub fn of(&self, engine_id: &[u8]) -> Option<IpAddr> {
        self.addresses().get(engine_id).copied()
    }

    /// The engine, which proved itself, speaks from this address. In a full table it is not remembered.
    pub fn note(&self, engine_id: &[u8], address: IpAddr) {
        let mut addresses = self.addresses();
        if let Some(known) = addresses.get_mut(engine_id) {
            *known = address;
        } else if addresses.len() < self.engines_max {
            addresses.insert(engine_id.into(), address);
        }
    }

    /// The device at this address is forgotten. Its engine may speak from another by now.
    pub fn forget(&self, engine_id: &[u8], address: IpAddr) {
        let mut addresses = self.addresses();
        if addresses.get(engine_id) == Some(&address) {
            addresses.remove(engine_id);
        }
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, IpAddr>> {
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
