//! Devices that only relays speak for: known by name, since no packet has their address.
//!
//! ```text
//!  message by a trusted relay, whose device has no address that we know
//!    ──▶ shard of its name ──▶ known      (heard several times over a minute; kept for long)
//!                          └─▶ newcomers  (a flood of made-up names turns only these over)
//! ```
//!
//! Such a name is the device's own as an address's is: no stranger can take it while relays speak for it.
//!
//! Bounded as the table by address is. A newcomer whose turn it is to go stays for another round if it was heard again
//! meanwhile, which made-up names seldom are: a device that goes on speaking proves itself while a flood passes by.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use compact_str::CompactString;

use super::device::Device;
use super::devices::{NEWCOMERS_MAX, SHARDS};
use super::news::News;
use super::pace::Pace;
use super::standing::{OWNER_SILENT_MICROS, Standing};
use crate::time::UnixMicros;

/// A newcomer that was not heard for so long is forgotten.
const NEWCOMER_SILENT_MICROS: i64 = 300 * 1_000_000;

#[derive(Debug, Default)]
struct Shard {
    /// Boxed, so that the room that a table keeps free costs little.
    known: HashMap<CompactString, Box<Device>>,
    newcomers: HashMap<CompactString, Box<Device>>,
    /// Each newcomer once, in the order in which they go, with the messages that it had when it was put there.
    order: VecDeque<(CompactString, u64)>,
}

/// The table.
#[derive(Debug)]
pub struct Relayed {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    /// Known names of all shards. They fall into shards by chance, so only all together can be bounded.
    known: AtomicUsize,
    devices_max: usize,
}

impl Relayed {
    /// An empty table for at most `devices_max` names beside [`NEWCOMERS_MAX`] newcomers.
    pub fn new(devices_max: usize) -> Relayed {
        Relayed {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            known: AtomicUsize::new(0),
            devices_max,
        }
    }

    /// Looks at, and changes, the entry of this name, which is made if there is none.
    pub fn with(
        &self,
        name: &str,
        relay: IpAddr,
        now: UnixMicros,
        look: impl FnOnce(&mut Device, &mut dyn FnMut(News)),
    ) -> Vec<News> {
        let mut news = Vec::new();
        let mut shard = self.shard(name);
        if let Some(device) = shard.known.get_mut(name) {
            if std::mem::take(&mut device.is_silent) {
                news.push(News::Back);
            }
            device.heard_via(Some(relay));
            look(device, &mut |one| news.push(one));
            return news;
        }
        let device = shard.newcomer(name, now);
        device.heard_via(Some(relay));
        look(device, &mut |one| news.push(one));
        if device.standing.is_confirmed() && self.takes_one() && shard.promote(name) {
            news.push(News::New);
        }
        news
    }

    /// Since when relays speak for a device of this name: they have for a minute, and went on of late. Asked where a
    /// sender's entry is held: nobody waits for one of those while a shard here is.
    pub(super) fn speak_for(&self, name: &str, now: UnixMicros) -> Option<UnixMicros> {
        if self.known.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let shard = self.shard(name);
        let standing = &shard.known.get(name)?.standing;
        let silent = now.0.saturating_sub(standing.last_heard.0);
        (silent < OWNER_SILENT_MICROS).then_some(standing.first_heard)
    }

    /// A copy of one entry.
    pub fn get(&self, name: &str) -> Option<Device> {
        let shard = self.shard(name);
        let device = shard.known.get(name).or_else(|| shard.newcomers.get(name));
        device.map(|device| Device::clone(device))
    }

