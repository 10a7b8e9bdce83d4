//! Who a device is: inventory, learned names, reverse DNS, and what became known of it.
//!
//! ```text
//!  Claim (address, header name, snmpTrapAddress, engine) ──▶ View::identify ──▶ name, source, labels, zone
//!                                                             │ Inventory   what the operator says
//!                                                             │ Devices     what was heard (bounded, kept over restarts)
//!                                                             │ Resolver    reverse DNS, asked and answered elsewhere
//!                                                             └▶ Notices ──▶ `device` and `gap` events
//! ```
//!
//! Best source first: inventory, the header's name, for relays the notification's own address or engine, the learned
//! name, reverse DNS, the address. Anybody can send UDP: a header name that belongs to another address is not taken,
//! unless a trusted relay brings it.
//!
//! Every receiving thread has a [`View`] of its own; they share [`Names`]. Nothing here waits.

pub mod devices;
pub mod dns;
pub mod inventory;
pub mod notices;
pub mod sequence;
pub mod standing;
pub mod store;
pub mod storm;
pub mod telling;
pub mod watch;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ipnet::IpNet;

use crate::event::HostnameSource;
use crate::normalize::device::{self, Claim, Identity, write_address};
use crate::time::UnixMicros;

use devices::{Device, Devices, News, Notice, news_of};
use dns::Resolver;
use inventory::Inventory;
use notices::{Notices, ToldKinds};
use standing::Rank;

/// How long after an answer, or none, reverse DNS is asked again for the same address.
const DNS_ASK_AGAIN_MICROS: i64 = 600 * 1_000_000;

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
    /// Grows with every change of `known`.
    generation: AtomicU64,
    /// Who was heard.
    pub devices: Devices,
    /// What is to be said of them.
    pub notices: Notices,
    resolver: Resolver,
    conflicts: AtomicU64,
}

/// What a reload replaces.
#[derive(Debug, Default)]
struct Known {
    config: Config,
    inventory: Arc<Inventory>,
}

impl Names {
    /// Names without an inventory.
    pub fn new(config: Config) -> Names {
        let devices = Devices::new(config.devices_max);
        Names {
            known: RwLock::new(Arc::new(Known {
                config,
                inventory: Arc::default(),
            })),
            generation: AtomicU64::new(0),
            devices,
            notices: Notices::default(),
            resolver: Resolver::default(),
            conflicts: AtomicU64::new(0),
        }
    }

    /// Puts another inventory, and what else a reload may change, into force.
    pub fn replace(&self, config: Config, inventory: Arc<Inventory>) {
        self.notices.tell_only(config.told);
        let known = Arc::new(Known { config, inventory });
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Whether the operator has named this address.
    pub fn is_in_inventory(&self, address: IpAddr) -> bool {
        let (_, known) = self.known();
        let said = known.inventory.find(address);
        said.is_some_and(|device| device.hostname.is_some())
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
        let (_, news) = self.devices.with(address, now, |device, tell| {
            let mut claims = self.devices.claims(address, now);
            let change = device.standing.hear_dns(name, now, &mut claims);
            if let Some(news) = news_of(change) {
                tell(news);
            }
        });
        self.tell(address, name, now, news);
    }

    fn known(&self) -> (u64, Arc<Known>) {
        let generation = self.generation.load(Ordering::Acquire);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        (generation, known.clone())
    }

    fn tell(&self, address: IpAddr, name: &str, at: UnixMicros, news: Vec<News>) {
        for news in news {
            self.notices.add(Notice {
                address,
                name: name.into(),
                at,
                news,
            });
        }
    }
}

/// One receiving thread's view: as long as nothing is reloaded it takes no lock but its sender's.
#[derive(Debug, Clone)]
pub struct View {
    names: Arc<Names>,
    generation: u64,
    known: Arc<Known>,
}

impl View {
    /// A view of what is known.
    pub fn new(names: Arc<Names>) -> View {
        let (generation, known) = names.known();
        View {
            names,
            generation,
            known,
        }
    }

    /// Takes a reload into view. Called between messages.
    pub fn refresh(&mut self) {
        if self.names.generation.load(Ordering::Acquire) != self.generation {
            (self.generation, self.known) = self.names.known();
        }
    }

    /// The character set of this sender's messages, where the operator says it.
    pub fn encoding(&self, sender: IpAddr) -> Option<&'static encoding_rs::Encoding> {
        self.known.inventory.find(sender)?.facts.encoding
    }

    fn is_relay(&self, address: IpAddr) -> bool {
        let relays = &self.known.config.relays;
        relays.iter().any(|relay| relay.contains(&address))
    }

