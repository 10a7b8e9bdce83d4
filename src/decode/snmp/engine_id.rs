//! What an engine ID says of its device (RFC 3411, SnmpEngineID).
//!
//! ```text
//!   80 00 00 09 | 03 | 00 1b 54 ca fe 01        enterprise 9 (Cisco), format 3: a MAC address
//!   └─┬───────┘   └┬┘  └─────┬─────────┘
//!   first bit set  format    1 IPv4, 2 IPv6, 3 MAC, 4 text, 5 octets, 128 and above: the enterprise's own
//!
//!   00 00 00 09 | 12 octets                      first bit clear: the enterprise's own, from before RFC 3411
//! ```

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// An engine ID taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineId<'a> {
    /// IANA's number of who made it; `None` where the ID is too short to have one.
    pub enterprise: Option<u32>,
    /// What identifies the device.
    pub format: Format<'a>,
}

/// What identifies the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format<'a> {
    /// Format 1.
    Ipv4(Ipv4Addr),
    /// Format 2.
    Ipv6(Ipv6Addr),
    /// Format 3.
    Mac([u8; 6]),
    /// Format 4: text that the administrator chose.
    Text(&'a str),
    /// Format 5, and whatever does not fit its format.
    Octets(&'a [u8]),
    /// net-snmp's own (enterprise 8072, format 128): a random number, and the time when it was made.
    NetSnmpRandom {
        /// The number.
        random: u32,
        /// Seconds since 1970.
        made: u32,
    },
    /// Another format of an enterprise.
    Enterprise {
        /// Its number; 0 for the form from before RFC 3411.
        format: u8,
        /// The rest.
        octets: &'a [u8],
    },
}

/// Takes an engine ID apart. Every run of octets is one, in whatever way it was made.
pub fn engine_id(octets: &[u8]) -> EngineId<'_> {
    let Some((&enterprise, rest)) = octets.split_first_chunk::<4>() else {
        return EngineId {
            enterprise: None,
            format: Format::Octets(octets),
        };
    };
    let number = u32::from_be_bytes(enterprise) & 0x7fff_ffff;
    let is_own_form = enterprise.first().is_some_and(|octet| octet & 0x80 == 0);
    let format = match rest.split_first() {
        _ if is_own_form => Format::Enterprise {
            format: 0,
            octets: rest,
        },
        None => Format::Octets(rest),
        Some((format, rest)) => form(number, *format, rest),
    };
    EngineId {
        enterprise: Some(number),
        format,
    }
}

fn form(enterprise: u32, format: u8, rest: &[u8]) -> Format<'_> {
    let text = || {
        std::str::from_utf8(rest)
            .ok()
            .filter(|text| !text.chars().any(char::is_control))
    };
    let known = match (enterprise, format) {
        (_, 1) => <[u8; 4]>::try_from(rest)
            .ok()
            .map(|ip| Format::Ipv4(ip.into())),
        (_, 2) => <[u8; 16]>::try_from(rest)
            .ok()
            .map(|ip| Format::Ipv6(ip.into())),
        // Some devices put a mark before the address.
        (_, 3) => rest
            .last_chunk::<6>()
            .filter(|_| rest.len() <= 8)
            .map(|mac| Format::Mac(*mac)),
        (_, 4) => text().map(Format::Text),
        (8072, 128) => net_snmp(rest),
        (_, 0 | 5..=127) => None,
        (_, format) => Some(Format::Enterprise {
            format,
            octets: rest,
        }),
    };
    known.unwrap_or(Format::Octets(rest))
}

/// Four octets of random, then the time as the host's own `time_t`: eight octets, the lowest first, on today's hosts.
fn net_snmp(rest: &[u8]) -> Option<Format<'_>> {
    let (random, time) = rest.split_first_chunk::<4>()?;
    let made = time.first_chunk::<4>()?;
    Some(Format::NetSnmpRandom {
        random: u32::from_be_bytes(*random),
        made: u32::from_le_bytes(*made),
    })
}

impl fmt::Display for EngineId<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.enterprise {
            Some(enterprise) => write!(out, "enterprise {enterprise}, ")?,
            None => write!(out, "no enterprise, ")?,
        }
        match self.format {
            Format::Ipv4(address) => write!(out, "IPv4 address {address}"),
            Format::Ipv6(address) => write!(out, "IPv6 address {address}"),
            Format::Mac([a, b, c, d, e, f]) => {
                write!(
                    out,
                    "MAC address {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"
                )
            }
            Format::Text(text) => write!(out, "text {text:?}"),
            Format::Octets(octets) => hex(out, "octets", octets),
            Format::NetSnmpRandom { random, made } => {
                write!(
                    out,
                    "net-snmp's random {random:08x}, made {made} s after 1970"
                )
            }
            Format::Enterprise { format: 0, octets } => hex(out, "its own form,", octets),
            Format::Enterprise { format, octets } => {
                write!(out, "its own format {format}, ")?;
                hex(out, "octets", octets)
            }
        }
    }
}

fn hex(out: &mut fmt::Formatter<'_>, what: &str, octets: &[u8]) -> fmt::Result {
    write!(out, "{what} ")?;
    octets
        .iter()
        .try_for_each(|octet| write!(out, "{octet:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_read_as_what_it_holds() {
        let cases: [(&[u8], &str); 9] = [
            (
                &[0x80, 0, 0, 9, 3, 0, 0x1b, 0x54, 0xca, 0xfe, 1],
                "enterprise 9, MAC address 00:1b:54:ca:fe:01",
            ),
            (
                &[0x80, 0, 0x0a, 0x4c, 1, 10, 20, 0, 1],
                "enterprise 2636, IPv4 address 10.20.0.1",
            ),
            (
                &[0x80, 0, 0, 9, 4, b'l', b'a', b'x', b'1'],
                "enterprise 9, text \"lax1\"",
            ),
            (
                &[0x80, 0, 0, 9, 5, 1, 2, 0xff],
                "enterprise 9, octets 0102ff",
            ),
            (
                &[
                    0x80, 0, 0x1f, 0x88, 0x80, 0xee, 0x84, 0xe1, 0x75, 0xb7, 0xf9, 0, 0x6b, 0, 0,
                    0, 0,
                ],
                "enterprise 8072, net-snmp's random ee84e175, made 1795226039 s after 1970",
            ),
            (
                &[0, 0, 0, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
                "enterprise 9, its own form, 000102030405060708090a0b",
            ),
            (
                &[0x80, 0, 0, 9, 200, 7],
                "enterprise 9, its own format 200, octets 07",
            ),
            (&[0x80, 0, 0, 9, 1, 10, 20], "enterprise 9, octets 0a14"),
            (&[1, 2], "no enterprise, octets 0102"),
        ];
        for (octets, expected) in cases {
            assert_eq!(engine_id(octets).to_string(), expected);
        }
    }

    #[test]
    fn an_ipv6_address_is_read_too() {
        let mut octets = vec![0x80, 0, 0, 9, 2];
        octets.extend(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7).octets());
        assert_eq!(
            engine_id(&octets).to_string(),
            "enterprise 9, IPv6 address 2001:db8::7"
        );
    }
}
