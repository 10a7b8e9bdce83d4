//! Who a device is: inventory, learned names, reverse DNS, and what became known of it.
//!
//! ```text
//!  Claim (address, header name, snmpTrapAddress, engine) ──▶ View::identify ──▶ name, source, labels, zone
//!                                                             │ Inventory   what the operator says
//!                                                             │ Devices     what was heard (bounded, kept over restarts)
//!                                                             │ Relayed     the same by name, where only relays speak for it
//!                                                             │ Resolver    reverse DNS, asked and answered elsewhere
//!                                                             └▶ Notices ──▶ `device` and `gap` events
//! ```
//!
//! Best source first: inventory, the header's name, for relays the notification's own address or engine, the learned
//! name, reverse DNS, the address. Anybody can send UDP: a header name that belongs to another address, or is that address,
//! is not taken, unless a trusted relay brings it. Nor is a name of reverse DNS that the inventory gives to another.
//!
//! Every receiving thread has a [`View`] of its own; they share [`Names`]. Nothing here waits.

pub mod device;
pub mod devices;
pub mod dns;
pub mod engines;
pub mod inventory;
pub mod listing;
pub mod name;
pub mod news;
pub mod notices;
pub mod pace;
mod prefetch;
pub mod relayed;
mod reload;
mod said;
mod senders;
pub mod sequence;
pub mod standing;
pub mod store;
pub mod storm;
pub mod telling;
mod view;
pub mod watch;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ipnet::IpNet;

use crate::event::HostnameSource;
use crate::normalize::{DomainPolicy, hostname};
use crate::time::UnixMicros;

use devices::Devices;
use dns::Resolver;
use inventory::Inventory;
use news::{News, Notice, news_of};
use notices::{Notices, ToldKinds};
use relayed::Relayed;
use standing::{Rank, Standing};

pub use view::View;

/// What the operator decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Senders that bring other devices' messages, and are believed.
    pub relays: Vec<IpNet>,
    /// Whether addresses without a name are looked up.
    pub dns: DnsPolicy,
    /// The most devices that are remembered beside newcomers.
    pub devices_max: usize,
    /// What becomes an event.
    pub told: ToldKinds,
    /// Seconds of silence after which a device that spoke regularly is told as silent; 0 never.
    pub silent_seconds: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            relays: Vec::new(),
            dns: DnsPolicy::default(),
            devices_max: devices::DEVICES_MAX_DEFAULT,
            told: ToldKinds::default(),
            silent_seconds: 0,
        }
    }
}

/// Whether addresses without a name are looked up in reverse DNS.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DnsPolicy {
    /// By the host's own resolver, on threads of its own. The first events of a sender carry its address.
    #[default]
    On,
    /// Never: a device without a name of its own is its address.
    Off,
}

/// What all receiving threads share.
#[derive(Debug)]
pub struct Names {
    known: RwLock<Arc<Known>>,
    /// That of `known`, to be seen without a lock.
    generation: AtomicU32,
    /// What was replaced, and may still be in a thread's view.
    retired: Mutex<Vec<Arc<Known>>>,
    /// Who was heard.
    pub devices: Devices,
    /// Who was heard through relays only.
    pub relayed: Relayed,
    /// What is to be said of them.
    pub notices: Notices,
    resolver: Resolver,
    conflicts: AtomicU64,
}

/// What a reload replaces.
#[derive(Debug)]
struct Known {
    /// How many there were, from 1.
    generation: u32,
    config: Config,
    inventory: Arc<Inventory>,
}

impl Known {
    fn is_relay(&self, address: IpAddr) -> bool {
        let relays = &self.config.relays;
        relays.iter().any(|relay| relay.contains(&address))
    }
}

impl Names {
    /// Names without an inventory.
    pub fn new(config: Config) -> Names {
        let devices = Devices::new(config.devices_max);
        let relayed = Relayed::new(config.devices_max);
        Names {
            known: RwLock::new(Arc::new(Known {
                generation: 1,
                config,
                inventory: Arc::default(),
            })),
            generation: AtomicU32::new(1),
            retired: Mutex::default(),
            devices,
            relayed,
            notices: Notices::default(),
            resolver: Resolver::default(),
            conflicts: AtomicU64::new(0),
        }
    }

    /// What the inventory says of this sender; of a trusted relay, what it says of the device that it named.
    pub fn said_of(&self, sender: IpAddr, name: &str) -> Option<inventory::Device> {
        let known = self.known();
        let said = match known.is_relay(sender) {
            true => known.inventory.named(name).or_else(|| {
                let address = hostname::address_of(name)?;
                known.inventory.find(address)
            }),
            false => known.inventory.find(sender),
        };
        said.cloned()
    }

    /// Whether the operator trusts this sender whom it names.
    pub fn is_relay(&self, sender: IpAddr) -> bool {
        self.known().is_relay(sender)
    }

    /// Addresses that wait for an answer of reverse DNS; the threads of [`dns::spawn`] take them.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Messages whose header name belonged to another address.
    pub fn conflicts(&self) -> u64 {
        self.conflicts.load(Ordering::Relaxed)
    }

    /// Reverse DNS calls this address `name`.
    pub fn take_dns_answer(&self, address: IpAddr, name: &str, now: UnixMicros) {
        let known = self.known();
        let news = self.devices.with_known(address, |device, tell| {
            let news = self.hear_dns(&known, address, &mut device.standing, name, now);
            news.map(tell);
        });
        let name = (name, HostnameSource::Dns);
        self.tell(address, name, now, news);
    }

    /// Writes names that came from reverse DNS in the form that keys have now: it is not asked again for them.
    pub fn rewrite_dns_names(&self, domain: DomainPolicy, now: UnixMicros) {
        let known = self.known();
        self.devices.every(|address, sender| {
            let standing = &mut sender.standing;
            if standing.rank != Rank::Dns {
                return;
            }
            let Some(name) = hostname::canonical(standing.name.as_bytes(), domain) else {
                return;
            };
            let news = self.hear_dns(&known, address, standing, &name, now);
            let news = news.into_iter().collect();
            self.tell(address, (&name, HostnameSource::Dns), now, news);
        });
    }

    /// Returns what is to be told. Where the inventory has a name, another of reverse DNS changes no key. Whoever writes a
    /// zone, or has a DHCP server write it, may put another device's name there: what the inventory gives to another is not
    /// taken. Who has earned a name is not asked: a router's second address has the name of its first.
    fn hear_dns(
        &self,
        known: &Known,
        address: IpAddr,
        standing: &mut Standing,
        name: &str,
        now: UnixMicros,
    ) -> Option<News> {
        if known.inventory.gives_to_another(name, address) {
            return None;
        }
        let mut claims = self.devices.claims(address, now);
        let change = standing.hear_dns(name, &mut claims)?;
        let line = known.inventory.find(address);
        if line.is_some_and(|line| line.hostname.is_some()) {
            return None;
        }
        standing.was_renamed(&change, now);
        news_of(Some(change))
    }

    fn known(&self) -> Arc<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    fn tell(
        &self,
        address: IpAddr,
        (name, source): (&str, HostnameSource),
        at: UnixMicros,
        news: Vec<News>,
    ) {
        // What is told of a relay's own address must not carry the name of one of those that speak from it.
        let is_shared = news.contains(&News::Shared);
        let name = if is_shared { "" } else { name };
        for news in news {
            self.notices.add(Notice {
                address,
                name: name.into(),
                source,
                at,
                news,
            });
        }
    }
}

#[cfg(test)]
mod shortcut;
#[cfg(test)]
mod tests;
