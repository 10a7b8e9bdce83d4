//! F5 BIG-IP: the level in words in front of the tag, and a number with a severity behind it.
//!
//! ```text
//!  <133>Jul 15 12:34:56 lb1 notice mcpd[6789]: 01070638:5: Pool /Common/p1 member /Common/m1:80 monitor status down.
//!                           level  tag         code    severity
//!  <133>Jul 15 12:34:56 slot1/lb1 notice mcpd[6789]: ...          a blade of a chassis
//!  <134>Jul 15 12:34:56 lb1 info tmm1[6789]: Rule /Common/web <HTTP_REQUEST>: ...     what a rule of the operator's logs
//!  <134>1 2026-07-15T12:34:56Z lb1 tmm 4711 01260013:6: [F5@12276 hostname="lb1"] ...
//!  <131>Jul 15 12:34:56 lb1 ASM:unit_hostname="lb1",policy_name="/Common/web",support_id="18205860747014045721",...
//! ```
//!
//! Evidence: eight hexadecimal digits, a colon, a digit and a colon behind the tag, or a rule and its event; or `ASM:` and pairs with a name that only
//! the application firewall has (its storage format of key-value pairs); or an element with F5's enterprise number. (F5, K16197: reviewing BIG-IP log
//! files; BIG-IP Error Code Database.)

use super::fields::{Fields, Syntax};
use super::{Format, Message, rfc3164};
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    const LEVELS: [&[u8]; 9] = [
        b"emerg", b"alert", b"crit", b"err", b"error", b"warning", b"notice", b"info", b"debug",
    ];
    if application_security(message) || element(message) {
        return true;
    }
    let mut input = Reader::new(message.text);
    let (mut level, mut slot, mut head): (&[u8], &[u8], _) = (b"", b"", None);
    // Behind rsyslog the level is the program, and the tag stands in the text.
    let is_relayed = message.format == Format::Rfc5424 && message.proc_id.is_none();
    let program = message.app_name.filter(|_| is_relayed);
    if let Some(word) = program.filter(|name| LEVELS.contains(name)) {
        level = word;
        let mut tagged = message.clone();
        if !rfc3164::take_tag(&mut input, &mut tagged) {
            return false;
        }
        head = Some(tagged);
    } else if message.app_name.is_none() {
        let blade = match message.hostname {
            None => take_blade(&mut input),
            Some(_) => None,
        };
        level = input.take_while(|byte| byte.is_ascii_lowercase());
        if !input.eat(b' ') || !LEVELS.contains(&level) {
            return false;
        }
        let mut tagged = message.clone();
        if let Some((number, host)) = blade {
            slot = number;
            tagged.hostname = Some(host);
        }
        if !rfc3164::take_tag(&mut input, &mut tagged) {
            return false;
        }
        head = Some(tagged);
    }
    let fields = if let Some((code, severity)) = take_code(&mut input) {
        let names = &["level", "severity", "slot"];
        (
            Some(code),
            Fields::parts(names, [level, severity, slot, b""]),
        )
    } else if let Some((rule, event)) = take_rule(&mut input) {
        let names = &["level", "slot", "rule", "event"];
        (None, Fields::parts(names, [level, slot, rule, event]))
    } else {
        return false;
    };
    if let Some(head) = head {
        *message = head;
    }
    message.event_code = fields.0.or(message.event_code);
    message.fields = Some(fields.1);
    message.text = input.rest();
    message.vendor = Some("f5");
    message.os = Some("big-ip");
    true
}

/// Takes `ASM:` in front of pairs, and reads these.
fn application_security(message: &mut Message<'_>) -> bool {
    let Some(pairs) = message.text.strip_prefix(b"ASM:") else {
        return false;
    };
    let known = |name: &[u8]| matches!(name, b"unit_hostname" | b"support_id" | b"policy_name");
    let mut is_ours = false;
    let fields = Fields::read(Syntax::KeyValue, pairs, |field| {
        is_ours |= known(field.name)
    });
    if !is_ours {
        return false;
    }
    // A tag in front of it gives way.
    let had_tag = message.app_name.is_some();
    message.fidelity = message.fidelity.changed_if(had_tag);
    message.proc_id = None;
    message.app_name = message.text.get(..3);
    message.text = pairs;
    message.fields = fields;
    message.vendor = Some("f5");
    message.os = Some("big-ip");
    true
}

/// An element `F5@12276`, and the code in MSGID.
fn element(message: &mut Message<'_>) -> bool {
    let data = message.structured_data;
    let is_ours = data.is_some_and(|data| data.first_id().starts_with(b"F5@12276"));
    if is_ours {
        let mut id = Reader::new(message.msg_id.unwrap_or_default());
        message.event_code = take_code(&mut id)
            .map(|(code, _)| code)
            .or(message.event_code);
        message.vendor = Some("f5");
        message.os = Some("big-ip");
    }
    is_ours
}

