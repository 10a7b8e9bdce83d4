//! Whom a message is from: one receiving thread's way to an answer.
//!
//! ```text
//!  Claim ─▶ of a trusted relay that names a device ─▶ of_relay ──▶ heard at its address, or by its name where that is none
//!        └▶ of the sender itself ───────────────────▶ of_device ─▶ inventory, else a believed header name,
//!                                                                  else the stored name, else the address
//! ```

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::device::Device;
use super::devices::Claims;
use super::inventory;
use super::news::{News, news_of};
use super::said::{Hostname, Said};
use super::sequence::Way;
use super::standing::{Owners, Rank, Renamed, Standing};
use super::{DnsPolicy, Known, Names};
use crate::event::HostnameSource;
use crate::normalize::device::{self, Claim, Identity, Numbering};
use crate::normalize::hostname::{self, write_address};
use crate::time::UnixMicros;

/// How long after an answer, or none, reverse DNS is asked again for the same address.
const DNS_ASK_AGAIN_MICROS: i64 = 600 * 1_000_000;

/// How long it takes until a conflict that goes on is told again.
const CONFLICT_TOLD_AGAIN_MICROS: i64 = 3600 * 1_000_000;

/// One receiving thread's view: as long as nothing is reloaded it takes no lock but its sender's.
#[derive(Debug, Clone)]
pub struct View {
    names: Arc<Names>,
    known: Arc<Known>,
}

impl View {
    /// A view of what is known.
    pub fn new(names: Arc<Names>) -> View {
        let known = names.known();
        View { names, known }
    }

    /// Takes a reload into view. Called between messages.
    pub fn refresh(&mut self) {
        if self.names.generation.load(Ordering::Acquire) != self.known.generation {
            self.known = self.names.known();
        }
    }

    /// Messages of these senders are next.
    pub fn expect(&self, senders: impl Iterator<Item = IpAddr> + Clone) {
        self.names.devices.expect(senders);
    }