    /// A message that a trusted relay brings: the device is whom the message names.
    fn of_relay<'n>(
        &'n self,
        claim: &Claim<'_>,
        relay: IpAddr,
        name: &mut Vec<u8>,
    ) -> Option<Identity<'n>> {
        let inventory = &self.known.inventory;
        self.names.devices.with(relay, claim.received, |device, _| {
            device.standing.hear(claim.received)
        });
        if let Some(claimed) = claim.name {
            name.extend_from_slice(claimed.as_bytes());
            return Some(Identity {
                source: HostnameSource::Header,
                facts: inventory.named(claimed).map(|device| &device.facts),
            });
        }
        let engine = || self.names.devices.of_engine(claim.engine_id?);
        let subject = claim
            .subject
            .or_else(engine)
            .filter(|subject| *subject != relay)?;
        let said = inventory.find(subject);
        let facts = said.map(|device| &device.facts);
        if let Some(hostname) = said.and_then(|device| device.hostname.as_ref()) {
            name.extend_from_slice(hostname.as_bytes());
            return Some(Identity {
                source: HostnameSource::Inventory,
                facts,
            });
        }
        match self.names.devices.get(subject) {
            Some(device) if device.standing.rank > Rank::Address => {
                name.extend_from_slice(device.standing.name.as_bytes());
            }
            _ => write_address(subject, name),
        }
        Some(Identity {
            source: HostnameSource::Relay,
            facts,
        })
    }

    /// A message of the device itself.
    fn of_device<'n>(
        &'n self,
        claim: &Claim<'_>,
        address: IpAddr,
        name: &mut Vec<u8>,
        previous: &mut Vec<u8>,
    ) -> Identity<'n> {
        let said = self.known.inventory.find(address);
        let facts = said.map(|device| &device.facts);
        let is_believed = claim
            .name
            .is_none_or(|claimed| self.may_use(claimed, address, claim.received));
        let (source, news) = self
            .names
            .devices
            .with(address, claim.received, |device, tell| {
                device.is_named = said.is_some_and(inventory::Device::is_host);
                self.hear(device, claim, address, is_believed, tell);
                if let Some(hostname) = said.and_then(|device| device.hostname.as_ref()) {
                    name.extend_from_slice(hostname.as_bytes());
                    return HostnameSource::Inventory;
                }
                if let Some(before) = device.standing.previous_name(claim.received) {
                    match before {
                        "" => write_address(address, previous),
                        before => previous.extend_from_slice(before.as_bytes()),
                    }
                }
                if let Some(claimed) = claim.name.filter(|_| is_believed) {
                    name.extend_from_slice(claimed.as_bytes());
                    return HostnameSource::Header;
                }
                if device.standing.rank == Rank::Address {
                    self.ask_dns(device, address, claim.received);
                    write_address(address, name);
                    return HostnameSource::Address;
                }
                name.extend_from_slice(device.standing.name.as_bytes());
                match device.standing.rank {
                    Rank::Learned => HostnameSource::Learned,
                    Rank::Dns | Rank::Address => HostnameSource::Dns,
                }
            });
        if !news.is_empty() {
            let name = std::str::from_utf8(name).unwrap_or_default();
            self.names.tell(address, name, claim.received, news);
        }
        Identity { source, facts }
    }

    /// A name that the inventory or the table gives to another address is not taken.
    fn may_use(&self, claimed: &str, address: IpAddr, now: UnixMicros) -> bool {
        !self.known.inventory.gives_to_another(claimed, address)
            && !self.names.devices.belongs_to_another(claimed, address, now)
    }

    fn hear(
        &self,
        device: &mut Device,
        claim: &Claim<'_>,
        address: IpAddr,
        is_believed: bool,
        tell: &mut dyn FnMut(News),
    ) {
        let now = claim.received;
        match claim.name {
            Some(name) if is_believed => {
                let mut claims = self.names.devices.claims(address, now);
                let change = device.standing.hear_name(name, now, &mut claims);
                if let Some(news) = news_of(change) {
                    tell(news);
                }
            }
            Some(_) => {
                device.standing.hear(now);
                device.standing.conflicts += 1;
                self.names.conflicts.fetch_add(1, Ordering::Relaxed);
            }
            None => device.standing.hear(now),
        }
        if claim.vendor.is_some() {
            device.vendor = claim.vendor;
        }
        if let Some(engine_id) = claim.engine_id
            && device.engine_id.as_deref() != Some(engine_id)
        {
            device.engine_id = Some(engine_id.into());
            self.names.devices.note_engine(engine_id, address);
        }
        if let Some(number) = claim.sequence
            && !device.standing.is_shared
        {
            let sequence = device.sequence.get_or_insert_default();
            sequence.hear(number, now, |numbers| tell(News::Missing(numbers)));
        }
    }

    fn ask_dns(&self, device: &mut Device, address: IpAddr, now: UnixMicros) {
        let is_due = now.0 - device.dns_asked.0 >= DNS_ASK_AGAIN_MICROS;
        if self.known.config.dns == DnsPolicy::On
            && !device.standing.is_shared
            && is_due
            && self.names.resolver.ask(address)
        {
            device.dns_asked = now;
        }
    }
}

impl device::Names for View {
    fn trusts(&self, sender: IpAddr) -> bool {
        self.is_relay(sender)
    }

    fn identify<'n>(
        &'n self,
        claim: &Claim<'_>,
        name: &mut Vec<u8>,
        previous: &mut Vec<u8>,
    ) -> Option<Identity<'n>> {
        let address = claim.address?;
        if self.is_relay(address)
            && let Some(identity) = self.of_relay(claim, address, name)
        {
            return Some(identity);
        }
        Some(self.of_device(claim, address, name, previous))
    }
}

#[cfg(test)]
mod tests;
