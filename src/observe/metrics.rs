//! OpenMetrics text, made from a picture at the moment of the scrape.
//!
//! ```text
//!  Picture + Process ──▶ text ──▶ # HELP trapline_packets_received Packets read from the listener's socket.
//!                                 # TYPE trapline_packets_received counter
//!                                 trapline_packets_received_total{listener="syslog-udp",...} 4711
//!                                 ...
//!                                 # EOF
//! ```
//!
//! (OpenMetrics 1.0.0.) There is no registry that lives on: the ledger is the only place that counts, so a metric cannot
//! say anything else than the ledger. Names follow the Prometheus conventions: base units, `_total` for counters. Every
//! reason is a series from the start, at 0, so that `rate()` sees its first step. Labels are configured names and fixed
//! words: never an address or a device, whose number a stranger decides.

use std::fmt::{self, Debug};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::health::{self, Status};
use super::ledger::{ListenerSnapshot, RecordCounts};
use super::picture::{
    KafkaCondition, ListenerCondition, ListenerState, Picture, ReadingKind, Replay, RuleState,
    SocketBuffer, TopicCondition, TopicState,
};
use super::process::Process;
use super::statement::{losses, protocol_name, rejections};
use crate::packet::Protocol;

/// The answer's `Content-Type` (OpenMetrics 1.0.0, section "Protocol Negotiation").
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The whole exposition, `# EOF` included.
///
/// # Errors
/// None in practice: a `String` takes all that is written to it.
pub fn text(picture: Picture, process: Process) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape { picture, process }));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

/// One scrape's input, in the shape that the encoder asks for.
#[derive(Debug)]
struct Scrape {
    picture: Picture,
    process: Process,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        agent(&mut page, &self.picture)?;
        packets(&mut page, &self.picture.ledger.listeners)?;
        streams_and_replies(&mut page, &self.picture.ledger.listeners)?;
        records(&mut page, &self.picture)?;
        listeners(&mut page, &self.picture.listeners)?;
        spool(&mut page, &self.picture)?;
        kafka(&mut page, &self.picture)?;
        topics(&mut page, &self.picture.kafka.topics)?;
        rules(&mut page, &self.picture.rules)?;
        readings(&mut page, &self.picture)?;
        process(&mut page, &self.picture, &self.process)
    }
}

fn agent(page: &mut Page<'_>, picture: &Picture) -> fmt::Result {
    let agent = &picture.agent;
    page.info(
        "trapline_build",
        "The program's version.",
        &[("version", agent.version.as_str())],
    )?;
    page.info(
        "trapline_agent",
        "The agent's configured name.",
        &[("id", agent.id.as_str())],
    )?;
    page.gauge(
        "trapline_uptime",
        "Time since the process started.",
        Some(&Unit::Seconds),
        seconds(agent.uptime_ms),
    )?;
    let status = health::readyz(picture).status;
    page.gauges(
        "trapline_status",
        "1 for the status that /readyz answers, 0 for the others.",
        None,
        Status::ALL.map(|each| ([("status", each.as_str())], u64::from(each == status))),
    )?;
    page.counters(
        "trapline_config_reloads",
        "Times the configuration was read again, by result; partial: a file that it names (inventory, MIBs, certificate) could not be.",
        None,
        [
            ([("result", "succeeded")], picture.reloads.succeeded),
            ([("result", "partial")], picture.reloads.partial),
            ([("result", "failed")], picture.reloads.failed),
        ],
    )
}

fn packets(page: &mut Page<'_>, listeners: &[ListenerSnapshot]) -> fmt::Result {
    page.counters(
        "trapline_packets_received",
        "Packets (datagrams, frames of a stream) read from the listener's sockets.",
        None,
        listeners
            .iter()
            .map(|it| (full_labels(it), it.counts.received)),
    )?;
    page.counters(
        "trapline_packets_used",
        "Packets that became exactly one record.",
        None,
        listeners.iter().map(|it| (labels(it), it.counts.used)),
    )?;
    page.counters(
        "trapline_packets_rejected",
        "Packets that did not become a record, by reason.",
        None,
        listeners.iter().flat_map(|it| {
            rejections(it).map(|(reason, count)| {
                let labels = [("listener", it.listener.name.as_str()), ("reason", reason)];
                (labels, count)
            })
        }),
    )?;
    page.counters(
        "trapline_kernel_dropped_packets",
        "Packets that the kernel dropped before they could be read (the socket's receive buffer was full).",
        None,
        listeners.iter().map(|it| (labels(it), it.kernel_dropped)),
    )?;
    page.gauges(
        "trapline_packets_in_hand",
        "Packets read and not yet at an end.",
        None,
        listeners.iter().map(|it| (labels(it), it.counts.in_hand)),
    )?;
    page.counters(
        "trapline_packets_cut",
        "Packets that were longer than the limit and were cut.",
        None,
        listeners.iter().map(|it| (labels(it), it.cut)),
    )
}

