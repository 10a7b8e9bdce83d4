//! How a message was read, field by field, as text for people.
//!
//! Of SNMP only what cannot hold a secret is shown here: names, types and places. The values stand in the event, where
//! the community and its repeats are masked.

use std::fmt::Write;

use super::output::tamed;
use crate::decode::snmp::{self, Anomalies, Header, Notification, Oid, strict};
use crate::decode::syslog::{self, Message, timestamp::Stamp};

/// The fields of a syslog message.
pub(super) fn syslog(bytes: &[u8]) -> String {
    let message = syslog::read(bytes);
    let mut lines = Lines(format!("read as syslog, {} bytes\n", bytes.len()));
    lines.field("format", message.format.as_str());
    if let Some(pri) = message.pri {
        let (facility, severity) = (pri.facility, pri.severity);
        lines.field(
            "PRI",
            &format!(
                "{} = facility {facility}, severity {severity}",
                facility * 8 + severity
            ),
        );
    } else {
        lines.field("PRI", "none");
    }
    lines.field(
        "time",
        &message.time.as_ref().map_or("none".to_owned(), stamp),
    );
    header(&mut lines, &message);
    lines.text("message", message.text);
    if let Some(error) = &message.error {
        lines.field(
            "not understood",
            &format!("{} at byte {}", error.reason, error.at),
        );
    }
    lines.0
}

fn header(lines: &mut Lines, message: &Message<'_>) {
    let fields = [
        ("hostname", message.hostname),
        ("app name", message.app_name),
        ("proc id", message.proc_id),
        ("msg id", message.msg_id),
        ("event code", message.event_code),
        ("vendor", message.vendor.map(str::as_bytes)),
        ("os", message.os.map(str::as_bytes)),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            lines.text(name, value);
        }
    }
    if let Some(sequence) = message.sequence {
        lines.field("sequence", &sequence.to_string());
    }
    if let Some(clock) = message.clock {
        lines.field("clock", &format!("{clock:?}").to_lowercase());
    }
    if let Some(data) = &message.structured_data {
        let shown = serde_json::to_string(&crate::event::StructuredData(*data)).unwrap_or_default();
        lines.field("structured data", &tamed(&shown));
    }
    if let Some(fields) = &message.fields {
        let shown = serde_json::to_string(fields).unwrap_or_default();
        lines.field("fields", &tamed(&shown));
    }
}

fn stamp(stamp: &Stamp<'_>) -> String {
    let mut text = String::new();
    let year = stamp
        .year
        .map_or("year?".to_owned(), |year| format!("{year:04}"));
    let Stamp {
        month,
        day,
        hour,
        minute,
        second,
        micros,
        ..
    } = stamp;
    let _ = write!(
        text,
        "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
    );
    if stamp.fraction_digits > 0 {
        let _ = write!(text, ".{micros:06}");
    }
    match (stamp.offset_minutes, stamp.zone) {
        (Some(offset), _) => _ = write!(text, " offset {offset:+} minutes"),
        (None, Some(zone)) => _ = write!(text, " zone {}", tamed(&String::from_utf8_lossy(zone))),
        (None, None) => text.push_str(" zone?"),
    }
    text
}

/// The fields of an SNMP packet.
pub(super) fn snmp(bytes: &[u8]) -> String {
    let mut lines = Lines(format!("read as SNMP, {} bytes\n", bytes.len()));
    match snmp::read(bytes) {
        Ok(notification) => {
            self::notification(&mut lines, &notification);
            if notification.fault.is_some() || !notification.anomalies.is_empty() {
                second_opinion(&mut lines, bytes);
            }
        }
        Err(error) => {
            lines.field("not understood", &error.to_string());
            second_opinion(&mut lines, bytes);
        }
    }
    lines.0
}

pub(super) fn notification(lines: &mut Lines, notification: &Notification<'_>) {
    if notification.security.is_none() {
        lines.field(
            "version",
            &format!("{:?}", notification.version).to_lowercase(),
        );
        lines.field(
            "community",
            &format!("{} octets, not shown", notification.community.len()),
        );
    }
    lines.field(
        "PDU",
        &format!("{:?} at byte {}", notification.kind, notification.pdu_at),
    );
    match &notification.header {
        Header::V1(trap) => {
            lines.field(
                "enterprise",
                &trap.enterprise.map_or("none".to_owned(), dotted),
            );
            lines.field(
                "generic-trap",
                &trap
                    .generic_trap
                    .map_or("none".to_owned(), |trap| trap.to_string()),
            );
            lines.field(
                "specific-trap",
                &trap
                    .specific_trap
                    .map_or("none".to_owned(), |trap| trap.to_string()),
            );
        }
        Header::V2 {
            request_id,
            trap_oid,
            ..
        } => {
            lines.field(
                "request-id",
                &request_id.map_or("none".to_owned(), |id| id.to_string()),
            );
            lines.field("snmpTrapOID", &trap_oid.map_or("none".to_owned(), dotted));
        }
    }
    lines.field(
        "sysUpTime",
        &notification
            .uptime
            .map_or("none".to_owned(), |ticks| format!("{ticks} ticks")),
    );
    for varbind in notification.varbinds {
        let kind = format!("{:?}", varbind.value);
        let kind = kind.split(['(', ' ']).next().unwrap_or_default();
        let odd = names(varbind.anomalies);
        lines.field(
            "varbind",
            &format!(
                "{} {kind} at byte {}{odd}",
                Some(dotted(varbind.name))
                    .filter(|oid| !oid.is_empty())
                    .unwrap_or_else(|| "without an OID,".to_owned()),
                varbind.at.start
            ),
        );
    }
    if let Some(fault) = &notification.fault {
        lines.field(
            "not understood",
            &format!("{} at byte {}", fault.reason, fault.at),
        );
    }
    if !notification.anomalies.is_empty() {
        lines.field(
            "anomalies",
            names(notification.anomalies).trim_start_matches(", "),
        );
    }
}

fn second_opinion(lines: &mut Lines, bytes: &[u8]) {
    let verdict = match strict::verdict(bytes) {
        strict::StrictVerdict::Accepted => "accepts the packet".to_owned(),
        strict::StrictVerdict::Refused { what } => format!("refuses the packet: {what}"),
    };
    lines.field("strict reader", &verdict);
}

fn names(anomalies: Anomalies) -> String {
    anomalies
        .names()
        .fold(String::new(), |text, name| text + ", " + name)
}

fn dotted(oid: Oid<'_>) -> String {
    let mut text = String::new();
    oid.write(&mut text);
    text
}

/// The text, line by line.
pub(super) struct Lines(pub String);

impl Lines {
    pub fn field(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.0, "  {name:<16} {value}");
    }

    /// Text from a device: control characters are shown by their escapes, so that a terminal is not driven by them.
    pub fn text(&mut self, name: &str, value: &[u8]) {
        self.field(name, &tamed(&String::from_utf8_lossy(value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_by_their_escapes() {
        let text = syslog(b"<13>hello \x1b[31mred");
        assert!(text.contains("\\u001b[31mred"), "{text}");
    }

    #[test]
    fn a_truncated_trap_is_shown_as_far_as_it_was_read_and_the_strict_reader_is_asked() {
        let text = snmp(&[0x30, 0x82, 0x01, 0x00, 2, 1, 1]);
        assert!(text.contains("not understood"), "{text}");
        assert!(text.contains("strict reader"), "{text}");
    }
}