    /// The character set of this sender's messages, where the operator says it.
    pub fn encoding(&self, sender: IpAddr) -> Option<&'static encoding_rs::Encoding> {
        self.known.inventory.encoding(sender)
    }

    /// A message that a trusted relay brings: the device is whom the message names. `None`: it names nobody, and is the
    /// relay's own.
    fn of_relay<'n>(
        &'n self,
        claim: &Claim<'_>,
        relay: IpAddr,
        name: &mut Vec<u8>,
        previous: &mut Vec<u8>,
    ) -> Option<Identity<'n>> {
        let inventory = &self.known.inventory;
        let in_header = claim.name.and_then(hostname::address_of);
        if let Some(claimed) = claim.name.filter(|_| in_header.is_none()) {
            name.extend_from_slice(claimed.as_bytes());
            let said = inventory.named(claimed);
            if !self.hear_relay(claim, relay, said) {
                self.hear_relayed(claim, claimed, said, relay);
            }
            return Some(Identity {
                source: HostnameSource::Header,
                facts: said.map(|device| &*device.facts),
            });
        }
        let engine = || self.names.devices.engines.of(claim.engine_id?);
        let subject = in_header
            .or(claim.subject)
            .or_else(engine)
            .filter(|subject| *subject != relay)?;
        self.hear_relay(claim, relay, None);
        let said = inventory.find(subject);
        let facts = said.map(|device| &*device.facts);
        let hostname = said.and_then(|device| device.hostname.as_ref());
        let (source, news) = self
            .names
            .devices
            .with(subject, claim.received, |device, tell| {
                device.is_named = said.is_some_and(inventory::Device::is_host);
                hear_behind(device, claim, relay, tell);
                if hostname.is_none() {
                    // Whether the name is checked stands beside what the inventory says.
                    self.said(device, subject);
                    self.give_up_lost_name(device, subject, claim.received, tell);
                }
                write_previous(&device.standing, subject, claim.received, previous);
                if let Some(hostname) = hostname {
                    name.extend_from_slice(hostname.as_bytes());
                    return HostnameSource::Inventory;
                }
                if device.standing.rank > Rank::Address {
                    name.extend_from_slice(device.standing.name.as_bytes());
                    return HostnameSource::Relay;
                }
                write_address(subject, name);
                in_header.map_or(HostnameSource::Relay, |_| HostnameSource::Header)
            });
        if !news.is_empty() {
            let name = text(name);
            let is_said = self.has(subject);
            self.tell(subject, (name, source), claim.received, is_said, news);
        }
        Some(Identity { source, facts })
    }

    /// The relay itself is heard with what it brings. `named`: the line of the name that the message brings. Returns
    /// whether that name is the relay's own, by the inventory or else by what was learned, and so nobody else's message.
    fn hear_relay(
        &self,
        claim: &Claim<'_>,
        relay: IpAddr,
        named: Option<&inventory::Device>,
    ) -> bool {
        let now = claim.received;
        let said = self.known.inventory.find(relay);
        let (is_own, news) = self.names.devices.with(relay, now, |device, tell| {
            device.is_named = said.is_some_and(inventory::Device::is_host);
            device.speaks(now);
            device.standing.hear(now);
            device.heard_via(None);
            let is_own = match (claim.name, host(named)) {
                (None, _) => false,
                (Some(_), Some(address)) => address == relay,
                (Some(name), None) => device.standing.name == name,
            };
            if is_own {
                hear_kind(device, claim);
                hear_number(device, claim, Way::Direct, tell);
            }
            is_own
        });
        if !news.is_empty()
            && let Some(device) = self.names.devices.get(relay)
        {
            let (name, source) = self.known.name(relay, &device.standing);
            self.tell(relay, (&name, source), now, self.has(relay), news);
        }
        is_own
    }

    /// A relay names a device. Where its address is known, it is heard there as if it had spoken itself: it is not
    /// silent. Else it is known by name.
    fn hear_relayed(
        &self,
        claim: &Claim<'_>,
        name: &str,
        said: Option<&inventory::Device>,
        relay: IpAddr,
    ) {
        let Names {
            devices, relayed, ..
        } = &*self.names;
        let now = claim.received;
        let of_inventory = host(said);
        let address = of_inventory
            .or_else(|| devices.owner(name))
            .filter(|address| *address != relay);
        let (address, is_said, news) = match address {
            Some(address) => {
                let ((), news) = devices.with(address, now, |device, tell| {
                    device.is_named = of_inventory.is_some();
                    hear_behind(device, claim, relay, tell);
                });
                (address, self.has(address), news)
            }
            None => {
                let hear = |device: &mut Device, tell: &mut dyn FnMut(News)| {
                    hear_behind(device, claim, relay, tell);
                };
                let news = relayed.with(name, relay, now, hear);
                (relay, said.is_some(), news)
            }
        };
        if !news.is_empty() {
            let named = (name, HostnameSource::Header);
            self.tell(address, named, now, is_said, news);
        }
    }

    /// Whether the operator has said anything of this address.
    fn has(&self, address: IpAddr) -> bool {
        self.known.inventory.find(address).is_some() || self.known.is_relay(address)
    }

    /// Tells what became known of a device. A new one of which the operator has said nothing, while there is an inventory,
    /// is unknown.
    fn tell(
        &self,
        address: IpAddr,
        named: (&str, HostnameSource),
        at: UnixMicros,
        is_said: bool,
        mut news: Vec<News>,
    ) {
        if !is_said && !self.known.inventory.is_empty() {
            news.iter_mut()
                .filter(|one| **one == News::New)
                .for_each(|one| *one = News::Unknown);
        }
        self.names.tell(address, named, at, news);
    }

    /// A message of the device itself.
    fn of_device<'n>(
        &'n self,
        claim: &Claim<'_>,
        address: IpAddr,
        name: &mut Vec<u8>,
        previous: &mut Vec<u8>,
    ) -> Identity<'n> {
        let inventory = &self.known.inventory;
        // That is seen in the other's entry, so before this one's is held.
        let is_anothers = claim
            .name
            .is_some_and(|claimed| self.is_address_of_another(claimed, address));
        let ((mut source, said), mut news) =
            self.names
                .devices
                .with(address, claim.received, |device, tell| {
                    device.speaks(claim.received);
                    let said = self.said(device, address);
                    device.is_named = said.is_host;
                    let is_believed = claim.name.is_none_or(|claimed| {
                        !is_anothers && self.believes(device, claimed, address, claim.received)
                    });
                    let is_keyed_by_stored = claim.name.is_none() || !is_believed;
                    if is_keyed_by_stored && said.hostname == Hostname::Open {
                        self.give_up_lost_name(device, address, claim.received, tell);
                    }
                    self.hear(device, claim, address, is_believed, tell);
                    if said.hostname != Hostname::Open {
                        self.write_hostname(device, said, name);
                        write_previous(&device.standing, address, claim.received, previous);
                        return (HostnameSource::Inventory, said);
                    }
                    write_previous(&device.standing, address, claim.received, previous);
                    if let Some(claimed) = claim.name.filter(|_| is_believed) {
                        name.extend_from_slice(claimed.as_bytes());
                        return (HostnameSource::Header, said);
                    }
                    if device.standing.rank == Rank::Address {
                        self.ask_dns(device, address, claim.received);
                        write_address(address, name);
                        return (HostnameSource::Address, said);
                    }
                    name.extend_from_slice(device.standing.name.as_bytes());
                    let source = match device.standing.rank {
                        Rank::Learned => HostnameSource::Learned,
                        Rank::Dns | Rank::Address => HostnameSource::Dns,
                    };
                    (source, said)
                });
        if source == HostnameSource::Learned && self.is_address_of_another(text(name), address) {
            news.extend(self.take_away(text(name), address, claim.received));
            previous.clear();
            previous.append(name);
            write_address(address, name);
            source = HostnameSource::Address;
        }
        if !news.is_empty() {
            let name = text(name);
            let is_said = self.has(address);
            self.tell(address, (name, source), claim.received, is_said, news);
        }
        let facts = said.facts().and_then(|number| inventory.facts(number));
        Identity { source, facts }
    }

    /// What the inventory says of the device. It is asked once, and again when it or the stored name has changed.
    fn said(&self, device: &mut Device, address: IpAddr) -> Said {
        let Known {
            generation,
            inventory,
            ..
        } = &*self.known;
        if !device.said.is_of(*generation, &device.standing) {
            device.said = Said::ask(inventory, *generation, address, &device.standing);
        }
        device.said
    }

    /// The name that the inventory gives: where it is the one that is stored, the line need not be looked at.
    fn write_hostname(&self, device: &Device, said: Said, name: &mut Vec<u8>) {
        let Known {
            generation,
            inventory,
            ..
        } = &*self.known;
        if said.hostname == Hostname::Stored && said.is_of(*generation, &device.standing) {
            return name.extend_from_slice(device.standing.name.as_bytes());
        }
        let line = said.line().and_then(|number| inventory.line(number));
        let hostname = line.and_then(|line| line.hostname.as_deref());
        name.extend_from_slice(hostname.unwrap_or_default().as_bytes());
    }

    /// Whether the device at this address may call itself so.
    fn believes(
        &self,
        device: &mut Device,
        claimed: &str,
        address: IpAddr,
        now: UnixMicros,
    ) -> bool {
        if device.surely_owns(claimed, self.known.generation) {
            return true;
        }
        let standing = &device.standing;
        let is_stored = standing.rank == Rank::Learned && standing.name == claimed;
        // Who has earned the name before relays spoke for it is the device. Of those that share an address none can earn
        // its name: whoever makes a relay speak would take their keys, had they not been there before.
        let is_first = || {
            let since = self.names.relayed.speak_for(claimed, now);
            since.is_none_or(|since| standing.shared_since().is_some_and(|shared| shared < since))
        };
        let may_use = self.may_use(claimed, address, now) && (is_stored || is_first());
        if may_use && is_stored {
            // After a long silence nobody owned it any more. It is its own again from here on, so that nobody else can
            // earn it while it is not asked for.
            let mut claims = self.names.devices.claims(address, now);
            device.said.is_checked = claims.claim(claimed);
        }
        may_use
    }

    /// A stored name that the inventory gives to another address by now is no key here any more. Its events say for a day
    /// that they were keyed by it. Whoever else earns it while this device is silent takes it from nobody: a key that is
    /// stored gives way to a better source only.
    fn give_up_lost_name(
        &self,
        device: &mut Device,
        address: IpAddr,
        now: UnixMicros,
        tell: &mut dyn FnMut(News),
    ) {
        if device.is_sure_of_name(self.known.generation) {
            return;
        }
        let name = &device.standing.name;
        let mut claims = self.names.devices.claims(address, now);
        let is_kept = !self.known.inventory.gives_to_another(name, address);
        device.said.is_checked = match device.standing.rank {
            Rank::Address => return,
            Rank::Dns => is_kept,
            // As in `believes`. Where another owns it, that is asked for again with each message.
            Rank::Learned => is_kept && claims.claim(name),
        };
        if !is_kept {
            let change = device.standing.forget_name(&mut claims);
            note_key(device, change, now, tell);
        }
    }

    /// A name that the inventory or the table gives to another address is not taken.
    fn may_use(&self, claimed: &str, address: IpAddr, now: UnixMicros) -> bool {
        !self.known.inventory.gives_to_another(claimed, address)
            && !self.names.devices.belongs_to_another(claimed, address, now)
    }

    /// Whether a name is the address of another device, and so that device's key: of one that is known, or that has a
    /// line of its own. Two addresses to which the inventory gives one hostname are one device's.
    fn is_address_of_another(&self, name: &str, address: IpAddr) -> bool {
        let named = hostname::address_of(name).filter(|named| *named != address);
        named.is_some_and(|named| {
            let inventory = &self.known.inventory;
            let is_device = inventory.has_host(named) || self.names.devices.is_known(named);
            is_device && !inventory.are_of_one(named, address)
        })
    }

    /// The stored name of this sender is the address of a device that became known later. From here on it is that one's.
    fn take_away(&self, name: &str, address: IpAddr, now: UnixMicros) -> Vec<News> {
        self.names.devices.with_known(address, |device, tell| {
            if device.standing.name == name {
                let mut claims = self.names.devices.claims(address, now);
                let change = device.standing.forget_name(&mut claims);
                note_key(device, change, now, tell);
            }
        })
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
                let was_shared = device.standing.is_shared;
                let mut owners = Unrelayed {
                    claims: self.names.devices.claims(address, now),
                    names: &self.names,
                    now,
                };
                let change = device.standing.hear_name(name, now, &mut owners);
                if device.standing.is_shared && !was_shared {
                    tell(News::Shared);
                    device.sequence = None;
                }
                match device.said.hostname {
                    Hostname::Open => note_key(device, change, now, tell),
                    // What it calls itself changes no key then, and what it was called before stays that.
                    Hostname::Stored | Hostname::Other => {}
                }
            }
            Some(name) => {
                device.standing.hear_refused(name, now);
                device.standing.conflicts += 1;
                self.names.conflicts.fetch_add(1, Ordering::Relaxed);
                // What anybody can send once is counted; what goes on for a minute is told.
                let is_due = device.conflict_told == UnixMicros::default()
                    || now.0 - device.conflict_told.0 >= CONFLICT_TOLD_AGAIN_MICROS;
                if device.standing.is_confirmed() && is_due {
                    device.conflict_told = now;
                    let claimed = name.into();
                    tell(News::Conflict { claimed });
                }
            }
            None => device.standing.hear(now),
        }
        device.heard_via(None);
        hear_kind(device, claim);
        if let Some(engine_id) = claim.engine_id {
            if device.engine_id.as_deref() != Some(engine_id)
                && let Some(old) = device.engine_id.replace(engine_id.into())
            {
                self.names.devices.engines.forget(&old, address);
            }
            self.names.devices.engines.note(engine_id, address);
        }
        if !device.standing.is_shared {
            hear_own_number(device, claim, tell);
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

/// Names that may be earned: those that no relay speaks for. That was asked before the message was believed, but not where
/// its address was shared until now.
struct Unrelayed<'n> {
    claims: Claims<'n>,
    names: &'n Names,
    now: UnixMicros,
}