fn streams_and_replies(page: &mut Page<'_>, listeners: &[ListenerSnapshot]) -> fmt::Result {
    let streams = || {
        listeners
            .iter()
            .filter(|it| it.listener.transport.is_stream())
    };
    let repliers = || {
        listeners
            .iter()
            .filter(|it| it.listener.protocol == Protocol::Snmp)
    };
    page.gauges(
        "trapline_connections_open",
        "Stream connections open now.",
        None,
        streams().map(|it| (labels(it), it.connections_open)),
    )?;
    page.counters(
        "trapline_connections_accepted",
        "Stream connections taken.",
        None,
        streams().map(|it| (labels(it), it.connections_accepted)),
    )?;
    page.counters(
        "trapline_connections_refused",
        "Stream connections closed before anything was read: by a limit, the allow list, a TLS handshake that failed or that a stop ended.",
        None,
        streams().map(|it| (labels(it), it.connections_refused)),
    )?;
    page.counters(
        "trapline_half_frames",
        "Streams that ended in the middle of a frame.",
        None,
        streams().map(|it| (labels(it), it.half_frames)),
    )?;
    page.counters(
        "trapline_replies_sent",
        "Replies sent (Responses to informs, discovery reports).",
        None,
        repliers().map(|it| (labels(it), it.replies_sent)),
    )?;
    page.counters(
        "trapline_replies_dropped",
        "Replies not sent: the parking table was full, or the socket refused.",
        None,
        repliers().map(|it| (labels(it), it.replies_dropped)),
    )
}

/// A record counter's name, HELP text and value.
type RecordCounter = (&'static str, &'static str, fn(&RecordCounts) -> u64);

const RECORD_COUNTERS: [RecordCounter; 6] = [
    (
        "trapline_records_from_packets",
        "Records accepted that were made from one packet each.",
        |records| records.from_packets,
    ),
    (
        "trapline_records_generated",
        "Records accepted that the agent itself made.",
        |records| records.generated,
    ),
    (
        "trapline_records_accepted",
        "Records taken by the spool.",
        |records| records.accepted,
    ),
    (
        "trapline_records_delivered",
        "Records acknowledged by the broker.",
        |records| records.delivered,
    ),
    (
        "trapline_records_dead_letter",
        "Records set aside because the broker will never take them.",
        |records| records.dead_letter,
    ),
    (
        "trapline_records_redelivered",
        "Records handed to the Kafka client again after a fault.",
        |records| records.redelivered,
    ),
];

fn records(page: &mut Page<'_>, picture: &Picture) -> fmt::Result {
    let records = &picture.ledger.records;
    for (name, help, value) in RECORD_COUNTERS {
        page.counter(name, help, None, value(records))?;
    }
    page.gauge(
        "trapline_records_pending",
        "Records in the spool that the broker has not acknowledged.",
        None,
        records.pending,
    )?;
    page.counters(
        "trapline_records_lost",
        "Records that the spool had accepted and that are gone without delivery, by reason.",
        None,
        losses(records).map(|(reason, count)| ([("reason", reason)], count)),
    )?;
    page.gauge(
        "trapline_ledger_imbalances",
        "Equations of the ledger that do not hold at this moment; anything but 0 that stays is a defect.",
        None,
        picture.ledger.imbalance().len() as u64,
    )
}

fn listeners(page: &mut Page<'_>, listeners: &[ListenerState]) -> fmt::Result {
    page.gauges(
        "trapline_listener_up",
        "1 when the listener's socket is bound, 0 when it is missing.",
        None,
        listeners.iter().map(|it| {
            let up = matches!(it.state, ListenerCondition::Listening { .. });
            ([("listener", it.name.as_str())], u64::from(up))
        }),
    )?;
    page.gauges(
        "trapline_socket_buffer_requested",
        "Receive buffer that the configuration asks for.",
        Some(&Unit::Bytes),
        buffers(listeners).map(|(labels, buffer)| (labels, buffer.requested_bytes)),
    )?;
    page.gauges(
        "trapline_socket_buffer_granted",
        "Receive buffer that the kernel granted (net.core.rmem_max caps it).",
        Some(&Unit::Bytes),
        buffers(listeners).map(|(labels, buffer)| (labels, buffer.granted_bytes)),
    )?;
    page.gauges(
        "trapline_socket_buffer_datagrams",
        "Datagrams of ordinary size that the granted receive buffer holds.",
        None,
        buffers(listeners).map(|(labels, buffer)| (labels, buffer.burst_datagrams)),
    )
}

