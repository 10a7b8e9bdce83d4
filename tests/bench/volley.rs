//! A cheap generator: packets that are prepared, many with one sendmmsg(2), at a steady rate from several addresses.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Datagrams of one call: at 50 000/s the generator wakes a thousand times a second.
const BURST: usize = 50;

/// Writes the packet of a number into a buffer.
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
        let mut slots = vec![Vec::new(); BURST];
        let mut sockets = self.sockets.iter().cycle();
        let start = Instant::now();
        let mut next = numbers.start;
        while next < numbers.end {
            let count = BURST.min((numbers.end - next) as usize);
            for (slot, number) in slots.iter_mut().zip(next..).take(count) {
                fill(number, slot);
            }
            send_all(sockets.next().expect("a socket"), &mut slots[..count]);
            next += count as u64;
            let due = Duration::from_secs_f64((next - numbers.start) as f64 / rate as f64);
            if let Some(wait) = due.checked_sub(start.elapsed()) {
                std::thread::sleep(wait);
            }
        }
    }
}

fn send_all(socket: &UdpSocket, packets: &mut [Vec<u8>]) {
    let mut parts: Vec<libc::iovec> = packets
        .iter_mut()
        .map(|packet| libc::iovec {
            iov_base: packet.as_mut_ptr().cast(),
            iov_len: packet.len(),
        })
        .collect();
    let mut headers: Vec<libc::mmsghdr> = parts
        .iter_mut()
        .map(|part| {
            // Safety: zeros are a valid header: no address, no control data.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header
        })
        .collect();
    let mut sent = 0;
    while let rest @ [_, ..] = &mut headers[sent..] {
        // Safety: the headers point to `parts`, those to `packets`, and both outlive the call.
        let count = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                rest.as_mut_ptr(),
                rest.len() as libc::c_uint,
                0,
            )
        };
        sent += usize::try_from(count).expect("datagrams sent over loopback");
    }
}
