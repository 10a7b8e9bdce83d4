//! The exposition is read back by a small strict parser of OpenMetrics text, which shares nothing with the encoder.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::observe::ledger::{LossReason, PacketCounts, Snapshot};
use crate::observe::picture::{ErrorCount, Reading};
use crate::packet::{Listener, Reason, Transport};
use crate::time::UnixMicros;

/// One metric family as a scraper sees it.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    unit: String,
    help: String,
    samples: BTreeMap<String, f64>,
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || each == '_')
}

/// Splits `a="x",b="y"` and checks the quoting; the keys come back.
fn label_names(mut text: &str) -> Vec<String> {
    let mut names = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").expect("a label has a quoted value");
        assert!(is_name(name), "label name {name:?}");
        names.push(name.to_owned());
        let mut escaped = false;
        let end = rest
            .find(|each: char| {
                let ends = each == '"' && !escaped;
                escaped = each == '\\' && !escaped;
                ends
            })
            .expect("a label's value ends");
        text = &rest[end + 1..];
        if !text.is_empty() {
            text = text
                .strip_prefix(',')
                .expect("labels are separated by commas");
            assert!(!text.is_empty(), "no comma stands at the end");
        }
    }
    names
}

/// Parses an exposition and asserts all that OpenMetrics 1.0.0 asks of these kinds of metrics.
fn parse(text: &str) -> BTreeMap<String, Family> {
    let body = text.strip_suffix("# EOF\n").expect("ends with # EOF");
    assert!(!body.contains("# EOF"));
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in body.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let (keyword, rest) = comment.split_once(' ').expect("keyword and name");
            let (name, value) = rest.split_once(' ').expect("name and value");
            assert!(is_name(name), "family name {name:?}");
            if name != current {
                assert!(!families.contains_key(name), "{name} comes twice");
                current = name.to_owned();
            }
            let family = families.entry(current.clone()).or_default();
            assert!(family.samples.is_empty(), "{line:?} stands after samples");
            let slot = match keyword {
                "HELP" => &mut family.help,
                "TYPE" => &mut family.kind,
                "UNIT" => &mut family.unit,
                other => panic!("unknown keyword {other:?}"),
            };
            assert!(slot.is_empty(), "{keyword} twice for {name}");
            *slot = value.to_owned();
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
        let value: f64 = value.parse().expect("a sample's value is a number");
        assert!(value.is_finite(), "{line:?}");
        let name = series.split('{').next().unwrap_or(series);
        if let Some(labels) = series.strip_prefix(name).filter(|it| !it.is_empty()) {
            let labels = labels
                .strip_prefix('{')
                .and_then(|labels| labels.strip_suffix('}'))
                .expect("labels stand in braces");
            let names = label_names(labels);
            assert!(!names.is_empty(), "{line:?}: empty braces");
            let distinct: BTreeSet<_> = names.iter().collect();
            assert_eq!(distinct.len(), names.len(), "{line:?}");
        }
        let family = families
            .get_mut(&current)
            .expect("TYPE and HELP come first");
        let suffix = match family.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            "gauge" => "",
            other => panic!("unknown type {other:?}"),
        };
        assert_eq!(name, format!("{current}{suffix}"));
        assert!(family.kind != "counter" || value >= 0.0);
        let old = family.samples.insert(series.to_owned(), value);
        assert!(old.is_none(), "{series} comes twice");
    }
    for (name, family) in &families {
        assert!(family.help.ends_with('.'), "{name}: HELP {:?}", family.help);
        assert!(!family.kind.is_empty(), "{name} has no TYPE");
        if !family.unit.is_empty() {
            assert!(name.ends_with(&format!("_{}", family.unit)), "{name}");
        }
        for unit in ["seconds", "bytes"] {
            let named = name.ends_with(&format!("_{unit}"));
            assert_eq!(named, family.unit == unit, "{name}: UNIT {:?}", family.unit);
        }
    }
    families
}

fn listener(name: &str, protocol: Protocol, transport: Transport) -> ListenerSnapshot {
    ListenerSnapshot {
        listener: Listener {
            index: 0,
            name: name.into(),
            protocol,
            transport,
        },
        counts: PacketCounts::default(),
        kernel_dropped: 0,
        connections_open: 0,
        connections_accepted: 0,
        connections_refused: 0,
        cut: 0,
        half_frames: 0,
        replies_sent: 0,
        replies_dropped: 0,
    }
}

