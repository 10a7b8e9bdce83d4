//! Replies that wait for their record to be accepted: an inform is answered only when its event is safe.
//!
//! ```text
//!   park(reply) ──▶ [oldest … newest] ──▶ release ──accepted──▶ send
//!                    │                        └─lost, too old─▶ given up
//!                    └─ full ──▶ the oldest is given up
//! ```
//!
//! When it is full the oldest goes first: its sender is the likeliest to have asked again already, and a repeated
//! inform is answered again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::record::{Acceptance, LaneId, Number};

/// Replies that may wait: 4 096 informs are seconds of a storm, while a record is accepted within milliseconds.
pub(super) const REPLIES_MAX: usize = 4096;

/// Bytes of all waiting replies: 4 MiB, 1 KiB for each, so that large informs cannot use up the memory.
pub(super) const BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long a reply waits: a minute is longer than a sender with usual settings asks again (net-snmp 6 times 1 s,
/// Cisco IOS 4 times 15 s); after it nobody listens.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(60);

/// Buffers kept for the next reply, so that a steady stream of informs does not allocate.
const SPARE_MAX: usize = 64;

/// The waiting replies of one socket, or of one listener's connections; `T` is where a reply goes.
#[derive(Debug)]
pub(super) struct Parking<T> {
    waiting: VecDeque<Parked<T>>,
    bytes: usize,
    spare: Vec<Vec<u8>>,
}

impl<T> Default for Parking<T> {
    fn default() -> Self {
        Parking {
            waiting: VecDeque::new(),
            bytes: 0,
            spare: Vec::new(),
        }
    }
}

#[derive(Debug)]
struct Parked<T> {
    to: T,
    after: (LaneId, Number),
    since: Instant,
    bytes: Vec<u8>,
}

impl<T> Parking<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Keeps a copy of `bytes` for `to`. Returns how many replies were given up for it (itself, when it fits nowhere).
    pub(super) fn park(
        &mut self,
        to: T,
        after: (LaneId, Number),
        bytes: &[u8],
        now: Instant,
    ) -> u64 {
        if bytes.len() > BYTES_MAX {
            return 1;
        }
        let mut given_up = 0;
        while self.waiting.len() >= REPLIES_MAX || self.bytes + bytes.len() > BYTES_MAX {
            let Some(oldest) = self.waiting.pop_front() else {
                break;
            };
            self.recycle(oldest.bytes);
            given_up += 1;
        }
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.extend_from_slice(bytes);
        self.bytes += bytes.len();
        self.waiting.push_back(Parked {
            to,
            after,
            since: now,
            bytes: copy,
        });
        given_up
    }

    /// Sends every reply that is ready by `acceptance`, oldest first: its record is accepted, and there is room where it
    /// goes. Returns how many were given up: their record is lost, or they are too old.
    pub(super) fn release(
        &mut self,
        now: Instant,
        acceptance: impl Fn(&T, (LaneId, Number)) -> Acceptance,
        mut send: impl FnMut(T, &[u8]),
    ) -> u64 {
        let mut given_up = 0;
        for _ in 0..self.waiting.len() {
            let Some(parked) = self.waiting.pop_front() else {
                break;
            };
            let is_late = now.saturating_duration_since(parked.since) >= WAIT_MAX;
            match acceptance(&parked.to, parked.after) {
                Acceptance::Accepted => {
                    send(parked.to, &parked.bytes);
                    self.recycle(parked.bytes);
                }
                // Each is looked at once and goes to the back, so the order stays as it was.
                Acceptance::Waiting if !is_late => self.waiting.push_back(parked),
                Acceptance::Waiting | Acceptance::Lost => {
                    self.recycle(parked.bytes);
                    given_up += 1;
                }
            }
        }
        given_up
    }

    fn recycle(&mut self, mut bytes: Vec<u8>) {
        self.bytes = self.bytes.saturating_sub(bytes.len());
        if self.spare.len() < SPARE_MAX {
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn to(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn record(number: u64) -> (LaneId, Number) {
        (LaneId(0), Number(number))
    }

    fn sent(parking: &mut Parking<SocketAddr>, now: Instant, accepted: u64) -> (Vec<u16>, u64) {
        let mut ports = Vec::new();
        let given_up = parking.release(
            now,
            |_, (_, Number(number))| match number < accepted {
                true => Acceptance::Accepted,
                false => Acceptance::Waiting,
            },
            |to, _| ports.push(to.port()),
        );
        (ports, given_up)
    }

    #[test]
    fn replies_go_out_oldest_first_once_their_record_is_accepted() {
        let (mut parking, now) = (Parking::default(), Instant::now());
        for number in 0..5 {
            assert_eq!(
                parking.park(to(number), record(u64::from(number)), b"reply", now),
                0
            );
        }
        assert_eq!(sent(&mut parking, now, 0), (vec![], 0));
        assert_eq!(sent(&mut parking, now, 3), (vec![0, 1, 2], 0));
        assert_eq!(sent(&mut parking, now, 9), (vec![3, 4], 0));
        assert!(parking.is_empty());
        assert_eq!(parking.bytes, 0);
    }

    #[test]
    fn a_full_table_gives_up_its_oldest() {
        let (mut parking, now) = (Parking::default(), Instant::now());
        let given_up: u64 = (0..REPLIES_MAX as u64 + 10)
            .map(|number| parking.park(to(number as u16), record(number), b"reply", now))
            .sum();
        assert_eq!(given_up, 10);
        assert_eq!(parking.len(), REPLIES_MAX);
        assert_eq!(sent(&mut parking, now, u64::MAX).0.first(), Some(&10));
    }

    #[test]
    fn large_replies_are_bounded_by_their_bytes() {
        let (mut parking, now) = (Parking::default(), Instant::now());
        let reply = vec![0; 60_000];
        let given_up: u64 = (0..100)
            .map(|number| parking.park(to(1), record(number), &reply, now))
            .sum();
        assert_eq!(given_up, 100 - (BYTES_MAX / reply.len()) as u64);
        assert!(parking.bytes <= BYTES_MAX);
    }

    #[test]
    fn a_reply_whose_record_is_lost_is_given_up_at_once() {
        let (mut parking, now) = (Parking::default(), Instant::now());
        parking.park(to(1), record(1), b"reply", now);
        let sends_none = |_, _: &[u8]| panic!("its sender would forget what is lost");
        let given_up = parking.release(now, |_, _| Acceptance::Lost, sends_none);
        assert_eq!(given_up, 1);
        assert!(parking.is_empty() && parking.bytes == 0);
    }

    #[test]
    fn a_reply_whose_record_is_never_accepted_is_given_up_after_a_minute() {
        let (mut parking, now) = (Parking::default(), Instant::now());
        parking.park(to(1), record(1), b"reply", now);
        assert_eq!(sent(&mut parking, now + WAIT_MAX / 2, 0), (vec![], 0));
        assert_eq!(sent(&mut parking, now + WAIT_MAX, 0), (vec![], 1));
        assert!(parking.is_empty());
    }
}
