//! Sophos: the firewalls (SFOS, once Cyberoam) and the older UTM.
//!
//! ```text
//!  <30>device="SFW" date=2026-07-15 time=12:34:56 timezone="CEST" device_name="XG430" device_id=C42 log_id=010101600001 ...
//!  <30>device_name="SFW" timestamp="2026-07-15T12:34:56+0200" device_model="XG430" device_serial_id="C42" log_id="0101" ...
//!  <30>2026:07:15-12:34:56 utm1 ulogd[4567]: id="2001" severity="info" sys="SecureNet" sub="packetfilter" name="Packet dropped" ...
//! ```
//!
//! Evidence: the first pair, and a log id; for the UTM its time stamp with colons. `device_name` is the product or the
//! model, so a firewall names itself only in a header. (Sophos, "Sophos Firewall syslog guide"; "UTM logging guide".)

use super::fields::{Fields, Syntax};
use super::rfc3164;
use super::timestamp::{self, Stamp};
use super::{Format, Message, Pri};
use crate::decode::reader::Reader;

/// Reads the UTM's header.
pub(super) fn read<'a>(pri: Option<Pri>, input: Reader<'a>) -> Option<Message<'a>> {
    let mut input = input;
    let [y1, y2, y3, y4, b':', mo1, mo2, b':', d1, d2] = *input.take(10)? else {
        return None;
    };
    input.eat(b'-').then_some(())?;
    let date = [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2];
    let time = timestamp::date_and_time(&date, input.take(8)?)?;
    input.eat(b' ').then_some(())?;
    let mut message = Message::of(Format::Rfc3164, pri, b"");
    let host = input.take_while(|byte| byte.is_ascii_graphic());
    message.hostname = Some(host).filter(|host| !host.is_empty());
    input.eat(b' ');
    rfc3164::take_tag(&mut input, &mut message);
    message.time = Some(time);
    message.vendor = Some("sophos");
    message.os = Some("utm");
    message.text = input.rest();
    Some(message)
}

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    const STARTS: [&[u8]; 2] = [b"device=\"SFW\" ", b"device_name=\"SFW\" "];
    if message.os == Some("utm") && message.text.starts_with(b"id=") {
        return utm(message);
    }
    if !STARTS.iter().any(|start| message.text.starts_with(start)) {
        return false;
    }
    let (mut date, mut time, mut zone, mut stamp) = (None, None, None, None);
    let (mut code, mut text) = (None, None);
    let fields = Fields::read(Syntax::KeyValue, message.text, |field| {
        let value = Some(field.value.bytes).filter(|value| !value.is_empty());
        match field.name {
            b"date" => date = value,
            b"time" => time = value,
            b"timezone" => zone = value,
            b"timestamp" => stamp = value.and_then(zoned),
            b"log_id" => code = value,
            b"message" => text = Some(field.value).filter(|text| !text.bytes.is_empty()),
            _ => {}
        }
    });
    if code.is_none() {
        return false;
    }
    let civil = || timestamp::date_and_time(date?, time?);
    let stamp = stamp.or_else(|| Some(civil()?.with_zone(zone?)));
    message.fidelity = message
        .fidelity
        .changed_if(stamp.is_some() && message.time.is_some());
    message.time = stamp.or(message.time);
    message.event_code = code;
    message.fields = fields;
    if let Some(text) = text {
        message.set_text(text);
    }
    message.vendor = Some("sophos");
    message.os = Some("sfos");
    message.recognised(Format::KeyValue);
    true
}

/// `2026-07-15T12:34:56+0200`.
fn zoned(text: &[u8]) -> Option<Stamp<'_>> {
    let mut input = Reader::new(text);
    timestamp::rfc3339(&mut input).filter(|_| input.is_empty())
}

fn utm(message: &mut Message<'_>) -> bool {
    let mut code = None;
    let fields = Fields::read(Syntax::KeyValue, message.text, |field| {
        if field.name == b"id" {
            code = Some(field.value.bytes).filter(|code| !code.is_empty());
        }
    });
    message.event_code = code;
    message.fields = fields;
    message.recognised(Format::KeyValue);
    true
}

#[cfg(test)]
mod tests {
    use super::super::{Fidelity, read};
    use super::*;

    #[test]
    fn a_firewall_gives_log_id_and_time_and_no_name_that_is_its_model() {
        for text in [
            r#"<30>device="SFW" date=2026-07-15 time=12:34:56 timezone="CEST" device_name="XG430" device_id=C42 log_id=010101600001 message="denied""#,
            r#"<30>device_name="SFW" timestamp="2026-07-15T12:34:56+0200" device_model="XG430" device_serial_id="C42" log_id=010101600001 message="denied""#,
        ] {
            let message = read(text.as_bytes());
            assert_eq!((message.format, message.error), (Format::KeyValue, None));
            assert_eq!((message.vendor, message.hostname), (Some("sophos"), None));
            assert_eq!(message.event_code, Some(&b"010101600001"[..]));
            assert_eq!(message.text, b"denied");
            assert_eq!(message.time.unwrap().hour, 12);
            assert_eq!(message.fidelity, Fidelity::Exact);
        }
        let other = read(br#"<30>device="SFW" date=2026-07-15"#);
        assert_eq!(other.vendor, None);
    }

    #[test]
    fn the_utms_header_has_colons_in_its_date() {
        let message =
            read(br#"<30>2026:07:15-12:34:56 utm1 ulogd[4567]: id="2001" name="Packet dropped""#);
        assert_eq!(message.hostname, Some(&b"utm1"[..]));
        assert_eq!(message.app_name, Some(&b"ulogd"[..]));
        assert_eq!(message.event_code, Some(&b"2001"[..]));
        assert_eq!(message.time.unwrap().month, 7);
        let cut = read(b"<30>2026:07:15-12:34");
        assert_eq!((cut.vendor, cut.format), (None, Format::Unknown));
    }
}
