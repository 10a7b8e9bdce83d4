//! Fortinet: FortiOS and its relatives, `name=value` with or without a header.
//!
//! ```text
//!  <185>date=2026-07-15,time=12:34:56,devname=fw1,devid=FG100E4Q17000001,...        `set format csv`
//!  <189>date=2026-07-15 time=12:34:56 devname="fw1" devid="FG100E4Q17000001" tz="+0200" logid="0100032002" type="event" ... msg="..."
//! ```
//!
//! Evidence: the first name is one of those with which Fortinet starts, and there are a device id, which starts with an F
//! (FortiSwitch: with an S and its model's number), and a log id. The device's own name goes before that of a header, which is often a relay's or the product's name; so does
//! its time, which mostly has a zone. (Fortinet, "FortiOS Log Message Reference": log field format.)

use super::fields::{Fields, Syntax};
use super::timestamp::{self, Stamp};
use super::{Fidelity, Format, Message};
use crate::decode::reader::Reader;

/// What one message says of itself.
#[derive(Default)]
struct Known<'a> {
    date: Option<&'a [u8]>,
    time: Option<&'a [u8]>,
    zone: Option<&'a [u8]>,
    event_time: Option<&'a [u8]>,
    device: Option<&'a [u8]>,
    device_id: Option<&'a [u8]>,
    log_id: Option<&'a [u8]>,
}

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    const STARTS: [&[u8]; 6] = [
        b"date=",
        b"time=",
        b"devname=",
        b"logver=",
        b"timestamp=",
        b"eventtime=",
    ];
    if !STARTS.iter().any(|start| message.text.starts_with(start)) {
        return false;
    }
    let (mut known, mut text) = (Known::default(), None);
    // Behind rsyslog the first pair is the program.
    let date = message
        .app_name
        .and_then(|name| name.strip_prefix(b"date="));
    known.date = date;
    let fields = Fields::read(syntax(message.text), message.text, |field| {
        let value = Some(field.value.bytes).filter(|value| !value.is_empty());
        match field.name {
            b"date" => known.date = value,
            b"time" => known.time = value,
            b"tz" => known.zone = value,
            b"eventtime" => known.event_time = value,
            b"devname" => known.device = value,
            b"devid" | b"device_id" => known.device_id = value,
            b"logid" | b"log_id" => known.log_id = value,
            b"msg" => text = Some(field.value),
            b"logdesc" => text = text.or(Some(field.value)),
            _ => {}
        }
    });
    let is_ours = matches!(known.device_id, Some([b'F', ..] | [b'S', b'0'..=b'9', ..]));
    if !is_ours || known.log_id.is_none() {
        return false;
    }
    if date.is_some() {
        message.app_name = None;
        message.fidelity = Fidelity::Changed;
    }
    let name = known.device.or(message.hostname);
    message.fidelity = message
        .fidelity
        .changed_if(message.hostname.is_some_and(|header| Some(header) != name));
    message.hostname = name;
    if let Some(time) = known
        .stamp()
        .filter(|time| !time.is_vaguer_than(message.time))
    {
        message.fidelity = message
            .fidelity
            .changed_if(message.time.is_some() || !time.is_exact());
        message.time = Some(time);
    }
    message.event_code = known.log_id;
    message.vendor = Some("fortinet");
    message.os = known.device_id.and_then(os);
    message.fields = fields;
    if let Some(text) = text.filter(|text| !text.bytes.is_empty()) {
        message.set_text(text);
    }
    message.recognised(Format::KeyValue);
    true
}

/// Commas with nothing behind them are separators.
fn syntax(text: &[u8]) -> Syntax {
    let mut input = Reader::new(text);
    input.take_to([b',', b' ']);
    match input.rest() {
        [b',', behind, ..] if *behind != b' ' => Syntax::CommaKeyValue,
        _ => Syntax::KeyValue,
    }
}

impl<'a> Known<'a> {
    /// Date and time with the zone; without a zone the event's own count of seconds, which needs none.
    fn stamp(&self) -> Option<Stamp<'a>> {
        let civil = timestamp::date_and_time(self.date?, self.time?);
        let epoch = || timestamp::epoch(&mut Reader::new(self.event_time?));
        match (civil, self.zone) {
            (Some(stamp), Some(zone)) if stamp.with_zone(zone).has_zone() => {
                Some(stamp.with_zone(zone))
            }
            (civil, _) => epoch().or(civil),
        }
    }
}

