//! HP ProCurve, now ArubaOS-Switch: a number of five digits in front of the tag.
//!
//! ```text
//!  <14>Jul 15 12:34:56 192.0.2.1 00077 ports: port A3 is now off-line
//!                                code  tag    text
//!  <14>Jul 15 12:34:56 192.0.2.1 00077 ports: ST2-CMDR: port 2/3 is now off-line      the member of a stack
//! ```
//!
//! Evidence: five digits, the first of which is a zero, and a word in front of a colon. (HPE, "ArubaOS-Switch Event Log Message Reference Guide".)

use super::fields::Fields;
use super::{Format, Message, rfc3164};
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    if message.format != Format::Rfc3164 || message.app_name.is_some() {
        return false;
    }
    let mut input = Reader::new(message.text);
    let code = input.take_while(|byte| byte.is_ascii_digit());
    let space = input.eat(b' ');
    let starts = input.peek().is_some_and(|byte| byte.is_ascii_lowercase());
    let is_code = code.len() == 5 && code.starts_with(b"0");
    if !is_code || !space || !starts || !rfc3164::take_tag(&mut input, message) {
        return false;
    }
    message.event_code = Some(code);
    if let Some(member) = take_member(&mut input) {
        message.fields = Some(Fields::parts(&["member"], [member, b"", b"", b""]));
    }
    message.text = input.rest();
    message.vendor = Some("hpe");
    message.os = Some("arubaos-switch");
    true
}

/// Takes `ST1-CMDR: `.
fn take_member<'a>(input: &mut Reader<'a>) -> Option<&'a [u8]> {
    let mut after = *input;
    let member = after.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (member.starts_with(b"ST") && member.contains(&b'-')).then_some(())?;
    (after.eat(b':') && after.eat(b' ')).then_some(())?;
    *input = after;
    Some(member)
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::read;

    #[test]
    fn the_number_is_the_events_and_the_word_behind_it_the_tag() {
        let message =
            read(b"<14>Jul 15 12:34:56 192.0.2.1 00077 ports: ST2-CMDR: port 2/3 is now off-line");
        assert_eq!(
            (message.vendor, message.os),
            (Some("hpe"), Some("arubaos-switch"))
        );
        assert_eq!(message.event_code, Some(&b"00077"[..]));
        assert_eq!(message.app_name, Some(&b"ports"[..]));
        assert_eq!(message.text, b"port 2/3 is now off-line");
        assert_eq!(json(message.fields.unwrap()), r#"{"member":"ST2-CMDR"}"#);
    }

    #[test]
    fn other_numbers_in_front_of_a_text_stay_there() {
        for text in [
            "00077 ports",
            "0077 ports: x",
            "00077 Ports: x",
            "00077 ",
            "12345 foo: x",
        ] {
            let input = format!("<14>Jul 15 12:34:56 h {text}");
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.text), (None, text.as_bytes()));
        }
    }
}
