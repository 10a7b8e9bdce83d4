//! Senders of one shard, by address.
//!
//! ```text
//!  Key (address, tag) ──▶ slots   [ tag, place | - | tag, place | .. ]   from slot `tag % slots` on, to the first free one
//!                                        └──▶ entries [ address, device | address, device | .. ]   one behind the other
//! ```
//!
//! An entry is found with two looks at memory, however many there are: eight slots share a cache line, and the entry that
//! the right one names begins with what every message needs. Entries stand side by side: none is allocated alone, which a
//! flood of newcomers would do for each, and all of them are in as few pages as can be.

use std::net::IpAddr;
use std::num::NonZeroU32;

use super::device::Device;
use super::prefetch::prefetch;

/// Fewer slots are not worth a table.
const SLOTS_MIN: usize = 8;

/// Entries of a small table: 64 shards of so many are 8 192 senders in 2 MiB.
const SMALL_MAX: usize = 128;

/// What every message needs of an entry: three cache lines of four.
const HOT_BYTES: usize = 192;

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
    tag: u32,
    device: Device,
}

/// Where the entry of a tag stands: its place, counted from 1.
#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: u32,
    place: NonZeroU32,
}

impl Slot {
    fn place(self) -> usize {
        self.place.get() as usize - 1
    }
}

/// The table. One slot in eight is always free, so every search ends.
#[derive(Debug, Default)]
pub(super) struct Senders {
    /// A power of two, or none.
    slots: Vec<Option<Slot>>,
    entries: Vec<Entry>,
}

impl Senders {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn contains(&self, key: Key) -> bool {
        self.find(key).is_some()
    }

    /// Has the slot of this key brought near.
    pub fn expect_slot(&self, key: Key) {
        let mask = self.slots.len().wrapping_sub(1);
        if let Some(slot) = self.slots.get(key.tag as usize & mask) {
            prefetch(slot, 1);
        }
    }

    /// Has the entry of this key brought near, whose slot is near by now.
    pub fn expect_entry(&self, key: Key) {
        // Another entry of the same tag may be the one: then this look was for nothing.
        let entry = self.seek(key.tag, |_| true);
        if let Some(entry) = entry.and_then(|(_, slot)| self.entries.get(slot.place())) {
            prefetch(entry, HOT_BYTES);
        }
    }

    pub fn get(&self, key: Key) -> Option<&Device> {
        let (_, slot) = self.find(key)?;
        Some(&self.entries.get(slot.place())?.device)
    }

    pub fn get_mut(&mut self, key: Key) -> Option<&mut Device> {
        let (_, slot) = self.find(key)?;
        Some(&mut self.entries.get_mut(slot.place())?.device)
    }

    /// The sender's entry, which is made if there is none.
    pub fn get_or_insert_with(&mut self, key: Key, make: impl FnOnce() -> Device) -> &mut Device {
        let place = match self.find(key) {
            Some((_, slot)) => slot.place(),
            None => self.put(key, make()),
        };
        // It was just found there, or put.
        &mut self.entries[place].device
    }

    /// Moves the entry here from another table, if it is there.
    pub fn take_from(&mut self, other: &mut Senders, key: Key) -> bool {
        let found = other.remove(key);
        let is_found = found.is_some();
        if let Some(device) = found {
            self.put(key, device);
        }
        is_found
    }

    pub fn remove(&mut self, key: Key) -> Option<Device> {
        let (hole, slot) = self.find(key)?;
        self.close(hole);
        let place = slot.place();
        let gone = self.entries.swap_remove(place);
        // The last one has taken its place.
        if let Some(moved) = self.entries.get(place) {
            let last = self.entries.len();
            let found = self.seek(moved.tag, |slot| slot.place() == last);
            if let Some((at, _)) = found
                && let Some(Some(moved)) = self.slots.get_mut(at)
            {
                moved.place = slot.place;
            }
        }
        Some(gone.device)
    }

