//! One report: two readings of the ledger and what the spool says of each topic → an event of kind `agent`.
//!
//! ```text
//!  Counted before ─┐
//!  Counted now ────┼──▶ window ──▶ Report ──▶ event ──▶ {"kind":"agent","report":{...}}
//!  LaneWindow ... ─┘                  └─ too large for the topic? ──▶ shorter: fewer ranges, then no listeners
//! ```
//!
//! Pure: clocks and locks are the caller's.

use crate::event::{
    self, Count, Device, Event, HostnameSource, Id, Kind, KindReport, ListenerReport, LostRange,
    RecordReport, Report, Severity, Text, TimeSource, TopicReport,
};
use crate::observe::ledger::{ListenerSnapshot, LossReason, RecordCounts, Snapshot};
use crate::packet::Reason;
use crate::spool::LaneWindow;
use crate::time::UnixMicros;

/// Everything that a report shows the growth of.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    listeners: Vec<ListenerSnapshot>,
    records: RecordCounts,
    kinds: [u64; Kind::ALL.len()],
}

impl Counted {
    /// What is counted now. The records' side is that of the `lanes`, so that it fits their numbers.
    pub fn now(ledger: &Snapshot, lanes: &[LaneWindow], kinds: [u64; Kind::ALL.len()]) -> Counted {
        let mut records = RecordCounts::default();
        lanes.iter().for_each(|lane| records.add(&lane.counts));
        Counted {
            listeners: ledger.listeners.clone(),
            records,
            kinds,
        }
    }

    /// How the kinds have grown since `before`.
    pub fn kinds_since(&self, before: &Counted) -> Vec<KindReport> {
        let grown = Kind::ALL.iter().zip(self.kinds.iter().zip(before.kinds));
        grown
            .map(|(kind, (now, before))| KindReport {
                kind: *kind,
                records: now.saturating_sub(before),
            })
            .filter(|report| report.records > 0)
            .collect()
    }

    /// How the listeners' accounts have grown since `before`.
    pub fn listeners_since(&self, before: &Counted) -> Vec<ListenerReport> {
        let report = |now: &ListenerSnapshot| {
            let name = &now.listener.name;
            let before = before
                .listeners
                .iter()
                .find(|listener| listener.listener.name == *name);
            let since = |count: fn(&ListenerSnapshot) -> u64| {
                count(now).saturating_sub(before.map_or(0, count))
            };
            let rejected = Reason::ALL.iter().enumerate().map(|(place, reason)| {
                let at = |listener: &ListenerSnapshot| {
                    listener.counts.rejected.get(place).copied().unwrap_or(0)
                };
                (reason.as_str(), at(now) - before.map_or(0, at))
            });
            ListenerReport {
                name: name.to_string(),
                kernel_dropped: since(|listener| listener.kernel_dropped),
                received: since(|listener| listener.counts.received),
                used: since(|listener| listener.counts.used),
                rejected: occurred(rejected),
            }
        };
        self.listeners.iter().map(report).collect()
    }

    /// How the records' account has grown since `before`.
    pub fn records_since(&self, before: &Counted) -> RecordReport {
        let (now, before) = (&self.records, &before.records);
        let lost = LossReason::ALL.iter().zip(now.lost.iter().zip(before.lost));
        RecordReport {
            accepted: now.accepted.saturating_sub(before.accepted),
            delivered: now.delivered.saturating_sub(before.delivered),
            pending: now.pending,
            dead_letter: now.dead_letter.saturating_sub(before.dead_letter),
            lost: occurred(
                lost.map(|(reason, (now, before))| (reason.as_str(), now.saturating_sub(before))),
            ),
        }
    }
}

/// Those reasons that occurred.
fn occurred(counts: impl Iterator<Item = (&'static str, u64)>) -> Vec<Count> {
    counts
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| Count { reason, count })
        .collect()
}

