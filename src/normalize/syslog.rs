//! A syslog message and its packet → [`Event`].
//!
//! ```text
//!  Message ── severity, facility, fields, text ───────────────▶ Event
//!  Message.time + received + default zone ── time, time_source ─┤
//!  Message.hostname + peer ── device::identify ─────────────────┤
//!  packet.bytes ── raw or raw_base64, by policy ────────────────┘
//! ```
//!
//! The bytes as received are kept (`raw = "auto"`) where the event does not say all that they say: something could not
//! be read or was left out, bytes are missing, the header's name was not taken, the time stamp names no instant, or
//! they are not UTF-8. A name written in other case or without its domain is the same name, and no reason.

use std::convert::Infallible;

use super::device::{self, Claim, Identified, Names};
use super::{Config, RawPolicy, Scratch};
use crate::decode::syslog::fields::{Escapes, Value};
use crate::decode::syslog::{self, Fidelity, Message, timestamp};
use crate::event::{
    Agent, Base64, Clock, Device, Event, HostnameSource, Id, Kind, ParseError, Rfc3339, SCHEMA,
    Severity, StructuredData, SyslogPart, Text, TimeSource,
};
use crate::packet::{Packet, Wholeness};
use crate::time::UnixMicros;

/// Makes the event of one message. `id` is left empty: the pipeline sets it when the record's place is known.
pub fn event<'a>(
    message: &'a Message<'a>,
    packet: &'a Packet<'a>,
    config: &'a Config,
    names: &'a (impl Names + ?Sized),
    scratch: &'a mut Scratch,
) -> Event<'a> {
    let claim = Claim {
        address: packet.peer.address(),
        vendor: message.vendor,
        os: message.os,
        sequence: message.sequence,
        numbering: message.numbering,
        received: packet.received,
        ..Claim::default()
    };
    let device = device::identify(message.hostname, claim, config, names, &mut scratch.device);
    let text = unescaped(message.text, message.text_escapes, &mut scratch.message);
    let event_code = message
        .event_code
        .map(|code| unescaped(code, message.code_escapes, &mut scratch.code));
    let (time, time_source, zone) = time(message, packet, config, &device);
    let understood = message.error.is_none()
        && message.fidelity == Fidelity::Exact
        && packet.wholeness == Wholeness::Whole
        && zone == Zone::Said
        && (message.time.is_none()
            || matches!(
                time_source,
                TimeSource::Device | TimeSource::DeviceCompleted
            ))
        && (message.hostname.is_none() || device.source == HostnameSource::Header);
    let (raw, raw_base64) = raw(packet, config.raw, understood);
    Event {
        schema: SCHEMA,
        id: Id(""),
        kind: Kind::Syslog,
        time,
        time_source,
        received: Rfc3339::micros(packet.received),
        severity: message
            .pri
            .and_then(|pri| Severity::from_code(pri.severity)),
        severity_code: message.pri.map(|pri| pri.severity),
        device: Device {
            vendor: message.vendor.or(device.vendor()),
            os: message.os,
            ..device.device(packet)
        },
        event_code: event_code.map(Text),
        message: Text(text),
        repeat_count: repeat_count(message.text),
        syslog: Some(part(message)),
        snmp: None,
        change: None,
        gap: None,
        storm: None,
        report: None,
        agent: Agent {
            id: &config.agent_id,
            version: env!("CARGO_PKG_VERSION"),
            listener: Some(&packet.listener.name),
            transport: Some(packet.listener.transport),
        },
        parse_error: message.error.map(|error| ParseError {
            reason: error.reason,
            at_byte: u32::try_from(error.at).unwrap_or(u32::MAX),
        }),
        truncated: packet.wholeness != Wholeness::Whole,
        raw,
        raw_base64,
        raw_withheld: None,
    }
}

/// Whether a time's zone is what the message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// It says one, or none at all.
    Said,
    /// It says a name of several zones, and one of them was taken. The name is in the raw bytes alone.
    Guessed,
}