impl Owners for Unrelayed<'_> {
    fn claim(&mut self, name: &str) -> bool {
        self.names.relayed.speak_for(name, self.now).is_none() && self.claims.claim(name)
    }

    fn release(&mut self, name: &str) {
        self.claims.release(name);
    }
}

fn text(name: &[u8]) -> &str {
    // It is put together of texts.
    std::str::from_utf8(name).unwrap_or_default()
}

/// The address of a line that has one of its own.
fn host(line: Option<&inventory::Device>) -> Option<IpAddr> {
    line.filter(|line| line.is_host())
        .map(|line| line.net.addr())
}

/// What its events were keyed by before, while they say so.
fn write_previous(standing: &Standing, address: IpAddr, now: UnixMicros, previous: &mut Vec<u8>) {
    match standing.previous_name(now) {
        None => {}
        Some("") => write_address(address, previous),
        Some(before) => previous.extend_from_slice(before.as_bytes()),
    }
}

/// Another name has taken the stored one's place, and so the key's.
fn note_key(
    device: &mut Device,
    change: Option<Renamed>,
    now: UnixMicros,
    tell: &mut dyn FnMut(News),
) {
    if let Some(change) = &change {
        device.standing.was_renamed(change, now);
    }
    if let Some(news) = news_of(change) {
        tell(news);
    }
}

