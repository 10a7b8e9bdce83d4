//! Silence: a device that should speak and does not.
//!
//! ```text
//!  every few seconds: known devices, hosts of the inventory ──▶ last heard longer ago than the limit? ──▶ Notice Silent
//! ```
//!
//! Beside it: what a device has said since the last look (its pace), and numbers that are awaited no longer.
//! The limit is the inventory's, else the one for all. A device says `Back` with its next message.
//!
//! A host without a battery starts years ago and is set right a minute later. No device is silent because of that, and
//! none was heard in the future where a clock is set back: [`Clock`] sees it, [`Names::clock_was_set`] puts it right.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Instant;

use compact_str::CompactString;

use super::device::Device;
use super::news::{News, Notice};
use super::notices::Notices;
use super::standing::{Rank, Standing};
use super::{Known, Names, inventory};
use crate::event::HostnameSource;
use crate::time::UnixMicros;

/// By so much wall clock and steady clock may part between two looks some seconds apart. A clock that is corrected bit by
/// bit does so by milliseconds.
const PART_MICROS_MAX: i64 = 10 * 1_000_000;

/// Notices that the wall clock was set.
#[derive(Debug)]
pub struct Clock {
    wall: UnixMicros,
    steady: Instant,
}

impl Clock {
    /// What both show now.
    pub fn new(wall: UnixMicros, steady: Instant) -> Clock {
        Clock { wall, steady }
    }

    /// Whether the wall clock was set since the last call. A host that slept looks the same, and is the same here.
    pub fn was_set(&mut self, wall: UnixMicros, steady: Instant) -> bool {
        let passed = steady.saturating_duration_since(self.steady).as_micros();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let parted = wall.0.saturating_sub(self.wall.0).saturating_sub(passed);
        *self = Clock::new(wall, steady);
        parted.saturating_abs() > PART_MICROS_MAX
    }
}

/// Hosts of the inventory that never spoke and were told so. Owned by whoever calls [`Names::watch`].
#[derive(Debug, Default)]
pub struct Watch {
    started: Option<UnixMicros>,
    looked: Option<UnixMicros>,
    told: HashSet<IpAddr>,
}

impl Names {
    /// The wall clock shows `now` and did not come there by itself. Silence counts anew from here, and nobody was heard
    /// later than now.
    pub fn clock_was_set(&self, watch: &mut Watch, now: UnixMicros) {
        (watch.started, watch.looked) = (Some(now), Some(now));
        self.devices.clock_was_set(now);
        self.relayed.clock_was_set(now);
    }

    /// Looks for devices that fell silent, and makes room in the tables. Once in some seconds.
    pub fn watch(&self, watch: &mut Watch, now: UnixMicros) {
        self.free_retired();
        self.devices.sweep(now);
        self.relayed.sweep(now);
        let known = self.known();
        let started = *watch.started.get_or_insert(now);
        let elapsed_micros = now.0 - watch.looked.replace(now).unwrap_or(now).0;
        let look = Look {
            known: &known,
            started,
            now,
            elapsed_micros,
        };
        let mut silent = Vec::new();
        self.devices.each(|address, device| {
            watch.told.remove(&address);
            let named = known.own_name(address, &device.standing);
            let said = known.inventory.find(address);
            silent.extend(look.at(device, address, said, named, &self.notices));
        });
        // A name that has got an address since then is heard there, and is not silent here.
        self.relayed.forget(|device| {
            let name = &device.standing.name;
            let line = known.inventory.named(name);
            line.is_some_and(inventory::Device::is_host) || self.devices.owner(name).is_some()
        });
        self.relayed.each(|device| {
            let Some(relay) = device.via() else { return };
            let name: CompactString = device.standing.name.as_str().into();
            // What is said of the relay's address is said of the relay alone.
            let said = known.inventory.named(&name);
            let named = (name, HostnameSource::Header);
            silent.extend(look.at(device, relay, said, named, &self.notices));
        });
        for (address, line) in known.inventory.hosts() {
            let never_spoke = || self.devices.get(address).is_none();
            if !watch.told.contains(&address)
                && known.is_too_long(Some(line), started, now)
                && never_spoke()
            {
                watch.told.insert(address);
                let (name, source) = known.name(address, &Standing::default());
                silent.push(Notice {
                    address,
                    name,
                    source,
                    at: now,
                    news: News::Silent { last_heard: None },
                });
            }
        }
        silent
            .into_iter()
            .for_each(|notice| self.notices.add(notice));
    }
}

/// One look at all devices.
struct Look<'k> {
    known: &'k Known,
    started: UnixMicros,
    now: UnixMicros,
    elapsed_micros: i64,
}

impl Look<'_> {
    /// At one device, of which the inventory says `said`. Returns what is to be told if it fell silent.
    fn at(
        &self,
        device: &mut Device,
        address: IpAddr,
        said: Option<&inventory::Device>,
        (name, source): (CompactString, HostnameSource),
        notices: &Notices,
    ) -> Option<Notice> {
        device
            .pace
            .look(device.standing.messages, self.elapsed_micros);
        let notice = |news| Notice {
            address,
            name: name.clone(),
            source,
            at: self.now,
            news,
        };
        if let Some(sequence) = &mut device.sequence {
            sequence.expire(self.now, |numbers| {
                notices.add(notice(News::Missing(numbers)));
            });
        }
        let last = device.standing.last_heard;
        // A process that starts after a pause has not listened meanwhile.
        let since = last.max(self.started);
        if device.is_silent || !self.known.is_too_long(said, since, self.now) {
            return None;
        }
        device.is_silent = true;
        let last_heard = Some(last);
        Some(notice(News::Silent { last_heard }))
    }
}

impl Known {
    fn is_too_long(
        &self,
        said: Option<&inventory::Device>,
        since: UnixMicros,
        now: UnixMicros,
    ) -> bool {
        let limit = said
            .and_then(|device| device.silent_seconds)
            .unwrap_or(self.config.silent_seconds);
        limit > 0 && now.0 - since.0 > i64::from(limit) * 1_000_000
    }

    /// What it is called where a message brings no name, and why.
    pub(super) fn name(
        &self,
        address: IpAddr,
        standing: &Standing,
    ) -> (CompactString, HostnameSource) {
        let said = self.inventory.find(address);
        if let Some(hostname) = said.and_then(|device| device.hostname.clone()) {
            return (hostname, HostnameSource::Inventory);
        }
        let source = match standing.rank {
            Rank::Address => HostnameSource::Address,
            Rank::Dns => HostnameSource::Dns,
            Rank::Learned => HostnameSource::Learned,
        };
        (standing.name.as_str().into(), source)
    }

    /// What its own messages are keyed by: as long as it has earned no name, the one that it gives itself. Empty: the
    /// address.
    pub(super) fn own_name(
        &self,
        address: IpAddr,
        standing: &Standing,
    ) -> (CompactString, HostnameSource) {
        let (name, source) = self.name(address, standing);
        let claimed = standing.claimed_name();
        match claimed.filter(|_| name.is_empty() && !standing.is_shared) {
            Some(claimed) => (claimed.into(), HostnameSource::Header),
            None => (name, source),
        }
    }
}
