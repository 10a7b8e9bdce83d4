//! Which device a message is about: the Kafka key, and why it is that.
//!
//! ```text
//!  header name ──sane?──┐
//!  peer address ────────┼──▶ identify ──▶ (hostname in scratch, HostnameSource)
//!  Names ───────────────┘
//!
//!  inventory ▶ header name ▶ (relay) ▶ learned ▶ reverse DNS ▶ address         (best source first)
//! ```
//!
//! Anybody can write anything into a header, so a name is taken from it only when it looks like one ([`is_sane`]).
//! Names are lower-cased, since host names compare without case (RFC 4343) and one device must have one key. The
//! domain is kept or stripped by [`DomainPolicy`], for every source alike; an address is never stripped.
//!
//! A sender without an address is a process on this host (a unix socket). Where its message names nobody, the event is
//! about the agent's own host: the name is the configured agent name, since `localhost` would give every branch's
//! server the same key, and `localhost` only where the agent name is no host name either.

use std::io::Write;
use std::net::IpAddr;

use super::{Config, DomainPolicy};
use crate::event::HostnameSource;
use crate::packet::Packet;

/// RFC 1035, section 2.3.4: no host name is longer.
const NAME_BYTES_MAX: usize = 255;

/// What is known of addresses beside the message itself.
///
/// None of these may wait: each answers from memory, and `None` means "not known now".
pub trait Names {
    /// The operator's inventory.
    fn inventory(&self, address: IpAddr) -> Option<&str>;
    /// What the address called itself in earlier messages, once that is confirmed.
    fn learned(&self, address: IpAddr) -> Option<&str>;
    /// What reverse DNS answered.
    fn dns(&self, address: IpAddr) -> Option<&str>;
}

/// Knows no name: without inventory, table and DNS a device is its header name or its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn inventory(&self, _: IpAddr) -> Option<&str> {
        None
    }

    fn learned(&self, _: IpAddr) -> Option<&str> {
        None
    }

    fn dns(&self, _: IpAddr) -> Option<&str> {
        None
    }
}

/// Chooses the device's name, best source first, and writes it into `scratch`.
///
/// `header_name` is what the message calls its sender; pass `None` where it says nothing. The result borrows
/// `scratch`, whose earlier content is gone. It is never empty.
pub fn identify<'s>(
    header_name: Option<&[u8]>,
    packet: &Packet<'_>,
    config: &Config,
    names: &(impl Names + ?Sized),
    scratch: &'s mut Vec<u8>,
) -> (&'s [u8], HostnameSource) {
    let address = packet.peer.address();
    let known = |look: fn(&_, IpAddr) -> Option<&str>| {
        address
            .and_then(|address| look(names, address))
            .map(str::as_bytes)
            .filter(|name| !name.is_empty())
    };
    let header_name = header_name.filter(|name| is_sane(name));
    scratch.clear();
    let source = if let Some(name) = known(|names, address| names.inventory(address)) {
        write_name(name, config.domain, scratch);
        HostnameSource::Inventory
    } else if let Some(name) = header_name {
        write_name(name, config.domain, scratch);
        HostnameSource::Header
    } else if let Some(name) = known(|names, address| names.learned(address)) {
        write_name(name, config.domain, scratch);
        HostnameSource::Learned
    } else if let Some(name) = known(|names, address| names.dns(address)) {
        write_name(name, config.domain, scratch);
        HostnameSource::Dns
    } else if let Some(address) = address {
        write_address(address, scratch);
        HostnameSource::Address
    } else {
        let agent = config.agent_id.as_bytes();
        let name = if is_sane(agent) { agent } else { b"localhost" };
        write_name(name, config.domain, scratch);
        HostnameSource::Agent
    };
    (scratch, source)
}

/// Whether a header's word can be a device's name.
///
/// It is a host name (letters, digits, `-`, `.`, and `_`, which devices use though RFC 952 does not) or an address,
/// and none of the words that stand where a name should when a reader lost its way: a bare number, a date's word, an
/// interface, and what every unnamed device calls itself.
///
/// ```
/// use trapline::normalize::device::is_sane;
/// assert!(is_sane(b"lax-cor-r1") && is_sane(b"10.0.0.1") && is_sane(b"2001:db8::1"));
/// assert!(!is_sane(b"2024") && !is_sane(b"Mar") && !is_sane(b"%SYS-5-CONFIG_I") && !is_sane(b"vlan100"));
/// ```
pub fn is_sane(name: &[u8]) -> bool {
    let name = without_final_dot(name);
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return false;
    }
    if looks_like_address(name) {
        return address(name).is_some();
    }
    name.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        && name
            .first()
            .is_some_and(|byte| !matches!(byte, b'-' | b'.'))
        && name.iter().any(u8::is_ascii_alphanumeric)
        && !is_date_word(name)
        && !is_interface(name)
        && !names_nobody(name)
}

