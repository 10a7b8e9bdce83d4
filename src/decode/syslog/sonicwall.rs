//! SonicWall: SonicOS and the SMA, `name=value` without a header.
//!
//! ```text
//!  <134>  id=firewall sn=18B1690729A8 time="2026-07-15 12:34:56 UTC" fw=192.0.2.1 pri=6 c=1024 m=97 msg="..." n=32886 src=...
//! ```
//!
//! Evidence: `id=` first, and among the pairs `sn` or `fw`, and `m`. `id` is a text that operators set for all their
//! firewalls, not a name. `m` is the number of the event, whose meaning the vendor lists. (SonicWall, "SonicOS Log
//! Events Reference Guide": index of syslog tag field description.)

use super::fields::{Fields, Syntax};
use super::timestamp::{self, Stamp};
use super::{Format, Message};
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    if !message.text.starts_with(b"id=") {
        return false;
    }
    let (mut is_ours, mut code, mut text, mut time) = (false, None, None, None);
    let fields = Fields::read(Syntax::KeyValue, message.text, |field| {
        let value = Some(field.value.bytes).filter(|value| !value.is_empty());
        match field.name {
            b"sn" | b"fw" => is_ours |= value.is_some(),
            b"m" => code = value,
            b"msg" => text = value.map(|_| field.value),
            b"time" => time = value.and_then(stamp),
            _ => {}
        }
    });
    if !is_ours || code.is_none() {
        return false;
    }
    if let Some(time) = time.filter(|time| !time.is_vaguer_than(message.time)) {
        message.fidelity = message.fidelity.changed_if(message.time.is_some());
        message.time = Some(time);
    }
    message.event_code = code;
    message.fields = fields;
    if let Some(text) = text {
        message.set_text(text);
    }
    message.vendor = Some("sonicwall");
    message.os = Some("sonicos");
    message.recognised(Format::KeyValue);
    true
}

/// `2026-07-15 12:34:56` in the firewall's own time, or with ` UTC` behind it.
fn stamp(text: &[u8]) -> Option<Stamp<'_>> {
    let mut input = Reader::new(text);
    let date = input.take_until(b' ')?;
    let time = input.take_while(|byte| byte != b' ');
    let stamp = timestamp::date_and_time(date, time)?;
    input.eat(b' ');
    Some(stamp.with_zone(input.rest()))
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn the_event_has_the_vendors_number_and_its_own_time() {
        let message = read(
            br#"<134>  id=firewall sn=18B1690729A8 time="2026-07-15 12:34:56 UTC" fw=192.0.2.1 pri=6 c=1024 m=97 msg="Web site hit" n=3"#,
        );
        assert_eq!((message.format, message.error), (Format::KeyValue, None));
        assert_eq!(
            (message.vendor, message.os),
            (Some("sonicwall"), Some("sonicos"))
        );
        assert_eq!(message.event_code, Some(&b"97"[..]));
        assert_eq!(message.text, b"Web site hit");
        assert_eq!(message.time.unwrap().zone, Some(&b"UTC"[..]));
        assert_eq!(message.hostname, None);
        let zoned = read(
            br#"<134>1 2026-07-15T10:34:56Z fw1 - - - - id=firewall sn=18B1690729A8 time="2026-07-15 12:34:56" m=97"#,
        );
        assert_eq!(zoned.time.map(|time| time.hour), Some(10));
        for other in ["id=1 a=2", "id=1 sn=2", "id=1 m=2", "id="] {
            assert_eq!(read(other.as_bytes()).vendor, None, "{other}");
        }
    }
}
