//! Extreme Networks: EXOS (Switch Engine) and VOSS (Fabric Engine, once Avaya's and Nortel's).
//!
//! ```text
//!  EXOS  <142>Jul 15 12:34:56 sw1 <Info:vlan.msgs.portLinkStateUp> Slot-1: Port 1:2 link UP at 1 Gbps
//!                                  level code
//!  VOSS  <190>Jul 15 12:34:56 vsp1 CP1 [07/15/26 12:34:56.789:UTC] 0x00004595 00000000 GlobalRouter SNMP INFO Link Up(1/1)
//!                                  card                            code       alarm    router       module level
//!        <190>1 2026-07-15T12:34:56.789Z vsp1 CP1 - 0x00004595 - 00000000 GlobalRouter SNMP INFO Link Up(1/1)
//! ```
//!
//! Evidence: one of the words for a level and a condition with dots between angle brackets; or a card, a bracket, and a
//! number in hexadecimal, in RFC 5424 each in its field. (Extreme, "ExtremeXOS EMS Messages Catalog"; "VOSS Alarms and Logs Reference".)

use super::fields::Fields;
use super::{Fidelity, Message};
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    exos(message) || voss(message) || voss_rfc5424(message)
}

fn exos(message: &mut Message<'_>) -> bool {
    const LEVELS: [&[u8]; 8] = [
        b"Crit", b"Erro", b"Warn", b"Noti", b"Info", b"Summ", b"Verb", b"Data",
    ];
    let mut input = Reader::new(message.text);
    if !input.eat(b'<') {
        return false;
    }
    let level = input.take_while(|byte| byte.is_ascii_alphabetic());
    let colon = input.eat(b':');
    let code =
        input.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    let known = LEVELS.contains(&level) || level.starts_with(b"Debug");
    if !known || !colon || code.is_empty() || !input.eat(b'>') {
        return false;
    }
    input.eat(b' ');
    message.event_code = Some(code);
    message.fields = Some(Fields::parts(&["level"], [level, b"", b"", b""]));
    message.text = input.rest();
    message.vendor = Some("extreme");
    message.os = Some("exos");
    true
}

fn voss(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    let card = input.take_while(|byte| byte.is_ascii_alphanumeric());
    input.take_while(|byte| byte == b' ');
    if !is_card(card) || !input.eat(b'[') {
        return false;
    }
    // The device's clock; the header says it too.
    let stamp = input.take_until(b']');
    input.eat(b' ');
    let code = input.take_while(|byte| byte.is_ascii_alphanumeric());
    if stamp.is_none() || !is_code(code) || !input.eat(b' ') {
        return false;
    }
    message.fidelity = Fidelity::Changed;
    take_event(message, input, card, code);
    true
}

/// Card and code stand in APP-NAME and MSGID.
fn voss_rfc5424(message: &mut Message<'_>) -> bool {
    let (Some(card), Some(code)) = (message.app_name, message.msg_id) else {
        return false;
    };
    let found = is_card(card) && is_code(code);
    if found {
        // The card is told already.
        take_event(message, Reader::new(message.text), b"", code);
    }
    found
}

fn is_card(word: &[u8]) -> bool {
    matches!(word, [b'C', b'P', b'1'..=b'9'] | [b'I', b'O', b'1'..=b'9'])
}

fn is_code(word: &[u8]) -> bool {
    word.len() == 10 && word.starts_with(b"0x") && word.iter().all(u8::is_ascii_alphanumeric)
}

/// Takes alarm, router and module off the text.
fn take_event<'a>(message: &mut Message<'a>, input: Reader<'a>, card: &'a [u8], code: &'a [u8]) {
    let mut input = input;
    let alarm = take_alarm(&mut input);
    let router = input.take_until(b' ').unwrap_or_default();
    let module = input.take_until(b' ').unwrap_or_default();
    message.event_code = Some(code);
    message.fields = Some(Fields::parts(
        &["card", "alarm", "router", "module"],
        [card, alarm, router, module],
    ));
    message.text = input.rest();
    message.vendor = Some("extreme");
    message.os = Some("voss");
}

/// Takes `00000000 `, or `00300001.238 DYNAMIC SET ` of an alarm that is raised or cleared.
fn take_alarm<'a>(input: &mut Reader<'a>) -> &'a [u8] {
    let (all, start) = (input.rest(), input.at());
    input.take_while(|byte| byte.is_ascii_hexdigit() || byte == b'.');
    let mut end = input.at() - start;
    input.eat(b' ');
    let mut after = *input;
    if matches!(after.take_until(b' '), Some(b"DYNAMIC" | b"PERSISTENT"))
        && matches!(after.take_until(b' '), Some(b"SET" | b"CLEAR"))
    {
        end = after.at() - start - 1;
        *input = after;
    }
    all.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::{Fidelity, read};

    #[test]
    fn exos_names_the_condition_between_angle_brackets() {
        let message = read(
            b"<142>Jul 15 12:34:56 sw1 <Info:vlan.msgs.portLinkStateUp> Slot-1: Port 1:2 link UP",
        );
        assert_eq!(
            (message.vendor, message.os),
            (Some("extreme"), Some("exos"))
        );
        assert_eq!(message.event_code, Some(&b"vlan.msgs.portLinkStateUp"[..]));
        assert_eq!(message.text, b"Slot-1: Port 1:2 link UP");
        assert_eq!(json(message.fields.unwrap()), r#"{"level":"Info"}"#);
    }

    #[test]
    fn voss_numbers_its_events_in_hexadecimal() {
        let message = read(
            b"<190>Jul 15 12:34:56 vsp1 CP1 [07/15/26 12:34:56.789:UTC] 0x00004595 00000000 GlobalRouter SNMP INFO Link Up(1/1)",
        );
        assert_eq!(
            (message.vendor, message.os),
            (Some("extreme"), Some("voss"))
        );
        assert_eq!(message.event_code, Some(&b"0x00004595"[..]));
        assert_eq!(message.text, b"INFO Link Up(1/1)");
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"card":"CP1","alarm":"00000000","router":"GlobalRouter","module":"SNMP"}"#
        );
    }

    #[test]
    fn voss_has_the_same_in_the_fields_of_rfc_5424() {
        let message = read(
            b"<190>1 2026-07-15T12:34:56.789Z vsp1 CP1 - 0x00004595 - 00000000 GlobalRouter SNMP INFO Link Up(1/1)",
        );
        assert_eq!(
            (message.vendor, message.os),
            (Some("extreme"), Some("voss"))
        );
        assert_eq!(message.event_code, Some(&b"0x00004595"[..]));
        assert_eq!(message.app_name, Some(&b"CP1"[..]));
        assert_eq!(message.text, b"INFO Link Up(1/1)");
        assert_eq!(message.fidelity, Fidelity::Exact);
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"alarm":"00000000","router":"GlobalRouter","module":"SNMP"}"#
        );
        for other in ["app - 0x00004595", "CP1 - 4595", "CP1 - -"] {
            let input = format!("<190>1 2026-07-15T12:34:56Z h {other} - 00000000 a b c");
            assert_eq!(read(input.as_bytes()).vendor, None, "{other}");
        }
    }

    #[test]
    fn what_is_cut_keeps_its_text() {
        for text in [
            "<Info:vlan",
            "<Info:>",
            "<a:b> x",
            "CP1 [07/15/26 12",
            "CP1 [x] 0x12 y",
        ] {
            let input = format!("<142>Jul 15 12:34:56 h {text}");
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.text), (None, text.as_bytes()));
        }
    }
}
