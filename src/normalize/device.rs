//! Which device a message is about: the Kafka key, and why it is that.
//!
//! ```text
//!  header name ──sane? lower-cased──┐
//!  peer address, engine, sequence ──┼─▶ Claim ──▶ Names::identify ──▶ Identified (hostname, source, facts)
//!                                   ┘               └ knows nothing: the header's name, else the address
//! ```
//!
//! Anybody can write anything into a header, so a name is taken from it only when it looks like one, and in the form of a
//! key ([`super::hostname`]).
//!
//! A sender without an address is a process on this host (a unix socket). Where its message names nobody, the event is
//! about the agent's own host: the name is the configured agent name, since `localhost` would give every branch's
//! server the same key, and `localhost` only where the agent name is no host name either.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use compact_str::CompactString;
use ipnet::{IpNet, Ipv4Net};

use super::Config;
use super::hostname::{is_sane, write_address, write_name};
use super::zone::Zone;
pub use crate::decode::syslog::Numbering;
use crate::event::{Device, HostnameSource, Text};
use crate::packet::Packet;
use crate::time::UnixMicros;

/// `::ffff:0:0/96` (RFC 4291, section 2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// What a message says of its sender.
#[derive(Debug, Clone, Copy, Default)]
pub struct Claim<'c> {
    /// The address that the packet came from; `None` for a process on this host.
    pub address: Option<IpAddr>,
    /// The name in the header, in the form of a key.
    pub name: Option<&'c str>,
    /// `snmpTrapAddress` or agent-addr: whose notification a relay brings (RFC 3584, section 3.1).
    pub subject: Option<IpAddr>,
    /// The authoritative engine of an SNMPv3 message.
    pub engine_id: Option<&'c [u8]>,
    /// The vendor, where the message shows it.
    pub vendor: Option<&'static str>,
    /// The operating system, where the message shows it.
    pub os: Option<&'static str>,
    /// The device's own number of this message.
    pub sequence: Option<u64>,
    /// What that counts.
    pub numbering: Numbering,
    /// When it arrived.
    pub received: UnixMicros,
}

/// What the operator says of a device beside its name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// Goes into every event of the device.
    pub labels: Option<Arc<BTreeMap<String, String>>>,
    /// The zone of time stamps that name none.
    pub zone: Option<Zone>,
    /// The character set of its messages.
    pub encoding: Option<&'static encoding_rs::Encoding>,
    /// The vendor, where messages do not show it.
    pub vendor: Option<CompactString>,
}

/// Which device it is, beside the name.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'n> {
    /// Why it is called so.
    pub source: HostnameSource,
    /// What the operator says of it.
    pub facts: Option<&'n Facts>,
}

/// Whoever knows devices. It may not wait: it answers from memory.
pub trait Names {
    /// Whether what this sender says of others is believed: it is a relay that the operator trusts.
    fn trusts(&self, _sender: IpAddr) -> bool {
        false
    }

    /// Chooses the name of the message's device and writes it to `name`, and the name before, if events still say it,
    /// to `previous`. Both come empty. `None`: nothing is known beside the claim itself.
    fn identify<'n>(
        &'n self,
        claim: &Claim<'_>,
        name: &mut Vec<u8>,
        previous: &mut Vec<u8>,
    ) -> Option<Identity<'n>>;
}

/// Knows no name: without inventory, table and DNS a device is its header name or its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn identify<'n>(
        &'n self,
        _: &Claim<'_>,
        _: &mut Vec<u8>,
        _: &mut Vec<u8>,
    ) -> Option<Identity<'n>> {
        None
    }
}

/// Buffers that a device's names stand in.
#[derive(Debug, Default)]
pub struct Buffers {
    claimed: Vec<u8>,
    name: Vec<u8>,
    previous: Vec<u8>,
}

/// The device of a message, as its event says it.
#[derive(Debug, Clone, Copy)]
pub struct Identified<'a> {
    /// Its name, never empty.
    pub hostname: &'a [u8],
    /// Why it is called so.
    pub source: HostnameSource,
    /// The name before, for a day after a change.
    pub previous: Option<&'a str>,
    /// What the operator says of it.
    pub facts: Option<&'a Facts>,
}

