//! Says in the log that packets or records are being lost: at once, and then at most once a minute.
//!
//! ```text
//!  ledger, every second ──▶ Losses::since ──▶ what is new ──▶ one line each: kernel_dropped, turned away, lost
//! ```
//!
//! The ledger and the metrics have every count at any moment; the log is for whoever looks at nothing else.

use std::time::{Duration, Instant};

use compact_str::CompactString;

use crate::observe::ledger::{LossReason, RecordCounts, Snapshot};
use crate::observe::statement::{losses, rejections};
use crate::packet::Reason;

/// The time between two lines about the same loss.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// Losses as far as they were said.
#[derive(Debug, Default)]
pub(super) struct Losses {
    said: Vec<Said>,
}

#[derive(Debug)]
struct Said {
    loss: Loss,
    total: u64,
    /// When, by this process.
    at: Option<Instant>,
}

impl Said {
    fn is_due(&self, now: Instant) -> bool {
        self.at.is_none_or(|at| now >= at + SAID_EVERY)
    }
}

/// One way to lose something.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Loss {
    /// The kernel had no room for datagrams of this listener.
    KernelDropped(CompactString),
    /// The spool took no records of this listener's packets, for this reason.
    TurnedAway(CompactString, &'static str),
    /// The spool gave up records that it had accepted, for this reason.
    Lost(&'static str),
}

impl Losses {
    /// The losses among `records` happened to earlier runs, which said them, or at the start, which says them itself.
    pub fn known(records: &RecordCounts) -> Losses {
        let said = lost(records).map(|(loss, total)| Said {
            loss,
            total,
            at: None,
        });
        Losses {
            said: said.collect(),
        }
    }

    /// Logs what was lost since the last call.
    pub fn say(&mut self, ledger: &Snapshot, now: Instant) {
        for (loss, count, total) in self.since(ledger, now) {
            log(&loss, count, total);
        }
    }

    /// What has grown and was not said within the last minute: what, by how much since it was last said, and in all.
    fn since(&mut self, ledger: &Snapshot, now: Instant) -> Vec<(Loss, u64, u64)> {
        let mut news = Vec::new();
        for (loss, total) in totals(ledger) {
            let known = self.said.iter_mut().find(|said| said.loss == loss);
            match known {
                None => {
                    news.push((loss.clone(), total, total));
                    let at = Some(now);
                    self.said.push(Said { loss, total, at });
                }
                Some(said) if total > said.total && said.is_due(now) => {
                    news.push((loss, total - said.total, total));
                    (said.total, said.at) = (total, Some(now));
                }
                Some(_) => {}
            }
        }
        news
    }
}

/// Each loss that has happened.
fn totals(ledger: &Snapshot) -> impl Iterator<Item = (Loss, u64)> {
    let packets = ledger.listeners.iter().flat_map(|listener| {
        let name = listener.listener.name.clone();
        let dropped = (Loss::KernelDropped(name.clone()), listener.kernel_dropped);
        let turned_away = rejections(listener)
            .filter(|(reason, _)| {
                [Reason::SpoolFull, Reason::SpoolStalled]
                    .map(Reason::as_str)
                    .contains(reason)
            })
            .map(move |(reason, count)| (Loss::TurnedAway(name.clone(), reason), count));
        std::iter::once(dropped).chain(turned_away)
    });
    packets
        .chain(lost(&ledger.records))
        .filter(|(_, count)| *count > 0)
}

/// Each loss of accepted records. What the broker refuses and what the process's end costs is said where it happens.
fn lost(records: &RecordCounts) -> impl Iterator<Item = (Loss, u64)> {
    let said_elsewhere = [LossReason::Poison, LossReason::ProcessEnd].map(LossReason::as_str);
    losses(records)
        .filter(move |(reason, count)| *count > 0 && !said_elsewhere.contains(reason))
        .map(|(reason, count)| (Loss::Lost(reason), count))
}

fn log(loss: &Loss, count: u64, total: u64) {
    match loss {
        Loss::KernelDropped(listener) => tracing::warn!(
            %listener,
            datagrams = count,
            datagrams_total = total,
            "the kernel dropped datagrams that came faster than they were read"
        ),
        Loss::TurnedAway(listener, reason) => tracing::warn!(
            %listener,
            reason,
            packets = count,
            packets_total = total,
            "packets are turned away, the spool has no room"
        ),
        Loss::Lost(reason) => tracing::warn!(
            reason,
            records = count,
            records_total = total,
            "records are lost"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::ledger::ListenerLedger;
    use crate::packet::{Protocol, Transport};

    fn ledger(kernel_dropped: u64, spool_full: u64) -> Snapshot {
        let listener = crate::pipeline::listener(Protocol::Syslog, Transport::Udp);
        let listener = ListenerLedger::new(listener);
        listener.add_kernel_dropped(kernel_dropped);
        let mut records = RecordCounts::default();
        records.lost[LossReason::SpoolFull as usize] = spool_full;
        Snapshot::take([&listener], || records.clone())
    }

    #[test]
    fn a_loss_is_said_at_once_and_then_once_a_minute_with_all_that_came_in_between() {
        let (mut losses, start) = (Losses::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(losses.since(&ledger(0, 0), after(0)), []);
        let full = Loss::Lost("spool_full");
        assert_eq!(
            losses.since(&ledger(0, 5), after(1)),
            [(full.clone(), 5, 5)]
        );
        assert_eq!(losses.since(&ledger(0, 9), after(2)), []);
        assert_eq!(losses.since(&ledger(0, 9), after(61)), [(full, 4, 9)]);
        assert_eq!(losses.since(&ledger(0, 9), after(200)), []);
    }

    #[test]
    fn what_earlier_runs_lost_is_no_news_and_the_next_loss_is_said_at_once() {
        let start = Instant::now();
        let mut losses = Losses::known(&ledger(0, 5).records);
        assert_eq!(losses.since(&ledger(0, 5), start), []);
        let full = Loss::Lost("spool_full");
        assert_eq!(losses.since(&ledger(0, 7), start), [(full, 2, 7)]);
        assert_eq!(losses.since(&ledger(0, 9), start), []);
    }

    #[test]
    fn one_loss_does_not_silence_another() {
        let (mut losses, start) = (Losses::default(), Instant::now());
        losses.since(&ledger(0, 5), start);
        let news = losses.since(&ledger(7, 6), start);
        let dropped = Loss::KernelDropped("syslog-udp".into());
        assert_eq!(news, [(dropped, 7, 7)]);
    }
}