fn buffers(
    listeners: &[ListenerState],
) -> impl Iterator<Item = ([(&'static str, &str); 1], SocketBuffer)> {
    listeners.iter().filter_map(|it| match &it.state {
        ListenerCondition::Listening { buffer, .. } => {
            buffer.map(|buffer| ([("listener", it.name.as_str())], buffer))
        }
        ListenerCondition::Missing { .. } => None,
    })
}

fn spool(page: &mut Page<'_>, picture: &Picture) -> fmt::Result {
    let spool = &picture.spool;
    page.info(
        "trapline_spool",
        "Where records wait.",
        &[("kind", spool.kind.as_str())],
    )?;
    page.gauge(
        "trapline_spool_used",
        "Bytes that the spool uses.",
        Some(&Unit::Bytes),
        spool.bytes,
    )?;
    page.gauge(
        "trapline_spool_cap",
        "Bytes that the spool may use.",
        Some(&Unit::Bytes),
        spool.bytes_max,
    )?;
    page.gauge(
        "trapline_oldest_pending_age",
        "Age of the oldest record that the broker has not acknowledged; 0 when none waits.",
        Some(&Unit::Seconds),
        seconds(spool.oldest_pending_age_ms),
    )
}

fn kafka(page: &mut Page<'_>, picture: &Picture) -> fmt::Result {
    let kafka = &picture.kafka;
    let now = kafka.state.as_str();
    page.gauges(
        "trapline_kafka_state",
        "1 for the state of the connection to Kafka, 0 for the others.",
        None,
        KafkaCondition::NAMES.map(|state| ([("state", state)], u64::from(state == now))),
    )?;
    page.gauge(
        "trapline_kafka_in_flight_records",
        "Records handed to the Kafka client and not yet acknowledged.",
        None,
        kafka.in_flight,
    )?;
    page.counter(
        "trapline_kafka_producer_restarts",
        "Times the producer was closed and opened again after a permanent failure.",
        None,
        kafka.restarts,
    )?;
    replay(page, kafka.replay.as_ref())?;
    page.counters(
        "trapline_kafka_produce_errors",
        "Failed sends, by the Kafka client's name of the error.",
        None,
        kafka
            .errors
            .iter()
            .map(|error| ([("error", error.name.as_str())], error.total)),
    )
}

fn replay(page: &mut Page<'_>, replay: Option<&Replay>) -> fmt::Result {
    page.gauge(
        "trapline_replay_active",
        "1 while the backlog of an outage is sent, else 0.",
        None,
        u64::from(replay.is_some()),
    )?;
    page.gauge(
        "trapline_replay_backlog_records",
        "Records of the backlog that is being sent.",
        None,
        replay.map_or(0, |replay| replay.records),
    )?;
    page.gauge(
        "trapline_replay_backlog",
        "Size of the backlog that is being sent, before compression, estimated.",
        Some(&Unit::Bytes),
        replay.map_or(0, |replay| replay.bytes),
    )?;
    page.gauge(
        "trapline_replay_speed_bytes_per_second",
        "How fast the backlog shrinks.",
        None,
        replay.map_or(0, |replay| replay.bytes_per_second),
    )?;
    // While the backlog does not shrink nobody knows, and a number would mislead.
    let Some(seconds) = replay.map_or(Some(0), |replay| replay.seconds_left) else {
        return Ok(());
    };
    page.gauge(
        "trapline_replay_time_left",
        "How long the backlog takes at this speed; absent while it does not shrink.",
        Some(&Unit::Seconds),
        seconds,
    )
}

fn topics(page: &mut Page<'_>, topics: &[TopicState]) -> fmt::Result {
    page.gauges(
        "trapline_topic_state",
        "1 for the topic's state, 0 for the others.",
        None,
        topics.iter().flat_map(|it| {
            let now = it.state.as_str();
            TopicCondition::NAMES.map(|state| {
                let labels = [("topic", it.topic.as_str()), ("state", state)];
                (labels, u64::from(state == now))
            })
        }),
    )?;
    page.gauges(
        "trapline_topic_records_pending",
        "Records of the topic that the broker has not acknowledged.",
        None,
        topics
            .iter()
            .map(|it| ([("topic", it.topic.as_str())], it.pending)),
    )?;
    page.gauges(
        "trapline_topic_spool_used",
        "Bytes of the spool that the topic's records use.",
        Some(&Unit::Bytes),
        topics
            .iter()
            .map(|it| ([("topic", it.topic.as_str())], it.bytes)),
    )?;
    page.gauges(
        "trapline_topic_oldest_pending_age",
        "Age of the topic's oldest record that is not acknowledged; 0 when none waits.",
        Some(&Unit::Seconds),
        topics.iter().map(|it| {
            let age = seconds(it.oldest_pending_age_ms);
            ([("topic", it.topic.as_str())], age)
        }),
    )
}

fn rules(page: &mut Page<'_>, rules: &[RuleState]) -> fmt::Result {
    page.counters(
        "trapline_route_matched",
        "Events that a rule of the configuration matched.",
        None,
        rules
            .iter()
            .map(|it| ([("rule", it.name.as_str())], it.matched)),
    )?;
    page.counters(
        "trapline_route_dropped",
        "Events that a rule of the configuration took out.",
        None,
        rules
            .iter()
            .map(|it| ([("rule", it.name.as_str())], it.dropped)),
    )
}

fn readings(page: &mut Page<'_>, picture: &Picture) -> fmt::Result {
    for reading in &picture.readings {
        let name = format!("trapline_{}", reading.name);
        match reading.kind {
            ReadingKind::Counter => page.counter(&name, reading.help, None, reading.value)?,
            ReadingKind::Gauge => page.gauge(&name, reading.help, None, reading.value)?,
        }
    }
    Ok(())
}

/// The names that Prometheus' own client libraries use for any process.
fn process(page: &mut Page<'_>, picture: &Picture, process: &Process) -> fmt::Result {
    page.gauge(
        "process_start_time",
        "Start time of the process since the Unix epoch.",
        Some(&Unit::Seconds),
        picture.agent.started.0 as f64 / 1e6,
    )?;
    if let Some(cpu_seconds) = process.cpu_seconds {
        page.family(
            "process_cpu",
            "User and system processor time.",
            Some(&Unit::Seconds),
            ConstCounter::new(cpu_seconds),
        )?;
    }
    let gauges = [
        (
            "process_resident_memory",
            "Memory of the process in RAM.",
            Some(&Unit::Bytes),
            process.resident_bytes,
        ),
        ("process_threads", "Threads.", None, process.threads),
        (
            "process_open_fds",
            "Open descriptors.",
            None,
            process.open_fds,
        ),
        (
            "process_max_fds",
            "How many descriptors may be open.",
            None,
            process.max_fds,
        ),
    ];
    for (name, help, unit, value) in gauges {
        if let Some(value) = value {
            page.gauge(name, help, unit, value)?;
        }
    }
    Ok(())
}

fn labels(snapshot: &ListenerSnapshot) -> [(&'static str, &str); 1] {
    [("listener", snapshot.listener.name.as_str())]
}

fn full_labels(snapshot: &ListenerSnapshot) -> [(&'static str, &str); 3] {
    let listener = &snapshot.listener;
    [
        ("listener", listener.name.as_str()),
        ("transport", listener.transport.as_str()),
        ("protocol", protocol_name(listener.protocol)),
    ]
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// The exposition being written, one metric family a call.
struct Page<'e>(DescriptorEncoder<'e>);

impl Page<'_> {
    fn family(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        metric: impl EncodeMetric,
    ) -> fmt::Result {
        let kind = metric.metric_type();
        let encoder = self.0.encode_descriptor(name, help, unit, kind)?;
        metric.encode(encoder)
    }

    fn counter(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: u64) -> fmt::Result {
        self.family(name, help, unit, ConstCounter::new(value))
    }

    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.family(name, help, unit, ConstGauge::new(value))
    }

    fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        series: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let kind = MetricType::Counter;
        let mut encoder = self.0.encode_descriptor(name, help, unit, kind)?;
        for (labels, value) in series {
            ConstCounter::new(value).encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauges<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        series: impl IntoIterator<Item = (L, impl EncodeGaugeValue)>,
    ) -> fmt::Result {
        let kind = MetricType::Gauge;
        let mut encoder = self.0.encode_descriptor(name, help, unit, kind)?;
        for (labels, value) in series {
            ConstGauge::new(value).encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result {
        let kind = MetricType::Info;
        let mut encoder = self.0.encode_descriptor(name, help, None, kind)?;
        encoder.encode_info(&labels)
    }
}

#[cfg(test)]
mod tests;