fn picture() -> Picture {
    let mut picture = Picture {
        ledger: Snapshot {
            listeners: vec![
                listener("syslog-udp", Protocol::Syslog, Transport::Udp),
                listener("syslog-tls", Protocol::Syslog, Transport::Tls),
                listener("snmp", Protocol::Snmp, Transport::Udp),
            ],
            records: RecordCounts::default(),
        },
        listeners: vec![
            ListenerState {
                name: "syslog-udp".into(),
                state: ListenerCondition::Listening {
                    address: "192.0.2.7:514".into(),
                    buffer: Some(SocketBuffer {
                        requested_bytes: 33_554_432,
                        granted_bytes: 425_984,
                        burst_datagrams: 166,
                    }),
                },
            },
            ListenerState {
                name: "snmp".into(),
                state: ListenerCondition::Missing {
                    why: "192.0.2.7:162 is in use".into(),
                },
            },
        ],
        ..Default::default()
    };
    picture.agent.id = "br\"17\\\n".into();
    picture.agent.version = "0.1.0".into();
    picture.agent.started = UnixMicros(1_763_690_000_500_000);
    picture.kafka.topics.push(TopicState {
        topic: "net.syslog".into(),
        pending: 3,
        bytes: 900,
        oldest_pending_age_ms: 1500,
        state: TopicCondition::Stalled {
            why: "192.0.2.9 says no".into(),
        },
    });
    picture.kafka.errors.push(ErrorCount {
        name: "_MSG_TIMED_OUT".into(),
        total: 0,
    });
    picture.readings.push(Reading {
        name: "identity_conflicts",
        help: "Names that were not taken.",
        kind: ReadingKind::Counter,
        value: 9,
    });
    picture
}

fn exposition(picture: Picture) -> String {
    let process = Process {
        resident_bytes: Some(12_345_678),
        cpu_seconds: Some(1.25),
        threads: Some(7),
        open_fds: Some(20),
        max_fds: Some(1024),
    };
    text(picture, process).expect("encodes")
}

fn value(families: &BTreeMap<String, Family>, series: &str) -> f64 {
    let found = families.values().find_map(|it| it.samples.get(series));
    *found.unwrap_or_else(|| panic!("{series} is absent"))
}

/// What `text` calls that begins like a metric of ours.
fn named_in(text: &str) -> BTreeSet<&str> {
    text.split(|each: char| !each.is_ascii_alphanumeric() && each != '_')
        .filter(|word| word.starts_with("trapline_") || word.starts_with("process_"))
        .collect()
}

/// The names of what the agent reads from other stages, as samples have them: each the first argument of a `Reading`.
fn read_by_the_agent() -> impl Iterator<Item = String> {
    let source = include_str!("../../agent/readings.rs");
    let readings = source.split("Reading::").skip(1);
    readings.filter_map(|reading| {
        let name = reading.split('"').nth(1)?;
        let end = if reading.starts_with("counter") {
            "_total"
        } else {
            ""
        };
        Some(format!("trapline_{name}{end}"))
    })
}

/// A family's name as its samples have it: a counter's and an info's have an end of their own (OpenMetrics 1.0.0).
fn sample_name(line: &str) -> Option<String> {
    let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
    let end = match kind {
        "counter" => "_total",
        "info" => "_info",
        _ => "",
    };
    Some(format!("{name}{end}"))
}

