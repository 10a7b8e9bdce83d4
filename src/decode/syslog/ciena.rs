//! Ciena SAOS: the domain in brackets, and a severity of its own.
//!
//! ```text
//!  <13>Jul 15 12:34:56 192.0.2.1 [local] Sev:8 chassis(1): :Power supply A1 faulted
//!                                 domain severity module slot  text
//! ```
//!
//! Evidence: a word in brackets and `Sev:`. (Ciena, "SAOS Fault and Performance": syslog messages.)

use super::Message;
use super::fields::Fields;
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    if !input.eat(b'[') {
        return false;
    }
    let domain = input.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !input.eat(b']') || input.take(5) != Some(b" Sev:") {
        return false;
    }
    let severity = input.take_while(|byte| byte.is_ascii_digit());
    let space = input.eat(b' ');
    let module =
        input.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let open = input.eat(b'(');
    let slot = input.take_while(|byte| byte.is_ascii_digit());
    let closed = input.eat(b')') && input.eat(b':');
    if severity.is_empty() || module.is_empty() || !space || !open || !closed {
        return false;
    }
    input.eat(b' ');
    input.eat(b':');
    message.app_name = message.app_name.or(Some(module));
    message.fields = Some(Fields::parts(
        &["domain", "severity", "module", "slot"],
        [domain, severity, module, slot],
    ));
    message.text = input.rest().trim_ascii_start();
    message.vendor = Some("ciena");
    message.os = Some("saos");
    true
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::read;

    #[test]
    fn domain_severity_and_module_are_told_apart() {
        let message = read(
            b"<13>Jul 15 12:34:56 192.0.2.1 [local] Sev:8 chassis(1): :Power supply A1 faulted",
        );
        assert_eq!((message.vendor, message.os), (Some("ciena"), Some("saos")));
        assert_eq!(message.app_name, Some(&b"chassis"[..]));
        assert_eq!(message.text, b"Power supply A1 faulted");
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"domain":"local","severity":"8","module":"chassis","slot":"1"}"#
        );
        for text in ["[local] Sev:8 chassis(1", "[local] Sev:", "[local] hello"] {
            let input = format!("<13>Jul 15 12:34:56 192.0.2.1 {text}");
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.text), (None, text.as_bytes()));
        }
    }
}
