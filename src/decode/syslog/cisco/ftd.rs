//! Cisco's Secure Firewall (FTD): the events of connections, intrusions, files and malware, which are pairs.
//!
//! ```text
//!  <113>2026-07-15T12:34:56Z ftd1 : %FTD-1-430003: EventPriority: Low, InstanceID: 7, SrcIP: 10.3.3.3, User: , NAPPolicy: two words
//! ```
//!
//! Evidence: one of the five numbers of these events. A value ends where `, ` and the next name with a colon stand.
//! (Cisco, "Secure Firewall Threat Defense Syslog Messages": security event syslog messages.)

use super::super::Message;
use super::super::fields::{Field, Fields, Syntax, Value, Walk};
use crate::decode::reader::Reader;

pub(in super::super) fn refine(message: &mut Message<'_>) -> bool {
    const EVENTS: [&[u8]; 5] = [b"-430001", b"-430002", b"-430003", b"-430004", b"-430005"];
    let is_event = message.event_code.is_some_and(|code| {
        code.starts_with(b"FTD-") && EVENTS.iter().any(|number| code.ends_with(number))
    });
    if is_event {
        message.fields = Fields::read(Syntax::ColonPairs, message.text, |_| {});
    }
    is_event
}

/// The next `Name: value`, up to `, Name:`.
pub(in super::super) fn next<'a>(walk: &mut Walk<'a>) -> Option<Field<'a>> {
    let input = &mut walk.input;
    loop {
        let name = take_name(input);
        if name.is_some() {
            input.eat(b' ');
        }
        let value = take_value(input);
        match name {
            Some(name) => {
                let value = Value::plain(value);
                return Some(Field { name, value });
            }
            None if input.is_empty() && value.is_empty() => return None,
            None => walk.passed_over = true,
        }
    }
}

/// Takes `SrcIP:`.
fn take_name<'a>(input: &mut Reader<'a>) -> Option<&'a [u8]> {
    let mut after = *input;
    let name = after.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let starts = name.first().is_some_and(u8::is_ascii_alphabetic);
    (starts && after.eat(b':')).then_some(())?;
    *input = after;
    Some(name)
}

/// Takes everything before the next `, Name:`, and the comma.
fn take_value<'a>(input: &mut Reader<'a>) -> &'a [u8] {
    let (rest, start) = (input.rest(), input.at());
    while input.take_until(b',').is_some() {
        let end = input.at() - start - 1;
        let mut after = *input;
        if after.eat(b' ') && take_name(&mut { after }).is_some() {
            *input = after;
            return rest.get(..end).unwrap_or_default();
        }
    }
    input.take_while(|_| true);
    rest
}

#[cfg(test)]
mod tests {
    use super::super::super::fields::tests::json;
    use super::super::super::read;

    #[test]
    fn a_security_event_is_pairs_whose_values_may_have_commas() {
        let message = read(
            b"<113>2026-07-15T12:34:56Z ftd1 : %FTD-1-430003: EventPriority: Low, SrcIP: 2001:db8::7, User: , URL: http://a.example/?a=1, 2, NAPPolicy: Balanced Security",
        );
        assert_eq!(message.event_code, Some(&b"FTD-1-430003"[..]));
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"EventPriority":"Low","SrcIP":"2001:db8::7","User":"","URL":"http://a.example/?a=1, 2","NAPPolicy":"Balanced Security"}"#
        );
        let other =
            read(b"<166>Jul 15 2026 12:34:56 ftd1 : %FTD-6-302013: Built outbound: x, y: z");
        assert_eq!(other.fields, None);
        let empty = read(b"<113>2026-07-15T12:34:56Z ftd1 : %FTD-1-430003: ");
        assert_eq!(empty.fields, None);
    }
}
