//! Who was heard, as `trapline devices` shows it: in pages, so that a long list costs neither memory nor waiting.
//!
//! ```text
//!  Place ──▶ Names::list ──▶ Page { at most 500 rows, next: Place }
//!   heard/0 ... heard/63    senders, by the shard of their address      heard/3/10.0.0.1: those behind this one
//!   behind/0 ... behind/63  devices behind relays, by that of their name
//!   never/0                 hosts of the inventory that were not heard  never/1700: from this line on
//! ```
//!
//! A shard is locked to copy its addresses, and then for each row alone; receiving threads hardly notice. A device
//! that comes or goes meanwhile is in the list or not; none that stays is left out or there twice.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::device::Device;
use super::devices::SHARDS;
use super::{Known, Names};
use crate::event::{HostnameSource, Rfc3339};
use crate::time::UnixMicros;

/// Rows of a page: some 200 kB of JSON.
const ROWS_MAX: usize = 500;

/// Lines of the inventory that are looked at for a page of those never heard.
const LINES_MAX: usize = 20_000;

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Senders of a shard, behind an address.
    Heard(usize, Option<IpAddr>),
    /// Devices behind relays, behind a name.
    Behind(usize, Option<CompactString>),
    /// The inventory, from the host of this number on.
    Never(usize),
}

impl Default for Place {
    fn default() -> Self {
        Place::Heard(0, None)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Heard(shard, None) => write!(f, "heard/{shard}"),
            Place::Heard(shard, Some(after)) => write!(f, "heard/{shard}/{after}"),
            Place::Behind(shard, None) => write!(f, "behind/{shard}"),
            Place::Behind(shard, Some(after)) => write!(f, "behind/{shard}/{after}"),
            Place::Never(from) => write!(f, "never/{from}"),
        }
    }
}

/// A text that is no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a place of the list as the page before named it, or nothing for its begin, got `{0}`"
)]
pub struct NoPlace(String);

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Place, NoPlace> {
        let wrong = || NoPlace(text.chars().take(80).collect());
        let mut parts = text.splitn(3, '/');
        let kind = parts.next().unwrap_or_default();
        if text.is_empty() {
            return Ok(Place::default());
        }
        let number = parts.next().and_then(|number| number.parse().ok());
        let number: usize = number.ok_or_else(wrong)?;
        if kind != "never" && number >= SHARDS {
            return Err(wrong());
        }
        match (kind, parts.next()) {
            ("heard", None) => Ok(Place::Heard(number, None)),
            ("heard", Some(after)) => {
                let after = after.parse().map_err(|_| wrong())?;
                Ok(Place::Heard(number, Some(after)))
            }
            ("behind", after) => Ok(Place::Behind(number, after.map(CompactString::from))),
            ("never", None) => Ok(Place::Never(number)),
            _ => Err(wrong()),
        }
    }
}

/// Part of the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The devices.
    pub devices: Vec<Row>,
    /// Where the next page begins; `None` behind the last.
    pub next: Option<String>,
}

/// How well a sender is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Heard several times over a minute.
    Known,
    /// Not yet.
    Newcomer,
    /// It was told as silent and has not spoken since.
    Silent,
    /// A host of the inventory that was not heard since the agent started.
    Never,
}

/// What speaks from an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// One device, as far as is known.
    Device,
    /// A relay that the operator trusts.
    Relay,
    /// Several names, so a relay or NAT, which nobody has said is trusted.
    Shared,
}

/// What the inventory has of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InInventory {
    /// A line of its own.
    Address,
    /// That of a prefix.
    Prefix,
    /// Nothing.
    Unknown,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What its events are called after where a message brings no name.
    pub hostname: String,
    /// Why, as events say it.
    pub hostname_source: String,
    /// Its address; null where only relays speak for it.
    pub address: Option<IpAddr>,
    /// The relay that brought its last message.
    pub relay: Option<IpAddr>,
    /// How well it is known.
    pub state: State,
    /// What speaks from its address.
    pub role: Role,
    /// What the inventory has of it; null without an inventory.
    pub inventory: Option<InInventory>,
    /// Its SNMP engine, in hex.
    pub engine_id: Option<String>,
    /// The vendor that its messages showed, or that the inventory says.
    pub vendor: Option<String>,
    /// The operating system that its messages showed.
    pub os: Option<String>,
    /// When it was first heard.
    pub first_heard: Option<String>,
    /// When it was last heard.
    pub last_heard: Option<String>,
    /// How long ago that was.
    pub age_seconds: Option<u64>,
    /// Messages heard.
    pub messages: u64,
    /// Messages a second; the last minute weighs most.
    pub per_second: f32,
    /// Numbers of its own counting that never arrived.
    pub missing: u64,
    /// How often its counting began again.
    pub restarts: u64,
    /// Messages whose name belonged to another address.
    pub conflicts: u64,
}