    pub fn clear(&mut self) {
        self.slots.fill(None);
        self.entries.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, &Device)> {
        self.entries
            .iter()
            .map(|entry| (entry.address, &entry.device))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (IpAddr, &mut Device)> {
        self.entries
            .iter_mut()
            .map(|entry| (entry.address, &mut entry.device))
    }

    /// The slot of a key, and where it is.
    fn find(&self, key: Key) -> Option<(usize, Slot)> {
        self.seek(key.tag, |slot| {
            let entry = self.entries.get(slot.place());
            entry.is_some_and(|entry| entry.address == key.address)
        })
    }

    /// The slot of this tag that is the wanted one.
    fn seek(&self, tag: u32, is_wanted: impl Fn(Slot) -> bool) -> Option<(usize, Slot)> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = tag as usize & mask;
        while let Some(slot) = *self.slots.get(at)? {
            if slot.tag == tag && is_wanted(slot) {
                return Some((at, slot));
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Puts an entry in that is not there, and says where it stands.
    fn put(&mut self, key: Key, device: Device) -> usize {
        self.make_room();
        let Key { address, tag } = key;
        let place = self.entries.len();
        self.entries.push(Entry {
            address,
            tag,
            device,
        });
        let number = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        if let Some(place) = NonZeroU32::new(number) {
            self.mark(Slot { tag, place });
        }
        place
    }

    /// Puts a slot at the first free place for its tag.
    fn mark(&mut self, slot: Slot) {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = slot.tag as usize & mask;
        while let Some(taken) = self.slots.get_mut(at) {
            if taken.is_none() {
                *taken = Some(slot);
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// Makes sure that one more finds a place.
    fn make_room(&mut self) {
        // By an eighth: what is free costs an entry each. A small table by a half, so that newcomers are not moved often.
        let count = self.entries.len();
        if count == self.entries.capacity() {
            let part = if count < SMALL_MAX { 2 } else { 8 };
            self.entries.reserve_exact(count / part + SLOTS_MIN);
        }
        if self.entries.len() < self.slots.len() / 8 * 7 {
            return;
        }
        let slots = (self.slots.len() * 2).max(SLOTS_MIN);
        let before = std::mem::replace(&mut self.slots, vec![None; slots]);
        before
            .into_iter()
            .flatten()
            .for_each(|slot| self.mark(slot));
    }

    /// Frees a slot. Those behind it that are not at home move up, so that no search ends before it has found them.
    fn close(&mut self, hole: usize) {
        let (mut hole, mask) = (hole, self.slots.len().wrapping_sub(1));
        let mut at = (hole + 1) & mask;
        while let Some(Some(slot)) = self.slots.get(at) {
            let home = slot.tag as usize & mask;
            let from_home = at.wrapping_sub(home) & mask;
            let from_hole = at.wrapping_sub(hole) & mask;
            if from_home >= from_hole {
                self.slots.swap(hole, at);
                hole = at;
            }
            at = (at + 1) & mask;
        }
        if let Some(slot) = self.slots.get_mut(hole) {
            *slot = None;
        }
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
    fn an_entry_is_four_cache_lines_and_a_slot_an_eighth_of_one() {
        assert_eq!(size_of::<Entry>(), 256);
        assert_eq!(size_of::<Option<Slot>>(), 8);
    }

    #[test]
    fn newcomers_are_moved_no_more_than_twice_while_a_table_grows() {
        // A shard's part of ten thousand devices.
        let mut table = Senders::default();
        let (mut moved, mut room) = (0, 0);
        for number in 0..160_u8 {
            let before = table.len();
            table.get_or_insert_with(key(number), Device::default);
            if std::mem::replace(&mut room, table.entries.capacity()) != room {
                moved += before;
            }
        }
        assert!(moved < 2 * table.len(), "{moved}");
        assert!(table.entries.capacity() <= table.len() * 3 / 2);
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