/// What a report says of one topic whose numbers below `covered` are in earlier reports.
pub(super) fn topic(lane: &LaneWindow, covered: u64, now: UnixMicros) -> TopicReport {
    let is_new = lane.accepted > covered;
    let age_ms = |oldest: UnixMicros| {
        (now.as_millis() - oldest.as_millis())
            .max(0)
            .cast_unsigned()
    };
    TopicReport {
        topic: lane.topic.clone(),
        first: is_new.then_some(covered),
        last: is_new.then(|| lane.accepted - 1),
        next: lane.accepted,
        settled_to: lane.low,
        pending: lane.counts.pending,
        oldest_pending_age_ms: lane.oldest_received.map(age_ms),
    }
}

/// What a report declares of one topic.
pub(super) fn lost(lane: &LaneWindow) -> impl Iterator<Item = LostRange> {
    lane.declared.iter().map(|range| LostRange {
        topic: lane.topic.clone(),
        first: range.first,
        last: range.last,
        reason: range.why.as_str(),
        count: range.count,
    })
}

/// The same report in fewer bytes, for a topic that takes small messages only: one range a topic and reason, or, where
/// that was tried, without listeners and kinds. `None`: there is nothing left that an audit can do without.
pub(super) fn shortened(report: &Report) -> Option<Report> {
    let mut short = report.clone();
    let mut ranges: Vec<LostRange> = Vec::new();
    for range in &report.lost {
        match ranges
            .iter_mut()
            .find(|known| known.topic == range.topic && known.reason == range.reason)
        {
            Some(known) => {
                known.first = known.first.min(range.first);
                known.last = known.last.max(range.last);
                known.count += range.count;
            }
            None => ranges.push(range.clone()),
        }
    }
    short.lost = ranges;
    if short == *report {
        short.listeners.clear();
        short.kinds.clear();
    }
    (short != *report).then_some(short)
}

/// One line for people.
pub(super) fn message(report: &Report) -> String {
    let seconds = (report.end.instant().as_millis() - report.begin.instant().as_millis()) / 1000;
    let RecordReport {
        accepted,
        delivered,
        pending,
        ..
    } = &report.records;
    let lost: u64 = report.lost.iter().map(|range| range.count).sum();
    match report.what {
        event::ReportKind::Started => format!("started, {pending} events are pending"),
        event::ReportKind::Window => format!(
            "{seconds} s: {accepted} events accepted, {delivered} delivered, {pending} pending, {lost} lost"
        ),
        event::ReportKind::Stopped => format!(
            "stopping after {seconds} s: {accepted} events accepted, {delivered} delivered, {pending} pending, {lost} lost"
        ),
    }
}

/// The event of a report. Its key is the agent's name, so that all reports of an agent are in one partition, in order.
pub(super) fn event<'e>(report: &'e Report, agent_id: &'e str, message: &'e str) -> Event<'e> {
    let severity = match report.lost.is_empty() {
        true => Severity::Informational,
        false => Severity::Warning,
    };
    Event {
        schema: event::SCHEMA,
        id: Id(""),
        kind: Kind::Agent,
        time: report.end,
        time_source: TimeSource::Received,
        received: report.end,
        severity: Some(severity),
        severity_code: Some(severity as u8),
        device: Device {
            hostname: Text(agent_id.as_bytes()),
            hostname_source: HostnameSource::Agent,
            address: None,
            vendor: None,
            os: None,
            previous_hostname: None,
            labels: None,
        },
        event_code: None,
        message: Text(message.as_bytes()),
        repeat_count: None,
        syslog: None,
        snmp: None,
        change: None,
        gap: None,
        storm: None,
        report: Some(report),
        agent: event::Agent {
            id: agent_id,
            version: env!("CARGO_PKG_VERSION"),
            listener: None,
            transport: None,
        },
        parse_error: None,
        truncated: false,
        raw: None,
        raw_base64: None,
        raw_withheld: None,
    }
}
