//! The ledger: two equations that hold at every moment.
//!
//! ```text
//! packets   arrived  = kernel_dropped + received          received = used + Σ rejected{reason} + in_hand
//! records   accepted = from_packets + generated           accepted = delivered + pending + dead_letter + Σ lost{reason}
//! ```
//!
//! Each side of an equation is counted where it happens, under one lock a listener (packets) or one lock for the
//! spool (records), so a snapshot never sees half of a change. Nothing here is computed from the other side of its
//! own equation: if a code path forgets to count, [`Snapshot::imbalance`] says so.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::packet::{Listener, Outcome, Reason, reasons};

reasons! {
    /// Why a record that the spool had accepted is gone without having been delivered.
    LossReason {
        /// The spool was full and its policy is `drop_oldest`.
        SpoolFull = "spool_full",
        /// It was older than the spool's age cap.
        SpoolAge = "spool_age",
        /// The process ended with a memory spool.
        ProcessEnd = "process_end",
        /// A frame of the log could not be read back.
        Corrupt = "corrupt",
        /// The disk could not keep it.
        DiskSync = "disk_sync",
        /// The broker will never take it, and it could not be set aside: the spool is in memory, the dead-letter file is
        /// full, or the disk fails.
        Poison = "poison",
    }
}

/// Packet counts of one listener since the agent started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PacketCounts {
    /// Read from the socket.
    pub received: u64,
    /// Became exactly one record.
    pub used: u64,
    /// Did not, by [`Reason`] (index: the reason's place in [`Reason::ALL`]).
    pub rejected: [u64; Reason::COUNT],
    /// Read, and not yet at an end.
    pub in_hand: u64,
}

impl PacketCounts {
    /// Σ rejected.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().sum()
    }
}

/// How the packets of one batch ended; a receiver adds them up without touching the shared ledger.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    used: u64,
    rejected: [u64; Reason::COUNT],
}

impl Tally {
    /// Counts one packet's end.
    pub fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Used => self.used += 1,
            Outcome::Rejected(reason) => self.rejected[reason as usize] += 1,
        }
    }

    /// How many packets have ended.
    pub fn total(&self) -> u64 {
        self.used + self.rejected.iter().sum::<u64>()
    }
}

/// One listener's account. Shared by its threads or connections.
#[derive(Debug)]
pub struct ListenerLedger {
    /// Which listener.
    pub listener: Listener,
    counts: Mutex<PacketCounts>,
    kernel_dropped: AtomicU64,
    /// Stream connections open now.
    pub connections_open: AtomicU64,
    /// Stream connections taken since the start.
    pub connections_accepted: AtomicU64,
    /// Stream connections closed before anything was read: by a limit, the `allow` list, a TLS handshake that failed or
    /// that a stop ended.
    pub connections_refused: AtomicU64,
    /// Frames or datagrams that were longer than the limit and were cut.
    pub cut: AtomicU64,
    /// Streams that ended in the middle of a frame; the half became an event.
    pub half_frames: AtomicU64,
    /// Replies (informs' Responses) that were sent.
    pub replies_sent: AtomicU64,
    /// Replies that were not: the parking table was full, or the socket refused.
    pub replies_dropped: AtomicU64,
}

impl ListenerLedger {
    /// An empty account.
    pub fn new(listener: Listener) -> Self {
        ListenerLedger {
            listener,
            counts: Mutex::default(),
            kernel_dropped: AtomicU64::new(0),
            connections_open: AtomicU64::new(0),
            connections_accepted: AtomicU64::new(0),
            connections_refused: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            half_frames: AtomicU64::new(0),
            replies_sent: AtomicU64::new(0),
            replies_dropped: AtomicU64::new(0),
        }
    }

    /// `packets` were read from the socket and are in hand.
    pub fn begin(&self, packets: u64) {
        let mut counts = self.lock();
        counts.received += packets;
        counts.in_hand += packets;
    }

    /// The packets of `tally` have ended.
    pub fn end(&self, tally: &Tally) {
        let mut counts = self.lock();
        counts.used += tally.used;
        for (total, more) in counts.rejected.iter_mut().zip(tally.rejected) {
            *total += more;
        }
        counts.in_hand = counts.in_hand.saturating_sub(tally.total());
    }

