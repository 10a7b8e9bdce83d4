//! Whether a word can be a device's name, and the form that it has as a key.
//!
//! ```text
//!  LAX-cor-R1.example.net. ──is_sane──▶ lax-cor-r1.example.net   (domain kept or stripped)
//!  2001:DB8:0::1           ──is_sane──▶ 2001:db8::1
//!  Mar, eth0, 127.0.0.1    ──▶ no name
//! ```
//!
//! Names are lower-cased, since host names compare without case (RFC 4343) and one device must have one key. The
//! domain is kept or stripped by [`DomainPolicy`], for every source alike; an address is never stripped.

use std::io::Write;
use std::net::IpAddr;

use compact_str::CompactString;

use super::DomainPolicy;

/// RFC 1035, section 2.3.4: no host name is longer.
const NAME_BYTES_MAX: usize = 255;

/// A name in the form of a key: lower-cased, without a final dot, the domain by policy. `None` where it can be no
/// device's name.
pub fn canonical(name: &[u8], domain: DomainPolicy) -> Option<CompactString> {
    if !is_sane(name) {
        return None;
    }
    let mut key = Vec::with_capacity(name.len());
    write_name(name, domain, &mut key);
    CompactString::from_utf8(key).ok()
}

/// Whether a header's word can be a device's name.
///
/// It is a host name (letters, digits, `-`, `.`, and `_`, which devices use though RFC 952 does not) or an address,
/// and none of the words that stand where a name should when a reader lost its way: a bare number, a date's word, an
/// interface, what every unnamed device calls itself, and an address that every device has.
///
/// ```
/// use trapline::normalize::hostname::is_sane;
/// assert!(is_sane(b"lax-cor-r1") && is_sane(b"10.0.0.1") && is_sane(b"2001:db8::1"));
/// assert!(!is_sane(b"2024") && !is_sane(b"Mar") && !is_sane(b"%SYS-5-CONFIG_I") && !is_sane(b"vlan100"));
/// ```
pub fn is_sane(name: &[u8]) -> bool {
    let name = without_final_dot(name);
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return false;
    }
    let octets = Octets::of(name);
    if octets.look_like_address() {
        return address(name).is_some_and(|address| !is_nobodys(address));
    }
    octets.all & Octets::OF_NAME != 0
        && name
            .first()
            .is_some_and(|byte| !matches!(byte, b'-' | b'.'))
        && octets.any & Octets::ALPHANUMERIC != 0
        && !is_date_word(name)
        && !is_interface(name)
        && !names_nobody(name)
}

/// What octets a name has, seen in one pass: every message has a name.
#[derive(Debug, Clone, Copy)]
struct Octets {
    /// What is true of each.
    all: u8,
    /// What is true of one at least.
    any: u8,
}

impl Octets {
    /// May stand in a host name.
    const OF_NAME: u8 = 1;
    const ALPHANUMERIC: u8 = 2;
    /// A digit or a dot.
    const OF_IPV4: u8 = 4;
    const COLON: u8 = 8;

    const KINDS: [u8; 256] = {
        let mut kinds = [0; 256];
        let mut octet = 0;
        while octet < 256 {
            kinds[octet] = match octet as u8 {
                b'0'..=b'9' => Self::OF_NAME | Self::ALPHANUMERIC | Self::OF_IPV4,
                b'a'..=b'z' | b'A'..=b'Z' => Self::OF_NAME | Self::ALPHANUMERIC,
                b'.' => Self::OF_NAME | Self::OF_IPV4,
                b'-' | b'_' => Self::OF_NAME,
                b':' => Self::COLON,
                _ => 0,
            };
            octet += 1;
        }
        kinds
    };

    fn of(name: &[u8]) -> Octets {
        let start = Octets {
            all: u8::MAX,
            any: 0,
        };
        name.iter().fold(start, |Octets { all, any }, octet| {
            // There is a kind for every octet.
            let kind = Self::KINDS[usize::from(*octet)];
            Octets {
                all: all & kind,
                any: any | kind,
            }
        })
    }

    /// Only digits and dots, or with a colon: an address or nothing that may be a name.
    fn look_like_address(self) -> bool {
        self.any & Self::COLON != 0 || self.all & Self::OF_IPV4 != 0
    }
}