/// The message's own time where it names an instant that a working clock can show, else the time of arrival.
fn time(
    message: &Message<'_>,
    packet: &Packet<'_>,
    config: &Config,
    device: &Identified<'_>,
) -> (Rfc3339, TimeSource, Zone) {
    let zone = device.facts.and_then(|facts| facts.zone.as_ref());
    let offset_minutes = zone.map_or(config.utc_offset_minutes, |zone| {
        zone.offset_minutes(packet.received)
    });
    let resolved = message
        .time
        .and_then(|stamp| timestamp::resolve(&stamp, packet.received.0, offset_minutes));
    let Some(resolved) = resolved else {
        let received = Rfc3339::micros(packet.received);
        return (received, TimeSource::Received, Zone::Said);
    };
    let skew_micros = resolved.at_micros.abs_diff(packet.received.0);
    let skew_micros_max = u64::from(config.time_skew_seconds_max) * 1_000_000;
    if skew_micros_max > 0 && skew_micros > skew_micros_max {
        let received = Rfc3339::micros(packet.received);
        return (received, TimeSource::ReceivedSkewed, Zone::Said);
    }
    let time = Rfc3339::with_offset(
        UnixMicros(resolved.at_micros),
        resolved.offset_minutes,
        resolved.fraction_digits,
    );
    let source = if resolved.completed {
        TimeSource::DeviceCompleted
    } else {
        TimeSource::Device
    };
    let zone = if resolved.guessed_zone {
        Zone::Guessed
    } else {
        Zone::Said
    };
    (time, source, zone)
}

/// A part of the message without the escapes of its dialect.
fn unescaped<'a>(bytes: &'a [u8], escapes: Escapes, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if escapes == Escapes::NONE {
        return bytes;
    }
    scratch.clear();
    let value = Value { bytes, escapes };
    let Ok(()) = value.for_each_piece::<Infallible>(|piece| {
        scratch.extend_from_slice(piece);
        Ok(())
    });
    scratch
}

fn part<'a>(message: &'a Message<'a>) -> SyslogPart<'a> {
    SyslogPart {
        format: message.format.as_str(),
        facility: message.pri.and_then(|pri| facility(pri.facility)),
        facility_code: message.pri.map(|pri| pri.facility),
        app_name: message.app_name.map(Text),
        proc_id: message.proc_id.map(Text),
        msg_id: message.msg_id.map(Text),
        structured_data: message.structured_data.map(StructuredData),
        fields: message.fields,
        sequence: message.sequence,
        clock: message.clock.map(|clock| match clock {
            syslog::Clock::Synchronized => Clock::Synchronized,
            syslog::Clock::Unsynchronized => Clock::Unsynchronized,
        }),
    }
}

/// The usual short name of a facility (RFC 5424, section 6.2.1, table 1; the names are those of syslog.h, and for the
/// five that it does not have those of the table's descriptions).
fn facility(code: u8) -> Option<&'static str> {
    const NAMES: [&str; 24] = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron",
        "authpriv", "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2",
        "local3", "local4", "local5", "local6", "local7",
    ];
    NAMES.get(usize::from(code)).copied()
}

