//! Products of Cisco's that put their own text behind one of the family's headers.
//!
//! ```text
//!  ACI   <187>Jul 15 12:34:56 leaf101 %LOG_LOCAL7-2-SYSTEM_MSG [F0321][soaking][inoperable][critical][topology/pod-1] text
//!  UCM   <189>8103: Jul 15 2026 12:34:56 PM.789 UTC : %UC_AUDITLOG-5-AdministrativeEvent: %[ UserID =admin][Node ID=ucm1]: text
//!        <189>17: Jul 15 12:34:56.789 UTC : %CCM_RTMT-RTMT-2-RTMT-ERROR-ALERT: RTMT Alert ... Node ID:ucm1
//!  SD-WAN  <190>Jul 15 12:34:56 vedge1 FTMD[1290]: %Viptela-vedge1-ftmd-6-INFO-1400002: Notification: ...
//!  DNAC  <111>1 2026-07-15T12:34:56Z dnac1 DNAC - - - {"version":"1.0.0",...}
//! ```
//!
//! Evidence: the code, or the name of the application, that only this product has.

use super::super::fields::{Field, Fields, Syntax, Value, Walk};
use super::super::{Message, timestamp::Stamp};
use crate::decode::reader::Reader;

pub(in super::super) fn refine(message: &mut Message<'_>) -> bool {
    if message.app_name == Some(b"DNAC") && message.text.starts_with(b"{") {
        message.vendor = Some("cisco");
        message.os = Some("dnac");
        return true;
    }
    let Some(code) = message.event_code else {
        return false;
    };
    if let Some(rest) = code.strip_prefix(b"Viptela-") {
        return sd_wan(message, rest);
    }
    if message.vendor != Some("cisco") {
        return false;
    }
    if code.ends_with(b"-SYSTEM_MSG") && message.text.starts_with(b"[") {
        return aci(message, code);
    }
    if code.starts_with(b"UC_") || code.starts_with(b"CCM_") {
        return ucm(message);
    }
    false
}

/// A fault (`F0321`), event or audit (`E4204936`) of a fabric: the number is the event's name; all others share the code.
fn aci<'a>(message: &mut Message<'a>, code: &'a [u8]) -> bool {
    let mut input = Reader::new(message.text);
    input.eat(b'[');
    let number = input.take_while(|byte| byte.is_ascii_alphanumeric());
    let is_number = matches!(number, [b'E' | b'F', digits @ ..] if digits.len() >= 3 && digits.iter().all(u8::is_ascii_digit));
    message.os = Some("aci");
    if is_number && input.eat(b']') {
        message.event_code = Some(number);
        message.fields = Some(Fields::parts(&["code"], [code, b"", b"", b""]));
        message.text = input.rest();
    }
    true
}

/// `vedge1-ftmd-6-INFO-1400002`: the host's name stands in front of the code, and may have hyphens itself.
fn sd_wan<'a>(message: &mut Message<'a>, rest: &'a [u8]) -> bool {
    // Daemon, digit, level and number.
    const WORDS: usize = 4;
    let hyphens = rest.iter().enumerate().rev();
    let mut hyphens = hyphens.filter(|(_, byte)| **byte == b'-');
    let Some((at, _)) = hyphens.nth(WORDS - 1) else {
        return false;
    };
    let (host, code) = rest.split_at_checked(at).unwrap_or_default();
    let code = code.get(1..).unwrap_or_default();
    let mut words = code.split(|byte| *byte == b'-').skip(1);
    let has_severity = matches!(words.next(), Some([b'0'..=b'7']));
    let number = words.nth(1).unwrap_or_default();
    if host.is_empty() || !has_severity || !number.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let same = message.hostname.is_none_or(|name| name == host);
    message.fidelity = message.fidelity.changed_if(!same);
    message.hostname = message.hostname.or(Some(host));
    message.event_code = Some(code);
    message.vendor = Some("cisco");
    message.os = Some("sd-wan");
    true
}

/// The name of the node that logs stands in the text; in front of the time it is missing.
fn ucm(message: &mut Message<'_>) -> bool {
    message.os = Some("cucm");
    let node = if let Some(pairs) = message.text.strip_prefix(b"%") {
        let mut node = None;
        message.fields = Fields::read(Syntax::Brackets, pairs, |field| {
            if field.name == b"Node ID" {
                node = Some(field.value.bytes);
            }
        });
        node
    } else {
        const MARK: &[u8] = b"Node ID:";
        memchr::memmem::rfind(message.text, MARK)
            .and_then(|at| message.text.get(at + MARK.len()..))
            .map(|rest| rest.split(|byte| *byte == b' ').next().unwrap_or_default())
    };
    message.hostname = message.hostname.or(node.filter(|node| !node.is_empty()));
    true
}

/// The next `[ name =value]`; nothing behind the last bracket.
pub(in super::super) fn next<'a>(walk: &mut Walk<'a>) -> Option<Field<'a>> {
    walk.input.take_while(|byte| byte == b' ');
    walk.input.eat(b'[').then_some(())?;
    let mut pair = Reader::new(walk.input.take_while(|byte| byte != b']'));
    walk.input.eat(b']');
    let name = pair.take_until(b'=')?.trim_ascii();
    (!name.is_empty()).then_some(Field {
        name,
        value: Value::plain(pair.rest()),
    })
}

