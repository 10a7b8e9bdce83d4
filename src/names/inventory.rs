//! The operator's inventory: address or prefix → hostname, labels and what else is known of a device.
//!
//! ```text
//!  a file, CSV or JSON ─▶ open, parse: bad lines are named and skipped ─▶ Inventory
//!
//!  Inventory::find(address) ─▶ exact address, else the longest prefix ─▶ &Device
//!  Inventory::gives_to_another(name, address) ─▶ whether a name is kept from that address
//! ```
//!
//! A hostname on a prefix would give all its devices one key, which is what a site behind NAT may want; a prefix
//! without a hostname gives labels, zone and encoding only.

mod file;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use compact_str::CompactString;
use ipnet::IpNet;

use crate::normalize::device::Facts;

pub use file::{
    BadLine, DEVICES_MAX, FILE_BYTES_MAX, InventoryError, LABEL_BYTES_MAX, LABELS_MAX, OpenError,
    Parsed, Stamp, decode, open, parse,
};

/// What the operator says of an address or prefix.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Where it applies.
    pub net: IpNet,
    /// Its name, in the form of a key; `None` leaves the choice to the other sources.
    pub hostname: Option<CompactString>,
    /// What goes into its events beside the name. Lines that say the same share it.
    pub facts: Arc<Facts>,
    /// Where that stands among all the different ones.
    pub(super) facts_number: u32,
    /// Seconds of silence after which it is told as silent; 0 never.
    pub silent_seconds: Option<u32>,
}

/// Everything the operator says, ready to be asked.
#[derive(Debug, Default)]
pub struct Inventory {
    devices: Vec<Device>,
    /// What lines say beside names, each once: a site's hundred devices have one, which is in a cache when one speaks.
    facts: Vec<Arc<Facts>>,
    addresses: HashMap<IpAddr, u32>,
    /// Longest first; a handful in practice, and at most 162.
    prefixes: Vec<(u8, HashMap<IpNet, u32>)>,
    owners: HashMap<CompactString, Vec<u32>>,
    /// Some line says a character set.
    has_encodings: bool,
}

impl Device {
    /// Whether it is one address, not a prefix.
    pub fn is_host(&self) -> bool {
        self.net.prefix_len() == self.net.max_prefix_len()
    }
}

impl Inventory {
    /// Of lines that were checked; of two with the same address the first counts.
    fn new(devices: Vec<Device>, facts: Vec<Arc<Facts>>) -> Inventory {
        let mut inventory = Inventory::default();
        let mut lengths: BTreeMap<u8, HashMap<IpNet, u32>> = BTreeMap::new();
        for (index, device) in (0u32..).zip(&devices) {
            match device.is_host() {
                true => {
                    inventory.addresses.insert(device.net.addr(), index);
                }
                false => {
                    let nets = lengths.entry(device.net.prefix_len()).or_default();
                    nets.insert(device.net, index);
                }
            }
            if let Some(name) = &device.hostname {
                let owner = inventory.owners.entry(name.clone()).or_default();
                owner.push(index);
            }
        }
        inventory.prefixes = lengths.into_iter().rev().collect();
        inventory.devices = devices;
        inventory.has_encodings = facts.iter().any(|facts| facts.encoding.is_some());
        inventory.facts = facts;
        inventory
    }

    /// What is said of this address: its own line, else that of the longest prefix.
    pub fn find(&self, address: IpAddr) -> Option<&Device> {
        self.line(self.number(address)?)
    }

    /// The number of the line that [`Inventory::find`] finds, among the good ones.
    pub(super) fn number(&self, address: IpAddr) -> Option<u32> {
        let number = self.addresses.get(&address).or_else(|| {
            self.prefixes.iter().find_map(|(length, nets)| {
                let net = IpNet::new(address, *length).ok()?.trunc();
                nets.get(&net)
            })
        });
        number.copied()
    }

    /// A line by its number.
    pub(super) fn line(&self, number: u32) -> Option<&Device> {
        self.devices.get(number as usize)
    }

