//! Brocade: Fabric OS (storage switches) and IronWare (NetIron, FastIron).
//!
//! ```text
//!  FOS       <188>Jul 15 12:34:56 san1 raslogd: 2026/07/15-12:34:56, [SNMP-1008], 5, FID 128, INFO, san1, The last device change
//!            <188>Jul 15 12:34:56 san1 raslogd: AUDIT, 2026/07/15-12:34:56 (GMT), [SEC-3020], INFO, SECURITY, admin/..., text
//!            <188>1 2026-07-15T12:34:56.789Z san1 raslogd - SEC-1203 [log@1588 value="RASLOG"][timestamp@1588 ...] text
//!  IronWare  <14>Jul 15 12:34:56 r1 System: Interface ethernet 1/1/36, state down
//! ```
//!
//! Evidence: a date in front of a code in brackets, or an element `log@1588` (1588 is Brocade's enterprise number); for IronWare a tag with the start of the text
//! that it writes behind it. (Broadcom, "Fabric OS Message Reference Manual"; Extreme, "NetIron Syslog Messages".)

use super::fields::Fields;
use super::{Format, Message};
use crate::decode::reader::Reader;

/// Tags of IronWare, and how their texts start. Other routers have the same tags.
const TEXTS: [(&[u8], &[u8]); 4] = [
    (b"System", b"Interface ethernet "),
    (b"BGP", b"Peer "),
    (b"OSPF", b"nbr state changed, rid "),
    (b"OSPF", b"interface state changed, rid "),
];

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    structured(message) || fabric(message) || ironware(message)
}

/// In RFC 5424 the code stands in MSGID.
fn structured(message: &mut Message<'_>) -> bool {
    let found = message
        .structured_data
        .is_some_and(|data| data.first_id() == b"log@1588");
    if found {
        message.event_code = message.msg_id;
        message.vendor = Some("brocade");
        message.os = Some("fabric-os");
    }
    found
}

/// The code stands in brackets behind one or two columns; the counter is that of one kind of log, so it is a field.
fn fabric(message: &mut Message<'_>) -> bool {
    if !matches!(message.text.first(), Some(b'0'..=b'9' | b'A')) {
        return false;
    }
    let mut input = Reader::new(message.text);
    let mut after = input;
    let audit = after.take_until(b',').filter(|word| *word == b"AUDIT");
    if audit.is_some() {
        after.eat(b' ');
        input = after;
    }
    let Some(stamp) = input.take_until(b',') else {
        return false;
    };
    let dated =
        matches!(stamp, [y1, _, _, _, b'/', _, _, b'/', _, _, b'-', ..] if y1.is_ascii_digit());
    input.eat(b' ');
    if !dated || !input.eat(b'[') {
        return false;
    }
    let code = input.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !code.contains(&b'-') || !input.eat(b']') || !input.eat(b',') {
        return false;
    }
    input.eat(b' ');
    message.event_code = Some(code);
    message.fields = Some(Fields::parts(
        &["log", "logged"],
        [audit.unwrap_or_default(), stamp, b"", b""],
    ));
    message.text = input.rest();
    message.vendor = Some("brocade");
    message.os = Some("fabric-os");
    true
}

fn ironware(message: &mut Message<'_>) -> bool {
    let found = message.format == Format::Rfc3164
        && TEXTS
            .iter()
            .any(|(tag, start)| message.app_name == Some(tag) && message.text.starts_with(start));
    // `Peer 192.0.2.1 DOWN (Hold Timer Expired)`.
    let complete = message.app_name != Some(b"BGP")
        || [&b" DOWN ("[..], b" UP ("]
            .iter()
            .any(|state| memchr::memmem::find(message.text, state).is_some());
    if found && complete {
        message.vendor = Some("brocade");
        message.os = Some("netiron");
    }
    found && complete
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::read;

    #[test]
    fn fabric_os_has_a_code_in_brackets_behind_its_own_time() {
        let message = read(
            b"<188>Jul 15 12:34:56 san1 raslogd: 2026/07/15-12:34:56, [SNMP-1008], 5, FID 128, INFO, san1, The last device change",
        );
        assert_eq!(
            (message.vendor, message.os),
            (Some("brocade"), Some("fabric-os"))
        );
        assert_eq!(message.event_code, Some(&b"SNMP-1008"[..]));
        assert_eq!(
            message.text,
            b"5, FID 128, INFO, san1, The last device change"
        );
        let audit = read(
            b"<188>Jul 15 12:34:56 san1 raslogd: AUDIT, 2026/07/15-12:34:56 (GMT), [SEC-3020], INFO, SECURITY, admin, x",
        );
        assert_eq!(audit.event_code, Some(&b"SEC-3020"[..]));
        assert_eq!(
            json(audit.fields.unwrap()),
            r#"{"log":"AUDIT","logged":"2026/07/15-12:34:56 (GMT)"}"#
        );
        for text in [
            "2026/07/15-12:34:56, [SNMP",
            "2026/07/15-12:34:56",
            "AUDIT, x, [A-1], y",
        ] {
            let input = format!("<188>Jul 15 12:34:56 san1 raslogd: {text}");
            assert_eq!(read(input.as_bytes()).vendor, None, "{text}");
        }
    }

    #[test]
    fn fabric_os_has_its_code_in_msgid_of_rfc_5424() {
        let message = read(
            br#"<188>1 2026-07-15T12:34:56.789Z san1 raslogd - SEC-1203 [log@1588 value="RASLOG"] Login"#,
        );
        assert_eq!(message.vendor, Some("brocade"));
        assert_eq!(message.event_code, Some(&b"SEC-1203"[..]));
        assert_eq!(message.text, b"Login");
        let other =
            read(br#"<188>1 2026-07-15T12:34:56.789Z h raslogd - SEC-1203 [log@32473 a="b"] x"#);
        assert_eq!(other.vendor, None);
    }

    #[test]
    fn ironware_is_told_by_tag_and_text_together() {
        for (text, vendor) in [
            (
                "System: Interface ethernet 1/1/36, state down",
                Some("brocade"),
            ),
            ("BGP: Peer 192.0.2.1 UP (ESTABLISHED)", Some("brocade")),
            ("BGP: Peer 192.0.2.1 is new", None),
            ("System: restarted", None),
            ("OSPF: nbr state changed, rid 192.0.2.1", Some("brocade")),
        ] {
            let input = format!("<14>Jul 15 12:34:56 r1 {text}");
            assert_eq!(read(input.as_bytes()).vendor, vendor, "{text}");
        }
    }
}
