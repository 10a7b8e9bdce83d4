//! The load: numbered RFC 5424 messages of a given size over UDP, at a steady rate.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::message::message;

/// How many datagrams go out together: the generator wakes a few hundred times a second at the usual rates.
const BURST: usize = 40;

/// Sends `rate` messages a second for `duration` to `target`; returns how many were sent.
pub fn send(target: SocketAddr, rate: u64, duration: Duration, size: usize) -> u64 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free UDP port");
    socket.connect(target).expect("an address");
    let total = rate * duration.as_secs();
    let pause = Duration::from_secs_f64(BURST as f64 / rate as f64);
    let start = Instant::now();
    let mut sent = 0;
    while sent < total {
        for _ in 0..BURST.min((total - sent) as usize) {
            socket
                .send(&message(sent, size))
                .expect("a datagram sent over loopback");
            sent += 1;
        }
        let due = pause * (sent / BURST as u64) as u32;
        if let Some(wait) = due.checked_sub(start.elapsed()) {
            std::thread::sleep(wait);
        }
    }
    sent
}