impl Row {
    /// Whether the operator has said nothing of it, though there is an inventory. A trusted relay is known by the
    /// configuration.
    pub fn is_unknown(&self) -> bool {
        self.inventory == Some(InInventory::Unknown) && self.role != Role::Relay
    }
}

impl Names {
    /// A page of the list.
    pub fn list(&self, place: &Place, now: UnixMicros) -> Page {
        let known = self.known();
        let (devices, next) = match place {
            Place::Heard(shard, after) => {
                let addresses = self.devices.addresses(*shard, *after, ROWS_MAX);
                let next = match addresses.last().filter(|_| addresses.len() == ROWS_MAX) {
                    Some(last) => Place::Heard(*shard, Some(*last)),
                    None if *shard + 1 < SHARDS => Place::Heard(shard + 1, None),
                    None => Place::Behind(0, None),
                };
                let rows = addresses
                    .into_iter()
                    .filter_map(|address| self.row_at(&known, address, now))
                    .collect();
                (rows, Some(next))
            }
            Place::Behind(shard, after) => {
                let names = self.relayed.names(*shard, after.as_deref(), ROWS_MAX);
                let next = match names.last().filter(|_| names.len() == ROWS_MAX) {
                    Some(last) => Place::Behind(*shard, Some(last.clone())),
                    None if *shard + 1 < SHARDS => Place::Behind(shard + 1, None),
                    None => Place::Never(0),
                };
                let rows = names
                    .into_iter()
                    .filter_map(|name| self.row_behind(&known, &name, now))
                    .collect();
                (rows, Some(next))
            }
            Place::Never(from) => self.never_heard(&known, *from),
        };
        Page {
            devices,
            next: next.map(|next| next.to_string()),
        }
    }

    fn row_at(&self, known: &Known, address: IpAddr, now: UnixMicros) -> Option<Row> {
        let device = self.devices.get(address)?;
        let standing = &device.standing;
        let (mut name, source) = known.own_name(address, standing);
        if name.is_empty() {
            name = address.to_string().into();
        }
        let said = known.inventory.find(address);
        let inventory = (!known.inventory.is_empty()).then_some(match said {
            Some(line) if line.is_host() => InInventory::Address,
            Some(_) => InInventory::Prefix,
            None => InInventory::Unknown,
        });
        let is_relay = known.is_relay(address);
        let vendor = said.and_then(|line| line.facts.vendor.as_deref());
        Some(Row {
            address: Some(address),
            relay: device.via(),
            state: match device.is_silent {
                true => State::Silent,
                false if self.devices.is_known(address) => State::Known,
                false => State::Newcomer,
            },
            role: match is_relay {
                true => Role::Relay,
                false if standing.is_shared => Role::Shared,
                false => Role::Device,
            },
            inventory,
            vendor: device.vendor.or(vendor).map(str::to_owned),
            ..row(&device, &name, source, now)
        })
    }

    fn row_behind(&self, known: &Known, name: &str, now: UnixMicros) -> Option<Row> {
        let device = self.relayed.get(name)?;
        let is_known = device.standing.is_confirmed();
        let said = known.inventory.named(name);
        Some(Row {
            relay: device.via(),
            state: match device.is_silent {
                true => State::Silent,
                false if is_known => State::Known,
                false => State::Newcomer,
            },
            inventory: (!known.inventory.is_empty())
                .then_some(said.map_or(InInventory::Unknown, |_| InInventory::Prefix)),
            ..row(&device, name, HostnameSource::Header, now)
        })
    }

    fn never_heard(&self, known: &Known, from: usize) -> (Vec<Row>, Option<Place>) {
        let hosts = known.inventory.hosts().enumerate().skip(from);
        let mut rows = Vec::new();
        for (number, (address, line)) in hosts {
            if rows.len() >= ROWS_MAX || number - from >= LINES_MAX {
                return (rows, Some(Place::Never(number)));
            }
            if self.devices.get(address).is_some() {
                continue;
            }
            let (name, source) = match &line.hostname {
                Some(hostname) => (hostname.to_string(), HostnameSource::Inventory),
                None => (address.to_string(), HostnameSource::Address),
            };
            let vendor = line.facts.vendor.as_deref();
            rows.push(Row {
                address: Some(address),
                state: State::Never,
                inventory: Some(InInventory::Address),
                vendor: vendor.map(str::to_owned),
                first_heard: None,
                last_heard: None,
                age_seconds: None,
                ..row(&Device::default(), &name, source, UnixMicros::default())
            });
        }
        (rows, None)
    }
}