/// Reads an IOS message in XML (`logging host ... xml`) behind its counter and host: its id, its time, all of it as text.
/// What else the header counts comes in as `[log_sequence, session]`.
pub(super) fn xml<'a>(
    message: &mut Message<'a>,
    [log_sequence, session]: [&'a [u8]; 2],
    stamp: impl Fn(&'a [u8]) -> Option<Stamp<'a>>,
) {
    let element = |open: &[u8]| {
        let at = memchr::memmem::find(message.text, open)?;
        let rest = message.text.get(at + open.len()..)?;
        let end = memchr::memchr(b'<', rest)?;
        rest.get(..end)
    };
    let facility = element(b"<facility>").unwrap_or_default();
    let severity = element(b"<severity>").unwrap_or_default();
    message.event_code = element(b"<msg-id>").filter(|code| !code.is_empty());
    message.time = element(b"<time>").and_then(stamp);
    message.fields = Some(Fields::parts(
        &["facility", "severity", "log_sequence", "session"],
        [facility, severity, log_sequence, session],
    ));
}

#[cfg(test)]
mod tests {
    use super::super::super::fields::tests::json;
    use super::super::super::{Clock, Fidelity, read};

    #[test]
    fn a_fault_of_a_fabric_is_named_by_its_number() {
        let message = read(
            b"<187>Jul 15 12:34:56 leaf101 %LOG_LOCAL7-2-SYSTEM_MSG [F0321][soaking][critical][topology/pod-1] unhealthy",
        );
        assert_eq!((message.vendor, message.os), (Some("cisco"), Some("aci")));
        assert_eq!(message.event_code, Some(&b"F0321"[..]));
        assert_eq!(
            message.text,
            b"[soaking][critical][topology/pod-1] unhealthy"
        );
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"code":"LOG_LOCAL7-2-SYSTEM_MSG"}"#
        );
        let audit =
            read(b"<190>Jul 15 12:34:56 apic1 %LOG_LOCAL7-6-SYSTEM_MSG [login,session][info] x");
        assert_eq!(audit.event_code, Some(&b"LOG_LOCAL7-6-SYSTEM_MSG"[..]));
    }

    #[test]
    fn a_call_manager_names_its_node_in_the_text() {
        let audit = read(
            b"<189>8103: Jul 15 2026 12:34:56 PM.789 UTC : %UC_AUDITLOG-5-AdministrativeEvent: %[ UserID =admin][App ID=Tomcat][Cluster ID=][Node ID=ucm1]: Audit",
        );
        assert_eq!(audit.hostname, Some(&b"ucm1"[..]));
        assert_eq!(audit.sequence, Some(8103));
        assert_eq!(
            json(audit.fields.unwrap()),
            r#"{"UserID":"admin","App ID":"Tomcat","Cluster ID":"","Node ID":"ucm1"}"#
        );
        let alert = read(
            b"<189>17: Jul 15 12:34:56.789 UTC : %CCM_RTMT-RTMT-2-RTMT-ERROR-ALERT: RTMT Alert Cluster ID: Node ID:ucm2",
        );
        assert_eq!(alert.hostname, Some(&b"ucm2"[..]));
    }

    #[test]
    fn a_code_of_an_sd_wan_is_the_same_on_every_device() {
        for (header, name) in [
            ("vedge1 FTMD[1290]:", "vedge1"),
            ("vedge1", "vedge1"),
            ("lon-vedge-1 FTMD[1290]:", "lon-vedge-1"),
        ] {
            let text = format!(
                "<190>Jul 15 12:34:56 {header} %Viptela-{name}-ftmd-6-INFO-1400002: Notification: x"
            );
            let message = read(text.as_bytes());
            assert_eq!(
                (message.vendor, message.os),
                (Some("cisco"), Some("sd-wan"))
            );
            assert_eq!(message.hostname, Some(name.as_bytes()));
            assert_eq!(message.event_code, Some(&b"ftmd-6-INFO-1400002"[..]));
            assert_eq!(message.fidelity, Fidelity::Exact);
        }
        let other = read(b"<190>Jul 15 12:34:56 relay FTMD[1]: %Viptela-vedge1-ftmd-6-INFO-14: x");
        assert_eq!(other.fidelity, Fidelity::Changed);
        let short = read(b"<190>Jul 15 12:34:56 r FTMD[1]: %Viptela-ftmd-6-INFO-14: x");
        assert_eq!(short.event_code, Some(&b"Viptela-ftmd-6-INFO-14"[..]));
    }

    #[test]
    fn ios_in_xml_keeps_its_text_and_gives_id_time_and_clock() {
        let message = read(
            b"<190>82: R1: [syslog@9 s_sn=\"1\"]: <ios-log-msg><facility>SYS</facility><severity>6</severity><msg-id>CONFIG_I</msg-id><time>*Sep 22 13:46:50.812</time><args></args></ios-log-msg>",
        );
        assert_eq!(message.hostname, Some(&b"R1"[..]));
        assert_eq!(
            (message.sequence, message.clock),
            (Some(82), Some(Clock::Unsynchronized))
        );
        assert_eq!(message.event_code, Some(&b"CONFIG_I"[..]));
        assert_eq!(message.time.unwrap().second, 50);
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"facility":"SYS","severity":"6","session":"1"}"#
        );
        let counted = read(b"<190>82: 000777: R1: <ios-log-msg><facility>SYS</facility>");
        assert_eq!(counted.sequence, Some(82));
        assert_eq!(
            json(counted.fields.unwrap()),
            r#"{"facility":"SYS","log_sequence":"000777"}"#
        );
        let relayed = read(b"<190>Sep 22 13:46:51 relay 82: R1: <ios-log-msg><facility>SYS</fac");
        assert_eq!(relayed.fidelity, Fidelity::Changed);
        let cut = read(b"<190>82: <ios-log-msg><facility>SYS</fac");
        assert_eq!((cut.sequence, cut.event_code), (Some(82), None));
    }
}
