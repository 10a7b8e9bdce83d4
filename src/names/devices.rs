//! Every sender that was heard, by address: bounded, shared by all receiving threads.
//!
//! ```text
//!  message ──▶ shard of its address ──▶ known      (heard several times over a minute; kept for long)
//!                                   └─▶ newcomers  (first in, first out; a flood of forged addresses turns only these over)
//!  name ──────▶ owners: the one address that has earned it
//! ```
//!
//! A shard's lock is held for one look at one entry. The sweep, once in some seconds, holds each in turn.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use compact_str::CompactString;

use super::device::Device;
use super::engines::Engines;
use super::news::News;
use super::pace::Pace;
use super::senders::{Key, Senders};
use super::standing::{OWNER_SILENT_MICROS, Owners, Rank, Standing};
use crate::time::UnixMicros;

/// Shards, so that receiving threads seldom meet, and none waits for long where all devices are gone through.
pub(super) const SHARDS: usize = 64;

/// Newcomers that are remembered at once, all shards together: at a quarter of a kilobyte each 2 MiB, whoever floods.
pub const NEWCOMERS_MAX: usize = 8_192;

/// Default of the most known devices: at 0.5 KB each 25 MB, which only an agent that hears so many pays.
pub const DEVICES_MAX_DEFAULT: usize = 50_000;

/// So many known devices, a quarter of a kilobyte each, are in a core's own cache anyway, and need not be expected.
const NEAR_ANYWAY: usize = 2_000;

/// The table.
#[derive(Debug)]
pub struct Devices {
    shards: [Mutex<Shard>; SHARDS],
    owners: Mutex<HashMap<CompactString, Owner>>,
    /// Where SNMP engines speak.
    pub engines: Engines,
    /// Of the hash that chooses an address's place; others in each process, and told to nobody.
    keys: [u64; 2],
    /// Known devices of all shards. They fall into shards by chance, so only all together can be bounded.
    known: AtomicUsize,
    known_max: usize,
}

#[derive(Debug, Default)]
struct Shard {
    known: Senders,
    newcomers: Senders,
    /// Newcomers in order of arrival; may name some that are known by now.
    order: VecDeque<Key>,
    turned_away: u64,
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    address: IpAddr,
    heard: UnixMicros,
}

/// What one message taught.
#[derive(Debug, Default)]
pub struct Heard {
    /// What is worth an event. Rarely more than nothing.
    pub news: Vec<News>,
    /// The name now stored.
    pub name: CompactString,
}

impl Devices {
    /// An empty table for at most `known_max` devices beside the newcomers.
    pub fn new(known_max: usize) -> Devices {
        let random = RandomState::new();
        Devices {
            shards: std::array::from_fn(|_| Mutex::default()),
            owners: Mutex::default(),
            engines: Engines::new(known_max),
            keys: [0, 1].map(|number| random.hash_one(number) | 1),
            known: AtomicUsize::new(0),
            known_max,
        }
    }

    /// Messages of these senders are next: what is known of them is brought near, all at once and without waiting.
    pub fn expect(&self, senders: impl Iterator<Item = IpAddr> + Clone) {
        if self.known.load(Ordering::Relaxed) <= NEAR_ANYWAY {
            return;
        }
        for look in [Senders::expect_slot, Senders::expect_entry] {
            for address in senders.clone() {
                let (number, key) = self.place(address);
                // Whoever holds the lock brings the shard's memory near, and waiting would cost more than it saves.
                if let Ok(shard) = self.shards[number].try_lock() {
                    look(&shard.known, key);
                }
            }
        }
    }