/// What an entry says by itself.
fn row(device: &Device, name: &str, source: HostnameSource, now: UnixMicros) -> Row {
    let standing = &device.standing;
    let (missing, restarts) = device
        .sequence
        .as_ref()
        .map_or((0, 0), |sequence| (sequence.missing, sequence.restarts));
    let engine_id = device.engine_id.as_ref();
    let age_micros = now.0 - standing.first_heard.0;
    Row {
        hostname: name.to_owned(),
        hostname_source: word(source).to_owned(),
        address: None,
        relay: None,
        state: State::Known,
        role: Role::Device,
        inventory: None,
        engine_id: engine_id
            .map(|octets| octets.iter().map(|octet| format!("{octet:02x}")).collect()),
        vendor: device.vendor.map(str::to_owned),
        os: device.os.map(str::to_owned),
        first_heard: Some(Rfc3339::micros(standing.first_heard).to_string()),
        last_heard: Some(Rfc3339::micros(standing.last_heard).to_string()),
        age_seconds: Some((now.0 - standing.last_heard.0).max(0) as u64 / 1_000_000),
        messages: standing.messages,
        per_second: device.pace.per_second(standing.messages, age_micros),
        missing,
        restarts,
        conflicts: standing.conflicts,
    }
}

/// As events say it.
fn word(source: HostnameSource) -> &'static str {
    match source {
        HostnameSource::Inventory => "inventory",
        HostnameSource::Header => "header",
        HostnameSource::Relay => "relay",
        HostnameSource::Learned => "learned",
        HostnameSource::Dns => "dns",
        HostnameSource::Address => "address",
        HostnameSource::Agent => "agent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Config, inventory};
    use crate::normalize::DomainPolicy;

    fn all(names: &Names) -> Vec<Row> {
        let (mut rows, mut place) = (Vec::new(), Some(String::new()));
        while let Some(at) = place {
            let page = names.list(&at.parse().unwrap(), UnixMicros(10_000_000));
            assert!(page.devices.len() <= ROWS_MAX);
            rows.extend(page.devices);
            place = page.next;
        }
        rows
    }

    #[test]
    fn every_device_is_in_the_list_once_however_many_pages_it_has() {
        let names = Names::new(Config::default());
        let mut text = "address,hostname\n".to_owned();
        for number in 0..2_000 {
            let [.., high, low] = u32::to_be_bytes(number);
            text.push_str(&format!("10.1.{high}.{low},never{number}\n"));
        }
        text.push_str("10.0.0.7,r7\n");
        let parsed = inventory::parse(&text, DomainPolicy::Keep).unwrap();
        names.replace(Config::default(), parsed.inventory.into());
        let now = UnixMicros(9_000_000);
        let mut expected = Vec::new();
        for number in 0..3_000_u32 {
            let [.., high, low] = number.to_be_bytes();
            let address: IpAddr = [10, 0, high, low].into();
            names
                .devices
                .with(address, now, |device, _| device.standing.hear(now));
            let name = format!("behind{number}");
            names
                .relayed
                .with(&name, address, now, |device, _| device.standing.hear(now));
            expected.push(name);
            expected.push(match number {
                7 => "r7".to_owned(),
                _ => address.to_string(),
            });
        }
        expected.extend((0..2_000).map(|number| format!("never{number}")));
        let mut found: Vec<String> = all(&names).into_iter().map(|row| row.hostname).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_row_says_what_is_known_of_its_device() {
        let names = Names::new(Config::default());
        let parsed = inventory::parse(
            "address,hostname,vendor\n10.0.0.7,r7,acme\n",
            DomainPolicy::Keep,
        );
        names.replace(Config::default(), parsed.unwrap().inventory.into());
        let now = UnixMicros(8_000_000);
        names.devices.with([10, 0, 0, 7].into(), now, |device, _| {
            device.standing.hear(now);
            device.engine_id = Some([0x80, 1].into());
        });
        names.devices.with([10, 0, 0, 8].into(), now, |device, _| {
            device.standing.hear(now);
        });
        let rows = all(&names);
        let of = |name: &str| rows.iter().find(|row| row.hostname == name).unwrap();
        let named = of("r7");
        assert_eq!(named.hostname_source, "inventory");
        assert_eq!(named.inventory, Some(InInventory::Address));
        assert_eq!(named.vendor.as_deref(), Some("acme"));
        assert_eq!(named.engine_id.as_deref(), Some("8001"));
        assert_eq!(named.age_seconds, Some(2));
        let unknown = of("10.0.0.8");
        assert_eq!(unknown.hostname_source, "address");
        assert_eq!(unknown.inventory, Some(InInventory::Unknown));
        assert_eq!(unknown.state, State::Newcomer);
    }

    #[test]
    fn a_place_is_read_back_from_its_text_and_anything_else_is_refused() {
        for place in [
            Place::Heard(3, None),
            Place::Heard(3, Some("2001:db8::1".parse().unwrap())),
            Place::Behind(0, Some("r1.example.net".into())),
            Place::Never(17),
        ] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for text in ["heard", "heard/x", "heard/1/r1", "never/1/2", "x/1", "/"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
        for number in [SHARDS, usize::MAX] {
            for text in [format!("heard/{number}"), format!("behind/{number}/r1")] {
                assert!(text.parse::<Place>().is_err(), "{text}");
            }
        }
        let (names, last) = (Names::new(Config::default()), Place::Never(usize::MAX));
        assert_eq!(names.list(&last, UnixMicros(0)).next, None);
    }
}