/// What a message shows of the device's make.
fn hear_kind(device: &mut Device, claim: &Claim<'_>) {
    if claim.vendor.is_some() {
        device.vendor = claim.vendor;
    }
    if claim.os.is_some() {
        device.os = claim.os;
    }
}

/// One more message of a device, that a relay brings. Its numbers are followed: a relay may lose messages too.
fn hear_behind(device: &mut Device, claim: &Claim<'_>, relay: IpAddr, tell: &mut dyn FnMut(News)) {
    device.speaks(claim.received);
    device.standing.hear(claim.received);
    device.heard_via(Some(relay));
    hear_kind(device, claim);
    hear_number(device, claim, Way::Relayed(relay), tell);
}

/// The device's own number of a message.
fn hear_number(device: &mut Device, claim: &Claim<'_>, way: Way, tell: &mut dyn FnMut(News)) {
    if !is_counted(claim) {
        return;
    }
    let sequence = device.sequence.get_or_insert_default();
    if sequence.is_followed(claim.numbering)
        && let Some(number) = claim.sequence
    {
        sequence.hear_by(way, number, claim.received, |numbers| {
            tell(News::Missing(numbers));
        });
    }
}

fn is_counted(claim: &Claim<'_>) -> bool {
    claim.sequence.is_some() || claim.numbering == Numbering::Logged
}