/// Takes `slot1/lb1 `.
fn take_blade<'a>(input: &mut Reader<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let mut after = *input;
    (after.take(4)? == b"slot").then_some(())?;
    let number = after.take_while(|byte| byte.is_ascii_digit());
    (!number.is_empty() && after.eat(b'/')).then_some(())?;
    let host = after.take_while(|byte| byte.is_ascii_graphic());
    (!host.is_empty() && after.eat(b' ')).then_some(())?;
    *input = after;
    Some((number, host))
}

/// Takes `01070638:5: `.
fn take_code<'a>(input: &mut Reader<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let mut after = *input;
    let code = after.take(8)?;
    code.iter().all(u8::is_ascii_hexdigit).then_some(())?;
    after.eat(b':').then_some(())?;
    let severity = after.take_while(|byte| byte.is_ascii_digit());
    (severity.len() == 1 && after.eat(b':')).then_some(())?;
    after.eat(b' ');
    *input = after;
    Some((code, severity))
}

/// Takes `Rule /Common/web <HTTP_REQUEST>: `.
fn take_rule<'a>(input: &mut Reader<'a>) -> Option<(&'a [u8], &'a [u8])> {
    (input.take(5)? == b"Rule ").then_some(())?;
    let rule = input.take_while(|byte| byte.is_ascii_graphic());
    (rule.starts_with(b"/") && input.eat(b' ') && input.eat(b'<')).then_some(())?;
    let event = input.take_while(|byte| byte.is_ascii_uppercase() || byte == b'_');
    (!event.is_empty() && input.eat(b'>') && input.eat(b':')).then_some(())?;
    input.eat(b' ');
    Some((rule, event))
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::{Fidelity, read};

    #[test]
    fn a_level_with_a_number_is_a_program() {
        let message =
            read(b"<133>1 2026-07-15T12:34:56Z lb1 notice 44 - -  mcpd[6789]: 01070638:5: x");
        assert_eq!((message.vendor, message.proc_id), (None, Some(&b"44"[..])));
    }

    #[test]
    fn level_tag_and_code_are_told_apart() {
        for (input, fields) in [
            (
                "<133>Jul 15 12:34:56 lb1 notice mcpd[6789]: 01070638:5: Pool down.",
                r#"{"level":"notice","severity":"5"}"#,
            ),
            (
                "<133>1 2026-07-15T12:34:56Z lb1 notice - - -  mcpd[6789]: 01070638:5: Pool down.",
                r#"{"level":"notice","severity":"5"}"#,
            ),
            (
                "<133>Jul 15 12:34:56 lb1 mcpd[6789]: 01070638:5: Pool down.",
                r#"{"severity":"5"}"#,
            ),
            (
                "<133>Jul 15 12:34:56 slot2/lb1 notice mcpd[6789]: 01070638:5: Pool down.",
                r#"{"level":"notice","severity":"5","slot":"2"}"#,
            ),
        ] {
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.os), (Some("f5"), Some("big-ip")));
            assert_eq!(message.hostname, Some(&b"lb1"[..]), "{input}");
            assert_eq!(message.app_name, Some(&b"mcpd"[..]));
            assert_eq!(message.proc_id, Some(&b"6789"[..]));
            assert_eq!(message.event_code, Some(&b"01070638"[..]));
            assert_eq!(message.text, b"Pool down.");
            assert_eq!(json(message.fields.unwrap()), fields);
        }
    }

    #[test]
    fn what_a_rule_logs_has_a_process_a_rule_and_an_event() {
        let message =
            read(b"<134>Jul 15 12:34:56 lb1 info tmm1[123]: Rule /Common/x <HTTP_REQUEST>: hello");
        assert_eq!((message.vendor, message.event_code), (Some("f5"), None));
        assert_eq!(message.app_name, Some(&b"tmm1"[..]));
        assert_eq!(message.text, b"hello");
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"level":"info","rule":"/Common/x","event":"HTTP_REQUEST"}"#
        );
    }

    #[test]
    fn without_a_host_the_level_is_none() {
        let message = read(b"<133>Jul 15 12:34:56 notice mcpd[6789]: 01070638:5: Pool down.");
        assert_eq!((message.vendor, message.hostname), (Some("f5"), None));
        assert_eq!(message.app_name, Some(&b"mcpd"[..]));
    }

    #[test]
    fn a_tag_in_front_of_the_application_firewalls_gives_way() {
        let message = read(br#"<131>Jul 15 12:34:56 lb1 foo[7]: ASM:unit_hostname="lb1",a="b""#);
        assert_eq!(
            (message.app_name, message.proc_id),
            (Some(&b"ASM"[..]), None)
        );
        assert_eq!(message.fidelity, Fidelity::Changed);
        let plain = read(br#"<131>Jul 15 12:34:56 lb1 ASM:unit_hostname="lb1",a="b""#);
        assert_eq!(plain.fidelity, Fidelity::Exact);
    }

    #[test]
    fn a_level_without_a_code_stays_in_the_text() {
        for text in [
            "notice mcpd[1]: hello",
            "notice mcpd[1]: 0107063",
            "info",
            "slot1/",
        ] {
            let input = format!("<133>Jul 15 12:34:56 lb1 {text}");
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.text), (None, text.as_bytes()));
        }
    }
}
