//! Captures for tests, written octet by octet.

use super::Order;

/// Numbers in either order of octets.
impl Order {
    pub(super) fn four(self, number: u32) -> [u8; 4] {
        match self {
            Order::Little => number.to_le_bytes(),
            Order::Big => number.to_be_bytes(),
        }
    }

    pub(super) fn two(self, number: u16) -> [u8; 2] {
        match self {
            Order::Little => number.to_le_bytes(),
            Order::Big => number.to_be_bytes(),
        }
    }
}

/// A pcap file of packets of this link type, a second apart from 2026-11-21T02:14:07.000123Z on.
pub(super) fn pcap(order: Order, link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = order.four(0xa1b2_c3d4).to_vec();
    file.extend(order.two(2));
    file.extend(order.two(4));
    for number in [0, 0, 0x4_0000, link] {
        file.extend(order.four(number));
    }
    for (place, packet) in (0..).zip(packets) {
        let length = packet.len() as u32;
        for number in [1_795_227_247 + place, 123, length, length] {
            file.extend(order.four(number));
        }
        file.extend(packet);
    }
    file
}

/// A block of a pcapng file.
pub(super) fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let total = order.four(padded as u32 + 12);
    let mut block = [order.four(kind), total].concat();
    block.extend(body);
    block.resize(8 + padded, 0);
    block.extend(total);
    block
}

/// A Section Header Block.
pub(super) fn section(order: Order) -> Vec<u8> {
    let mut body = order.four(0x1a2b_3c4d).to_vec();
    body.extend(order.two(1));
    body.extend(order.two(0));
    body.extend([0xff; 8]);
    block(order, 0x0a0d_0d0a, &body)
}

/// An Interface Description Block; `resolution` is `if_tsresol`.
pub(super) fn interface(order: Order, link: u16, resolution: Option<u8>) -> Vec<u8> {
    let mut body = [order.two(link), order.two(0)].concat();
    body.extend(order.four(0x4_0000));
    // if_name, then if_tsresol.
    body.extend([order.two(2), order.two(3)].concat());
    body.extend(b"en0\0");
    if let Some(resolution) = resolution {
        body.extend([order.two(9), order.two(1)].concat());
        body.extend([resolution, 0, 0, 0]);
    }
    body.extend([0; 4]);
    block(order, 1, &body)
}

/// An Enhanced Packet Block.
pub(super) fn enhanced(order: Order, id: u32, ticks: u64, packet: &[u8]) -> Vec<u8> {
    let length = packet.len() as u32;
    let mut body = Vec::new();
    for number in [id, (ticks >> 32) as u32, ticks as u32, length, length] {
        body.extend(order.four(number));
    }
    body.extend(packet);
    block(order, 6, &body)
}

/// A Simple Packet Block.
pub(super) fn simple(order: Order, packet: &[u8]) -> Vec<u8> {
    let body = [order.four(packet.len() as u32).as_slice(), packet].concat();
    block(order, 3, &body)
}

/// A UDP datagram from 10.20.0.1:40000 to 10.0.0.5:`port`, in IPv4.
pub(super) fn v4(port: u16, octets: &[u8]) -> Vec<u8> {
    ip_v4(17, 0, &udp(port, octets))
}

/// An IPv4 packet with this protocol, and this in the two octets of flags and offset.
pub(super) fn ip_v4(protocol: u8, fragment: u16, content: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((content.len() as u16 + 20).to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 10, 20, 0, 1, 10, 0, 0, 5]);
    packet.extend(content);
    packet
}

/// An IPv6 packet from 2001:db8::1 to 2001:db8::5; `extensions` stand behind its header, the first of kind `next`.
pub(super) fn ip_v6(next: u8, extensions: &[u8], content: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(((extensions.len() + content.len()) as u16).to_be_bytes());
    packet.extend([next, 64]);
    for last in [1, 5] {
        packet.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    packet.extend(extensions);
    packet.extend(content);
    packet
}

/// A UDP header and its octets.
pub(super) fn udp(port: u16, octets: &[u8]) -> Vec<u8> {
    let mut datagram = [40000_u16.to_be_bytes(), port.to_be_bytes()].concat();
    datagram.extend((octets.len() as u16 + 8).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(octets);
    datagram
}

/// A TCP header with 12 octets of options, and the segment's octets.
pub(super) fn tcp(port: u16, octets: &[u8]) -> Vec<u8> {
    let mut segment = [40000_u16.to_be_bytes(), port.to_be_bytes()].concat();
    segment.extend([0; 8]);
    segment.extend([8 << 4, 0x18, 1, 0, 0, 0, 0, 0]);
    segment.extend([1; 12]);
    segment.extend(octets);
    segment
}

/// An Ethernet frame with these VLAN tags.
pub(super) fn ethernet(tags: &[u16], kind: u16, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![2; 12];
    for tag in tags {
        frame.extend(0x8100_u16.to_be_bytes());
        frame.extend(tag.to_be_bytes());
    }
    frame.extend(kind.to_be_bytes());
    frame.extend(packet);
    frame
}
