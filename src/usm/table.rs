//! A bounded table: what is known of engines, keys, sources. When it is full, one that was used long ago goes.
//!
//! ```text
//!   index: key ─▶ slot        slots: [ key value used | key value used | ... ]   at most `max`
//!                                     └── a few from all over it are looked at, and the one that was used longest ago goes
//! ```

use std::collections::HashMap;
use std::hash::Hash;

/// Slots that are looked at for one that may go: enough to find an old one, and few enough that a stranger who makes the
/// table full makes nothing slow.
const LOOKED_AT: usize = 16;

/// At most `max` entries. It allocates as it grows, never beyond that.
#[derive(Debug)]
pub struct Table<K, V> {
    index: HashMap<K, usize>,
    slots: Vec<Slot<K, V>>,
    max: usize,
    hand: usize,
}

#[derive(Debug)]
struct Slot<K, V> {
    key: K,
    value: V,
    used: u64,
}

impl<K: Hash + Eq + Copy, V> Table<K, V> {
    /// An empty table for at most `max` entries.
    pub fn new(max: usize) -> Table<K, V> {
        Table {
            index: HashMap::new(),
            slots: Vec::new(),
            max: max.max(1),
            hand: 0,
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The entry, without counting as a use.
    pub fn peek(&self, key: &K) -> Option<&V> {
        let slot = self.index.get(key)?;
        self.slots.get(*slot).map(|slot| &slot.value)
    }

    /// The entry, used at `now`.
    pub fn get(&mut self, key: &K, now: u64) -> Option<&mut V> {
        let slot = self.index.get(key)?;
        let slot = self.slots.get_mut(*slot)?;
        slot.used = now;
        Some(&mut slot.value)
    }

    /// Puts `value` at `key`, in the place of what was there, or of one that was used long ago where the table is full.
    pub fn insert(&mut self, key: K, value: V, now: u64) {
        if let Some(known) = self.get(&key, now) {
            *known = value;
            return;
        }
        let slot = Slot {
            key,
            value,
            used: now,
        };
        if self.slots.len() < self.max {
            self.index.insert(key, self.slots.len());
            self.slots.push(slot);
            return;
        }
        let place = self.oldest_nearby();
        if let Some(old) = self.slots.get_mut(place) {
            self.index.remove(&old.key);
            *old = slot;
            self.index.insert(key, place);
        }
    }

    /// Forgets all but these.
    pub fn retain(&mut self, is_kept: impl Fn(&K) -> bool) {
        self.slots.retain(|slot| is_kept(&slot.key));
        self.index.clear();
        let places = self.slots.iter().enumerate();
        self.index
            .extend(places.map(|(place, slot)| (slot.key, place)));
        self.hand = 0;
    }

    /// Every entry, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.slots.iter().map(|slot| (&slot.key, &slot.value))
    }

    fn oldest_nearby(&mut self) -> usize {
        let count = self.slots.len().max(1);
        let stride = (count / LOOKED_AT).max(1);
        let start = self.hand;
        self.hand = (start + 1) % count;
        (0..LOOKED_AT.min(count))
            .map(|step| (start + step * stride) % count)
            .min_by_key(|place| self.slots.get(*place).map_or(0, |slot| slot.used))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_stays_as_large_as_it_is_and_keeps_what_is_in_use() {
        let mut table = Table::new(64);
        for key in 0..32_u32 {
            table.insert(key, key, 1);
        }
        for stranger in 1000..101_000_u32 {
            let now = u64::from(stranger);
            for key in 0..32 {
                assert_eq!(table.get(&key, now).copied(), Some(key));
            }
            table.insert(stranger, stranger, now);
        }
        assert_eq!(table.len(), 64);
        assert_eq!(table.index.len(), 64);
    }

    #[test]
    fn an_entry_is_replaced_in_its_place() {
        let mut table = Table::new(2);
        table.insert(1, 'a', 1);
        table.insert(1, 'b', 2);
        assert_eq!((table.len(), table.peek(&1)), (1, Some(&'b')));
    }

    #[test]
    fn what_is_kept_of_a_table_is_found_again() {
        let mut table = Table::new(8);
        for key in 0..8 {
            table.insert(key, key * 10, 1);
        }
        table.retain(|key| key % 3 == 0);
        assert_eq!((table.len(), table.index.len()), (3, 3));
        for key in 0..8 {
            let expected = (key % 3 == 0).then_some(key * 10);
            assert_eq!(table.peek(&key).copied(), expected);
        }
        table.retain(|_| false);
        assert!(table.len() == 0 && table.peek(&0).is_none());
    }
}
