//! The ledger as a statement of account: JSON for programs, a table for people.
//!
//! ```text
//!  ledger::Snapshot ──┬──▶ ledger_json   GET /ledger
//!                     └──▶ ledger_text   GET /, and on a terminal
//! ```

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::ledger::{ListenerSnapshot, LossReason, RecordCounts, Snapshot};
use crate::packet::{Protocol, Reason};

/// The name of a protocol in the ledger, in metrics and on the page.
pub fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Syslog => "syslog",
        Protocol::Snmp => "snmp",
    }
}

/// Each rejection reason with its count, in the ledger's order.
pub fn rejections(listener: &ListenerSnapshot) -> impl Iterator<Item = (&'static str, u64)> {
    let counts = Reason::ALL.iter().zip(listener.counts.rejected);
    counts.map(|(reason, count)| (reason.as_str(), count))
}

/// Each loss reason with its count, in the ledger's order.
pub fn losses(records: &RecordCounts) -> impl Iterator<Item = (&'static str, u64)> {
    let counts = LossReason::ALL.iter().zip(records.lost);
    counts.map(|(reason, count)| (reason.as_str(), count))
}

/// The ledger as one JSON object. `rejected` and `lost` name only reasons that occurred.
pub fn ledger_json(snapshot: &Snapshot) -> Value {
    let imbalance = snapshot.imbalance();
    let listeners: Vec<Value> = snapshot.listeners.iter().map(listener_json).collect();
    let records = &snapshot.records;
    json!({
        "balanced": imbalance.is_empty(),
        "imbalance": imbalance,
        "listeners": listeners,
        "records": {
            "from_packets": records.from_packets,
            "generated": records.generated,
            "accepted": records.accepted,
            "delivered": records.delivered,
            "pending": records.pending,
            "dead_letter": records.dead_letter,
            "lost": occurred(losses(records)),
            "redelivered": records.redelivered,
            "in_hand": records.in_hand,
            "earlier": records.earlier,
        },
    })
}

fn listener_json(snapshot: &ListenerSnapshot) -> Value {
    json!({
        "name": snapshot.listener.name.as_str(),
        "protocol": protocol_name(snapshot.listener.protocol),
        "transport": snapshot.listener.transport.as_str(),
        "arrived": snapshot.kernel_dropped + snapshot.counts.received,
        "kernel_dropped": snapshot.kernel_dropped,
        "received": snapshot.counts.received,
        "used": snapshot.counts.used,
        "rejected": occurred(rejections(snapshot)),
        "in_hand": snapshot.counts.in_hand,
        "connections_open": snapshot.connections_open,
        "connections_accepted": snapshot.connections_accepted,
        "connections_refused": snapshot.connections_refused,
        "cut": snapshot.cut,
        "half_frames": snapshot.half_frames,
        "replies_sent": snapshot.replies_sent,
        "replies_dropped": snapshot.replies_dropped,
    })
}

fn occurred(counts: impl Iterator<Item = (&'static str, u64)>) -> Map<String, Value> {
    counts
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| (reason.to_owned(), Value::from(count)))
        .collect()
}

/// The ledger as a table in plain text, in columns, without colour; ends with a line feed.
pub fn ledger_text(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    packets_table(snapshot, &mut text);
    records_table(&snapshot.records, &mut text);
    let imbalance = snapshot.imbalance();
    if imbalance.is_empty() {
        text.push_str("\nthe ledger balances\n");
    } else {
        text.push_str("\nTHE LEDGER DOES NOT BALANCE (a defect of trapline; please report it):\n");
        for equation in imbalance {
            push_line(&mut text, format_args!("  {equation}"));
        }
    }
    text
}

