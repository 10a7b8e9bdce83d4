//! Devices that only relays speak for: known by name, since no packet has their address.
//!
//! ```text
//!  message by a trusted relay, whose device has no address that we know ──▶ shard of its name ──▶ Device
//! ```
//!
//! Bounded as the table by address is. Where it is full a new name is not remembered, and costs none that is; the sweep,
//! once in some seconds, forgets first the names that were never heard for long: a flood of made-up ones.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use compact_str::CompactString;

use super::devices::{Device, News, SHARDS};
use super::pace::Pace;
use super::standing::Standing;
use crate::time::UnixMicros;

/// A name that was never heard for a minute, and not since so long, is forgotten.
const UNPROVED_MICROS: i64 = 300 * 1_000_000;

type Shard = HashMap<CompactString, Device>;

/// The table.
#[derive(Debug)]
pub struct Relayed {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    devices_max: usize,
}

impl Relayed {
    /// An empty table for at most `devices_max` names.
    pub fn new(devices_max: usize) -> Relayed {
        Relayed {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            devices_max,
        }
    }

    /// Looks at, and changes, the entry of this name; `None` where there is no room for it.
    pub fn with(
        &self,
        name: &str,
        relay: IpAddr,
        now: UnixMicros,
        look: impl FnOnce(&mut Device, &mut dyn FnMut(News)),
    ) -> Vec<News> {
        let mut news = Vec::new();
        let mut shard = self.shard(name);
        if !shard.contains_key(name) {
            if shard.len() >= self.devices_max / SHARDS {
                return news;
            }
            let standing = Standing {
                name: name.into(),
                ..Standing::new(now)
            };
            let device = Device {
                standing,
                ..Device::default()
            };
            shard.insert(name.into(), device);
        }
        let Some(device) = shard.get_mut(name) else {
            return news;
        };
        let was_confirmed = device.standing.is_confirmed();
        if std::mem::take(&mut device.is_silent) {
            news.push(News::Back);
        }
        device.via = Some(relay);
        look(device, &mut |one| news.push(one));
        if !was_confirmed && device.standing.is_confirmed() {
            news.push(News::New);
        }
        news
    }

    /// A copy of one entry.
    pub fn get(&self, name: &str) -> Option<Device> {
        self.shard(name).get(name).cloned()
    }

    /// Goes through all that were heard for long enough, a shard at a time.
    pub fn each(&self, mut look: impl FnMut(&mut Device)) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let proved = shard.values_mut();
            proved
                .filter(|device| device.standing.is_confirmed())
                .for_each(&mut look);
        }
    }

    /// Puts back a device that an earlier process knew.
    pub fn restore(&self, mut device: Device) {
        device.pace = Pace::from(device.standing.messages);
        let mut shard = self.shard(&device.standing.name);
        if shard.len() < self.devices_max / SHARDS {
            shard.insert(device.standing.name.as_str().into(), device);
        }
    }

    /// Makes room. Once in some seconds.
    pub fn sweep(&self, now: UnixMicros) {
        // One in sixteen stays free, so that newcomers find room between two sweeps.
        let shard_max = self.devices_max / SHARDS;
        let keep = shard_max - shard_max / 16;
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.retain(|_, device| {
                let standing = &device.standing;
                standing.is_confirmed() || now.0 - standing.last_heard.0 < UNPROVED_MICROS
            });
            if shard.len() > keep {
                forget_weakest(&mut shard, keep);
            }
        }
    }

    /// Names of one shard, at most `count`, in order, from behind `after` on.
    pub fn names(&self, shard: usize, after: Option<&str>, count: usize) -> Vec<CompactString> {
        let Some(shard) = self.shards.get(shard) else {
            return Vec::new();
        };
        let mut found: Vec<CompactString> = lock(shard)
            .keys()
            .filter(|name| after.is_none_or(|after| name.as_str() > after))
            .cloned()
            .collect();
        found.sort_unstable();
        found.truncate(count);
        found
    }

    /// How many names are remembered.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
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

/// Those that were never heard for long go first, then those that were silent for longest.
fn forget_weakest(shard: &mut Shard, keep: usize) {
    let mut worth: Vec<(bool, UnixMicros, CompactString)> = shard
        .iter()
        .map(|(name, device)| {
            let standing = &device.standing;
            (standing.is_confirmed(), standing.last_heard, name.clone())
        })
        .collect();
    worth.sort_unstable();
    let excess = worth.len().saturating_sub(keep);
    for (_, _, name) in worth.into_iter().take(excess) {
        shard.remove(&name);
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
        assert_eq!(relayed.get("r1").unwrap().via, Some(RELAY));
    }

    #[test]
    fn a_flood_of_made_up_names_costs_no_known_device_its_entry_and_goes_first() {
        let relayed = Relayed::new(SHARDS * 32);
        for seconds in [0, 30, 60] {
            say(&relayed, "core", seconds);
        }
        for number in 0..100_000 {
            say(&relayed, &format!("made-up-{number}"), 61);
        }
        assert!(relayed.len() <= SHARDS * 32);
        relayed.sweep(UnixMicros(62_000_000));
        assert!(relayed.len() <= SHARDS * 30);
        assert!(relayed.get("core").is_some());
        relayed.sweep(UnixMicros(400_000_000));
        assert_eq!(relayed.len(), 1);
    }
}
