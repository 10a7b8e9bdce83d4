//! Silence: a device that should speak and does not.
//!
//! ```text
//!  every few seconds: known devices, hosts of the inventory ──▶ last heard longer ago than the limit? ──▶ Notice Silent
//! ```
//!
//! The limit is the inventory's, else the one for all. A device says `Back` with its next message.

use std::collections::HashSet;
use std::net::IpAddr;

use compact_str::CompactString;

use super::devices::{News, Notice};
use super::{Known, Names};
use crate::time::UnixMicros;

/// Hosts of the inventory that never spoke and were told so. Owned by whoever calls [`Names::watch`].
#[derive(Debug, Default)]
pub struct Watch {
    started: Option<UnixMicros>,
    told: HashSet<IpAddr>,
}

impl Names {
    /// Looks for devices that fell silent, and makes room in the table. Once in some seconds.
    pub fn watch(&self, watch: &mut Watch, now: UnixMicros) {
        self.devices.sweep(now);
        let (_, known) = self.known();
        let started = *watch.started.get_or_insert(now);
        let mut silent = Vec::new();
        self.devices.each(|address, device| {
            watch.told.remove(&address);
            let last = device.standing.last_heard;
            // A process that starts after a pause has not listened meanwhile.
            let since = last.max(started);
            if !device.is_silent && known.is_too_long(address, since, now) {
                device.is_silent = true;
                silent.push((address, device.standing.name.clone(), Some(last)));
            }
            if let Some(sequence) = &mut device.sequence {
                let name = &device.standing.name;
                sequence.expire(now, |numbers| {
                    self.notices.add(Notice {
                        address,
                        name: known.name(address, name),
                        at: now,
                        news: News::Missing(numbers),
                    });
                });
            }
        });
        for (address, _) in known.inventory.hosts() {
            let never_spoke = || self.devices.get(address).is_none();
            if !watch.told.contains(&address)
                && known.is_too_long(address, started, now)
                && never_spoke()
            {
                watch.told.insert(address);
                silent.push((address, CompactString::default(), None));
            }
        }
        for (address, name, last_heard) in silent {
            self.notices.add(Notice {
                address,
                name: known.name(address, &name),
                at: now,
                news: News::Silent { last_heard },
            });
        }
    }
}

impl Known {
    fn is_too_long(&self, address: IpAddr, since: UnixMicros, now: UnixMicros) -> bool {
        let said = self.inventory.find(address);
        let limit = said
            .and_then(|device| device.silent_seconds)
            .unwrap_or(self.config.silent_seconds);
        limit > 0 && now.0 - since.0 > i64::from(limit) * 1_000_000
    }

    fn name(&self, address: IpAddr, stored: &CompactString) -> CompactString {
        let said = self.inventory.find(address);
        said.and_then(|device| device.hostname.clone())
            .unwrap_or_else(|| stored.clone())
    }
}