/// N of "last message repeated N times", which stands for N messages.
fn repeat_count(text: &[u8]) -> Option<u32> {
    let text = text.strip_prefix(b"last ").unwrap_or(text);
    let rest = text.strip_prefix(b"message repeated ")?;
    let digits = rest.split(|byte| *byte == b' ').next()?;
    let behind = rest.get(digits.len()..)?;
    behind.starts_with(b" time").then_some(())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The bytes as received where the policy keeps them: as text where they are UTF-8, else as base64.
fn raw<'a>(
    packet: &Packet<'a>,
    policy: RawPolicy,
    understood: bool,
) -> (Option<Text<'a>>, Option<Base64<'a>>) {
    let is_utf8 = || std::str::from_utf8(packet.bytes).is_ok();
    match policy {
        RawPolicy::Never => (None, None),
        RawPolicy::Auto | RawPolicy::Always if !is_utf8() => (None, Some(Base64(packet.bytes))),
        RawPolicy::Auto if understood => (None, None),
        RawPolicy::Auto | RawPolicy::Always => (Some(Text(packet.bytes)), None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::normalize::DomainPolicy;
    use crate::normalize::device::NoNames;
    use crate::packet::{Listener, Peer, Protocol, Transport};

    /// 2026-07-15T12:35:00Z.
    const RECEIVED: UnixMicros = UnixMicros(1_784_118_900_000_000);

    fn config() -> Config {
        Config {
            agent_id: "test".into(),
            raw: RawPolicy::Auto,
            domain: DomainPolicy::Keep,
            utc_offset_minutes: 0,
            time_skew_seconds_max: Config::TIME_SKEW_SECONDS_MAX_DEFAULT,
            ..Config::for_agent("test")
        }
    }

    fn json_of(bytes: &[u8], wholeness: Wholeness, config: &Config) -> Value {
        let listener = Listener {
            index: 0,
            name: "syslog-udp".into(),
            protocol: Protocol::Syslog,
            transport: Transport::Udp,
        };
        let packet = Packet {
            bytes,
            peer: Peer::Inet([10, 0, 0, 1].into(), 514),
            listener: &listener,
            received: RECEIVED,
            wholeness,
        };
        let message = syslog::read(bytes);
        let mut scratch = Scratch::default();
        serde_json::to_value(event(&message, &packet, config, &NoNames, &mut scratch)).unwrap()
    }

    fn whole(text: &str) -> Value {
        json_of(text.as_bytes(), Wholeness::Whole, &config())
    }

    #[test]
    fn a_whole_message_becomes_an_event_without_raw() {
        let event = whole(
            "<189>123: R1: *Jul 15 12:34:56.789 CEST: %SYS-5-CONFIG_I: Configured from console",
        );
        assert_eq!(
            event,
            json!({
                "schema": 1, "id": "", "kind": "syslog",
                "time": "2026-07-15T12:34:56.789+02:00", "time_source": "device_completed",
                "received": "2026-07-15T12:35:00.000000Z",
                "severity": "notice", "severity_code": 5,
                "device": {"hostname": "r1", "hostname_source": "header", "address": "10.0.0.1", "vendor": "cisco", "os": "ios"},
                "event_code": "SYS-5-CONFIG_I", "message": "Configured from console",
                "syslog": {"format": "cisco", "facility": "local7", "facility_code": 23, "app_name": null, "proc_id": null,
                    "msg_id": null, "structured_data": null, "sequence": 123, "clock": "unsynchronized"},
                "agent": {"id": "test", "version": env!("CARGO_PKG_VERSION"), "listener": "syslog-udp", "transport": "udp"},
            })
        );
    }

    #[test]
    fn a_message_without_pri_has_no_severity_and_no_error() {
        let event = whole("Jul 15 12:34:56 r1 su: x");
        assert_eq!(
            (&event["severity"], &event["syslog"]["facility"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(event.get("parse_error"), None);
        assert_eq!(event.get("raw"), None);
    }

    #[test]
    fn raw_is_kept_where_the_event_does_not_say_everything() {
        for kept in [
            "no header at all",
            "<192>Jul 15 12:34:56 r1 su: x",
            "<34>Jul 15 12:34:56   r1 su: x",
            "<34>Jul 15 12:34:56 localhost su: x",
            "<34>1 2026-07-15T12:34:56.123456789Z r1 a - - - x",
        ] {
            assert_eq!(whole(kept)["raw"], kept);
        }
        for left_out in [
            "<34>Jul 15 12:34:56 r1 su: x",
            "<34>Jul 15 12:34:56 R1 su: x",
            "<34>1 - - - - - - x",
        ] {
            assert_eq!(whole(left_out).get("raw"), None, "{left_out}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_kept_as_base64() {
        let event = json_of(b"<34>1 - r1 a - - - \xff", Wholeness::Whole, &config());
        assert_eq!(event["message"], "\u{fffd}");
        assert_eq!(event["raw_base64"], "PDM0PjEgLSByMSBhIC0gLSAtIP8=");
        assert_eq!(event.get("raw"), None);
    }

    #[test]
    fn the_policy_decides_about_raw() {
        let text = b"<34>Jul 15 12:34:56 r1 su: x";
        let always = Config {
            raw: RawPolicy::Always,
            ..config()
        };
        assert_eq!(
            json_of(text, Wholeness::Whole, &always)["raw"],
            "<34>Jul 15 12:34:56 r1 su: x"
        );
        let never = Config {
            raw: RawPolicy::Never,
            ..config()
        };
        let event = json_of(b"no header \xff", Wholeness::Cut, &never);
        assert_eq!((event.get("raw"), event.get("raw_base64")), (None, None));
        assert!(event["parse_error"]["reason"].is_string());
    }

    #[test]
    fn missing_bytes_are_said_and_what_came_is_kept() {
        for wholeness in [Wholeness::Cut, Wholeness::Half] {
            let event = json_of(b"<34>Jul 15 12:34:56 r1 su: x", wholeness, &config());
            assert_eq!(
                (&event["truncated"], &event["raw"]),
                (&json!(true), &json!("<34>Jul 15 12:34:56 r1 su: x"))
            );
        }
    }

    #[test]
    fn the_time_is_the_devices_and_what_is_missing_is_supplied() {
        let east = Config {
            utc_offset_minutes: 120,
            ..config()
        };
        let time = |text: &str, config: &Config| {
            let event = json_of(text.as_bytes(), Wholeness::Whole, config);
            format!(
                "{} {}",
                event["time"].as_str().unwrap(),
                event["time_source"].as_str().unwrap()
            )
        };
        assert_eq!(
            time("<34>1 2026-07-15T12:34:56.7Z r1 a - - - x", &east),
            "2026-07-15T12:34:56.7Z device"
        );
        assert_eq!(
            time("<34>Jul 15 14:34:56 r1 su: x", &east),
            "2026-07-15T14:34:56+02:00 device_completed"
        );
        assert_eq!(
            time("<34>1 - r1 a - - - x", &east),
            "2026-07-15T12:35:00.000000Z received"
        );
    }

    #[test]
    fn a_zone_of_two_meanings_is_the_devices_own_and_kept_where_that_is_neither() {
        for (offset, text, time, kept) in [
            (480, "20:34:56", "2026-07-15T20:34:56+08:00", false),
            (0, "06:34:56", "2026-07-15T06:34:56-06:00", true),
            (-360, "06:34:56", "2026-07-15T06:34:56-06:00", false),
        ] {
            let config = Config {
                utc_offset_minutes: offset,
                ..config()
            };
            let text = format!("<189>1: r1: Jul 15 2026 {text} CST: %SYS-5-CONFIG_I: x");
            let event = json_of(text.as_bytes(), Wholeness::Whole, &config);
            assert_eq!(
                (event["time"].as_str(), event["raw"].is_string()),
                (Some(time), kept)
            );
        }
    }

    #[test]
    fn a_clock_that_is_wrong_by_more_than_the_limit_is_not_believed_and_kept() {
        let source = |text: &str, time_skew_seconds_max| {
            let config = Config {
                time_skew_seconds_max,
                ..config()
            };
            let event = json_of(text.as_bytes(), Wholeness::Whole, &config);
            let kept = event["raw"].is_string();
            (event["time_source"].as_str().unwrap().to_owned(), kept)
        };
        let unset = "<189>1: r1: *Mar  1 00:00:46.123 UTC: %SYS-5-CONFIG_I: x";
        assert_eq!(source(unset, 604_800), ("received_skewed".into(), true));
        assert_eq!(source(unset, 0), ("device_completed".into(), false));
        for (seconds, expected) in [("44:59", "received_skewed"), ("45:00", "device")] {
            let text = format!("<34>1 2026-07-15T11:{seconds}Z r1 a - - - x");
            assert_eq!(source(&text, 3000).0, expected, "{text}");
        }
        for (seconds, expected) in [("25:01", "received_skewed"), ("25:00", "device")] {
            let text = format!("<34>1 2026-07-15T13:{seconds}Z r1 a - - - x");
            assert_eq!(source(&text, 3000).0, expected, "{text}");
        }
    }

    #[test]
    fn repeat_lines_carry_their_count() {
        assert_eq!(
            whole("<34>Jul 15 12:34:56 r1 last message repeated 3 times")["repeat_count"],
            3
        );
        assert_eq!(
            whole("<34>Jul 15 12:34:56 r1 rsyslogd: message repeated 12 times: [ x]")["repeat_count"],
            12
        );
        for other in [
            "message repeated often times",
            "last message repeated 3",
            "repeated 3 times",
        ] {
            assert_eq!(repeat_count(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn every_facility_has_its_name() {
        let names: Vec<&str> = (0..24).map(|code| facility(code).unwrap()).collect();
        assert_eq!(
            (names[0], names[15], names[16], names[23]),
            ("kern", "clock", "local0", "local7")
        );
        assert_eq!(facility(24), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_become_one_event_that_keeps_them(bytes: Vec<u8>) {
            let event = json_of(&bytes, Wholeness::Whole, &config());
            proptest::prop_assert!(!event["device"]["hostname"].as_str().unwrap().is_empty());
            if std::str::from_utf8(&bytes).is_err() {
                proptest::prop_assert!(event["raw_base64"].is_string());
            }
            if event.get("parse_error").is_some() {
                proptest::prop_assert!(event["raw_base64"].is_string() || event["raw"].is_string());
            }
        }
    }
}
