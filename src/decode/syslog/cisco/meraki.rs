//! Meraki: a version like that of RFC 5424, and seconds since 1970.
//!
//! ```text
//!  <134>1 1784118896.774247467 MX84 flows src=192.168.10.3 dst=8.8.8.8 mac=... protocol=udp pattern: allow all
//!         TIMESTAMP            NAME TYPE  fields
//! ```
//!
//! Evidence: the version, ten digits with a fraction, and two words. (Meraki, "Syslog Server Overview and
//! Configuration": event types and samples.)

use super::super::fields::{Fields, Syntax};
use super::super::{Fidelity, Format, Message, Pri, timestamp};
use crate::decode::reader::Reader;

pub(in super::super) fn read<'a>(pri: Option<Pri>, input: Reader<'a>) -> Option<Message<'a>> {
    let mut input = input;
    if input.rest().starts_with(b"1 ") {
        input.take(2);
    }
    let time = timestamp::epoch(&mut input).filter(|time| time.fraction_digits > 0)?;
    input.eat(b' ').then_some(())?;
    let name = input.take_while(|byte| byte.is_ascii_graphic() && byte != b'=');
    let space = input.eat(b' ');
    let kind = input.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let ends = matches!(input.peek(), None | Some(b' '));
    (!name.is_empty() && space && !kind.is_empty() && ends).then_some(())?;
    input.eat(b' ');
    let mut message = Message::of(Format::Meraki, pri, input.rest());
    message.fidelity = Fidelity::Exact.changed_if(!time.is_exact());
    message.time = Some(time);
    message.hostname = Some(name);
    message.event_code = Some(kind);
    message.vendor = Some("cisco");
    message.os = Some("meraki");
    message.fields = Fields::read(Syntax::KeyValue, message.text, |_| {});
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::super::super::fields::tests::json;
    use super::super::super::read;
    use super::*;

    #[test]
    fn name_type_and_fields_stand_behind_the_seconds() {
        let message = read(
            b"<134>1 1784118896.774247467 MX84 flows src=192.168.10.3 mac='B4:FB' pattern: allow all",
        );
        assert_eq!(
            (message.format, message.os),
            (Format::Meraki, Some("meraki"))
        );
        assert_eq!(message.hostname, Some(&b"MX84"[..]));
        assert_eq!(message.event_code, Some(&b"flows"[..]));
        assert_eq!(message.time.unwrap().micros, 774_247);
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"src":"192.168.10.3","mac":"B4:FB"}"#
        );
        assert_eq!(message.fidelity, Fidelity::Changed, "nanoseconds are cut");
    }

    #[test]
    fn a_cut_message_is_read_as_far_as_its_type() {
        assert_eq!(read(b"<134>1 1784118896.774 MX84 events").text, b"");
        for cut in [
            "<134>1 1784118896.774 MX84",
            "<134>1 1784118896 MX84 flows x",
        ] {
            assert_ne!(read(cut.as_bytes()).format, Format::Meraki, "{cut}");
        }
    }
}