    /// Looks at, and changes, the entry of one sender, which is made if there is none.
    pub fn with<T>(
        &self,
        address: IpAddr,
        now: UnixMicros,
        look: impl FnOnce(&mut Device, &mut dyn FnMut(News)) -> T,
    ) -> (T, Vec<News>) {
        let mut news = Vec::new();
        let (mut shard, key) = self.shard(address);
        let shard = &mut *shard;
        if let Some(device) = shard.known.get_mut(key) {
            if std::mem::take(&mut device.is_silent) {
                news.push(News::Back);
            }
            let found = look(device, &mut |one| news.push(one));
            return (found, news);
        }
        let device = shard.newcomer(key, now);
        let found = look(device, &mut |one| news.push(one));
        let is_known = device.is_named || device.standing.is_confirmed();
        if is_known && self.takes_one(shard) && shard.promote(key) {
            // Which name it has now is told with that.
            news.retain(|one| !one.is_first_name());
            news.push(News::New);
        }
        (found, news)
    }

    /// Looks at, and changes, the entry of a sender of whom somebody else tells: it is not heard by that, nor made. Of a
    /// newcomer nothing is told.
    pub fn with_known(
        &self,
        address: IpAddr,
        look: impl FnOnce(&mut Device, &mut dyn FnMut(News)),
    ) -> Vec<News> {
        let mut news = Vec::new();
        let (mut shard, key) = self.shard(address);
        let shard = &mut *shard;
        if let Some(device) = shard.known.get_mut(key) {
            look(device, &mut |one| news.push(one));
        } else if let Some(device) = shard.newcomers.get_mut(key) {
            look(device, &mut |_| ());
        }
        news
    }

    /// Who has earned `name`, if it is somebody else than `address` and was heard of late.
    pub fn belongs_to_another(&self, name: &str, address: IpAddr, now: UnixMicros) -> bool {
        let owners = self.owners();
        owners.get(name).is_some_and(|owner| {
            owner.address != address && now.0 - owner.heard.0 < OWNER_SILENT_MICROS
        })
    }

