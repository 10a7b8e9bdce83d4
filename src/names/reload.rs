//! Another inventory, or another configuration, while devices are heard.
//!
//! ```text
//!  reload, changed file ──▶ Known, generation + 1 ──▶ every View, with its next message or when nothing comes
//!                                └─ before ──▶ retired: freed once no View has it
//!                                └─ names that differ ──▶ Notice Renamed
//! ```

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::inventory::Inventory;
use super::news::{News, Notice};
use super::{Config, Known, Names};
use crate::time::UnixMicros;

impl Names {
    /// Puts another inventory, and what else a reload may change, into force.
    pub fn replace(&self, config: Config, inventory: Arc<Inventory>) {
        self.put(|_| (config, inventory));
    }

    /// The same while devices are heard: each whose name becomes another is told. Without an inventory the old one stays.
    pub fn reload(&self, config: Config, inventory: Option<Arc<Inventory>>, now: UnixMicros) {
        let before = self.put(|known| {
            let inventory = inventory.unwrap_or_else(|| known.inventory.clone());
            (config, inventory)
        });
        self.tell_renamed(&before, now);
    }

    /// As [`Names::reload`] of the inventory alone.
    pub fn replace_inventory(&self, inventory: Arc<Inventory>, now: UnixMicros) {
        let before = self.put(|known| (known.config.clone(), inventory));
        self.tell_renamed(&before, now);
    }

    /// Returns what was in force.
    fn put(&self, change: impl FnOnce(&Known) -> (Config, Arc<Inventory>)) -> Arc<Known> {
        let before = {
            let mut current = self.known.write().unwrap_or_else(PoisonError::into_inner);
            let generation = current.generation + 1;
            let (config, inventory) = change(&current);
            let config = Config {
                // Its threads run from the start or not at all: a reload names it as one that needs a restart.
                dns: current.config.dns,
                ..config
            };
            self.notices.tell_only(config.told);
            let known = Known {
                generation,
                config,
                inventory,
            };
            let before = std::mem::replace(&mut *current, Arc::new(known));
            self.generation.store(generation, Ordering::Release);
            before
        };
        self.retired().push(before.clone());
        before
    }

    /// Tells of the known devices that the inventory calls otherwise than before; their events say for a day what that was.
    fn tell_renamed(&self, before: &Known, now: UnixMicros) {
        let after = self.known();
        if Arc::ptr_eq(&before.inventory, &after.inventory) {
            return;
        }
        self.devices.each(|address, device| {
            let (from, _) = before.name(address, &device.standing);
            let (name, source) = after.name(address, &device.standing);
            if from != name {
                device.standing.was_called(&from, now);
                self.notices.add(Notice {
                    address,
                    name,
                    source,
                    at: now,
                    news: News::Renamed { from },
                });
            }
        });
    }

    /// Frees what no receiving thread has in view any more. That takes long for a large inventory, so it is kept until
    /// here, where nobody waits.
    pub(super) fn free_retired(&self) {
        self.retired().retain(|known| Arc::strong_count(known) > 1);
    }

    fn retired(&self) -> MutexGuard<'_, Vec<Arc<Known>>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