#[test]
fn the_shipped_dashboard_and_alerts_name_only_metrics_that_there_are() {
    let text = exposition(picture());
    let there_are: BTreeSet<String> = text
        .lines()
        .filter_map(sample_name)
        .chain(read_by_the_agent())
        .collect();
    for (file, text) in [
        (
            "grafana/trapline.json",
            include_str!("../../../packaging/grafana/trapline.json"),
        ),
        (
            "prometheus/trapline.rules.yml",
            include_str!("../../../packaging/prometheus/trapline.rules.yml"),
        ),
    ] {
        let named = named_in(text);
        assert!(named.len() > 8, "{file}: {named:?}");
        let unknown: Vec<_> = named
            .into_iter()
            .filter(|name| !there_are.contains(*name))
            .collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
}

#[test]
fn the_exposition_is_well_formed_and_has_help_units_and_totals() {
    let families = parse(&exposition(picture()));
    assert!(families.len() > 40, "{}", families.len());
    // An agent without listeners, topics or /proc still answers well-formed text.
    parse(&text(Picture::default(), Process::default()).expect("encodes"));
}

#[test]
fn every_reason_is_a_series_at_zero_from_the_start() {
    let families = parse(&exposition(picture()));
    for reason in Reason::ALL {
        let series = format!(
            "trapline_packets_rejected_total{{listener=\"snmp\",reason=\"{}\"}}",
            reason.as_str()
        );
        assert_eq!(value(&families, &series), 0.0);
    }
    for reason in LossReason::ALL {
        let series = format!(
            "trapline_records_lost_total{{reason=\"{}\"}}",
            reason.as_str()
        );
        assert_eq!(value(&families, &series), 0.0);
    }
    assert_eq!(value(&families, "trapline_records_accepted_total"), 0.0);
    assert_eq!(
        value(
            &families,
            "trapline_kafka_produce_errors_total{error=\"_MSG_TIMED_OUT\"}"
        ),
        0.0
    );
}

#[test]
fn values_come_from_the_picture() {
    let mut picture = picture();
    let first = &mut picture.ledger.listeners[0];
    first.counts.received = 12;
    first.counts.used = 10;
    first.counts.in_hand = 1;
    first.counts.rejected[Reason::HeldBack as usize] = 1;
    first.kernel_dropped = 5;
    picture.ledger.records.pending = 3;
    picture.spool.oldest_pending_age_ms = 2_500;
    let families = parse(&exposition(picture));
    let table = [
        (
            "trapline_packets_received_total{listener=\"syslog-udp\",transport=\"udp\",protocol=\"syslog\"}",
            12.0,
        ),
        ("trapline_packets_used_total{listener=\"syslog-udp\"}", 10.0),
        (
            "trapline_packets_rejected_total{listener=\"syslog-udp\",reason=\"held_back\"}",
            1.0,
        ),
        ("trapline_packets_in_hand{listener=\"syslog-udp\"}", 1.0),
        (
            "trapline_kernel_dropped_packets_total{listener=\"syslog-udp\"}",
            5.0,
        ),
        ("trapline_records_pending", 3.0),
        ("trapline_ledger_imbalances", 1.0),
        ("trapline_oldest_pending_age_seconds", 2.5),
        ("trapline_listener_up{listener=\"syslog-udp\"}", 1.0),
        ("trapline_listener_up{listener=\"snmp\"}", 0.0),
        (
            "trapline_socket_buffer_granted_bytes{listener=\"syslog-udp\"}",
            425_984.0,
        ),
        ("trapline_kafka_state{state=\"not_configured\"}", 1.0),
        ("trapline_kafka_state{state=\"up\"}", 0.0),
        (
            "trapline_topic_state{topic=\"net.syslog\",state=\"stalled\"}",
            1.0,
        ),
        (
            "trapline_topic_oldest_pending_age_seconds{topic=\"net.syslog\"}",
            1.5,
        ),
        ("trapline_status{status=\"degraded\"}", 1.0),
        ("trapline_identity_conflicts_total", 9.0),
        ("trapline_agent_info{id=\"br\\\"17\\\\\\n\"}", 1.0),
        ("process_start_time_seconds", 1_763_690_000.5),
        ("process_cpu_seconds_total", 1.25),
        ("process_resident_memory_bytes", 12_345_678.0),
    ];
    for (series, expected) in table {
        assert_eq!(value(&families, series), expected, "{series}");
    }
}

#[test]
fn no_address_reaches_a_label() {
    let text = exposition(picture());
    assert!(!text.contains("192.0.2."), "{text}");
}

#[test]
fn a_listener_has_only_the_series_that_mean_something_for_it() {
    let families = parse(&exposition(picture()));
    let of = |family: &str| -> Vec<String> { families[family].samples.keys().cloned().collect() };
    assert_eq!(
        of("trapline_connections_open"),
        ["trapline_connections_open{listener=\"syslog-tls\"}"]
    );
    assert_eq!(
        of("trapline_replies_sent"),
        ["trapline_replies_sent_total{listener=\"snmp\"}"]
    );
}