    /// The names' owners as a [`Standing`] asks them, for `address`.
    pub fn claims(&self, address: IpAddr, now: UnixMicros) -> Claims<'_> {
        Claims {
            devices: self,
            address,
            now,
        }
    }

    /// A copy of one sender's entry.
    pub fn get(&self, address: IpAddr) -> Option<Device> {
        let (shard, key) = self.shard(address);
        let device = shard.known.get(key);
        device.or_else(|| shard.newcomers.get(key)).cloned()
    }

    /// The address that has earned `name`.
    pub fn owner(&self, name: &str) -> Option<IpAddr> {
        self.owners().get(name).map(|owner| owner.address)
    }

    /// Addresses of one shard, at most `count`, in order, from behind `after` on. Nothing is locked when it returns.
    pub fn addresses(&self, shard: usize, after: Option<IpAddr>, count: usize) -> Vec<IpAddr> {
        let Some(shard) = self.shards.get(shard) else {
            return Vec::new();
        };
        let mut found: Vec<IpAddr> = {
            let shard = lock(shard);
            let all = shard.known.iter().chain(shard.newcomers.iter());
            all.map(|(address, _)| address)
                .filter(|address| after.is_none_or(|after| *address > after))
                .collect()
        };
        found.sort_unstable();
        found.truncate(count);
        found
    }

    /// Whether the sender of this address is known, not a newcomer.
    pub fn is_known(&self, address: IpAddr) -> bool {
        let (shard, key) = self.shard(address);
        shard.known.contains(key)
    }

    /// Goes through all known devices, a shard at a time.
    pub fn each(&self, mut look: impl FnMut(IpAddr, &mut Device)) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            for (address, device) in shard.known.iter_mut() {
                look(address, device);
            }
        }
    }

    /// The wall clock was set: nobody was heard later than `now`.
    pub fn clock_was_set(&self, now: UnixMicros) {
        self.every(|_, device| device.clock_was_set(now));
        let mut owners = self.owners();
        owners
            .values_mut()
            .for_each(|owner| owner.heard = owner.heard.min(now));
    }

    /// Goes through all senders, newcomers too, a shard at a time.
    pub(super) fn every(&self, mut look: impl FnMut(IpAddr, &mut Device)) {
        for shard in &self.shards {
            let shard = &mut *lock(shard);
            let all = shard.known.iter_mut().chain(shard.newcomers.iter_mut());
            all.for_each(|(address, device)| look(address, device));
        }
    }

    /// As if the inventory had never been asked of anybody.
    #[cfg(test)]
    pub(super) fn forget_said(&self) {
        self.every(|_, device| device.said = super::said::Said::default());
    }

    /// Puts back a device that an earlier process knew.
    pub fn restore(&self, address: IpAddr, mut device: Device) {
        device.pace = Pace::from(device.standing.messages);
        let Standing {
            name, last_heard, ..
        } = device.standing.clone();
        let is_learned = device.standing.rank == Rank::Learned;
        {
            let (mut shard, key) = self.shard(address);
            if !shard.known.contains(key) && !self.takes_one(&mut shard) {
                return;
            }
            if let Some(engine_id) = &device.engine_id {
                self.engines.note(engine_id, address);
            }
            *shard.known.get_or_insert_with(key, Device::default) = device;
        }
        if is_learned {
            let heard = last_heard;
            self.restore_owner(&name, Owner { address, heard });
        }
    }

    /// Of two devices that were kept with one name, the one that was heard last owns it. It is the key of both, as before.
    fn restore_owner(&self, name: &str, owner: Owner) {
        let mut owners = self.owners();
        let other = owners.get(name);
        if other.is_none_or(|other| other.heard <= owner.heard) {
            owners.insert(name.into(), owner);
        }
    }

    /// Counts one more known device of this shard, where there is room for one.
    fn takes_one(&self, shard: &mut Shard) -> bool {
        let room = |known| (known < self.known_max).then_some(known + 1);
        let taken = self
            .known
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room);
        shard.turned_away += u64::from(taken.is_err());
        taken.is_ok()
    }

    /// Notes when owners of names were last heard, and makes room in a table that is nearly full by forgetting those
    /// that have been silent for longest. Once in some seconds; never on the path of a message.
    pub fn sweep(&self, now: UnixMicros) {
        for shard in &self.shards {
            let shard = lock(shard);
            let mut owners = self.owners();
            // Newcomers too: where the table is full, one of them may have earned its name.
            for (address, device) in shard.known.iter().chain(shard.newcomers.iter()) {
                if let Some(owner) = owners.get_mut(device.standing.name.as_str())
                    && owner.address == address
                {
                    owner.heard = device.standing.last_heard;
                }
            }
        }
        // One in sixteen stays free, so that newcomers find room between two sweeps.
        let keep = self.known_max - self.known_max / 16;
        if self.known.load(Ordering::Relaxed) > keep {
            self.forget_most_silent(keep);
        }
        // A name whose owner is silent for so long is free anyway.
        self.owners()
            .retain(|_, owner| now.0 - owner.heard.0 < OWNER_SILENT_MICROS);
    }

    fn forget_most_silent(&self, keep: usize) {
        let mut heard = Vec::new();
        self.each(|address, device| heard.push((device.standing.last_heard, address)));
        heard.sort_unstable();
        let excess = heard.len().saturating_sub(keep);
        for (_, address) in heard.into_iter().take(excess) {
            let (mut shard, key) = self.shard(address);
            let Some(gone) = shard.known.remove(key) else {
                continue;
            };
            self.known.fetch_sub(1, Ordering::Relaxed);
            if let Some(engine_id) = &gone.engine_id {
                self.engines.forget(engine_id, address);
            }
            let name = gone.standing.name;
            let mut owners = self.owners();
            if owners
                .get(name.as_str())
                .is_some_and(|owner| owner.address == address)
            {
                owners.remove(name.as_str());
            }
        }
    }

    /// Known devices, newcomers, and how often there was no room to remember one.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for shard in &self.shards {
            let shard = lock(shard);
            counts.known += shard.known.len();
            counts.newcomers += shard.newcomers.len();
            counts.turned_away += shard.turned_away;
        }
        counts
    }

    /// The number of an address's shard, and its key there: one keyed hash of the address serves both.
    ///
    /// Both halves of a product are folded. Who does not know the keys cannot choose addresses that fall into one place;
    /// and there are no more in a shard than its newcomers, and those that were heard for a minute.
    fn place(&self, address: IpAddr) -> (usize, Key) {
        let (high, low) = match address {
            IpAddr::V4(address) => (0, u64::from(address.to_bits())),
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                ((bits >> 64) as u64, bits as u64)
            }
        };
        let product = u128::from(high ^ self.keys[0]) * u128::from(low ^ self.keys[1]);
        let hash = product as u64 ^ (product >> 64) as u64;
        let tag = hash as u32;
        ((hash >> 32) as usize % SHARDS, Key { address, tag })
    }

    fn shard(&self, address: IpAddr) -> (MutexGuard<'_, Shard>, Key) {
        let (number, key) = self.place(address);
        // SHARDS is the array's own length, so the place is in it.
        (lock(&self.shards[number]), key)
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<CompactString, Owner>> {
        lock(&self.owners)
    }
}