/// The number of a message that came from the device's address. Other devices may speak from there too.
fn hear_own_number(device: &mut Device, claim: &Claim<'_>, tell: &mut dyn FnMut(News)) {
    if !is_counted(claim) {
        return;
    }
    let standing = &device.standing;
    let is_followed = match (claim.name, standing.rank) {
        (None, _) => true,
        (Some(name), Rank::Learned) => {
            let is_own = standing.name == name;
            if let Some(sequence) = device.sequence.as_mut().filter(|_| is_own) {
                sequence.follow_own(name);
            }
            is_own
        }
        (Some(name), Rank::Dns | Rank::Address) => {
            let sequence = device.sequence.get_or_insert_default();
            sequence.follows(name, claim.received)
        }
    };
    if is_followed {
        hear_number(device, claim, Way::Direct, tell);
    } else if let (Some(sequence), Some(number)) = (&mut device.sequence, claim.sequence) {
        sequence.hear_of_other_name(number, claim.received, |numbers| {
            tell(News::Missing(numbers));
        });
    }
}

impl device::Names for View {
    fn trusts(&self, sender: IpAddr) -> bool {
        self.known.is_relay(sender)
    }

    fn identify<'n>(
        &'n self,
        claim: &Claim<'_>,
        name: &mut Vec<u8>,
        previous: &mut Vec<u8>,
    ) -> Option<Identity<'n>> {
        let address = claim.address?;
        if self.known.is_relay(address)
            && let Some(identity) = self.of_relay(claim, address, name, previous)
        {
            return Some(identity);
        }
        Some(self.of_device(claim, address, name, previous))
    }
}