/// Only digits and dots, or with a colon: an address or nothing that may be a name.
fn looks_like_address(name: &[u8]) -> bool {
    name.contains(&b':')
        || name
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

fn address(name: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(name).ok()?.parse().ok()
}

fn without_final_dot(name: &[u8]) -> &[u8] {
    name.strip_suffix(b".").unwrap_or(name)
}

fn is_date_word(name: &[u8]) -> bool {
    const WORDS: [&[u8]; 38] = [
        b"jan",
        b"feb",
        b"mar",
        b"apr",
        b"may",
        b"jun",
        b"jul",
        b"aug",
        b"sep",
        b"oct",
        b"nov",
        b"dec",
        b"january",
        b"february",
        b"march",
        b"april",
        b"june",
        b"july",
        b"august",
        b"september",
        b"october",
        b"november",
        b"december",
        b"mon",
        b"tue",
        b"wed",
        b"thu",
        b"fri",
        b"sat",
        b"sun",
        b"monday",
        b"tuesday",
        b"wednesday",
        b"thursday",
        b"friday",
        b"saturday",
        b"sunday",
        b"utc",
    ];
    name.len() <= 9 && WORDS.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// An interface's name without slash: those with one are no host names by their characters already. Abbreviations of
/// two letters (`gi1`) are left out, because hosts are called so too.
fn is_interface(name: &[u8]) -> bool {
    const KINDS: [&[u8]; 11] = [
        b"ethernet",
        b"fastethernet",
        b"gigabitethernet",
        b"tengigabitethernet",
        b"port-channel",
        b"bundle-ether",
        b"loopback",
        b"tunnel",
        b"serial",
        b"vlan",
        b"eth",
    ];
    let kind_bytes = name
        .iter()
        .rposition(|byte| !byte.is_ascii_digit() && *byte != b'.')
        .map_or(0, |at| at + 1);
    let (kind, number) = name.split_at_checked(kind_bytes).unwrap_or((name, b""));
    !number.is_empty() && KINDS.iter().any(|known| kind.eq_ignore_ascii_case(known))
}

/// What devices say before somebody has named them. As a key these would mix many devices up.
fn names_nobody(name: &[u8]) -> bool {
    const WORDS: [&[u8]; 4] = [b"localhost", b"localhost.localdomain", b"unknown", b"none"];
    WORDS.iter().any(|word| name.eq_ignore_ascii_case(word))
}

fn write_name(name: &[u8], domain: DomainPolicy, out: &mut Vec<u8>) {
    let name = without_final_dot(name);
    if looks_like_address(name)
        && let Some(address) = address(name)
    {
        return write_address(address, out);
    }
    let first = name.split(|byte| *byte == b'.').next().unwrap_or(name);
    let kept = match domain {
        // A first label that is only digits would be no name (`10.example.net`).
        DomainPolicy::Strip if first.iter().any(|byte| !byte.is_ascii_digit()) => first,
        DomainPolicy::Strip | DomainPolicy::Keep => name,
    };
    out.extend(kept.iter().map(u8::to_ascii_lowercase));
}

/// In the canonical form (RFC 5952), so that one address is one key however a device spells it.
fn write_address(address: IpAddr, out: &mut Vec<u8>) {
    let IpAddr::V4(address) = address else {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{address}");
        return;
    };
    // Every trap takes this way, and formatting in general costs more than all else here.
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            out.push(b'.');
        }
        out.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::RawPolicy;
    use crate::packet::{Listener, Peer, Protocol, Transport, Wholeness};
    use crate::time::UnixMicros;

    fn config(domain: DomainPolicy) -> Config {
        Config {
            agent_id: "br17".into(),
            raw: RawPolicy::Auto,
            domain,
            utc_offset_minutes: 0,
            time_skew_max_s: 0,
            ..Config::for_agent("test")
        }
    }

    fn named(header: Option<&str>, peer: Peer, names: &dyn Names, domain: DomainPolicy) -> String {
        let listener = Listener {
            index: 0,
            name: "syslog-udp".into(),
            protocol: Protocol::Syslog,
            transport: Transport::Udp,
        };
        let packet = Packet {
            bytes: b"",
            peer,
            listener: &listener,
            received: UnixMicros(0),
            wholeness: Wholeness::Whole,
        };
        let mut scratch = b"what the last packet left".to_vec();
        let header = header.map(str::as_bytes);
        let (name, source) = identify(header, &packet, &config(domain), names, &mut scratch);
        format!("{} {source:?}", String::from_utf8_lossy(name))
    }

    fn router() -> Peer {
        Peer::Inet([10, 0, 0, 1].into(), 514)
    }

    struct Known(
        Option<&'static str>,
        Option<&'static str>,
        Option<&'static str>,
    );

    impl Names for Known {
        fn inventory(&self, _: IpAddr) -> Option<&str> {
            self.0
        }
        fn learned(&self, _: IpAddr) -> Option<&str> {
            self.1
        }
        fn dns(&self, _: IpAddr) -> Option<&str> {
            self.2
        }
    }

    #[test]
    fn the_best_source_wins_in_the_written_order() {
        let all = Known(Some("Inv"), Some("learned"), Some("dns.example.net"));
        let name = |header, names: &dyn Names| named(header, router(), names, DomainPolicy::Keep);
        assert_eq!(name(Some("r1"), &all), "inv Inventory");
        assert_eq!(name(Some("r1"), &Known(None, all.1, all.2)), "r1 Header");
        assert_eq!(name(None, &Known(None, all.1, all.2)), "learned Learned");
        assert_eq!(name(None, &Known(None, None, all.2)), "dns.example.net Dns");
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
        let dns = Known(None, None, Some("r9.example.net"));
        assert_eq!(named(None, router(), &dns, DomainPolicy::Strip), "r9 Dns");
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
}
