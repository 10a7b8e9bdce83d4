//! Opengear console servers: the host before the time.
//!
//! ```text
//!  <30>console1 port02 2018-Nov-12 10:47:34.318 LOGOUT: root
//!      host     source timestamp                code    text
//! ```
//!
//! Evidence: two words, and a time stamp with the month between hyphens.

use super::timestamp;
use super::{Format, Message, Pri};
use crate::decode::reader::Reader;

pub(super) fn read<'a>(pri: Option<Pri>, input: Reader<'a>) -> Option<Message<'a>> {
    let mut input = input;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let host = input.take_while(is_name);
    let first = input.eat(b' ');
    let source = input.take_while(is_name);
    let second = input.eat(b' ');
    if pri.is_none() || host.is_empty() || source.is_empty() || !first || !second {
        return None;
    }
    let time = timestamp::unpadded(&mut input)?;
    input.eat(b' ').then_some(())?;
    let code = input.take_while(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let colon = input.eat(b':');
    (!code.is_empty() && colon).then_some(())?;
    input.eat(b' ');
    let mut message = Message::of(Format::Opengear, pri, input.rest());
    message.time = Some(time);
    message.hostname = Some(host);
    message.app_name = Some(source);
    message.event_code = Some(code);
    message.vendor = Some("opengear");
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::super::{Format, read};

    #[test]
    fn the_host_stands_before_the_time() {
        let message = read(b"<30>con_1-ts port02 2018-Nov- 9 15:42:06.972 SIGNAL: CTS => 0");
        assert_eq!(message.format, Format::Opengear);
        assert_eq!(message.hostname, Some(&b"con_1-ts"[..]));
        assert_eq!(message.app_name, Some(&b"port02"[..]));
        assert_eq!(message.event_code, Some(&b"SIGNAL"[..]));
        assert_eq!(message.text, b"CTS => 0");
        assert_eq!(message.time.unwrap().day, 9);
        for cut in [
            "<30>con_1 port02 2018-Nov- 9 15:42",
            "<30>con_1 port02 2018-Nov- 9 15:42:06",
        ] {
            assert_ne!(read(cut.as_bytes()).format, Format::Opengear, "{cut}");
        }
    }
}