    /// What lines of this [`Device::facts_number`] say.
    pub(super) fn facts(&self, number: u32) -> Option<&Facts> {
        self.facts.get(number as usize).map(|facts| &**facts)
    }

    /// The character set of a sender's messages, where the file says one for anybody.
    pub fn encoding(&self, address: IpAddr) -> Option<&'static encoding_rs::Encoding> {
        match self.has_encodings {
            true => self.find(address)?.facts.encoding,
            false => None,
        }
    }

    /// Whether the inventory gives this name to others, and not to this address.
    pub fn gives_to_another(&self, name: &str, address: IpAddr) -> bool {
        self.owners.get(name).is_some_and(|owners| {
            !owners.iter().any(|index| {
                let device = self.devices.get(*index as usize);
                device.is_some_and(|device| device.net.contains(&address))
            })
        })
    }

    /// Whether these two addresses have one hostname: they are two of one device.
    pub fn are_of_one(&self, one: IpAddr, other: IpAddr) -> bool {
        let hostname = |address| self.find(address)?.hostname.as_deref();
        hostname(one).is_some_and(|name| hostname(other) == Some(name))
    }

    /// Whether a line is of this very address.
    pub fn has_host(&self, address: IpAddr) -> bool {
        self.addresses.contains_key(&address)
    }

    /// What is said of the device of this name, for messages that a relay brings.
    pub fn named(&self, name: &str) -> Option<&Device> {
        let index = self.owners.get(name)?.first()?;
        self.devices.get(*index as usize)
    }

    /// Lines with an address of their own, for the watch over silent devices.
    pub fn hosts(&self) -> impl Iterator<Item = (IpAddr, &Device)> {
        self.devices
            .iter()
            .filter(|device| device.is_host())
            .map(|device| (device.net.addr(), device))
    }

    /// How many lines it has.
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::DomainPolicy;

    pub(super) fn read(text: &str) -> Parsed {
        parse(text, DomainPolicy::Keep).expect("an inventory")
    }

    pub(super) fn name(parsed: &Parsed, address: &str) -> Option<String> {
        let device = parsed.inventory.find(address.parse().unwrap())?;
        Some(device.hostname.as_deref().unwrap_or("-").to_owned())
    }

    #[test]
    fn an_address_wins_over_prefixes_and_a_longer_prefix_over_a_shorter() {
        let parsed = read(
            "address,hostname,site\n10.0.0.0/8,wide,a\n10.1.0.0/16,mid,b\n10.1.2.3,one,c\n\
             2001:db8::/32,six,d\n::ffff:192.0.2.1,mapped,e\n::ffff:198.51.100.0/120,behind,f\n",
        );
        assert_eq!(parsed.bad_lines, []);
        assert_eq!(name(&parsed, "10.1.2.3").as_deref(), Some("one"));
        assert_eq!(name(&parsed, "10.1.2.4").as_deref(), Some("mid"));
        assert_eq!(name(&parsed, "10.9.9.9").as_deref(), Some("wide"));
        assert_eq!(name(&parsed, "2001:db8::1").as_deref(), Some("six"));
        assert_eq!(name(&parsed, "192.0.2.1").as_deref(), Some("mapped"));
        assert_eq!(name(&parsed, "192.0.2.2"), None);
        assert_eq!(name(&parsed, "198.51.100.9").as_deref(), Some("behind"));
    }

    #[test]
    fn a_name_belongs_to_the_addresses_that_the_inventory_gives_it_to() {
        let parsed = read("address,hostname\n10.0.0.1,r1\n10.0.9.0/24,r1\n10.0.0.2,r2\n");
        let other = |name: &str, address: &str| {
            parsed
                .inventory
                .gives_to_another(name, address.parse().unwrap())
        };
        assert!(!other("r1", "10.0.0.1") && !other("r1", "10.0.9.77"));
        assert!(other("r1", "10.0.0.2") && other("r2", "10.0.0.1"));
        assert!(!other("unknown", "10.0.0.1"));
    }
}
