//! ScreenOS, Juniper's firewalls before SRX.
//!
//! ```text
//!  <133>ssg5: NetScreen device_id=0185082008001541  [Root]system-notification-00257(traffic): start_time="2026-07-15 14:50:08" ...
//!       host                   serial                     level        event         text: pairs
//! ```
//!
//! Evidence: the word `NetScreen` at the text's start. The device names itself in the tag, where a header with a host
//! is missing. (Juniper, "ScreenOS Message Log Reference Guide": log message format.)

use super::fields::{Fields, Syntax};
use super::{Format, Message};
use crate::decode::reader::Reader;

const PARTS: &[&str] = &["device_id", "virtual_system"];

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let Some(rest) = message.text.strip_prefix(b"NetScreen ") else {
        return false;
    };
    message.vendor = Some("juniper");
    message.os = Some("screenos");
    if message.hostname.is_none() {
        message.hostname = message.app_name.take();
    }
    let mut input = Reader::new(rest);
    if let Some([device_id, system, code]) = take_head(&mut input) {
        message.event_code = Some(code);
        message.text = input.rest();
        let parts = Fields::parts(PARTS, [device_id, system, b"", b""]);
        message.fields = Some(parts.and_read(Syntax::KeyValue, message.text, |_| {}));
        message.recognised(Format::KeyValue);
    }
    true
}

/// Takes everything up to the colon behind the event, and one space: serial, virtual system and event.
fn take_head<'a>(input: &mut Reader<'a>) -> Option<[&'a [u8]; 3]> {
    (input.take(10)? == b"device_id=").then_some(())?;
    let device_id = input.take_until(b' ')?;
    input.take_while(|byte| byte == b' ');
    input.eat(b'[').then_some(())?;
    let system = input.take_until(b']')?;
    let code = input.take_while(|byte| byte.is_ascii_graphic() && byte != b':');
    (!code.is_empty() && input.eat(b':')).then_some(())?;
    input.eat(b' ');
    Some([device_id, system, code])
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::read;

    #[test]
    fn the_tag_is_the_host_where_there_is_no_other() {
        let message = read(
            b"<133>ssg5: NetScreen device_id=018  [Root]system-notification-00257(traffic): duration=59 src zone=Null",
        );
        assert_eq!(message.hostname, Some(&b"ssg5"[..]));
        assert_eq!(message.os, Some("screenos"));
        assert_eq!(
            message.event_code,
            Some(&b"system-notification-00257(traffic)"[..])
        );
        assert_eq!(message.text, b"duration=59 src zone=Null");
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"device_id":"018","virtual_system":"Root","duration":"59","zone":"Null"}"#
        );
        let named = read(b"<133>Jul 15 12:34:56 fw1 ns204: NetScreen device_id=a  [Root]x: y");
        assert_eq!(named.hostname, Some(&b"fw1"[..]));
        let cut = read(b"<133>ssg5: NetScreen device_id=018  [Ro");
        assert_eq!((cut.event_code, cut.hostname), (None, Some(&b"ssg5"[..])));
    }
}