fn packets_table(snapshot: &Snapshot, text: &mut String) {
    let names = snapshot.listeners.iter().map(|it| it.listener.name.len());
    let width = names.max().unwrap_or_default().max("listener".len());
    push_line(
        text,
        format_args!(
            "{:width$}  {:>14} {:>12} {:>14} {:>14} {:>12} {:>8}",
            "listener", "arrived", "kernel drop", "received", "used", "rejected", "in hand"
        ),
    );
    for listener in &snapshot.listeners {
        let counts = &listener.counts;
        push_line(
            text,
            format_args!(
                "{:width$}  {:>14} {:>12} {:>14} {:>14} {:>12} {:>8}",
                listener.listener.name,
                listener.kernel_dropped + counts.received,
                listener.kernel_dropped,
                counts.received,
                counts.used,
                counts.rejected_total(),
                counts.in_hand
            ),
        );
        for (reason, count) in rejections(listener).filter(|(_, count)| *count > 0) {
            push_line(
                text,
                format_args!("{:width$}    rejected: {reason} {count}", ""),
            );
        }
    }
}

fn records_table(records: &RecordCounts, text: &mut String) {
    text.push_str("\nrecords\n");
    let rows = [
        ("from packets", records.from_packets),
        ("generated", records.generated),
        ("accepted", records.accepted),
        ("delivered", records.delivered),
        ("pending", records.pending),
        ("dead letter", records.dead_letter),
        ("lost", records.lost_total()),
        ("redelivered", records.redelivered),
    ];
    for (name, count) in rows {
        push_line(text, format_args!("  {name:12} {count:>14}"));
        if name == "lost" {
            for (reason, count) in losses(records).filter(|(_, count)| *count > 0) {
                push_line(text, format_args!("    lost: {reason} {count}"));
            }
        }
    }
}

fn push_line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::ledger::PacketCounts;
    use crate::packet::{Listener, Transport};

    fn snapshot() -> Snapshot {
        let mut counts = PacketCounts {
            received: 10,
            used: 7,
            in_hand: 1,
            ..Default::default()
        };
        counts.rejected[Reason::Empty as usize] = 2;
        let listener = ListenerSnapshot {
            listener: Listener {
                index: 0,
                name: "syslog-udp".into(),
                protocol: Protocol::Syslog,
                transport: Transport::Udp,
            },
            counts,
            kernel_dropped: 5,
            connections_open: 0,
            connections_accepted: 0,
            connections_refused: 0,
            cut: 1,
            half_frames: 0,
            replies_sent: 0,
            replies_dropped: 0,
        };
        let mut records = RecordCounts {
            from_packets: 7,
            generated: 1,
            accepted: 8,
            delivered: 4,
            pending: 3,
            ..Default::default()
        };
        records.lost[LossReason::SpoolAge as usize] = 1;
        Snapshot {
            listeners: vec![listener],
            records,
        }
    }

    #[test]
    fn json_names_only_the_reasons_that_occurred() {
        let json = ledger_json(&snapshot());
        assert_eq!(json["balanced"], true);
        assert_eq!(json["imbalance"], json!([]));
        let listener = &json["listeners"][0];
        assert_eq!(listener["rejected"], json!({"empty": 2}));
        assert_eq!(listener["arrived"], 15);
        assert_eq!(listener["protocol"], "syslog");
        assert_eq!(listener["transport"], "udp");
        assert_eq!(json["records"]["lost"], json!({"spool_age": 1}));
        assert_eq!(json["records"]["pending"], 3);
    }

    #[test]
    fn a_protocol_has_one_name_everywhere() {
        for protocol in [Protocol::Syslog, Protocol::Snmp] {
            assert_eq!(json!(protocol), json!(protocol_name(protocol)));
        }
    }

    #[test]
    fn the_table_says_whether_the_ledger_balances() {
        let mut snapshot = snapshot();
        let text = ledger_text(&snapshot);
        assert!(text.contains("rejected: empty 2"), "{text}");
        assert!(text.contains("lost: spool_age 1"), "{text}");
        assert!(text.ends_with("the ledger balances\n"), "{text}");
        snapshot.records.pending = 0;
        let text = ledger_text(&snapshot);
        assert!(text.contains("DOES NOT BALANCE"), "{text}");
        assert!(
            text.contains("accepted 8 != delivered 4 + pending 0"),
            "{text}"
        );
    }
}