    /// Goes through all that were heard for long enough, a shard at a time.
    pub fn each(&self, mut look: impl FnMut(&mut Device)) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.known.values_mut().for_each(|device| look(device));
        }
    }

    /// The wall clock was set: nobody was heard later than `now`.
    pub fn clock_was_set(&self, now: UnixMicros) {
        for shard in &self.shards {
            let shard = &mut *lock(shard);
            let all = shard.known.values_mut().chain(shard.newcomers.values_mut());
            all.for_each(|device| device.clock_was_set(now));
        }
    }

    /// Forgets those of whom this is true.
    pub fn forget(&self, mut is_gone: impl FnMut(&Device) -> bool) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let known = &mut shard.known;
            let before = known.len();
            known.retain(|_, device| !is_gone(device));
            self.known
                .fetch_sub(before - known.len(), Ordering::Relaxed);
        }
    }

    /// Puts back a device that an earlier process knew.
    pub fn restore(&self, mut device: Device) {
        device.pace = Pace::from(device.standing.messages);
        let mut shard = self.shard(&device.standing.name);
        let is_known = shard.known.contains_key(device.standing.name.as_str());
        if is_known || self.takes_one() {
            let name = device.standing.name.as_str().into();
            shard.known.insert(name, Box::new(device));
        }
    }

    /// Counts one more known name, where there is room for one.
    fn takes_one(&self) -> bool {
        let room = |known| (known < self.devices_max).then_some(known + 1);
        self.known
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
            .is_ok()
    }

    /// Makes room, and gives back what a flood left free. Once in some seconds.
    pub fn sweep(&self, now: UnixMicros) {
        // One in sixteen stays free, so that newcomers find room between two sweeps.
        let keep = self.devices_max - self.devices_max / 16;
        if self.known.load(Ordering::Relaxed) > keep {
            self.forget_most_silent(keep);
        }
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.forget_silent_newcomers(now);
            shard.give_back();
        }
    }

    fn forget_most_silent(&self, keep: usize) {
        let mut heard = Vec::new();
        self.each(|device| {
            let standing = &device.standing;
            heard.push((
                standing.last_heard,
                CompactString::from(standing.name.as_str()),
            ));
        });
        heard.sort_unstable();
        let excess = heard.len().saturating_sub(keep);
        for (_, name) in heard.into_iter().take(excess) {
            if self.shard(&name).known.remove(&name).is_some() {
                self.known.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Names of one shard, at most `count`, in order, from behind `after` on.
    pub fn names(&self, shard: usize, after: Option<&str>, count: usize) -> Vec<CompactString> {
        let Some(shard) = self.shards.get(shard) else {
            return Vec::new();
        };
        let mut found: Vec<CompactString> = {
            let shard = lock(shard);
            let all = shard.known.keys().chain(shard.newcomers.keys());
            all.filter(|name| after.is_none_or(|after| name.as_str() > after))
                .cloned()
                .collect()
        };
        found.sort_unstable();
        found.truncate(count);
        found
    }

    /// How many names are remembered.
    pub fn len(&self) -> usize {
        let of = |shard: &Shard| shard.known.len() + shard.newcomers.len();
        self.shards.iter().map(|shard| of(&lock(shard))).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, name: &str) -> MutexGuard<'_, Shard> {
        // The number of shards is the list's own length, so the place is in it.
        lock(&self.shards[self.hasher.hash_one(name) as usize % SHARDS])
    }
}

impl Shard {
    fn newcomer(&mut self, name: &str, now: UnixMicros) -> &mut Device {
        if !self.newcomers.contains_key(name) {
            while self.newcomers.len() >= NEWCOMERS_MAX / SHARDS {
                self.forget_newcomer();
            }
            self.order.push_back((name.into(), 1));
        }
        self.newcomers.entry(name.into()).or_insert_with(|| {
            let standing = Standing {
                name: name.into(),
                ..Standing::new(now)
            };
            Box::new(Device {
                standing,
                ..Device::default()
            })
        })
    }

    /// The first in order that was not heard since it was put there goes. Each other is put behind with what it has by
    /// now, so this ends after one round.
    fn forget_newcomer(&mut self) {
        while let Some((name, before)) = self.order.pop_front() {
            match self.newcomers.get(&name) {
                Some(device) if device.standing.messages > before => {
                    self.order.push_back((name, device.standing.messages));
                }
                Some(_) => {
                    self.newcomers.remove(&name);
                    return;
                }
                None => {}
            }
        }
        self.newcomers.clear();
    }

    /// A newcomer that has proved itself becomes known.
    fn promote(&mut self, name: &str) -> bool {
        let Some((name, device)) = self.newcomers.remove_entry(name) else {
            return false;
        };
        self.order.retain(|(other, _)| *other != name);
        self.known.insert(name, device);
        true
    }

    fn forget_silent_newcomers(&mut self, now: UnixMicros) {
        let Shard {
            newcomers, order, ..
        } = self;
        newcomers.retain(|_, device| {
            now.0.saturating_sub(device.standing.last_heard.0) < NEWCOMER_SILENT_MICROS
        });
        order.retain(|(name, _)| newcomers.contains_key(name));
    }

    /// Twice the room that is used stays, so that tables that are in use are not moved to and fro.
    fn give_back(&mut self) {
        self.known.shrink_to(self.known.len() * 2);
        self.newcomers.shrink_to(self.newcomers.len() * 2);
        self.order.shrink_to(self.order.len() * 2);
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 9, 9));

    fn say(relayed: &Relayed, name: &str, seconds: i64) -> Vec<News> {
        let now = UnixMicros(seconds * 1_000_000);
        relayed.with(name, RELAY, now, |device, _| device.standing.hear(now))
    }

    #[test]
    fn a_device_behind_a_relay_is_new_once() {
        let relayed = Relayed::new(1000);
        let told: Vec<News> = [0, 30, 60, 61]
            .into_iter()
            .flat_map(|seconds| say(&relayed, "r1", seconds))
            .collect();
        assert_eq!(told, [News::New]);
        assert_eq!(relayed.get("r1").unwrap().via(), Some(RELAY));
    }

    #[test]
    fn a_flood_of_made_up_names_costs_no_known_device_its_entry_and_leaves_nothing() {
        let relayed = Relayed::new(50_000);
        for seconds in [0, 30, 60] {
            say(&relayed, "core", seconds);
        }
        for number in 0..100_000 {
            say(&relayed, &format!("made-up-{number}"), 61);
        }
        assert!(relayed.len() <= NEWCOMERS_MAX + 1, "{}", relayed.len());
        assert!(relayed.get("core").is_some());
        relayed.sweep(UnixMicros(400_000_000));
        assert_eq!(relayed.len(), 1);
        for shard in &relayed.shards {
            let shard = lock(shard);
            let room = [
                shard.known.capacity(),
                shard.newcomers.capacity(),
                shard.order.capacity(),
            ];
            assert!(room.into_iter().all(|room| room <= 4), "{room:?}");
        }
    }

    #[test]
    fn a_new_device_that_goes_on_speaking_is_known_after_a_minute_of_a_flood() {
        let relayed = Relayed::new(50_000);
        let (mut told, mut number) = (Vec::new(), 0);
        for seconds in 0..=60 {
            told.extend(say(&relayed, "core", seconds));
            for _ in 0..3_000 {
                number += 1;
                assert_eq!(say(&relayed, &format!("made-up-{number}"), seconds), []);
            }
            if seconds % 5 == 0 {
                relayed.sweep(UnixMicros(seconds * 1_000_000));
            }
        }
        assert_eq!(told, [News::New]);
        assert!(relayed.len() <= NEWCOMERS_MAX + 1, "{}", relayed.len());
        for shard in &relayed.shards {
            let shard = lock(shard);
            assert!(shard.order.len() == shard.newcomers.len());
        }
    }

    #[test]
    fn as_many_names_are_known_as_there_may_be_wherever_chance_puts_them() {
        let relayed = Relayed::new(100);
        let speak = |numbers: std::ops::Range<u32>| {
            for number in numbers {
                for seconds in [0, 30, 60] {
                    say(&relayed, &format!("r{number}"), seconds);
                }
            }
            let mut known = 0;
            relayed.each(|_| known += 1);
            known
        };
        assert_eq!(speak(0..94), 94);
        relayed.sweep(UnixMicros(61_000_000));
        assert_eq!(speak(94..200), 100);
        relayed.forget(|device| device.standing.name.as_str() < "r15");
        let left = speak(0..0);
        assert!(left < 100);
        assert_eq!(speak(200..400), 100);
    }

    #[test]
    fn a_full_table_forgets_those_that_were_silent_for_longest() {
        let relayed = Relayed::new(SHARDS * 16);
        for number in 0..2_000 {
            for seconds in [0, 30, 60] {
                say(&relayed, &format!("r{number}"), seconds + number);
            }
        }
        let known = || {
            let mut names = Vec::new();
            relayed.each(|device| names.push(device.standing.name.clone()));
            names
        };
        let last = known().pop().unwrap();
        say(&relayed, &last, 3_000);
        assert!(known().len() <= SHARDS * 16);
        relayed.sweep(UnixMicros(3_000_000_000));
        assert!(known().len() <= SHARDS * 15);
        assert!(known().contains(&last), "the one that was just heard stays");
    }
}