/// By the letters with which serial numbers start.
fn os(device_id: &[u8]) -> Option<&'static str> {
    match device_id {
        [b'F', b'G', ..] | [b'F', b'W', ..] => Some("fortios"),
        [b'F', b'A', b'Z', ..] | [b'F', b'L', ..] => Some("fortianalyzer"),
        [b'F', b'V', ..] => Some("fortiweb"),
        [b'F', b'E', ..] => Some("fortimail"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::read;
    use super::*;

    #[test]
    fn a_message_without_a_header_names_its_device_time_and_event() {
        let message = read(
            br#"<189>date=2026-07-15 time=12:34:56 devname="fw1" devid="FG100E4Q17000001" eventtime=1784111696 tz="+0200" logid="0100032002" type="event" level="alert" msg="login \"root\" failed""#,
        );
        assert_eq!((message.format, message.error), (Format::KeyValue, None));
        assert_eq!(
            (message.vendor, message.os),
            (Some("fortinet"), Some("fortios"))
        );
        assert_eq!(message.hostname, Some(&b"fw1"[..]));
        assert_eq!(message.event_code, Some(&b"0100032002"[..]));
        assert_eq!(message.text, br#"login \"root\" failed"#);
        assert_eq!(message.time.unwrap().offset_minutes, Some(120));
        assert_eq!(message.fidelity, Fidelity::Exact);
    }

    #[test]
    fn a_date_that_a_relay_took_for_the_program_is_the_events() {
        let message = read(
            b"<189>1 2026-11-22T01:21:00Z relay date=2026-11-22 - - -  time=01:20:00 devname=f1 devid=FG1 tz=+0000 logid=1 msg=x",
        );
        assert_eq!(message.vendor, Some("fortinet"));
        assert_eq!(
            (message.hostname, message.app_name),
            (Some(&b"f1"[..]), None)
        );
        assert_eq!(
            message.time.map(|time| (time.day, time.minute)),
            Some((22, 20))
        );
        assert_eq!(
            (message.text, message.fidelity),
            (&b"x"[..], Fidelity::Changed)
        );
    }

    #[test]
    fn a_switch_names_its_model_in_its_id() {
        for (id, vendor) in [
            ("S524DN4K16000116", Some("fortinet")),
            ("FS1D24T414000001", Some("fortinet")),
            ("SERVER-1", None),
        ] {
            let input = format!(
                "<190>date=2026-02-02 time=10:10:10 devname=acc-sw1 device_id={id} log_id=0103030016 msg=up"
            );
            assert_eq!(read(input.as_bytes()).vendor, vendor, "{input}");
        }
    }

    #[test]
    fn pairs_between_commas_are_read_too() {
        let message = read(
            br#"<185>date=2026-11-22,time=01:20:01,devname=fgt1,devid=FG100E1,tz="+0200",logid="0100032002",user="",msg="a, b=c",n=1"#,
        );
        assert_eq!(message.vendor, Some("fortinet"));
        assert_eq!(message.hostname, Some(&b"fgt1"[..]));
        assert_eq!(message.text, b"a, b=c");
        assert_eq!(message.fidelity, Fidelity::Exact);
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"date":"2026-11-22","time":"01:20:01","devname":"fgt1","devid":"FG100E1","tz":"+0200","logid":"0100032002","user":"","msg":"a, b=c","n":"1"}"#
        );
    }

    #[test]
    fn a_headers_time_with_a_zone_goes_before_one_without() {
        let start = "<189>1 2026-11-22T00:20:01Z fgt1 - - - - date=2026-11-22 time=01:20:01";
        // The event's own count of seconds needs no zone.
        let counted = " eventtime=1795308001";
        for (zone, expected) in [
            ("", (0, 20)),
            (" tz=\"+0200\"", (1, 20)),
            (counted, (0, 40)),
        ] {
            let input = format!("{start}{zone} devname=fgt1 devid=FG1 logid=1");
            let message = read(input.as_bytes());
            assert_eq!(message.vendor, Some("fortinet"));
            let time = message.time.unwrap();
            assert_eq!((time.hour, time.minute), expected, "{input}");
        }
    }

    #[test]
    fn the_devices_own_name_goes_before_a_relays() {
        let message = read(
            b"<111> Jul 15 12:34:56 fortigate date=2026-07-15 time=12:34:56 devname=fw2 devid=FGT60D1 logid=1 type=traffic",
        );
        assert_eq!(message.hostname, Some(&b"fw2"[..]));
        assert_eq!(message.fidelity, Fidelity::Changed);
        assert!(message.text.starts_with(b"date="));
    }

    #[test]
    fn what_no_field_says_is_said_to_be_left_out() {
        let start =
            "date=2026-07-15 time=12:34:56 tz=+0000 devname=fw2 devid=FGT60D1 logid=1 msg=x";
        let many = " a=b".repeat(300);
        for (end, fidelity) in [
            ("", Fidelity::Exact),
            (" stray words", Fidelity::Changed),
            (many.as_str(), Fidelity::Changed),
        ] {
            let input = format!("{start}{end}");
            let message = read(input.as_bytes());
            assert_eq!((message.text, message.fidelity), (&b"x"[..], fidelity));
        }
    }

    #[test]
    fn other_pairs_are_not_taken_for_fortinets() {
        for text in [
            "date=2026-07-15 time=12:34:56 user=x",
            "devname=x devid=y",
            "time=1 devid=x logid=1",
        ] {
            assert_eq!(read(text.as_bytes()).vendor, None, "{text}");
        }
    }
}