/// How full the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Devices heard several times over a minute.
    pub known: usize,
    /// Others.
    pub newcomers: usize,
    /// Times that a newcomer could not become known because the table was full.
    pub turned_away: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    fn newcomer(&mut self, key: Key, now: UnixMicros) -> &mut Device {
        if !self.newcomers.contains(key) {
            while self.newcomers.len() >= NEWCOMERS_MAX / SHARDS {
                match self.order.pop_front() {
                    Some(oldest) => _ = self.newcomers.remove(oldest),
                    None => self.newcomers.clear(),
                }
            }
            self.order.push_back(key);
        }
        let standing = Standing::new(now);
        self.newcomers.get_or_insert_with(key, || Device {
            standing,
            ..Device::default()
        })
    }

    /// A newcomer that has proved itself becomes known.
    fn promote(&mut self, key: Key) -> bool {
        if !self.known.take_from(&mut self.newcomers, key) {
            return false;
        }
        self.order.retain(|other| other.address != key.address);
        true
    }
}

/// Names as one address may take them.
#[derive(Debug)]
pub struct Claims<'d> {
    devices: &'d Devices,
    address: IpAddr,
    now: UnixMicros,
}

impl Owners for Claims<'_> {
    fn claim(&mut self, name: &str) -> bool {
        let mut owners = self.devices.owners();
        let held = owners.get(name).is_some_and(|owner| {
            owner.address != self.address && self.now.0 - owner.heard.0 < OWNER_SILENT_MICROS
        });
        if !held {
            let owner = Owner {
                address: self.address,
                heard: self.now,
            };
            owners.insert(name.into(), owner);
        }
        !held
    }

    fn release(&mut self, name: &str) {
        let mut owners = self.devices.owners();
        if owners
            .get(name)
            .is_some_and(|owner| owner.address == self.address)
        {
            owners.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::news::news_of;
    use super::*;
    use std::net::Ipv4Addr;

    fn at(seconds: i64) -> UnixMicros {
        UnixMicros(seconds * 1_000_000)
    }

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number))
    }

    fn say(devices: &Devices, from: u32, name: &str, seconds: i64) -> Vec<News> {
        let from = address(from);
        let (_, news) = devices.with(from, at(seconds), |device, tell| {
            let mut claims = devices.claims(from, at(seconds));
            let change = device.standing.hear_name(name, at(seconds), &mut claims);
            news_of(change).map(tell);
        });
        news
    }

    fn known(devices: &Devices, from: u32, name: &str) {
        for seconds in [0, 30, 60] {
            say(devices, from, name, seconds);
        }
    }

    #[test]
    fn a_device_is_new_once_and_its_name_is_its_own() {
        let devices = Devices::new(1000);
        assert_eq!(say(&devices, 1, "r1", 0), []);
        assert_eq!(say(&devices, 1, "r1", 30), []);
        assert_eq!(say(&devices, 1, "r1", 60), [News::New]);
        assert_eq!(say(&devices, 1, "r1", 61), []);
        assert!(devices.belongs_to_another("r1", address(2), at(62)));
        assert!(!devices.belongs_to_another("r1", address(1), at(62)));
        assert!(!devices.belongs_to_another("r1", address(2), at(62 + 3600)));
    }

    #[test]
    fn a_flood_of_forged_addresses_and_names_costs_no_known_device_its_entry_or_name() {
        let devices = Devices::new(1000);
        known(&devices, 1, "core");
        for forged in 0..100_000 {
            say(
                &devices,
                1000 + forged,
                if forged % 2 == 0 { "core" } else { "other" },
                61,
            );
        }
        let counts = devices.counts();
        assert_eq!(counts.known, 1);
        assert!(counts.newcomers <= NEWCOMERS_MAX, "{counts:?}");
        assert_eq!(devices.get(address(1)).unwrap().standing.name, "core");
        assert!(devices.belongs_to_another("core", address(5000), at(62)));
    }

    #[test]
    fn as_many_devices_are_known_as_there_may_be_wherever_chance_puts_them() {
        let devices = Devices::new(100);
        for from in 0..94 {
            known(&devices, from, &format!("r{from}"));
        }
        devices.sweep(at(61));
        assert_eq!(
            (devices.counts().known, devices.counts().turned_away),
            (94, 0)
        );
        for from in 94..200 {
            known(&devices, from, &format!("r{from}"));
        }
        assert_eq!(devices.counts().known, 100);
        // One that is known already takes no second place.
        let copy = devices.get(address(1)).unwrap();
        devices.restore(address(1), copy);
        devices.sweep(at(62));
        assert_eq!(devices.counts().known, 94);
        known(&devices, 300, "r300");
        assert!(devices.is_known(address(300)));
    }

    #[test]
    fn a_full_table_forgets_those_that_were_silent_for_longest() {
        let devices = Devices::new(SHARDS * 16);
        for from in 0..2000 {
            known(&devices, from, &format!("r{from}"));
        }
        assert!(devices.counts().known <= SHARDS * 16 && devices.counts().turned_away > 0);
        say(&devices, 1, "r1", 1000);
        let was_known = devices.is_known(address(1));
        devices.sweep(at(1000));
        assert!(devices.counts().known <= SHARDS * 15);
        let is_known = devices.is_known(address(1));
        assert_eq!(was_known, is_known, "the one that was just heard stays");
    }

    #[test]
    fn a_restored_device_keeps_its_name_against_others() {
        let devices = Devices::new(1000);
        known(&devices, 1, "r1");
        let copy = devices.get(address(1)).unwrap();
        let later = Devices::new(1000);
        later.restore(address(1), copy);
        assert!(later.belongs_to_another("r1", address(2), at(100)));
        assert_eq!(later.get(address(1)).unwrap().standing.name, "r1");
    }

    #[test]
    fn of_two_restored_devices_with_one_name_the_one_that_was_heard_last_owns_it_and_both_keep_it()
    {
        let of = |seconds| {
            let devices = Devices::new(1000);
            known(&devices, 1, "r1");
            say(&devices, 1, "r1", seconds);
            devices.get(address(1)).unwrap()
        };
        for (first, second) in [(100, 200), (200, 100)] {
            let later = Devices::new(1000);
            later.restore(address(1), of(first));
            later.restore(address(2), of(second));
            let owner = if first > second { 1 } else { 2 };
            assert_eq!(later.owner("r1"), Some(address(owner)));
            let name = |number| later.get(address(number)).unwrap().standing.name;
            assert_eq!([name(1).as_str(), name(2).as_str()], ["r1"; 2]);
        }
    }
}