impl<'a> Identified<'a> {
    /// The event's part that says so; what the message shows of vendor and system is the caller's.
    pub fn device(&self, packet: &Packet<'_>) -> Device<'a> {
        Device {
            hostname: Text(self.hostname),
            hostname_source: self.source,
            address: packet.peer.address(),
            vendor: self.vendor(),
            os: None,
            previous_hostname: self.previous,
            labels: self.facts.and_then(|facts| facts.labels.as_deref()),
        }
    }

    /// The vendor, as the operator says it.
    pub fn vendor(&self) -> Option<&'a str> {
        self.facts.and_then(|facts| facts.vendor.as_deref())
    }
}

/// Chooses the device's name, best source first.
///
/// `header_name` is what the message calls its sender, as it stands there; `claim.name` is set from it where it can be
/// a name. The result borrows `buffers`, whose earlier content is gone.
pub fn identify<'s>(
    header_name: Option<&[u8]>,
    claim: Claim<'_>,
    config: &Config,
    names: &'s (impl Names + ?Sized),
    buffers: &'s mut Buffers,
) -> Identified<'s> {
    let Buffers {
        claimed,
        name,
        previous,
    } = buffers;
    claimed.clear();
    name.clear();
    previous.clear();
    if let Some(header_name) = header_name.filter(|name| is_sane(name)) {
        write_name(header_name, config.domain, claimed);
    }
    let claim = Claim {
        name: std::str::from_utf8(claimed)
            .ok()
            .filter(|name| !name.is_empty()),
        ..claim
    };
    let identity = names
        .identify(&claim, name, previous)
        .unwrap_or_else(|| Identity {
            source: unknown(&claim, config, name),
            facts: None,
        });
    Identified {
        hostname: name,
        source: identity.source,
        previous: std::str::from_utf8(previous)
            .ok()
            .filter(|name| !name.is_empty()),
        facts: identity.facts,
    }
}

/// The name where nothing is known beside the message.
fn unknown(claim: &Claim<'_>, config: &Config, name: &mut Vec<u8>) -> HostnameSource {
    if let Some(claimed) = claim.name {
        name.extend_from_slice(claimed.as_bytes());
        HostnameSource::Header
    } else if let Some(address) = claim.address {
        write_address(address, name);
        HostnameSource::Address
    } else {
        let agent = config.agent_id.as_bytes();
        let agent = if is_sane(agent) { agent } else { b"localhost" };
        write_name(agent, config.domain, name);
        HostnameSource::Agent
    }
}

