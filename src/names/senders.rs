//! Senders of one shard, by address.
//!
//! ```text
//!  Key (address, tag) ──▶ slots [ tag, pointer | tag, pointer | - | .. ] ──▶ Entry [ address, device ]
//!                          from slot `tag % slots` on, to the first free one
//! ```
//!
//! An entry is found with two looks at memory, however many there are: four slots share a cache line, and the entry that
//! the right one points to begins with what every message needs. Slots are small, so the free ones cost little.

use std::net::IpAddr;

use super::devices::Device;

/// Fewer slots are not worth a table.
const SLOTS_MIN: usize = 8;

/// An address and its hash, made once for a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub address: IpAddr,
    /// Of a keyed hash: no stranger can choose addresses that all fall into one place.
    pub tag: u32,
}

/// One sender.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Entry {
    address: IpAddr,
    device: Device,
}

#[derive(Debug)]
struct Slot {
    tag: u32,
    entry: Box<Entry>,
}

/// The table. One slot in eight is always free, so every search ends.
#[derive(Debug, Default)]
pub(super) struct Senders {
    /// A power of two, or none.
    slots: Vec<Option<Slot>>,
    len: usize,
}

impl Senders {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn contains(&self, key: Key) -> bool {
        self.find(key).is_some()
    }

    pub fn get(&self, key: Key) -> Option<&Device> {
        let slot = self.slots.get(self.find(key)?)?.as_ref()?;
        Some(&slot.entry.device)
    }

    pub fn get_mut(&mut self, key: Key) -> Option<&mut Device> {
        let place = self.find(key)?;
        let slot = self.slots.get_mut(place)?.as_mut()?;
        Some(&mut slot.entry.device)
    }

    /// The sender's entry, which is made if there is none.
    pub fn get_or_insert_with(&mut self, key: Key, make: impl FnOnce() -> Device) -> &mut Device {
        let Key { address, tag } = key;
        self.make_room();
        let place = self.find(key).unwrap_or_else(|| self.free(tag));
        let len = &mut self.len;
        // The place was just found in the table.
        let slot = self.slots[place].get_or_insert_with(|| {
            *len += 1;
            let device = make();
            let entry = Box::new(Entry { address, device });
            Slot { tag, entry }
        });
        &mut slot.entry.device
    }

    /// Moves the entry here from another table, if it is there.
    pub fn take_from(&mut self, other: &mut Senders, key: Key) -> bool {
        let Some(slot) = other.take(key) else {
            return false;
        };
        self.make_room();
        self.put(slot);
        true
    }

    pub fn remove(&mut self, key: Key) -> Option<Device> {
        self.take(key).map(|slot| slot.entry.device)
    }

    pub fn clear(&mut self) {
        self.slots.iter_mut().for_each(|slot| *slot = None);
        self.len = 0;
    }

    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, &Device)> {
        let taken = self.slots.iter().flatten();
        taken.map(|slot| (slot.entry.address, &slot.entry.device))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (IpAddr, &mut Device)> {
        let taken = self.slots.iter_mut().flatten();
        taken.map(|slot| (slot.entry.address, &mut slot.entry.device))
    }

    fn find(&self, key: Key) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut place = key.tag as usize & mask;
        while let Some(slot) = self.slots.get(place)? {
            if slot.tag == key.tag && slot.entry.address == key.address {
                return Some(place);
            }
            place = (place + 1) & mask;
        }
        None
    }

    /// The first free place for a tag.
    fn free(&self, tag: u32) -> usize {
        let mask = self.slots.len().wrapping_sub(1);
        let mut place = tag as usize & mask;
        while let Some(Some(_)) = self.slots.get(place) {
            place = (place + 1) & mask;
        }
        place
    }

    fn put(&mut self, slot: Slot) {
        let place = self.free(slot.tag);
        if let Some(free) = self.slots.get_mut(place) {
            *free = Some(slot);
            self.len += 1;
        }
    }

    /// Makes sure that one more finds a place.
    fn make_room(&mut self) {
        if self.len < self.slots.len() / 8 * 7 {
            return;
        }
        let slots = (self.slots.len() * 2).max(SLOTS_MIN);
        let wider = std::iter::repeat_with(|| None).take(slots).collect();
        let before = std::mem::replace(&mut self.slots, wider);
        self.len = 0;
        before.into_iter().flatten().for_each(|slot| self.put(slot));
    }

    /// Those behind it that are not at home move up, so that no search ends before it has found them.
    fn take(&mut self, key: Key) -> Option<Slot> {
        let mut hole = self.find(key)?;
        let mask = self.slots.len() - 1;
        let gone = self.slots.get_mut(hole)?.take()?;
        self.len -= 1;
        let mut place = (hole + 1) & mask;
        while let Some(slot) = self.slots.get(place)? {
            let home = slot.tag as usize & mask;
            let from_home = place.wrapping_sub(home) & mask;
            let from_hole = place.wrapping_sub(hole) & mask;
            if from_home >= from_hole {
                self.slots.swap(hole, place);
                hole = place;
            }
            place = (place + 1) & mask;
        }
        Some(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn key(number: u8) -> Key {
        Key {
            address: [10, 0, 0, number].into(),
            // Few places, so that searches meet others and go round the end; two addresses share each tag.
            tag: (u32::from(number / 2) % 13).wrapping_mul(0x4000_0003),
        }
    }

    #[test]
    fn an_entry_is_four_cache_lines_and_a_slot_a_quarter_of_one() {
        assert_eq!(size_of::<Entry>(), 256);
        assert_eq!(size_of::<Option<Slot>>(), 16);
    }

    proptest! {
        /// Put in, counted up, taken out and moved over in any order: it is what a map of the standard library is.
        #[test]
        fn the_table_is_a_map(steps in proptest::collection::vec((0u8..4, 0u8..60), 1..400)) {
            let (mut table, mut other) = (Senders::default(), Senders::default());
            let mut model: HashMap<IpAddr, u64> = HashMap::new();
            for (step, number) in steps {
                let key = key(number);
                match (step, table.get_mut(key)) {
                    (0, _) => {
                        let gone = table.remove(key).map(|device| device.standing.messages);
                        prop_assert_eq!(gone, model.remove(&key.address));
                    }
                    (1, Some(_)) => {
                        prop_assert!(other.take_from(&mut table, key));
                        prop_assert!(!table.contains(key));
                        prop_assert!(table.take_from(&mut other, key));
                    }
                    (_, Some(device)) => {
                        device.standing.messages += 1;
                        *model.entry(key.address).or_default() += 1;
                    }
                    (_, None) => {
                        table.get_or_insert_with(key, Device::default);
                        model.insert(key.address, 0);
                    }
                }
                prop_assert_eq!(table.len(), model.len());
            }
            let found: HashMap<IpAddr, u64> = table.iter().map(|(address, device)| (address, device.standing.messages)).collect();
            prop_assert_eq!(&found, &model);
            for number in 0..60 {
                let key = key(number);
                let messages = table.get(key).map(|device| device.standing.messages);
                prop_assert_eq!(messages, model.get(&key.address).copied());
            }
        }
    }
}
