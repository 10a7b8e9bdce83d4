//! A captured packet → what UDP or TCP carried in it.
//!
//! ```text
//!   Ethernet (VLAN tags) ─┐
//!   Linux cooked v1, v2 ──┼─▶ IPv4 | IPv6 (extension headers) ─▶ UDP | TCP ─▶ Sent { source, target, octets }
//!   raw IP, loopback ─────┘        └─▶ a fragment: named, not put together
//! ```
//!
//! Sources: the LINKTYPE_ registry of tcpdump.org; IEEE 802.1Q; RFC 791, 8200, 768, 9293.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::decode::reader::Reader;

/// VLAN tags of one frame: two are usual with providers, more are nobody's.
const TAGS_MAX: usize = 4;

/// IPv6 extension headers of one packet; more than a handful is nobody's.
const EXTENSIONS_MAX: usize = 8;

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Payload<'a> {
    /// A datagram.
    Udp(Sent<'a>),
    /// A part of a stream.
    Tcp(Sent<'a>),
    /// A part of a datagram: the headers and octets of the others are missing.
    Fragment { source: IpAddr },
    /// The link type is none that is known here.
    UnknownLink,
    /// Something else, or its headers are not all there.
    Other,
}

/// What was carried, and between whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Sent<'a> {
    pub source: SocketAddr,
    pub target: SocketAddr,
    pub octets: &'a [u8],
    /// Whether the headers announce more octets than were captured.
    pub is_cut: bool,
}

/// Reads the headers of a packet of this link type.
pub(in crate::cli) fn payload(link: u32, frame: &[u8]) -> Payload<'_> {
    let mut reader = Reader::new(frame);
    let network = match link {
        // BSD loopback, in the order of octets of the host: the version of IP says the same.
        0 | 108 => reader.take(4).map(|_| reader.rest()),
        1 => ethernet(&mut reader),
        // Raw IP, and the same with one version alone.
        12 | 14 | 101 | 228 | 229 => Some(reader.rest()),
        // Linux cooked capture: the protocol is in the last two octets of 16, or in the first two of 20.
        113 => reader.take(14).and_then(|_| typed(&mut reader)),
        276 => cooked_v2(&mut reader),
        _ => return Payload::UnknownLink,
    };
    network.and_then(ip).unwrap_or(Payload::Other)
}

fn ethernet<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    reader.take(12)?;
    typed(reader)
}

fn cooked_v2<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let kind = short(reader)?;
    reader.take(18)?;
    is_ip(kind).then(|| reader.rest())
}

/// Behind an EtherType, and behind the VLAN tags that it may announce: the packet, if it is IP.
fn typed<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    for _ in 0..=TAGS_MAX {
        match short(reader)? {
            0x8100 | 0x88a8 | 0x9100 => reader.take(2)?,
            kind => return is_ip(kind).then(|| reader.rest()),
        };
    }
    None
}

fn is_ip(kind: u16) -> bool {
    matches!(kind, 0x0800 | 0x86dd)
}

fn short(reader: &mut Reader<'_>) -> Option<u16> {
    let octets = reader.take(2)?.try_into().ok()?;
    Some(u16::from_be_bytes(octets))
}

fn ip(packet: &[u8]) -> Option<Payload<'_>> {
    match packet.first()? >> 4 {
        4 => v4(packet),
        6 => v6(packet),
        _ => None,
    }
}

/// RFC 791, section 3.1.
fn v4(packet: &[u8]) -> Option<Payload<'_>> {
    let mut reader = Reader::new(packet);
    let header_octets = usize::from(reader.byte()? & 0x0f) * 4;
    reader.byte()?;
    let announced = usize::from(short(&mut reader)?);
    reader.take(2)?;
    let fragment = short(&mut reader)?;
    reader.byte()?;
    let protocol = reader.byte()?;
    reader.take(2)?;
    let source: [u8; 4] = reader.take(4)?.try_into().ok()?;
    let target: [u8; 4] = reader.take(4)?.try_into().ok()?;
    let source = IpAddr::V4(Ipv4Addr::from(source));
    // More fragments follow, or this is not the first.
    if fragment & 0x3fff != 0 {
        return Some(Payload::Fragment { source });
    }
    // The card fills in the length of a large packet later than it is captured: 0 is all that there is.
    let announced = match announced {
        0 => packet.len(),
        announced => announced,
    };
    let content = packet.get(header_octets..announced.min(packet.len()))?;
    let target = IpAddr::V4(Ipv4Addr::from(target));
    transport(protocol, source, target, content)
}

/// RFC 8200, sections 3 and 4.
fn v6(packet: &[u8]) -> Option<Payload<'_>> {
    let mut reader = Reader::new(packet);
    reader.take(4)?;
    let announced = usize::from(short(&mut reader)?);
    let mut next = reader.byte()?;
    reader.byte()?;
    let source: [u8; 16] = reader.take(16)?.try_into().ok()?;
    let target: [u8; 16] = reader.take(16)?.try_into().ok()?;
    let (source, target) = (Ipv6Addr::from(source), Ipv6Addr::from(target));
    let (source, target) = (source.to_canonical(), target.to_canonical());
    let content = match announced {
        0 => reader.rest(),
        announced => reader.rest().get(..announced).unwrap_or(reader.rest()),
    };
    let mut reader = Reader::new(content);
    for _ in 0..=EXTENSIONS_MAX {
        match next {
            // Hop-by-hop, routing and destination options: length in units of 8 octets, without the first.
            0 | 43 | 60 => {
                next = reader.byte()?;
                let units = usize::from(reader.byte()?);
                reader.take(units * 8 + 6)?;
            }
            44 => {
                next = reader.byte()?;
                reader.byte()?;
                let place = short(&mut reader)?;
                reader.take(4)?;
                if place & 0xfff9 != 0 {
                    return Some(Payload::Fragment { source });
                }
            }
            _ => return transport(next, source, target, reader.rest()),
        }
    }
    None
}

fn transport(protocol: u8, source: IpAddr, target: IpAddr, content: &[u8]) -> Option<Payload<'_>> {
    let mut reader = Reader::new(content);
    let sent = |from, to, octets, is_cut| Sent {
        source: SocketAddr::new(source, from),
        target: SocketAddr::new(target, to),
        octets,
        is_cut,
    };
    match protocol {
        // RFC 768.
        17 => {
            let (from, to) = (short(&mut reader)?, short(&mut reader)?);
            let announced = usize::from(short(&mut reader)?).checked_sub(8)?;
            reader.take(2)?;
            let whole = reader.rest().get(..announced);
            let octets = whole.unwrap_or(reader.rest());
            Some(Payload::Udp(sent(from, to, octets, whole.is_none())))
        }
        // RFC 9293, section 3.1.
        6 => {
            let (from, to) = (short(&mut reader)?, short(&mut reader)?);
            reader.take(8)?;
            let header_octets = usize::from(reader.byte()? >> 4) * 4;
            let octets = content.get(header_octets..)?;
            Some(Payload::Tcp(sent(from, to, octets, false)))
        }
        _ => None,
    }
}