/// An address or a prefix, as the addresses of packets are compared with it: what is IPv4-mapped is IPv4. `None` where it is
/// neither.
///
/// ```
/// use trapline::normalize::device::prefix;
/// assert_eq!(prefix("::ffff:10.0.0.0/104"), prefix("10.0.0.0/8"));
/// assert_eq!(prefix("::ffff:10.0.0.1"), prefix("10.0.0.1/32"));
/// ```
pub fn prefix(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let net = text.parse().ok().or_else(address)?;
    let IpNet::V6(mapped) = net else {
        return Some(net);
    };
    let address = mapped.addr().to_ipv4_mapped();
    match address.zip(mapped.prefix_len().checked_sub(MAPPED_BITS)) {
        Some((address, length)) => Ipv4Net::new(address, length).ok().map(IpNet::from),
        None => Some(net),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::{DomainPolicy, RawPolicy};
    use crate::packet::Peer;

    fn config(domain: DomainPolicy) -> Config {
        Config {
            agent_id: "br17".into(),
            raw: RawPolicy::Auto,
            domain,
            utc_offset_minutes: 0,
            time_skew_seconds_max: 0,
            ..Config::for_agent("test")
        }
    }

    fn named(header: Option<&str>, peer: Peer, names: &dyn Names, domain: DomainPolicy) -> String {
        let claim = Claim {
            address: peer.address(),
            ..Claim::default()
        };
        let mut buffers = Buffers {
            name: b"what the last packet left".to_vec(),
            ..Buffers::default()
        };
        let header = header.map(str::as_bytes);
        let found = identify(header, claim, &config(domain), names, &mut buffers);
        format!(
            "{} {:?}",
            String::from_utf8_lossy(found.hostname),
            found.source
        )
    }

    fn router() -> Peer {
        Peer::Inet([10, 0, 0, 1].into(), 514)
    }

    struct Known;

    impl Names for Known {
        fn identify<'n>(
            &'n self,
            claim: &Claim<'_>,
            name: &mut Vec<u8>,
            _: &mut Vec<u8>,
        ) -> Option<Identity<'n>> {
            claim.name?;
            name.extend_from_slice(b"known");
            Some(Identity {
                source: HostnameSource::Inventory,
                facts: None,
            })
        }
    }

    #[test]
    fn what_is_known_comes_before_the_claim_and_the_claim_before_the_address() {
        let name = |header, names: &dyn Names| named(header, router(), names, DomainPolicy::Keep);
        assert_eq!(name(Some("r1"), &Known), "known Inventory");
        assert_eq!(name(Some("not a name"), &Known), "10.0.0.1 Address");
        assert_eq!(name(Some("r1"), &NoNames), "r1 Header");
        assert_eq!(name(None, &NoNames), "10.0.0.1 Address");
    }

    #[test]
    fn a_header_name_that_cannot_be_one_is_not_taken() {
        let long = "a".repeat(256);
        for odd in [
            "",
            "-",
            ".",
            "2024",
            "18:48:50",
            "10.0.0",
            "2024.03.01",
            "010.0.0.1",
            "Mar",
            "Wednesday",
            "%ASA-6-302013",
            "Ethernet1",
            "vlan100",
            "eth0",
            "GigabitEthernet0/1",
            "ge-0/0/0.0",
            "r1\n",
            "r 1",
            "r1:",
            "rüti",
            "localhost",
            "unknown",
            "-r1",
            "____",
            "0.0.0.0",
            "127.0.0.1",
            "127.8.8.8",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            long.as_str(),
        ] {
            assert_eq!(
                named(Some(odd), router(), &NoNames, DomainPolicy::Keep),
                "10.0.0.1 Address",
                "{odd:?}"
            );
        }
    }

    #[test]
    fn a_header_name_that_can_be_one_is_taken_lower_cased() {
        for (header, expected) in [
            ("LAX-cor-R1", "lax-cor-r1"),
            ("r1.Branch.example.net.", "r1.branch.example.net"),
            ("sw_17", "sw_17"),
            ("192.0.2.7", "192.0.2.7"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("::ffff:10.0.0.5", "10.0.0.5"),
            ("::FFFF:A00:5", "10.0.0.5"),
            ("3com", "3com"),
            ("march-hare", "march-hare"),
            ("serial", "serial"),
            ("gi1", "gi1"),
        ] {
            let expected = format!("{expected} Header");
            assert_eq!(
                named(Some(header), router(), &NoNames, DomainPolicy::Keep),
                expected
            );
        }
    }

    #[test]
    fn stripping_the_domain_never_strips_an_address_or_leaves_a_number() {
        let strip = |header| named(Some(header), router(), &NoNames, DomainPolicy::Strip);
        assert_eq!(strip("r1.branch.example.net"), "r1 Header");
        assert_eq!(strip("192.0.2.7"), "192.0.2.7 Header");
        assert_eq!(strip("10.example.net"), "10.example.net Header");
    }

    #[test]
    fn a_local_sender_without_a_name_is_the_agents_own_host() {
        assert_eq!(
            named(None, Peer::Local, &NoNames, DomainPolicy::Keep),
            "br17 Agent"
        );
        assert_eq!(
            named(Some("box"), Peer::Local, &NoNames, DomainPolicy::Keep),
            "box Header"
        );
    }

    #[test]
    fn a_prefix_fits_the_addresses_of_packets_however_it_is_written() {
        let fits = |text: &str, address: &str| {
            let address: IpAddr = address.parse().unwrap();
            prefix(text).unwrap().contains(&address.to_canonical())
        };
        for text in ["10.0.0.0/8", "::ffff:10.0.0.0/104", "::ffff:10.1.2.3"] {
            assert!(
                fits(text, "10.1.2.3") && fits(text, "::ffff:10.1.2.3"),
                "{text}"
            );
            assert!(!fits(text, "11.1.2.3"), "{text}");
        }
        assert!(fits("2001:db8::/32", "2001:db8::1") && fits("::/0", "2001:db8::1"));
        for wrong in ["", "10.0.0.0/33", "::ffff:10.0.0.0/129", "r1"] {
            assert_eq!(prefix(wrong), None, "{wrong}");
        }
    }
}
