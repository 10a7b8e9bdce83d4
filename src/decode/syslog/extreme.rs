//! Extreme Networks: EXOS (Switch Engine) and VOSS (Fabric Engine, once Avaya's and Nortel's).
//!
//! ```text
//!  EXOS  <142>Jul 15 12:34:56 sw1 <Info:vlan.msgs.portLinkStateUp> Slot-1: Port 1:2 link UP at 1 Gbps
//!                                  level code
//!  VOSS  <190>Jul 15 12:34:56 vsp1 CP1 [07/15/26 12:34:56.789:UTC] 0x00004595 00000000 GlobalRouter SNMP INFO Link Up(1/1)
//!                                  card                            code       alarm    router       module level
//! ```
//!
//! Evidence: one of the words for a level and a condition with dots between angle brackets; or a card, a bracket, and a
//! number in hexadecimal. (Extreme, "ExtremeXOS EMS Messages Catalog"; "VOSS Alarms and Logs Reference".)

use super::Message;
use super::fields::Fields;
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    exos(message) || voss(message)
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
    let is_card = matches!(card, [b'C', b'P', b'1'..=b'9'] | [b'I', b'O', b'1'..=b'9']);
    input.take_while(|byte| byte == b' ');
    if !is_card || !input.eat(b'[') {
        return false;
    }
    // The device's clock; the header says it too.
    let stamp = input.take_until(b']');
    input.eat(b' ');
    let code = input.take_while(|byte| byte.is_ascii_alphanumeric());
    if stamp.is_none() || code.len() != 10 || !code.starts_with(b"0x") || !input.eat(b' ') {
        return false;
    }
    let alarm = take_alarm(&mut input);
    let router = input.take_until(b' ').unwrap_or_default();
    let module = input.take_until(b' ').unwrap_or_default();
    message.event_code = Some(code);
    message.fields = Some(Fields::parts(
        &["card", "alarm", "router", "module"],
        [card, alarm, router, module],
    ));
    message.fidelity = super::Fidelity::Changed;
    message.text = input.rest();
    message.vendor = Some("extreme");
    message.os = Some("voss");
    true
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
    use super::super::read;

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
