//! Devices that send numbered messages at a steady rate for as long as a test wants.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::device::{numbered, octet_counted};
use super::wait::pause;

/// How often a device sends what is due.
const EVERY: Duration = Duration::from_millis(5);

/// How many messages each device has sent: the numbers 0, 1, 2, ... below it.
pub type Sent = BTreeMap<String, u64>;

/// What devices send.
#[derive(Debug, Clone, Copy)]
pub struct Load<'l> {
    /// The devices; each has a stream of its own.
    pub devices: &'l [&'l str],
    /// Messages a second, all devices together.
    pub per_second: u64,
    /// Bytes that follow the number in each message.
    pub filling_bytes: usize,
}

impl Load<'_> {
    /// The devices send to `to` until `work` has returned or panicked. Returns what they sent. A stream loses nothing
    /// as long as the agent lives, so all of it has to arrive.
    #[track_caller]
    pub fn during(&self, to: SocketAddr, work: impl FnOnce(&AtomicU64)) -> Sent {
        let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let senders: Vec<_> = self
                .devices
                .iter()
                .map(|name| {
                    let (stop, count) = (&stop, &count);
                    let sender = scope.spawn(move || self.send(to, name, stop, count));
                    ((*name).to_owned(), sender)
                })
                .collect();
            // However this ends, the senders end.
            let stopping = StopAtEnd(&stop);
            work(&count);
            drop(stopping);
            senders
                .into_iter()
                .map(|(name, sender)| (name, sender.join().expect("a sender")))
                .collect()
        })
    }

    fn send(&self, to: SocketAddr, name: &str, stop: &AtomicBool, count: &AtomicU64) -> u64 {
        let mut stream = TcpStream::connect(to).expect("a connection");
        let filling = "x".repeat(self.filling_bytes);
        let share = self.devices.len() as u64;
        let began = Instant::now();
        let mut number = 0;
        let mut frames = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            let elapsed_ms = u64::try_from(began.elapsed().as_millis()).expect("some minutes");
            let due = elapsed_ms * self.per_second / share / 1000;
            frames.clear();
            for number in number..due {
                let message = numbered(name, number);
                frames.extend(octet_counted(&format!("{message}{filling}")));
            }
            stream.write_all(&frames).expect("the agent reads");
            count.fetch_add(due - number, Ordering::SeqCst);
            number = due;
            pause(EVERY);
        }
        number
    }
}

/// One device sends `numbers` over a stream of its own, `per_second` of them at most, each with `filling_bytes` behind.
#[track_caller]
pub fn send_paced(
    to: SocketAddr,
    name: &str,
    numbers: Range<u64>,
    per_second: u64,
    filling_bytes: usize,
) {
    let mut stream = TcpStream::connect(to).expect("a connection");
    let filling = "x".repeat(filling_bytes);
    let began = Instant::now();
    for number in numbers.clone() {
        let due = Duration::from_micros((number - numbers.start) * 1_000_000 / per_second);
        if let Some(early) = due.checked_sub(began.elapsed()) {
            pause(early.max(EVERY));
        }
        let frame = octet_counted(&format!("{}{filling}", numbered(name, number)));
        stream.write_all(&frame).expect("the agent reads");
    }
}

/// All that was sent.
pub fn total(sent: &Sent) -> u64 {
    sent.values().sum()
}

/// Tells senders to end when it goes out of scope.
struct StopAtEnd<'s>(&'s AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