    /// The kernel has dropped `more` packets of this listener's sockets since it was last asked.
    pub fn add_kernel_dropped(&self, more: u64) {
        self.kernel_dropped.fetch_add(more, Ordering::Relaxed);
    }

    /// Packets that the kernel dropped before they could be read.
    pub fn kernel_dropped(&self) -> u64 {
        self.kernel_dropped.load(Ordering::Relaxed)
    }

    /// The counts, as one consistent picture.
    pub fn counts(&self) -> PacketCounts {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, PacketCounts> {
        self.counts
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Record counts of the spool: all lanes together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordCounts {
    /// Made from one packet each.
    pub from_packets: u64,
    /// Made by the agent itself: its own events, and dead letters that are sent again under a new number.
    pub generated: u64,
    /// Taken by the spool.
    pub accepted: u64,
    /// Acknowledged by the broker.
    pub delivered: u64,
    /// Set aside as not deliverable, ever: one that is sent again stays counted here, and its new record as `generated`.
    pub dead_letter: u64,
    /// In the spool, not yet acknowledged.
    pub pending: u64,
    /// Lost, by [`LossReason`] (index: the reason's place in [`LossReason::ALL`]).
    pub lost: [u64; LossReason::COUNT],
    /// Handed to the Kafka client again after a fault. A repeat carries the same id; it is never counted as delivered twice.
    pub redelivered: u64,
    /// Made from packets and on their way to the log, not yet accepted. Always 0 with a memory spool.
    pub in_hand: u64,
    /// Those of `from_packets` that earlier runs of the agent counted.
    pub earlier: u64,
}

impl RecordCounts {
    /// Adds another lane's counts.
    pub fn add(&mut self, other: &RecordCounts) {
        let RecordCounts {
            from_packets,
            generated,
            accepted,
            delivered,
            dead_letter,
            pending,
            lost,
            redelivered,
            in_hand,
            earlier,
        } = other;
        self.from_packets += from_packets;
        self.generated += generated;
        self.accepted += accepted;
        self.delivered += delivered;
        self.dead_letter += dead_letter;
        self.pending += pending;
        for (total, more) in self.lost.iter_mut().zip(lost) {
            *total += more;
        }
        self.redelivered += redelivered;
        self.in_hand += in_hand;
        self.earlier += earlier;
    }

    /// Σ lost.
    pub fn lost_total(&self) -> u64 {
        self.lost.iter().sum()
    }
}

/// How often the accounts are read for one snapshot: a reading takes a microsecond and a flood brings a record every 50,
/// so the second nearly always is the last.
const READINGS_MAX: u32 = 1000;

/// One consistent picture of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSnapshot {
    /// Which listener.
    pub listener: Listener,
    /// Its packets.
    pub counts: PacketCounts,
    /// What the kernel dropped before us.
    pub kernel_dropped: u64,
    /// Stream connections open now.
    pub connections_open: u64,
    /// Stream connections taken since the start.
    pub connections_accepted: u64,
    /// Stream connections closed before anything was read: by a limit, the `allow` list, a TLS handshake that failed or
    /// that a stop ended.
    pub connections_refused: u64,
    /// Packets that were cut at a limit.
    pub cut: u64,
    /// Streams that ended in the middle of a frame.
    pub half_frames: u64,
    /// Replies sent.
    pub replies_sent: u64,
    /// Replies not sent.
    pub replies_dropped: u64,
}

/// The whole ledger at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Packets, by listener.
    pub listeners: Vec<ListenerSnapshot>,
    /// Records.
    pub records: RecordCounts,
}

impl Snapshot {
    /// Reads every account. Packets and records are under different locks, so under load a packet may end between the
    /// two: the accounts are read again until no record was made meanwhile.
    pub fn take<'l>(
        ledgers: impl IntoIterator<Item = &'l ListenerLedger> + Clone,
        records: impl Fn() -> RecordCounts,
    ) -> Snapshot {
        let made = |records: &RecordCounts| records.from_packets + records.in_hand;
        let mut before = records();
        let mut snapshot = Snapshot::default();
        for _ in 0..READINGS_MAX {
            let listeners = Snapshot::read_listeners(ledgers.clone());
            let after = records();
            let is_steady = made(&before) == made(&after);
            before = after.clone();
            snapshot = Snapshot {
                listeners,
                records: after,
            };
            if is_steady {
                break;
            }
        }
        snapshot
    }

