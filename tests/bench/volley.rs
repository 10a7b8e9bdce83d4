//! A cheap generator: packets that are prepared, a burst of them with one send(2), at a steady rate from several addresses.
//!
//! ```text
//!   fill(n), fill(n+1), … ─▶ one buffer ─▶ send, UDP_SEGMENT = bytes of a packet ─▶ the kernel cuts it at the listener's socket
//! ```
//!
//! A burst passes the kernel's layers as one packet (udp(7), UDP_SEGMENT) and is cut where it is put into the listener's
//! queue, so the listener reads datagrams as ever, and what its queue has no room for is dropped and counted one by one.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Datagrams of one call: at 50 000/s the generator wakes a thousand times a second. The kernel takes 64.
const BURST: u64 = 50;

/// Adds the packet of a number to a buffer.
pub type Fill<'f> = &'f dyn Fn(u64, &mut Vec<u8>);

/// Sockets that send to one target.
pub struct Volley {
    sockets: Vec<UdpSocket>,
}

/// Number `host` of the senders' addresses, all of them of the loopback network.
pub fn address(host: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x7f01_0001 + host)
}

/// A socket of that address.
pub fn socket(host: u32, target: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((address(host), 0)).expect("a free UDP port");
    socket.connect(target).expect("an address");
    socket
}

impl Volley {
    /// Senders at so many addresses.
    pub fn new(target: SocketAddr, hosts: u32) -> Volley {
        Volley {
            sockets: (0..hosts).map(|host| socket(host, target)).collect(),
        }
    }

    /// Sends the packets of `numbers`, `rate` a second.
    pub fn send(&self, numbers: Range<u64>, rate: u64, fill: Fill<'_>) {
        let mut sockets = self.sockets.iter().cycle();
        let mut packets = Vec::new();
        let start = Instant::now();
        let mut next = numbers.start;
        while next < numbers.end {
            let end = numbers.end.min(next + BURST);
            let socket = sockets.next().expect("a socket");
            send_all(socket, next..end, fill, &mut packets);
            next = end;
            let due = Duration::from_secs_f64((next - numbers.start) as f64 / rate as f64);
            if let Some(wait) = due.checked_sub(start.elapsed()) {
                std::thread::sleep(wait);
            }
        }
    }
}

/// One burst; only packets of one length go together.
fn send_all(socket: &UdpSocket, numbers: Range<u64>, fill: Fill<'_>, packets: &mut Vec<u8>) {
    packets.clear();
    let mut length = 0;
    for number in numbers {
        let before = packets.len();
        fill(number, packets);
        let added = packets.len() - before;
        if before > 0 && added != length {
            send_cut(socket, &packets[..before], length);
            packets.drain(..before);
        }
        length = added;
    }
    send_cut(socket, packets, length);
}

/// Sends `packets`, each of `length` bytes, as datagrams of their own.
fn send_cut(socket: &UdpSocket, packets: &[u8], length: usize) {
    let length = libc::c_int::try_from(length).expect("a packet's length");
    // Safety: the pointer is to an int of our own, and its size is said.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            std::ptr::from_ref(&length).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    assert_eq!(set, 0, "UDP_SEGMENT (Linux 4.18)");
    let sent = socket.send(packets).expect("datagrams sent over loopback");
    assert_eq!(sent, packets.len(), "bytes sent");
}
