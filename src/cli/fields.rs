//! How a message was read, field by field, as text for people.
//!
//! Of SNMP only names, types and places are shown here. Names are read from the masked copy of the packet, since a device
//! may have its community as an index. The values stand in the event, which is made of such a copy too.

use std::fmt::Write;
use std::ops::Range;

use super::output::tamed;
use crate::decode::snmp::{self, Anomalies, Header, Notification, Oid, Varbinds, mask, strict};
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
            self::notification(&mut lines, bytes, &notification);
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

/// A notification, and the packet or scoped PDU that its positions are of.
pub(super) fn notification(lines: &mut Lines, packet: &[u8], notification: &Notification<'_>) {
    let mut masked = Vec::new();
    mask::copy(packet, notification, &mut masked);
    let dotted_at = |at: &Range<usize>| dotted(Oid(masked.get(at.clone()).unwrap_or_default()));
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
                &trap
                    .enterprise
                    .map_or("none".to_owned(), |_| dotted_at(&trap.enterprise_at)),
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
            trap_oid_at,
            ..
        } => {
            lines.field(
                "request-id",
                &request_id.map_or("none".to_owned(), |id| id.to_string()),
            );
            let shown = trap_oid.map_or("none".to_owned(), |_| dotted_at(trap_oid_at));
            lines.field("snmpTrapOID", &shown);
        }
    }
    lines.field(
        "sysUpTime",
        &notification
            .uptime
            .map_or("none".to_owned(), |ticks| format!("{ticks} ticks")),
    );
    let list = notification.varbinds.range();
    let list = Varbinds::new(masked.get(list.clone()).unwrap_or_default(), list.start);
    let mut masked_list = list.into_iter();
    for varbind in notification.varbinds {
        // Where what was overwritten held lengths too, the copy is read in another way from there on.
        let name = masked_list
            .next()
            .filter(|it| it.at.start == varbind.at.start);
        let name = match name.map(|it| dotted(it.name)) {
            None => "an OID that is not shown,".to_owned(),
            Some(oid) if oid.is_empty() => "without an OID,".to_owned(),
            Some(oid) => oid,
        };
        let kind = format!("{:?}", varbind.value);
        let kind = kind.split(['(', ' ']).next().unwrap_or_default();
        let odd = names(varbind.anomalies);
        lines.field(
            "varbind",
            &format!("{name} {kind} at byte {}{odd}", varbind.at.start),
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

    #[test]
    fn a_community_that_stands_in_an_oid_is_not_shown() {
        use crate::decode::snmp::samples::{uptime, v1, v2c, varbind};
        let secret = b"s3cr3t-c0mm";
        let column = [&[0x2b, 6, 1, 4, 1, 9, 11][..], secret].concat();
        let arcs = |text: &[u8]| {
            let arcs: Vec<String> = text.iter().map(ToString::to_string).collect();
            arcs.join(".")
        };
        let value = [&[6, column.len() as u8][..], &column].concat();
        let trap_oid = varbind(&[0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0], &value);
        let list = [uptime(), trap_oid, varbind(&column, &[2, 1, 7])];
        for packet in [v2c(0xa7, secret, &list), v1(secret, 6, &[1], &list)] {
            let text = snmp(&packet);
            assert!(!text.contains(&arcs(secret)), "{text}");
            let hidden = format!("1.3.6.1.4.1.9.11.{}", arcs(b"***********"));
            assert!(
                text.contains(&format!("{hidden} Integer at byte")),
                "{text}"
            );
        }
    }
}