    fn read_listeners<'l>(
        ledgers: impl IntoIterator<Item = &'l ListenerLedger>,
    ) -> Vec<ListenerSnapshot> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ledgers
            .into_iter()
            .map(|ledger| ListenerSnapshot {
                listener: ledger.listener.clone(),
                counts: ledger.counts(),
                kernel_dropped: ledger.kernel_dropped(),
                connections_open: read(&ledger.connections_open),
                connections_accepted: read(&ledger.connections_accepted),
                connections_refused: read(&ledger.connections_refused),
                cut: read(&ledger.cut),
                half_frames: read(&ledger.half_frames),
                replies_sent: read(&ledger.replies_sent),
                replies_dropped: read(&ledger.replies_dropped),
            })
            .collect()
    }

    /// The equations that do not hold, each in words with its numbers; empty when the ledger balances.
    ///
    /// `used = from_packets` ties the two equations together and can only be asked for at rest, when no packet is in hand.
    pub fn imbalance(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for ListenerSnapshot {
            listener, counts, ..
        } in &self.listeners
        {
            let ended = counts.used + counts.rejected_total() + counts.in_hand;
            if counts.received != ended {
                wrong.push(format!(
                    "listener {}: received {} != used {} + rejected {} + in_hand {}",
                    listener.name,
                    counts.received,
                    counts.used,
                    counts.rejected_total(),
                    counts.in_hand
                ));
            }
        }
        let records = &self.records;
        if records.accepted != records.from_packets + records.generated {
            wrong.push(format!(
                "records: accepted {} != from_packets {} + generated {}",
                records.accepted, records.from_packets, records.generated
            ));
        }
        let settled =
            records.delivered + records.pending + records.dead_letter + records.lost_total();
        if records.accepted != settled {
            wrong.push(format!(
                "records: accepted {} != delivered {} + pending {} + dead_letter {} + lost {}",
                records.accepted,
                records.delivered,
                records.pending,
                records.dead_letter,
                records.lost_total()
            ));
        }
        let used: u64 = self
            .listeners
            .iter()
            .map(|listener| listener.counts.used)
            .sum();
        let at_rest = self
            .listeners
            .iter()
            .all(|listener| listener.counts.in_hand == 0);
        let made = (records.from_packets + records.in_hand).saturating_sub(records.earlier);
        if at_rest && used != made {
            wrong.push(format!(
                "packets used {used} != records from_packets {} - {} of earlier runs + in_hand {}",
                records.from_packets, records.earlier, records.in_hand
            ));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Protocol, Transport};

    fn ledger() -> ListenerLedger {
        let listener = Listener {
            index: 0,
            name: "a".into(),
            protocol: Protocol::Syslog,
            transport: Transport::Udp,
        };
        ListenerLedger::new(listener)
    }

    #[test]
    fn a_batch_is_in_hand_until_its_tally_ends_it() {
        let ledger = ledger();
        ledger.begin(3);
        assert_eq!(ledger.counts().in_hand, 3);
        let mut tally = Tally::default();
        tally.add(Outcome::Used);
        tally.add(Outcome::Used);
        tally.add(Outcome::Rejected(Reason::Empty));
        ledger.end(&tally);
        let records = RecordCounts {
            from_packets: 2,
            accepted: 2,
            pending: 2,
            ..Default::default()
        };
        let snapshot = Snapshot::take([&ledger], || records.clone());
        assert_eq!(snapshot.imbalance(), Vec::<String>::new());
        assert_eq!(
            snapshot.listeners[0].counts.rejected[Reason::Empty as usize],
            1
        );
    }

    #[test]
    fn a_forgotten_packet_and_a_forgotten_record_are_both_named() {
        let ledger = ledger();
        ledger.begin(2);
        let mut tally = Tally::default();
        tally.add(Outcome::Used);
        ledger.end(&tally);
        ledger.lock().in_hand = 0;
        let records = RecordCounts {
            from_packets: 1,
            accepted: 1,
            ..Default::default()
        };
        let wrong = Snapshot::take([&ledger], || records.clone()).imbalance();
        assert_eq!(wrong.len(), 2);
        assert!(wrong[0].contains("received 2 != used 1"), "{wrong:?}");
        assert!(
            wrong[1].contains("accepted 1 != delivered 0 + pending 0"),
            "{wrong:?}"
        );
    }
}
