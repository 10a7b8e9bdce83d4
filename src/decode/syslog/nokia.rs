//! Nokia SR OS (and 7705 SAR): the tag TMNX, its own counter, the routing instance and a code.
//!
//! ```text
//!  <188>Jul 15 12:34:56 10.0.0.1 TMNX: 247 Base PORT-MINOR-etherAlarmSet-2017 [Port 1/1/1]:  Alarm Local Fault Set
//!                                 tag  seq instance code                       subject        text
//! ```
//!
//! Evidence: the tag `TMNX` (its prefix can be changed, but is not) and a number behind it. Each log of a device counts for
//! itself, and several may go to one server: the counter is a field, because a message does not say whose it is. (Nokia, "SR OS System Management Guide": event logs, syslog format.)

use super::Message;
use super::fields::Fields;
use crate::decode::reader::Reader;

const PARTS: &[&str] = &["log_sequence", "router", "subject"];

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    if message.app_name != Some(b"TMNX") {
        return false;
    }
    let mut input = Reader::new(message.text);
    let Some((sequence, router, code)) = take_head(&mut input) else {
        return false;
    };
    let mut after = input;
    let mut subject: &[u8] = b"";
    if after.eat(b'[')
        && let Some(found) = memchr::memmem::find(after.rest(), b"]:")
    {
        subject = after.take(found).unwrap_or_default();
        after.take(2);
        input = after;
    }
    input.take_while(|byte| byte == b' ');
    message.event_code = Some(code);
    message.vendor = Some("nokia");
    message.os = Some("sr-os");
    message.fields = Some(Fields::parts(PARTS, [sequence, router, subject, b""]));
    message.text = input.rest();
    true
}

/// Takes `247 Base PORT-MINOR-etherAlarmSet-2017 `.
fn take_head<'a>(input: &mut Reader<'a>) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
    let sequence = input.take_while(|byte| byte.is_ascii_digit());
    (!sequence.is_empty() && input.eat(b' ')).then_some(())?;
    let router = input.take_until(b' ')?;
    let code = input.take_while(|byte| byte.is_ascii_graphic());
    let hyphens = code.iter().filter(|byte| **byte == b'-').count();
    (hyphens >= 2).then_some(())?;
    input.eat(b' ');
    Some((sequence, router, code))
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::read;

    #[test]
    fn counter_instance_code_and_subject_are_told_apart() {
        let message = read(
            b"<188>Jul 15 12:34:56 10.0.0.1 TMNX: 247 Base PORT-MINOR-etherAlarmSet-2017 [Port 1/1/1]:  Alarm Local Fault Set",
        );
        assert_eq!((message.vendor, message.os), (Some("nokia"), Some("sr-os")));
        assert_eq!(message.sequence, None, "it is one log's, not the device's");
        assert_eq!(
            message.event_code,
            Some(&b"PORT-MINOR-etherAlarmSet-2017"[..])
        );
        assert_eq!(message.text, b"Alarm Local Fault Set");
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"log_sequence":"247","router":"Base","subject":"Port 1/1/1"}"#
        );
    }

    #[test]
    fn a_cut_message_keeps_its_text() {
        for text in ["TMNX: 247", "TMNX: 247 Base", "TMNX: x Base A-B-c-1 x"] {
            let input = format!("<188>Jul 15 12:34:56 10.0.0.1 {text}");
            assert_eq!(read(input.as_bytes()).vendor, None, "{text}");
        }
    }
}