/// The address that a name in the form of a key is, if it is one: such a name is the key of the device at that address.
///
/// ```
/// use trapline::normalize::hostname::address_of;
/// assert_eq!(address_of("10.0.0.1"), Some([10, 0, 0, 1].into()));
/// assert_eq!(address_of("::ffff:10.0.0.1"), address_of("10.0.0.1"));
/// assert_eq!(address_of("lax-cor-r1"), None);
/// ```
pub fn address_of(name: &str) -> Option<IpAddr> {
    let name = name.as_bytes();
    Octets::of(name)
        .look_like_address()
        .then(|| address(name))
        .flatten()
}

/// As the addresses of packets are: what is IPv4-mapped is IPv4.
fn address(name: &[u8]) -> Option<IpAddr> {
    let address: IpAddr = std::str::from_utf8(name).ok()?.parse().ok()?;
    Some(address.to_canonical())
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

/// An address that devices write as long as they have none, or talk to themselves (RFC 6890, section 2.2). As a key it would
/// mix them up.
fn is_nobodys(address: IpAddr) -> bool {
    address.is_unspecified()
        || address.is_loopback()
        || matches!(address, IpAddr::V4(address) if address.is_broadcast())
}

/// What devices say before somebody has named them. As a key these would mix many devices up.
fn names_nobody(name: &[u8]) -> bool {
    const WORDS: [&[u8]; 4] = [b"localhost", b"localhost.localdomain", b"unknown", b"none"];
    WORDS.iter().any(|word| name.eq_ignore_ascii_case(word))
}

pub(super) fn write_name(name: &[u8], domain: DomainPolicy, out: &mut Vec<u8>) {
    let name = without_final_dot(name);
    if Octets::of(name).look_like_address()
        && let Some(address) = address(name)
    {
        return write_address(address, out);
    }
    let kept = match domain {
        DomainPolicy::Keep => name,
        DomainPolicy::Strip => {
            let first = name.split(|byte| *byte == b'.').next().unwrap_or(name);
            // A first label that is only digits would be no name (`10.example.net`).
            match first.iter().any(|byte| !byte.is_ascii_digit()) {
                true => first,
                false => name,
            }
        }
    };
    let before = out.len();
    out.extend_from_slice(kept);
    if let Some(name) = out.get_mut(before..) {
        name.make_ascii_lowercase();
    }
}

/// In the canonical form (RFC 5952), so that one address is one key however a device spells it.
pub fn write_address(address: IpAddr, out: &mut Vec<u8>) {
    let IpAddr::V4(address) = address else {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{address}");
        return;
    };
    // Every trap takes this way, and formatting in general costs more than all else here: the text of 15 bytes at most is
    // put together in one word.
    let (mut text, mut bits) = (0_u128, 0);
    for octet in address.octets() {
        let (digits, digits_bits) = DECIMAL.get(usize::from(octet)).copied().unwrap_or_default();
        text |= u128::from(digits) << bits;
        bits += digits_bits;
    }
    // Without the last point.
    let length = bits as usize / 8 - 1;
    out.extend_from_slice(text.to_le_bytes().get(..length).unwrap_or_default());
}

/// For each octet its decimal digits and a point, the first in the lowest byte, and how many bits they take.
static DECIMAL: [(u32, u32); 256] = {
    let mut table = [(0, 0); 256];
    let mut octet = 0;
    while octet < 256 {
        let number = octet as u32;
        let digits = [number / 100, number / 10 % 10, number % 10];
        let (mut text, mut bits, mut place) = (0, 0, 0);
        while place < 3 {
            if bits > 0 || digits[place] > 0 || place == 2 {
                text |= (b'0' as u32 + digits[place]) << bits;
                bits += 8;
            }
            place += 1;
        }
        table[octet] = (text | (b'.' as u32) << bits, bits + 8);
        octet += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_everybody_writes_it() {
        let octets = (0..=255_u8).flat_map(|octet| [[octet, 0, 9, 255], [10, octet, 100, octet]]);
        for octets in octets {
            let mut text = b"before ".to_vec();
            write_address(octets.into(), &mut text);
            let expected = format!("before {}", std::net::Ipv4Addr::from(octets));
            assert_eq!(text, expected.as_bytes());
        }
    }

    #[test]
    fn a_name_in_the_form_of_a_key_is_lower_cased_and_without_its_domain_by_policy() {
        let canonical = |name: &str| canonical(name.as_bytes(), DomainPolicy::Strip);
        assert_eq!(canonical("R9.example.net."), Some("r9".into()));
        assert_eq!(canonical("no name"), None);
    }
}
