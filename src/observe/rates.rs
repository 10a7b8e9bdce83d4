//! How fast it goes: what the ledger counted over the last ten seconds and the last minute.
//!
//! ```text
//!  each second: ledger::Snapshot ──▶ History::note ──▶ the samples of the last minute ──▶ History::rates ──▶ Rates
//! ```
//!
//! In: snapshots and the time. Out: events a second. No clock: the caller has it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::ledger::Snapshot;

/// Samples closer together than this are left out: a stop asks far more often than once a second.
const SAMPLE_MS: u64 = 900;

const TEN_SECONDS_MS: u64 = 10_000;
const MINUTE_MS: u64 = 60_000;

/// Events a second. Over less time where the process has not run for so long.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Rate {
    /// Over the last ten seconds.
    pub ten_seconds: f64,
    /// Over the last minute.
    pub minute: f64,
}

/// One listener's rates.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ListenerRates {
    /// Packets that were read.
    pub received: Rate,
    /// Packets that the kernel dropped.
    pub kernel_dropped: Rate,
}

/// All rates.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rates {
    /// By listener, in the ledger's order.
    pub listeners: Vec<ListenerRates>,
    /// Records that the spool took.
    pub accepted: Rate,
    /// Records that the broker acknowledged.
    pub delivered: Rate,
}

/// What was counted at one moment.
#[derive(Debug)]
struct Sample {
    at_ms: u64,
    accepted: u64,
    delivered: u64,
    /// Received, dropped by the kernel.
    listeners: Vec<(u64, u64)>,
}

/// The samples of the last minute.
#[derive(Debug, Default)]
pub struct History(VecDeque<Sample>);

impl History {
    /// Takes in what is counted at `now_ms` of the caller's clock, which does not go back.
    pub fn note(&mut self, now_ms: u64, ledger: &Snapshot) {
        let is_soon = |last: &Sample| now_ms < last.at_ms.saturating_add(SAMPLE_MS);
        if self.0.back().is_some_and(is_soon) {
            return;
        }
        // One that is older than a minute is kept: the minute begins there.
        let is_over = |sample: &Sample| sample.at_ms.saturating_add(MINUTE_MS) <= now_ms;
        while self.0.get(1).is_some_and(is_over) {
            self.0.pop_front();
        }
        let listeners = ledger.listeners.iter();
        self.0.push_back(Sample {
            at_ms: now_ms,
            accepted: ledger.records.accepted,
            delivered: ledger.records.delivered,
            listeners: listeners
                .map(|it| (it.counts.received, it.kernel_dropped))
                .collect(),
        });
    }

    /// The rates up to the last sample.
    pub fn rates(&self) -> Rates {
        let Some(last) = self.0.back() else {
            return Rates::default();
        };
        let rate = |count: &dyn Fn(&Sample) -> u64| Rate {
            ten_seconds: self.over(TEN_SECONDS_MS, count),
            minute: self.over(MINUTE_MS, count),
        };
        let of = |sample: &Sample, index: usize| {
            let counts = sample.listeners.get(index);
            counts.copied().unwrap_or_default()
        };
        let listeners = 0..last.listeners.len();
        Rates {
            listeners: listeners
                .map(|index| ListenerRates {
                    received: rate(&|sample| of(sample, index).0),
                    kernel_dropped: rate(&|sample| of(sample, index).1),
                })
                .collect(),
            accepted: rate(&|sample| sample.accepted),
            delivered: rate(&|sample| sample.delivered),
        }
    }

    fn over(&self, length_ms: u64, count: &dyn Fn(&Sample) -> u64) -> f64 {
        let Some(last) = self.0.back() else {
            return 0.0;
        };
        let begin_ms = last.at_ms.saturating_sub(length_ms);
        let behind = self.0.partition_point(|sample| sample.at_ms <= begin_ms);
        let Some(first) = self.0.get(behind.saturating_sub(1)) else {
            return 0.0;
        };
        let passed_ms = last.at_ms - first.at_ms;
        if passed_ms == 0 {
            return 0.0;
        }
        let more = count(last).saturating_sub(count(first));
        more as f64 * 1000.0 / passed_ms as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::ledger::{ListenerLedger, RecordCounts};
    use crate::packet::{Listener, Protocol, Transport};

    fn ledger(received: u64, delivered: u64) -> Snapshot {
        let listener = ListenerLedger::new(Listener {
            index: 0,
            name: "a".into(),
            protocol: Protocol::Syslog,
            transport: Transport::Udp,
        });
        listener.begin(received);
        let records = RecordCounts {
            delivered,
            ..Default::default()
        };
        Snapshot::take([&listener], || records.clone())
    }

    #[test]
    fn rates_are_over_ten_seconds_and_a_minute() {
        let mut history = History::default();
        for second in 0..=120 {
            let late = second.max(115) - 115;
            history.note(
                second * 1000,
                &ledger(second * 100 + late * 900, second * 7),
            );
        }
        let rates = history.rates();
        assert_eq!(rates.delivered.ten_seconds, 7.0);
        assert_eq!(rates.delivered.minute, 7.0);
        assert_eq!(rates.listeners[0].received.ten_seconds, 550.0);
        assert_eq!(rates.listeners[0].received.minute, 175.0);
        assert!(history.0.len() <= 62, "{}", history.0.len());
    }

    #[test]
    fn a_young_process_has_the_rate_of_its_life_and_the_first_look_has_none() {
        let mut history = History::default();
        assert_eq!(history.rates(), Rates::default());
        history.note(0, &ledger(0, 0));
        assert_eq!(history.rates().delivered, Rate::default());
        history.note(20, &ledger(0, 50));
        history.note(2000, &ledger(0, 100));
        assert_eq!(history.rates().delivered.minute, 50.0);
    }
}
